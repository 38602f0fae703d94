import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore

/// The page of a region: all, a state, a district, a block or a facility; its figures, its trend, and what lies in it.
struct RegionPage: Sendable {
  let visitor: Gate.Visitor
  /// As it was asked for, within what the token opens; and when it was read, as the places spell it.
  var region: RegionChoice
  /// nil for the last quarter that is over.
  let asked: Period?
  var view: Asking.View
  /// The column by which the regions in it are ordered.
  let sort: String?
  let formats: [ServedFormat]

  /// The figures at the top, in the order in which people read them.
  static let figures = [
    "controlled_rate", "uncontrolled_rate", "missed_visit_rate", "visited_no_bp_rate",
    "under_care", "new_registrations", "cumulative_registrations", "lost_to_follow_up",
    "cohort_controlled_rate",
  ]
  static let columns = [
    "controlled_rate", "missed_visit_rate", "under_care", "new_registrations",
    "cumulative_registrations",
  ]
  static let course = ["controlled_rate", "missed_visit_rate", "under_care"]

  /// Everything that the page shows, read in one snapshot.
  struct Content {
    let region: RegionChoice
    let calendar: Calendar
    let period: Period
    let table: ReportTable
    /// Published and known now; nil where there is but one, or two would take long.
    let compared: ReportTable?
    let trend: ReportTable
    let facility: Site?
    /// What the region is called.
    let name: String
    /// Whether the region is there today: only then its patients can be called.
    let isThere: Bool
  }

  func make(_ reader: Reader) async throws -> (facilities: AffectedFacilities?, value: Page) {
    let (facilities, content) = try await visitor.within(region, reader) {
      try await reader.counted(visitor.secret) { tx in try await read(tx) }
    }
    var shown = self
    shown.region = content.region
    // Another period may have been picked, which is open and has no edition.
    if case .edition = view, content.calendar.last(of: content.period) == nil {
      shown.view = .published
    }
    return (facilities, shown.page(content))
  }

  private func page(_ content: Content) -> Page {
    let name = content.name
    return Page(
      title: "\(name), \(content.period)",
      body: [
        Pages.path(path(content)), "<h1>\(name)</h1>",
        Pages.picker(
          link(content), content.period, content.calendar, view, isThere: content.isThere),
        Pages.standing(content.period, content.calendar, view), figures(content), trend(content),
        inside(content), lists(content), files(content),
      ])
  }

  private func link(_ content: Content) -> Link { .region(region, content.period, view, sort) }

  // MARK: Reading

  private func read(_ tx: borrowing Transaction) async throws -> Content {
    let calendar = try await Calendar(tx)
    if let asked { try calendar.check(asked) }
    let (period, shown): (Period, ReportTable)
    do {
      (period, shown) = try await table(calendar, tx)
    } catch let unknown as UnknownRegion {
      guard let asked, !unknown.isAmbiguous else { throw unknown }
      return try await nothing(in: asked, calendar, tx)
    }
    var found = self
    found.region = try only(of: shown)
    return try await found.content(period, shown, calendar, tx)
  }

  /// Of a region that is there today and was not in a closed period.
  /// - Throws: `UnknownRegion` for one that is not there today either.
  private func nothing(in period: Period, _ calendar: Calendar, _ tx: borrowing Transaction)
    async throws -> Content
  {
    let regions = try await region.regions(tx)
    guard let (region, name, _) = regions.first, regions.count == 1 else {
      throw Refusal.severalRegions(regions.map(\.path))
    }
    let empty = ReportTable(
      name: "", title: "", facts: [], columns: [], sections: [], rows: [ReportTable.Row]())
    return Content(
      region: region, calendar: calendar, period: period, table: empty, compared: nil,
      trend: empty, facility: nil, name: name, isThere: true)
  }

  private func content(
    _ period: Period, _ shown: ReportTable, _ calendar: Calendar, _ tx: borrowing Transaction
  ) async throws -> Content {
    var compared: ReportTable?
    let isClosed = calendar.last(of: period) != nil
    if isClosed, view == .compared || (view == .published && isSmall) {
      var question = ReportQuestion(period)
      (question.region, question.grouping, question.isComparison) = (region, level, true)
      question.figures = Self.figures
      compared = try await DistrictBPReport.report.make(question, in: tx)
    }
    return Content(
      region: region, calendar: calendar, period: period, table: shown, compared: compared,
      trend: try await course(to: period, calendar, tx),
      facility: region.facility == nil ? nil : shown.rows.first.flatMap { Site($0, of: shown) },
      name: region.isNarrowed ? shown.rows.first?.label ?? region.name ?? "" : "Overview",
      isThere: isClosed ? try await isThere(tx) : true)
  }

