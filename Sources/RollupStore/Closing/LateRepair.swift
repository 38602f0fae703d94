import PeriodRollups
import Postgres

extension RollupStore {
  /// Brings what came late for closed periods to what the sources say, for some subjects, and enters in the ledger what no
  /// entry says. Closed rows stay as they are; a restatement takes the late rows in.
  /// - Parameter keys: the subjects' keys as text, as ``Drift/key`` has them.
  /// - Returns: how many ledger entries were missing.
  public func repairLateRows(of keys: [String], in tx: borrowing Transaction) async throws -> Int {
    guard !keys.isEmpty else { return 0 }
    let starts = try await tx.query(query(Ledger(catalog).closed)).map {
      try $0.decode(CalendarDay.self)
    }
    let values: Values = ["keys": Bind(keys), Parameter.periodStarts.name: Bind(starts)]
    try await tx.execute(query(Locks(catalog.subject).subjects(.named, for: .update), values))
    var entered = 0
    for rollup in catalog.mostRecent {
      try await tx.execute(query(rollup.settle(.named), values))
      entered += try await tx.execute(query(rollup.enterRepaired(.named), values))
    }
    return entered
  }
}
