import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// What every report asks first, once: the day it is, the grace, the editions there are.
struct ReportSetting: Sendable {
  let today: CalendarDate
  let grace: Grace
  let timeZone: String
  let editions: [EditionRecord]

  /// As ``init(today:_:)``, read once a snapshot.
  static func read(today: CalendarDate?, _ tx: borrowing Transaction) async throws -> ReportSetting
  {
    try await ServedReading.once(Key(today: today)) { try await ReportSetting(today: today, tx) }
  }

  private struct Key: Hashable {
    let today: CalendarDate?
  }

  /// - Parameter today: nil for the day it is in the reporting time zone.
  /// - Throws: ``DeploymentError/notMigrated``.
  private init(today: CalendarDate?, _ tx: borrowing Transaction) async throws {
    do {
      // Compiling a plan takes longer than running it; a whole programme's hash tables stay in memory.
      let answers = try await tx.pipeline([
        "SET LOCAL jit = off", "SET LOCAL work_mem = '64MB'",
        """
        SELECT (now() AT TIME ZONE time_zone)::date, month_grace_days, quarter_grace_days, time_zone
        FROM rollup.deployment
        """,
      ])
      guard let row = answers[2].first else { throw DeploymentError.notMigrated }
      let (now, month, quarter, zone) = try row.decode((CalendarDay, Int, Int, String).self)
      self.today = today ?? CalendarDate(now)
      grace = Grace(month: month, quarter: quarter)
      timeZone = zone
    } catch let error as PostgresError
      where error.sqlState == .undefinedTable || error.sqlState == .invalidSchemaName
    {
      throw DeploymentError.notMigrated
    }
    editions = try await ServedReading.editions(tx)
  }

  var closed: Set<Period> { Set(editions.map(\.edition.period)) }
}

/// What a report says of a period: when it is evaluated, and whether it is closed.
struct ReportFrame: Sendable {
  let period: Period
  let setting: ReportSetting
  let closed: Set<Period>
  /// The edition that is asked for; nil of an open period.
  let edition: EditionRecord?
  /// Whether the figures are those of today although the period is closed.
  private(set) var isKnownNow: Bool

  /// - Throws: ``Closing/Refusal``.
  init(_ period: Period, _ view: ReportView, _ setting: ReportSetting) throws(Closing.Refusal) {
    self.period = period
    self.setting = setting
    closed = setting.closed
    edition = try Self.edition(view, of: period, among: setting.editions)
    isKnownNow = view == .knownNow
  }

  private static func edition(
    _ view: ReportView, of period: Period, among all: [EditionRecord]
  ) throws(Closing.Refusal) -> EditionRecord? {
    let mine = all.filter { $0.edition.period == period }
    guard case .edition(let number) = view else { return mine.last }
    guard let last = mine.last else { throw .open(period) }
    guard let asked = mine.first(where: { $0.edition.number == number }) else {
      throw .noSuchEdition(period, number, last: last.edition.number)
    }
    return asked
  }

  var asKnownNow: ReportFrame {
    var frame = self
    frame.isKnownNow = true
    return frame
  }

  var today: CalendarDate { setting.today }

  /// The edition whose figures are read; nil when they are counted.
  var published: Edition? { isKnownNow ? nil : edition?.edition }

  var evaluation: Evaluation { Evaluation(period, today: today) }

  private var progress: PeriodProgress {
    PeriodProgress(period, on: today, grace: setting.grace)
  }

  private var status: String {
    edition == nil ? "open" : isKnownNow ? "known now" : "closed"
  }

  var statusCells: [ReportTable.Cell] {
    [.text(status), .integer(edition?.edition.number ?? 0)]
  }

  /// The same in a line, for a report of several periods: status, edition, digest.
  var fact: (name: String, value: String) {
    let standing = edition.map {
      "\(status), edition \($0.edition.number), definitions \($0.definitions), digest \($0.digest)"
    }
    return ("status_\(period)", standing ?? progress.short)
  }

  /// What a reader should know of the figures' standing.
  var facts: [(name: String, value: String)] {
    let standing = [("status", status), ("edition", "\(edition?.edition.number ?? 0)")]
    guard let edition else {
      return standing + [("figures", progress.remark(period, grace: setting.grace))]
    }
    let reason = edition.reason.map { [("reason", $0)] } ?? []
    return standing + [
      ("closed_at", edition.closedAt.description), ("digest", edition.digest),
      ("definitions", "\(edition.definitions)"), ("time_zone", edition.timeZone),
    ] + reason
  }
}
