import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore

/// What programs ask (`/api/v1/openapi.json` describes it).
struct API: Sendable {
  let gate: Gate
  let reader: Reader
  let metrics: Metrics
  let mapping: DHIS2Mapping?
  private let copies: Copies<Response>

  init(gate: Gate, reader: Reader, metrics: Metrics, mapping: DHIS2Mapping?) {
    self.gate = gate
    self.reader = reader
    self.metrics = metrics
    self.mapping = mapping
    copies = Copies(reader.history) { $0.body.contentLength ?? 0 }
  }

  /// Reports whose figures a service may have counted; the others read rows that its role does not see.
  static let reports: [Report] = [
    DistrictBPReport.report, TrendReport.report, RegistrationsReport.report, CohortReport.report,
    FacilitiesReport.report,
  ]

  /// Whose patients can be listed: of registrations, not even the facilities of a region have them all.
  static let listed: [Indicator] = Indicator.allCases.filter { !$0.isOfRegistration }

  func add(to router: Router<DashboardContext>) {
    let description = OpenAPI(formats: ServedFormat.offered(hasMapping: mapping != nil)).text
    router.get("api/v1/openapi.json") { request, _ -> Response in
      _ = try Asking(request, [])
      return .text(description, "application/json; charset=utf-8")
    }
    router.get("api/v1/me") { request, _ in try await me(request) }
    router.get("api/v1/periods") { request, _ in try await periods(request) }
    router.get("api/v1/facilities") { request, _ in try await facilities(request) }
    router.get("api/v1/reports") { request, _ -> Response in
      _ = try await gate.admit(request)
      _ = try Asking(request, [])
      return .json(
        Self.reports.map { ReportEntry(name: $0.name, title: $0.title, summary: $0.summary) })
    }
    router.get("api/v1/reports/:name") { request, context in
      try await report(request, try context.parameters.require("name"))
    }
    router.get("api/v1/lists/:name") { request, context in
      try await list(request, try context.parameters.require("name"))
    }
  }

  private struct ReportEntry: Encodable {
    let name: String
    let title: String
    let summary: String
  }

  // MARK: What there is

  private struct Me: Encodable {
    let id: String
    let name: String
    let opens: String
    let state: String?
    let district: String?
    let block: String?
    let facility: String?
    let facilityId: String?
    let readsLists: Bool
    let expiresAt: String
  }

  private func me(_ request: Request) async throws -> Response {
    let admission = try await gate.admit(request).admission
    _ = try Asking(request, [])
    let scope = admission.scope
    return .json(
      Me(
        id: admission.id, name: admission.name, opens: admission.opens, state: scope.state,
        district: scope.district, block: scope.block, facility: admission.facilityName,
        facilityId: scope.facility.map { $0.uuidString.lowercased() },
        readsLists: admission.readsLists, expiresAt: admission.expiresAt.description))
  }

  private struct PeriodEntry: Encodable {
    let period: String
    let status: String
    /// `running`, `over` or `overdue`; nil of a closed one.
    let progress: String?
    /// Its last day, and the day from which it may be closed.
    let endsOn: String
    let closesOn: String
    let edition: Int
    let digest: String?
    let closedAt: String?
  }

  private func periods(_ request: Request) async throws -> Response {
    let visitor = try await gate.admit(request)
    _ = try Asking(request, [])
    let calendar = try await reader.read(visitor.secret) { tx in try await Calendar(tx) }
    let periods = calendar.periods(.quarter) + calendar.periods(.month)
    return .json(
      periods.map { period in
        let edition = calendar.last(of: period)
        return PeriodEntry(
          period: period.description, status: edition == nil ? "open" : "closed",
          progress: calendar.progress(of: period)?.name, endsOn: period.lastDay.description,
          closesOn: calendar.grace.closes(period).description,
          edition: edition?.edition.number ?? 0, digest: edition?.digest,
          closedAt: edition?.closedAt.description)
      })
  }

  private struct FacilityEntry: Encodable {
    let id: String
    let name: String
    let state: String
    let district: String
    let block: String?
  }

  private func facilities(_ request: Request) async throws -> Response {
    let visitor = try await gate.admit(request)
    _ = try Asking(request, [])
    let sites = try await reader.read(visitor.secret) { tx in try await Site.all(tx) }
    return .json(
      sites.map {
        FacilityEntry(
          id: $0.id, name: $0.name, state: $0.state, district: $0.district, block: $0.block)
      })
  }

  // MARK: Reports

