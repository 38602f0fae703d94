import TestSupport
import Testing

@testable import PeriodRollups

/// What a change of a declaration becomes, beside the declaration.
@Suite struct SchemaPlanTests {
  private static func catalog(
    _ kept: [Column] = [Column("kg", .numeric)], periods: [PeriodType] = [.month],
    source values: [Column]? = nil, selectedBy: Column? = nil
  ) -> Catalog {
    let source = Source(
      "weight", code: "W", table: "clinic.weights", subject: Column("person_nr", .bigint),
      id: Column("nr", .bigint), time: Column("taken", .timestampUTC), values: values ?? kept)
    return Catalog(
      subject: ForeignSchema.person,
      mostRecent: [
        MostRecent(
          "weight", table: "rollup.weight_rollups", per: ForeignSchema.person, periods: periods,
          id: Column("weight_nr", .bigint), time: "taken_at", keeping: kept,
          from: [.init(source, values ?? kept)], selectedBy: selectedBy)
      ])
  }

  /// A database as the catalogue makes it, with one partition.
  private static func made(_ catalog: Catalog) -> FoundSchema {
    var found = FoundSchema()
    func add(_ shape: TableShape, parent: String? = nil, name: TableName? = nil) {
      var table = FoundSchema.Table()
      table.isPartitioned = shape.partitioning != nil
      table.parent = parent
      table.columns = shape.columns.map {
        .init(name: $0.column.name.name, type: $0.column.type.sql, isRequired: $0.isRequired)
      }
      table.indexes = shape.indexes.map {
        .init(
          name: $0.name.name, isValid: true, parent: nil,
          columns: ($0.columns + $0.including).map(\.name.name))
      }
      found.tables[(name ?? shape.table).qualified] = table
    }
    for rollup in catalog.mostRecent {
      add(rollup.shape)
      add(rollup.lateShape)
      for type in rollup.periods {
        let sub = rollup.table(of: type)
        add(rollup.shape, parent: rollup.table.qualified, name: sub)
        add(rollup.shape, parent: sub.qualified, name: rollup.remainder(of: type))
        found.tables[rollup.remainder(of: type).qualified]?.isPartitioned = false
        found.readiness.insert(ReadinessItem(rollup.name, .periods, type.code))
      }
      let body = rollup.createGuard.text.split(
        separator: "$guard$", omittingEmptySubsequences: false)[1]
      found.functions[rollup.guardFunction.qualified] = String(body)
    }
    add(Ledger(catalog).shape)
    add(Diversions(catalog).shape)
    return found
  }

  @Test func whatIsAsDeclaredNeedsNothing() throws {
    let plan = try SchemaPlan(Self.catalog(), found: Self.made(Self.catalog()))
    #expect(plan.steps.isEmpty && plan.remarks.isEmpty, "\(plan.steps)")
  }

  @Test func aColumn() throws {
    let old = Self.catalog()
    let new = Self.catalog([Column("kg", .numeric), Column("height", .integer)])
    let plan = try SchemaPlan(new, found: Self.made(old))
    #expect(plan.steps.map(\.name) == ["add height to weight", "note what is not filled yet"])
    #expect(
      plan.steps[0].statements.prefix(5).map(\.text) == [
        "SET LOCAL statement_timeout = '1s'",
        "LOCK TABLE rollup.weight_rollups, rollup.weight_rollups_late IN ACCESS EXCLUSIVE MODE",
        "SET LOCAL statement_timeout = 0",
        "ALTER TABLE rollup.weight_rollups ADD COLUMN height integer",
        "ALTER TABLE rollup.weight_rollups_late ADD COLUMN height integer",
      ])
    #expect(plan.steps[0].statements.contains(new.mostRecent[0].createGuard))
  }

  @Test func aWeek() throws {
    let plan = try SchemaPlan(
      Self.catalog(periods: [.week, .month]), found: Self.made(Self.catalog()))
    #expect(plan.steps.map(\.name) == ["add weeks to weight", "note what is not filled yet"])
    #expect(
      plan.steps[0].statements.map(\.text) == [
        """
        CREATE TABLE rollup.weight_rollups_weeks (LIKE rollup.weight_rollups INCLUDING ALL) PARTITION BY RANGE (period_start)
        """,
        """
        CREATE TABLE IF NOT EXISTS rollup.weight_rollups_weeks_others PARTITION OF rollup.weight_rollups_weeks DEFAULT
        WITH (fillfactor = 80)
        """,
        """
        ALTER TABLE rollup.weight_rollups ATTACH PARTITION rollup.weight_rollups_weeks FOR VALUES IN ('W')
        """,
      ])
  }

  @Test func anIndexIsBuiltPartitionByPartition() throws {
    let plan = try SchemaPlan(
      Self.catalog(selectedBy: Column("home", .bigint)), found: Self.made(Self.catalog()))
    #expect(
      plan.steps.dropLast().map { $0.statements[0].text } == [
        "CREATE INDEX weight_rollups_by_home ON ONLY rollup.weight_rollups (home) INCLUDE (person_nr, period_type, period_start)",
        "CREATE INDEX weight_rollups_months_by_home ON ONLY rollup.weight_rollups_months (home) INCLUDE (person_nr, period_type, period_start)",
        "CREATE INDEX CONCURRENTLY weight_rollups_months_others_by_home ON rollup.weight_rollups_months_others (home) INCLUDE (person_nr, period_type, period_start)",
        "ALTER INDEX rollup.weight_rollups_months_by_home ATTACH PARTITION rollup.weight_rollups_months_others_by_home",
        "ALTER INDEX rollup.weight_rollups_by_home ATTACH PARTITION rollup.weight_rollups_months_by_home",
      ])
    #expect(
      plan.steps.dropLast().map(\.manner) == [
        .transaction, .transaction, .alone, .transaction, .transaction,
      ])
    // Now that rows are selected by a place, its changes are noted.
    #expect(plan.steps.last?.name == "make the notes of changes")
  }

  @Test func aRename() throws {
    let new = Self.catalog(
      [Column("kilograms", .numeric, formerly: "kg")], source: [Column("kg", .numeric)])
    let plan = try SchemaPlan(new, found: Self.made(Self.catalog()))
    #expect(plan.steps.map(\.name) == ["rename kg of weight to kilograms"])
    #expect(
      plan.steps[0].statements.map(\.text).contains(
        "ALTER TABLE rollup.weight_rollups RENAME COLUMN kg TO kilograms"))
  }

  @Test func whatIsDeclaredNoMoreIsNamedAndDroppedWhenAsked() throws {
    let found = Self.made(
      Self.catalog(
        [Column("kg", .numeric), Column("height", .integer)], periods: [.month, .quarter]))
    let kept = try SchemaPlan(Self.catalog(), found: found)
    #expect(kept.steps.map(\.name) == ["make the guard of weight"])
    #expect(kept.remarks.count == 2 && kept.remarks.allSatisfy { $0.contains("--drop") })
    let dropped = try SchemaPlan(Self.catalog(), found: found, dropping: true)
    #expect(
      dropped.steps.map(\.name) == ["drop height of weight", "drop the quarters of weight"])
    var closed = found
    closed.columnsOfEditions = ["rollup.weight_rollups": ["kg", "height"]]
    closed.typesOfEditions = ["rollup.weight_rollups": ["Q"]]
    let needed = try SchemaPlan(Self.catalog(), found: closed, dropping: true)
    #expect(needed.steps.map(\.name) == ["make the guard of weight"])
    #expect(needed.remarks.count == 2 && needed.remarks.allSatisfy { $0.contains("edition") })
  }
}