  private func isThere(_ tx: borrowing Transaction) async throws -> Bool {
    do {
      return try await !region.regions(tx).isEmpty
    } catch is UnknownRegion {
      return false
    }
  }

  /// The one region that was asked for, as the places spell it.
  /// - Throws: ``Refusal`` where several have the name: the figures of the first would be taken for those of each.
  private func only(of table: ReportTable) throws(Refusal) -> RegionChoice {
    guard region.isNarrowed, let place = table.place(of: "level") else { return region }
    let rows = table.rows.filter { $0.cells[place].text == level.rawValue }
    let found = rows.compactMap { RegionChoice($0, of: table) }
    guard found.count < 2 else {
      let columns = ["state", "district", "block", "facility", "facility_id"]
      throw .severalRegions(
        rows.map { row in
          columns.compactMap { table.place(of: $0).flatMap { row.cells[$0].text } }
            .joined(separator: " / ")
        })
    }
    return found.first ?? region
  }

  /// The figures of the period that is asked for; else of the last quarter that is over, or that was closed where there is
  /// nothing of that.
  private func table(_ calendar: Calendar, _ tx: borrowing Transaction) async throws
    -> (Period, ReportTable)
  {
    if let asked { return (asked, try await table(asked, calendar, tx)) }
    do {
      let usual = calendar.usual
      return (usual, try await tx.savepoint { tx in try await table(usual, calendar, tx) })
    } catch {
      guard let closed = calendar.lastClosed, Refusal(error)?.status == .notFound else {
        throw error
      }
      return (closed, try await table(closed, calendar, tx))
    }
  }

  private func table(_ period: Period, _ calendar: Calendar, _ tx: borrowing Transaction)
    async throws -> ReportTable
  {
    var question = ReportQuestion(period)
    (question.region, question.grouping) = (region, inner)
    if case .edition(let number) = view, let last = calendar.last(of: period),
      calendar.edition(of: period, view) == nil
    {
      throw Closing.Refusal.noSuchEdition(period, number, last: last.edition.number)
    }
    if calendar.edition(of: period, view) != nil { question.view = view.reportView }
    return try await DistrictBPReport.report.make(question, in: tx)
  }

  /// Two years of quarters or one of months; fewer where the region, or what is filed, does not go back so far.
  private func course(
    to period: Period, _ calendar: Calendar, _ tx: borrowing Transaction
  ) async throws -> ReportTable {
    let span = calendar.known(period.advanced(by: period.type == .quarter ? -7 : -11)...period)
    let count = span.count
    do {
      return try await tx.savepoint { tx in try await course(span, tx) }
    } catch {
      guard Refusal(error)?.status == .notFound else { throw error }
    }
    var tables = [try await course(period...period, tx)]
    while tables.count < count {
      let one = period.advanced(by: -tables.count)
      do {
        tables.append(try await tx.savepoint { tx in try await course(one...one, tx) })
      } catch {
        guard Refusal(error)?.status == .notFound else { throw error }
        break
      }
    }
    return ReportTable(
      name: tables[0].name, title: tables[0].title, facts: [], columns: tables[0].columns,
      sections: [], rows: tables.reversed().flatMap { Array($0.rows) })
  }

  private func course(_ periods: ClosedRange<Period>, _ tx: borrowing Transaction) async throws
    -> ReportTable
  {
    var question = ReportQuestion(periods, region: region, grouping: level)
    question.figures = Self.course
    if view == .knownNow { question.view = .knownNow }
    return try await TrendReport.report.make(question, in: tx)
  }

  // MARK: Levels

  var level: RegionLevel {
    if region.facility != nil { return .facility }
    if region.block != nil { return .block }
    if region.district != nil { return .district }
    return region.state != nil ? .state : .all
  }

  /// Whether few enough patients are in it to count them again beside what was published.
  private var isSmall: Bool { level != .all && level != .state }

  /// What the page lists.
  var contained: [(level: RegionLevel, title: String)] {
    switch level {
    case .all: [(.state, "States")]
    case .state: [(.district, "Districts")]
    case .district: [(.block, "Blocks"), (.facility, "Facilities")]
    case .facility: []
    default: [(.facility, "Facilities")]
    }
  }

  private var inner: RegionLevel { contained.last?.level ?? .facility }
}
