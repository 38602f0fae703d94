import Commands
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// `--dry-run` of close and restate: CSV of what would be published, from one snapshot each. Nothing is written, and no
/// writer waits.
struct ClosingPreview {
  let pool: Pool

  /// A row a period: its patients and facilities, and the sums of all figures.
  func printClosing(_ periods: [Period]) async throws {
    let names = CareFigures().named.map(\.column)
    Terminal.print(record: ["period", "patients", "facilities"] + names)
    for period in periods {
      let preview = try await pool.transaction(.repeatableRead, readOnly: true) { tx in
        try await EditionPreview(period, in: tx)
      }
      Terminal.print(
        record: ["\(period)", "\(preview.patients)", "\(preview.rows.count)"]
          + preview.sum.named.map { String($0.count) })
    }
  }

  /// A row a cell that would change.
  func printRestating(_ periods: [Period]) async throws {
    Terminal.print(
      record: ["period", "edition", "facility_id", "facility", "figure", "from", "to"])
    for period in periods { try await printRestating(period) }
  }

  private func printRestating(_ period: Period) async throws {
    let (edition, preview, changes) = try await pool.transaction(.repeatableRead, readOnly: true) {
      tx in
      let editions = try await RollupStore.editions(in: tx).map(\.edition)
      guard let last = editions.last(where: { $0.period == period }) else {
        throw Closing.Refusal.open(period)
      }
      let preview = try await EditionPreview(period, in: tx)
      return (last, preview, try await preview.changes(from: last, in: tx))
    }
    for change in changes {
      Terminal.print(
        record: [
          "\(period)", "\(edition.number + 1)",
          change.facility.id?.uuidString.lowercased() ?? "", change.facility.name, change.column,
          change.from, change.to,
        ])
    }
    let facilities = Set(changes.map(\.facility.id)).count
    Terminal.say(
      "\(period), edition \(edition.number + 1): \(changes.count.grouped) cells of \(facilities.grouped) facilities would change; "
        + "\(preview.patients.grouped) patients")
  }
}
