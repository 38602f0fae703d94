import ArgumentParser
import Commands
import Hypertension
import PeriodRollups
import RollupStore

/// `rollup close`.
struct CloseCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "close",
    abstract: "Close periods: their figures are published and never change again.",
    discussion: """
      For example: rollup close --quarter 2024Q2, or from cron every night: rollup close --due. A period can be closed \
      when its grace is over (set with 'rollup migrate'); late data goes to the ledger from then on ('rollup late').
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions
  @OptionGroup var which: ClosingOptions

  @Flag(help: "Close although the grace is not over.")
  var early = false

  @Flag(help: "Close although a backfill of the period is not finished.")
  var despiteBackfill = false

  @Option(help: "How many periods are computed at a time.")
  var workers = 2

  @Option(help: "Who closes, for the record. Default: the database role.")
  var author: String?

  var databaseDescription: String? { database.described }

  func validate() throws {
    guard (1...64).contains(workers) else {
      throw ValidationError("--workers must be between 1 and 64")
    }
  }

  func execute() async throws {
    let pool = try await database.pool(size: workers + 1)
    let store = try await RollupStore(pool, Rollups.catalog)
    let closer = try await Closer(store, author: author)
    if which.list {
      try await list(closer, store)
    } else if let period = which.period {
      if early { try await sayWhatIsCutOff(period, closer) }
      try Terminal.say(
        closed: try await closer.close(period, early: early, despiteBackfill: despiteBackfill))
    } else {
      try await closeAll(closer)
    }
    await pool.close()
  }

  private func sayWhatIsCutOff(_ period: Period, _ closer: Closer) async throws {
    let (today, grace) = try await closer.calendar()
    let days = grace.closes(period).daysSince1970 - today.daysSince1970
    guard period.end <= today, days > 0 else { return }
    Terminal.say(
      "\(period) would take late data for \(days) more days, until \(grace.closes(period)); what comes then goes to the ledger"
    )
  }

  /// CSV: what is closed and what is not, oldest first.
  private func list(_ closer: Closer, _ store: RollupStore) async throws {
    let (today, grace) = try await closer.calendar()
    Terminal.print(record: ["period", "status", "closes_on", "closed_at", "edition", "digest"])
    let records = try await store.editions()
    let last = Dictionary(records.map { ($0.edition.period, $0) }) { $1 }
    for period in try await closer.periods() {
      let closes = grace.closes(period)
      if let record = last[period] {
        Terminal.print(record: [
          "\(period)", "closed", "\(closes)", "\(record.closedAt)", "\(record.edition.number)",
          record.digest,
        ])
      } else {
        Terminal.print(
          record: ["\(period)", closes <= today ? "due" : "open", "\(closes)", "", "0", ""])
      }
    }
  }

  private func closeAll(_ closer: Closer) async throws {
    let due = try await closer.due(through: which.through, early: early)
    if due.isEmpty { Terminal.say("no period is due") }
    let places = Dictionary(uniqueKeysWithValues: zip(due, 1...))
    try await closer.close(
      due, early: early, despiteBackfill: despiteBackfill, workers: workers
    ) { period, outcome in
      let line = outcome.map(Terminal.line) ?? "\(period) is closed already"
      Terminal.say("\(places[period] ?? 0) of \(due.count): \(line)")
    }
  }
}

/// Which periods are meant.
struct ClosingOptions: ParsableArguments {
  @OptionGroup var one: PeriodOptions

  @Option(
    help: "All periods up to this month or quarter, oldest first.",
    transform: Period.parse)
  var through: Period?

  @Flag(help: "All periods whose grace is over.")
  var due = false

  @Flag(help: "Close nothing; list the periods, which are due, and which are closed.")
  var list = false

  var period: Period? { one.period }

  func validate() throws {
    let given = [one.quarter != nil, one.month != nil, through != nil, due, list].filter { $0 }
      .count
    guard given == 1 else {
      throw ValidationError(
        "name one of --quarter 2024Q2, --month 2024-06, --through 2024Q2 and --due")
    }
  }
}

/// `rollup restate`.
struct RestateCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "restate",
    abstract: "Publish a new edition of a closed period from what is known now.",
    discussion: """
      For example: rollup restate --quarter 2024Q2 --with-months --reason "phones of Bathinda synced late". The editions \
      before stay readable: report district-bp --quarter 2024Q2 --edition 1.
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions

  @OptionGroup var which: PeriodOptions

  @Flag(help: "Restate the quarter's closed months too, before it.")
  var withMonths = false

  @Flag(help: "Restate although a backfill of the period is not finished.")
  var despiteBackfill = false

  @Option(help: "Why.")
  var reason: String

  @Option(help: "Who restates, for the record. Default: the database role.")
  var author: String?

  var databaseDescription: String? { database.described }

  func validate() throws {
    _ = try which.one()
  }

  func execute() async throws {
    let period = try which.one()
    let pool = try await database.pool(size: 2)
    let store = try await RollupStore(pool, Rollups.catalog)
    let closer = try await Closer(store, author: author)
    var periods = [period]
    if withMonths, period.type == .quarter {
      let closed = Set(try await store.editions().map(\.edition.period))
      // Before its months are restated without it.
      guard closed.contains(period) else { throw Closing.Refusal.open(period) }
      periods = period.months.filter(closed.contains) + periods
    }
    for period in periods {
      Terminal.say(
        restated: try await closer.restate(
          period, reason: reason, despiteBackfill: despiteBackfill))
    }
    await pool.close()
  }
}

extension Closer {
  /// - Parameter author: nil for the database role.
  fileprivate init(_ store: RollupStore, author: String?) async throws {
    let role = try await store.role()
    self.init(store, publishing: CarePublication(), author: author ?? role)
  }
}

extension Terminal {
  static func line(_ outcome: Closer.Outcome) -> String { line(outcome, done: "closed") }

  private static func line(_ outcome: Closer.Outcome, done: String) -> String {
    let (edition, milliseconds) = (outcome.edition, outcome.held / .milliseconds(1))
    return "\(done) \(edition.period), edition \(edition.number), digest \(outcome.digest) "
      + "(its writers waited \(Int(milliseconds)) ms at most)"
  }

  static func say(closed outcome: Closer.Outcome) throws { say(line(outcome)) }

  static func say(restated outcome: Closer.Outcome) { say(line(outcome, done: "restated")) }
}
