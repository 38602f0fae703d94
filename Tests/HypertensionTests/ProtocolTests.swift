import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// The races of DESIGN.md section 5, each made to happen: one transaction is held open at the moment that matters. Each
/// fails when its rule is taken out (docs/decisions/002 says what was seen).
@Suite struct ProtocolTests {
  private let patient = UUID()
  private let facilities = [UUID(), UUID()]

  private func day(_ number: Int) -> Date {
    Date(timeIntervalSince1970: 1_717_200_000 + Double(number) * 86_400)
  }

  private func reading(_ number: Int) -> Reading {
    Reading(
      patientID: patient, facilityID: facilities[0], systolic: 120 + number, diastolic: 80,
      recordedAt: day(number))
  }

  private func person() -> Patient {
    Patient(id: patient, registeredAt: day(0), registrationFacilityID: facilities[0])
  }

  /// Holds a transaction with `first` open until `second` waits for a lock (or for a while, when it need not), then commits it.
  private func overlap(
    _ store: Store, _ first: @escaping @Sendable (borrowing Transaction) async throws -> Void,
    _ second: @escaping @Sendable () async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      let (started, continuation) = AsyncStream.makeStream(of: Void.self)
      group.addTask {
        try await store.transaction { tx in
          try await first(tx)
          continuation.finish()
          try await Task.sleep(for: .milliseconds(400))
        }
      }
      for await _ in started {}
      group.addTask { try await second() }
      try await group.waitForAll()
    }
    let drift = try await Backfilling.drift(store.rollups)
    #expect(drift.isEmpty, "\(drift)")
  }

  /// "A concurrent insert that loses the guard still locks the row without changing it": the removal must lock before it looks.
  @Test func aRemovalSeesTheInsertThatLostAgainstTheRowItTakesAway() async throws {
    try await TestDatabase.migrated { _, store in
      let (old, new, most) = (reading(1), reading(5), reading(9))
      try await store.insert(person())
      try await store.record([old, most])
      try await overlap(store) {
        try await store.insert(new, in: $0)
      } _: {
        try await store.delete(Reading.self, most.id, of: most.patientID)
      }
    }
  }

  /// A backfill must not write back a reading that is being deleted.
  @Test func aBackfillWaitsForARemoval() async throws {
    try await TestDatabase.migrated { _, store in
      let only = reading(1)
      try await store.insert(person())
      try await store.insert(only)
      try await overlap(store) {
        try await store.delete(Reading.self, only.id, of: only.patientID, in: $0)
      } _: {
        _ = try await Backfilling.everything(store.rollups)
      }
    }
  }

  @Test func aTransferWaitsForAnInsertAndItsRollupRowsFollow() async throws {
    try await TestDatabase.migrated { _, store in
      let (first, patient, other) = (reading(1), patient, facilities[1])
      try await store.insert(person())
      try await overlap(store) {
        try await store.insert(first, in: $0)
      } _: {
        try await store.transfer(patient, to: other)
      }
    }
  }

  @Test func anInsertWaitsForATransferAndSeesIt() async throws {
    try await TestDatabase.migrated { _, store in
      let (first, patient, other) = (reading(1), patient, facilities[1])
      try await store.insert(person())
      try await overlap(store) {
        try await store.transfer(patient, to: other, in: $0)
      } _: {
        try await store.insert(first)
      }
    }
  }

  @Test func twoRemovalsDoNotPutBackEachOthersReading() async throws {
    try await TestDatabase.migrated { _, store in
      let (middle, most) = (reading(5), reading(9))
      try await store.insert(person())
      try await store.record([middle, most])
      try await overlap(store) {
        try await store.delete(Reading.self, middle.id, of: middle.patientID, in: $0)
      } _: {
        try await store.delete(Reading.self, most.id, of: most.patientID)
      }
    }
  }

  @Test func aReadingAheadOfItsPatientMeetsTheArrival() async throws {
    try await TestDatabase.migrated { _, store in
      let (first, person) = (reading(1), person())
      try await overlap(store) {
        try await store.insert(person, in: $0)
      } _: {
        try await store.record(first)
      }
    }
    try await TestDatabase.migrated { _, store in
      let (first, person) = (reading(1), person())
      try await overlap(store) {
        try await store.record(first, in: $0)
      } _: {
        try await store.insert(person)
      }
    }
  }

  @Test func anInsertIsNotUndoneByAnOlderOneThatComesLater() async throws {
    try await TestDatabase.migrated { _, store in
      let (old, new) = (reading(1), reading(5))
      try await store.insert(person())
      try await overlap(store) {
        try await store.insert(new, in: $0)
      } _: {
        try await store.insert(old)
      }
    }
  }

  @Test func writesAreRefusedInATransactionThatCannotSeeWhatCommits() async throws {
    try await TestDatabase.migrated { database, store in
      let first = reading(1)
      await #expect(throws: WriteError.isolation) {
        try await database.pool.transaction(.repeatableRead) { tx in
          try await store.record(first, in: tx)
        }
      }
    }
  }

  /// A late row that says nothing new is removed by the change that has made or locked it. Who waits for it meanwhile, to
  /// bring an event, makes it again.
  @Test func anEventIsNotLostWithTheLateRowThatItWaitedFor() async throws {
    try await TestDatabase.migrated(size: 6) { database, store in
      var (old, most) = (reading(1), reading(5))
      let new = reading(9)
      try await store.insert(person())
      try await store.record(most)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      for period in ["2024-06", "2024Q2"] { try await closer.close(Period(parsing: period)) }
      // As of editions from before heart rates; and an event that loses leaves a late row that says nothing new.
      try await database.pool.withConnection {
        try await $0.script(
          "UPDATE rollup.edition_parts SET columns = array_remove(columns, 'heart_rate')")
      }
      try await store.record(old)
      let late = "rollup.blood_pressure_rollups_late"
      func count(_ condition: String) async throws -> Int {
        try await database.pool.withConnection {
          try await $0.query(Query(text: "SELECT count(*) FROM \(condition)")).only(Int.self)
        }
      }
      #expect(try await count(late) == 2)
      most.heartRate = 70
      let edited = most
      try await withThrowingTaskGroup(of: Void.self) { group in
        let (started, continuation) = AsyncStream.makeStream(of: Void.self)
        group.addTask {
          try await store.transaction { tx in
            _ = try await tx.query(
              Query(text: "SELECT FROM \(late) ORDER BY period_start FOR UPDATE"))
            continuation.finish()
            // The other waits for a row that is there.
            try await tx.untilAnotherWaits()
            try await store.record(edited, in: tx)
            let left = try await tx.query(Query(text: "SELECT count(*) FROM \(late)"))
              .only(Int.self)
            #expect(left == 0)
          }
        }
        for await _ in started {}
        group.addTask { try await store.record(new) }
        try await group.waitForAll()
      }
      #expect(try await count("\(late) WHERE blood_pressure_id = '\(new.id)'") == 2)
      let drift = try await Backfilling.drift(store.rollups)
      #expect(drift.isEmpty, "\(drift)")
      let chunks = try await store.rollups.chunks(of: 100, keyedBy: UUID.self)
      for chunk in chunks {
        #expect(try await store.rollups.verify(chunk, in: .all, asKnownNow: true) == [])
      }
      old.systolic += 1
      try await store.record(old)
      #expect(try await count("\(late) WHERE blood_pressure_id = '\(new.id)'") == 2)
    }
  }
}
