import Foundation
import Hypertension
import PeriodRollups
import Postgres
import TestSupport
import Testing

@testable import RollupStore

/// Columns and rollups that are called otherwise, or go.
extension SchemaChangeTests {
  @Test func aColumnIsRenamedAndDigestsHold() async throws {
    try await programme { database, _ in
      let pool = database.pool
      let before = try await published(pool)
      let renamed = MostRecent(
        "blood-pressure", table: Rollups.bloodPressure.table, per: Tables.Patients.subject,
        id: Rollups.bloodPressure.id, time: "recorded_at",
        keeping: [
          Column("systolic_mmhg", .integer, formerly: "systolic"), Tables.BloodPressures.diastolic,
          Column("blood_pressure_facility_id", .uuid),
        ], from: Before.bloodPressure.inputs, selectedBy: Tables.Patients.assignedFacilityID)
      let catalog = Catalog(
        subject: Tables.Patients.subject, mostRecent: [renamed, Before.visits],
        counts: Rollups.catalog.counts, registers: Rollups.catalog.registers)
      let migrator = Self.migrator(catalog)
      _ = try await migrator.run(pool, partitions: Self.span)
      #expect(try await migrator.plan(pool, partitions: Self.span).steps.count == 1)
      let store = try await RollupStore(pool, catalog)
      #expect(try await published(pool) == before)
      #expect(try await findings(store) == [])
      #expect(try await knownNow(store) == [])
      try await Backfilling.everything(store)
      #expect(try await Backfilling.drift(store) == [])
      let path = SourcePath<UUID>(Before.readings, in: store)
      for number in 90..<120 { try await Self.insert(number, path) }
      #expect(try await Backfilling.drift(store) == [])
      #expect(try await knownNow(store) == [])
      #expect(try await findings(store) == [])
      // And what it was called before is not there any more.
      let left = """
        SELECT count(*) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE c.relname LIKE 'blood_pressure_rollups%' AND a.attname = 'systolic'
        """
      #expect(try await count(left, pool) == 0)
    }
  }

  @Test func aColumnThatEditionsHaveStaysUntilNoneDoes() async throws {
    try await programme { database, _ in
      let pool = database.pool
      let before = try await published(pool)
      let without = MostRecent(
        "blood-pressure", table: Rollups.bloodPressure.table, per: Tables.Patients.subject,
        id: Rollups.bloodPressure.id, time: "recorded_at",
        keeping: [Tables.BloodPressures.systolic, Tables.BloodPressures.diastolic],
        from: [
          .init(
            Before.readings, [Tables.BloodPressures.systolic, Tables.BloodPressures.diastolic])
        ], selectedBy: Tables.Patients.assignedFacilityID)
      let catalog = Catalog(
        subject: Tables.Patients.subject, mostRecent: [without, Before.visits],
        counts: Rollups.catalog.counts, registers: Rollups.catalog.registers)
      let migrator = Self.migrator(catalog)
      let outcome = try await migrator.run(pool, partitions: Self.span, dropping: true)
      #expect(
        outcome.remarks.contains {
          $0.contains("blood_pressure_facility_id") && $0.contains("stays")
        },
        "\(outcome.remarks)")
      let store = try await RollupStore(pool, catalog)
      #expect(try await published(pool) == before)
      #expect(try await findings(store) == [])
      let path = SourcePath<UUID>(Before.readings, in: store)
      for number in 90..<120 { try await Self.insert(number, path) }
      #expect(try await knownNow(store) == [])
      #expect(try await Backfilling.drift(store) == [])
      let closer = Closer(store, publishing: CarePublication(), author: "a test")
      try await closer.restate(Period(parsing: "2024Q2"), reason: "late phones")
      #expect(try await findings(store) == [], "edition 1 has the column, edition 2 has not")
      #expect(try await knownNow(store) == [])
    }
  }

  @Test func aColumnThatNoEditionHasIsDropped() async throws {
    try await TestDatabase.migrated(size: 4) { database, _ in
      let pool = database.pool
      let catalog = Catalog(
        subject: Tables.Patients.subject,
        mostRecent: [Before.bloodPressure, Rollups.visits, Rollups.bloodSugar],
        counts: Rollups.catalog.counts, registers: Rollups.catalog.registers)
      let migrator = Self.migrator(catalog)
      let kept = try await migrator.run(pool, partitions: Self.span)
      #expect(kept.remarks.contains { $0.contains("heart_rate") && $0.contains("--drop") })
      // The program of before heart rate writes, while its column is there and after.
      let store = try await RollupStore(pool, catalog)
      let path = SourcePath<UUID>(Before.readings, in: store)
      for number in 0..<10 { try await Self.insert(number, path) }
      let dropped = try await migrator.run(pool, partitions: Self.span, dropping: true)
      #expect(dropped.remarks == [])
      for number in 10..<20 { try await Self.insert(number, path) }
      #expect(try await Backfilling.drift(store) == [])
      #expect(try await migrator.plan(pool, partitions: Self.span, dropping: true).steps.count == 1)
    }
  }

  @Test func aRollupThatEditionsRestOnStaysAndOneWithoutIsDropped() async throws {
    try await programme { database, _ in
      let pool = database.pool
      _ = try await Migrator.programme.run(pool, partitions: Self.span)
      let catalog = Catalog(
        subject: Tables.Patients.subject, mostRecent: [Rollups.bloodPressure],
        counts: Rollups.catalog.counts, registers: Rollups.catalog.registers)
      let migrator = Self.migrator(catalog)
      let plan = try await migrator.plan(pool, partitions: Self.span)
      #expect(plan.steps.count == 1 && plan.remarks.count == 3, "\(plan.remarks)")
      let outcome = try await migrator.run(pool, partitions: Self.span, dropping: true)
      #expect(outcome.remarks.count == 1 && outcome.remarks[0].contains("rollup.visit_rollups"))
      #expect(
        try await count(
          "SELECT count(*) FROM pg_class WHERE relname LIKE 'blood_sugar_rollups%'", pool)
          == 0)
      let store = try await RollupStore(pool, catalog)
      let found = try await findings(store)
      #expect(found == [], "the visits of editions can still be verified")
      let names = try await store.readiness().map(\.item.rollup)
      #expect(!names.contains("blood-sugar"))
    }
  }
}
