import ArgumentParser
import Commands
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// `rollup close`.
struct CloseCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "close",
    abstract: "Close periods: their figures are published and never change again.",
    discussion: """
      For example: rollup close --quarter 2024Q2, or from cron every night: rollup close --due. A period can be closed \
      when its grace is over (set with 'rollup migrate'); late data goes to the ledger from then on ('rollup late'). \
      Nothing is closed before the first period, which is decided once: rollup close --first-period 2024Q1 --through 2024Q4. \
      --due refuses, and closes nothing, when more is due than a run is expected to close, or when a period looks as if its \
      data were missing.
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions
  @OptionGroup var which: ClosingOptions

  @Flag(help: "Close although the grace is not over.")
  var early = false

  @Flag(help: "Close although a backfill of the period is not finished.")
  var despiteBackfill = false

  @Option(
    help:
      "Decides from which month or quarter on figures are published, such as 2024-01 or 2024Q1; nothing before it is closed.",
    transform: Period.parseFirst)
  var firstPeriod: Period?

  @Option(
    help:
      "With --due or --through: close nothing when more periods than this are due. Default with --due: \(ClosingSchedule.usualAtMost), three months and their quarter."
  )
  var atMost: Int?

  @Flag(
    help:
      "Close although more is due than expected, or although nothing, or hardly anything, is recorded of a period."
  )
  var yes = false

  @Flag(
    help:
      "Close nothing; print which periods would be closed, with their patients and figures, as CSV."
  )
  var dryRun = false

  @Option(help: "How many periods are computed at a time.")
  var workers = 2

  @Option(help: "Who closes, for the record. Default: the database role.")
  var author: String?

  var databaseDescription: String? { database.described }

  func validate() throws {
    guard (1...64).contains(workers) else {
      throw ValidationError("--workers must be between 1 and 64")
    }
    if let atMost, atMost < 1 || !(which.due || which.through != nil) {
      throw ValidationError("--at-most is a number from 1 on, with --due or --through")
    }
    if which.list, firstPeriod != nil || dryRun || yes {
      throw ValidationError("--list closes and decides nothing; it goes alone")
    }
  }

  func execute() async throws {
    let pool = try await database.pool(size: workers + 1)
    let store = try await RollupStore(pool, Rollups.catalog)
    let closer = try await Closer(store, author: author)
    if which.list {
      try await list(closer, store)
    } else {
      try await close(closer, pool)
    }
    await pool.close()
  }

  private func close(_ closer: Closer, _ pool: Pool) async throws {
    let schedule = try await decided(closer, pool)
    if let period = which.period {
      try Closing.check(period, on: schedule.today, grace: schedule.grace, early: early)
    }
    try schedule.check(which.period)
    let periods =
      which.period.map { [$0] } ?? schedule.due(through: which.through, early: early)
    if periods.isEmpty { Terminal.say("no period is due") }
    guard !dryRun else { return try await preview(periods, schedule, closer, pool) }
    try await checkExpected(periods, schedule, closer)
    try await decide(pool)
    if let period = which.period {
      if early { sayWhatIsCutOff(period, schedule) }
      try Terminal.say(
        closed: try await closer.close(period, early: early, despiteBackfill: despiteBackfill))
    } else {
      try await close(periods, closer)
    }
  }

  /// With the first period that is asked for, which goes on record when nothing is refused.
  private func decided(_ closer: Closer, _ pool: Pool) async throws -> ClosingSchedule {
    var schedule = try await closer.schedule()
    if let firstPeriod {
      try await Deployment.check(firstPeriod: firstPeriod, on: pool)
      schedule.first = .decided(firstPeriod)
    }
    return schedule
  }

  /// Puts the first period that is asked for on record.
  private func decide(_ pool: Pool) async throws {
    guard let firstPeriod else { return }
    try await Deployment.set(firstPeriod: firstPeriod, on: pool)
    Terminal.say("the first period is \(firstPeriod): nothing before it is published")
  }

  /// Most periods that are closed unasked; nil where they were named.
  private var most: Int? { atMost ?? (which.due ? ClosingSchedule.usualAtMost : nil) }

  private func checkExpected(
    _ periods: [Period], _ schedule: ClosingSchedule, _ closer: Closer
  ) async throws {
    if yes { return }
    try await closer.checkExpected(
      periods, schedule, atMost: most, despiteBackfill: despiteBackfill)
  }

  private func preview(
    _ periods: [Period], _ schedule: ClosingSchedule, _ closer: Closer, _ pool: Pool
  ) async throws {
    if let closed = periods.first(where: schedule.closed.contains) {
      let editions = try await RollupStore(pool, Rollups.catalog).editions(of: closed)
      throw Closing.Refusal.alreadyClosed(closed, edition: editions.last?.edition.number ?? 1)
    }
    try await ClosingPreview(pool: pool).printClosing(periods)
    do {
      try await checkExpected(periods, schedule, closer)
    } catch let refusal as Closing.Refusal {
      throw Failure.refused(
        "nothing was closed: this is a dry run, and it would be refused. \(refusal)")
    }
    Terminal.say("nothing was closed: this is a dry run")
  }

  private func sayWhatIsCutOff(_ period: Period, _ schedule: ClosingSchedule) {
    guard case .inGrace(let until) = schedule.standing(of: period) else { return }
    let days = until.daysSince1970 - schedule.today.daysSince1970
    Terminal.say(
      "\(period) would take late data for \(days) more days, until \(until); what comes then goes to the ledger"
    )
  }

  /// CSV: what is closed and what is not, oldest first.
  private func list(_ closer: Closer, _ store: RollupStore) async throws {
    let schedule = try await closer.schedule()
    Terminal.print(
      record: [
        "period", "status", "closes_on", "closed_at", "edition", "digest", "days_overdue",
      ])
    let records = try await store.editions()
    let last = Dictionary(records.map { ($0.edition.period, $0) }) { $1 }
    for period in schedule.periods {
      let (closes, standing) = (schedule.grace.closes(period), schedule.standing(of: period))
      if let record = last[period] {
        Terminal.print(record: [
          "\(period)", "closed", "\(closes)", "\(record.closedAt)", "\(record.edition.number)",
          record.digest, "",
        ])
      } else {
        var days = ""
        if case .due(_, let count) = standing { days = "\(count)" }
        Terminal.print(
          record: ["\(period)", standing.words, "\(closes)", "", "0", "", days])
      }
    }
    if case .undecided = schedule.first { Terminal.say(schedule.first.sentence) }
    Terminal.say(overdueOf: schedule)
  }

  private func close(_ due: [Period], _ closer: Closer) async throws {
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

  @Option(help: "Why. A dry run needs none.")
  var reason: String?

  @Flag(help: "Publish nothing; print which figures would change, cell by cell, as CSV.")
  var dryRun = false

  @Option(help: "Who restates, for the record. Default: the database role.")
  var author: String?

  var databaseDescription: String? { database.described }

  func validate() throws {
    _ = try which.one()
    if reason == nil, !dryRun {
      throw ValidationError(
        "name the reason, for example --reason \"phones of Bathinda synced late\"")
    }
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
    if dryRun {
      try await ClosingPreview(pool: pool).printRestating(periods)
      return await pool.close()
    }
    for period in periods {
      let late = LateArrivals(period: period, district: nil, state: nil, includingTakenIn: false)
      if try await late.sums(pool).isEmpty {
        Terminal.say(
          "nothing has come late for \(period) since its last edition: no figure is corrected")
      }
      Terminal.say(
        restated: try await closer.restate(
          period, reason: reason ?? "", despiteBackfill: despiteBackfill))
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