  private func report(_ request: Request, _ name: String) async throws -> Response {
    let visitor = try await gate.admit(request)
    guard let report = Self.reports.first(where: { $0.name == name }) else {
      throw Refusal.missing(
        "There is no report '\(name)' here. There are \(Self.reports.map(\.name).joined(separator: ", "))."
      )
    }
    let asking = try Asking(request, Asking.names(of: report))
    let format = try asking.format(default: .json)
    let question = try asking.question(of: report, for: visitor)
    @Sendable func known(_ calendar: Calendar) throws(Refusal) -> ReportQuestion {
      try calendar.check(question.period)
      var known = question
      known.periods = calendar.known(question.periods)
      return known
    }
    @Sendable func mark(_ calendar: Calendar) throws(Refusal) -> String? {
      Self.tag(try known(calendar), report, format, visitor, calendar)
    }
    // Only now, when the token was found to hold: what a browser keeps it shows to nobody who may not see it.
    if let kept = request.headers[.ifNoneMatch] {
      let calendar = try await reader.read(visitor.secret) { tx in try await Calendar(tx) }
      if let tag = try mark(calendar), kept.contains(tag) {
        return Response(status: .notModified, headers: Self.kept(tag))
      }
    }
    return try await copies.value(of: .init(visitor, request), at: visitor.admission.moment) {
      // In one snapshot: the tag of an edition is never that of another's figures.
      let (facilities, made) = try await visitor.within(question.region, reader) {
        try await reader.counted(visitor.secret) { tx in
          let calendar = try await Calendar(tx)
          return (try await report.make(try known(calendar), in: tx), calendar)
        }
      }
      var response = try format.response(made.0, mapping)
      if let tag = try mark(made.1) {
        for field in Self.kept(tag) { response.headers[field.name] = field.value }
      }
      return (facilities, response)
    }
  }

  /// Patients: whom to call, or who is behind a figure. That they were read goes on record.
  private func list(_ request: Request, _ name: String) async throws -> Response {
    let visitor = try await gate.admit(request)
    guard ["recall", "patients"].contains(name) else {
      throw Refusal.missing("There is no list '\(name)'. There are recall, patients.")
    }
    let names = Asking.region.union(["format"])
    let asking = try Asking(
      request, name == "recall" ? names : names.union(["period", "view", "figure"]))
    let format = try asking.format(default: .json)
    guard !format.isOfFigures else {
      throw Refusal.usage("format=\(format.rawValue) is of figures, not of patients")
    }
    let question = try asking.list(name, for: visitor)
    try visitor.checkList(of: question.region)
    if name != "recall" {
      try await reader.read(visitor.secret) { tx in try await Calendar(tx) }.check(question.period)
    }
    let report = name == "recall" ? RecallReport.report : DistrictBPReport.report
    let table = try await visitor.within(question.region, reader) {
      try await reader.list(report, question, visitor.secret)
    }
    metrics.readList()
    return try format.response(table, mapping)
  }

  // MARK: Caching

  /// What a report of closed periods alone is told by: its editions' digests, and what was asked by whom. nil for one that
  /// can change.
  private static func tag(
    _ question: ReportQuestion, _ report: Report, _ format: ServedFormat, _ visitor: Gate.Visitor,
    _ calendar: Calendar
  ) -> String? {
    // The ranking also shows the period before; what is what in DHIS2 is a file that can be another one tomorrow.
    guard question.view != .knownNow, !question.isComparison, !format.isDHIS2,
      report.name != FacilitiesReport.report.name
    else { return nil }
    var digests: [String] = []
    for period in question.periods {
      let editions = calendar.editions[period] ?? []
      let edition =
        if case .edition(let number) = question.view {
          editions.first { $0.edition.number == number }
        } else {
          editions.last
        }
      guard let edition else { return nil }
      digests.append(edition.digest)
    }
    let asked: [String] = [
      version, report.name, format.rawValue, question.periodText,
      question.grouping?.rawValue ?? "", question.figures.joined(separator: ","),
      question.suppressBelow.map { "\($0)" } ?? "",
    ]
    let places = (visitor.admission.scope.parts + question.region.parts).map { $0?.text ?? "" }
    let told = Array((asked + places + digests).joined(separator: "\u{0}").utf8)
    return "\"\(Data(SHA256.hash(data: told)).base64EncodedString())\""
  }

  /// Of how reports are written: another one makes other bytes of the same figures.
  private static let version = "1"

  /// A browser may keep it, and asks each time: a token can be revoked, and others may sit down at the browser. The tag of an edition
  /// never changes, so the answer is short.
  private static func kept(_ tag: String) -> HTTPFields {
    [.eTag: tag, .cacheControl: "private, no-cache", .vary: "Authorization, Cookie"]
  }
}

extension Gate.Visitor {
  /// What the database would refuse is told before anything is put on record.
  func checkList(of region: RegionChoice) throws(Refusal) {
    guard admission.readsLists else { throw .forbidden("The token is for figures only.") }
    guard region.isNarrowed else {
      throw .usage(
        "Patients are listed of a region: name one, for example district=Bathinda or facility=…")
    }
  }
}

extension PeriodProgress {
  /// As programs read it.
  static let names = ["not_begun", "running", "over", "overdue"]

  var name: String {
    switch self {
    case .notBegun: "not_begun"
    case .running: "running"
    case .over: "over"
    case .overdue: "overdue"
    }
  }
}
