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

  /// Reports whose figures a service may have counted; the others read rows that its role does not see.
  static let figures: [Report] = [
    DistrictBPReport.report, TrendReport.report, RegistrationsReport.report, CohortReport.report,
    FacilitiesReport.report,
  ]

  static var reports: [Report] { figures + [RecallReport.report] }

  func add(to router: Router<DashboardContext>) {
    router.get("api/v1/openapi.json") { request, _ -> Response in
      _ = try Asking(request, [])
      return .text(OpenAPI.text, "application/json; charset=utf-8")
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
        id: admission.id, name: admission.name, opens: scope.description, state: scope.state,
        district: scope.district, block: scope.block,
        facilityId: scope.facility.map { $0.uuidString.lowercased() },
        readsLists: admission.readsLists, expiresAt: admission.expiresAt.description))
  }

  private struct PeriodEntry: Encodable {
    let period: String
    let status: String
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
        let edition = calendar.editions[period]
        return PeriodEntry(
          period: period.description, status: edition == nil ? "open" : "closed",
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

  private static let parameters: Set<String> = Asking.region.union(Asking.time).union([
    "trend", "by", "figures", "edition", "compare", "suppress-below", "patients", "format",
  ])

  private enum Yes: String, CaseIterable {
    case yes = "true"
    case no = "false"
  }

  private func report(_ request: Request, _ name: String) async throws -> Response {
    let visitor = try await gate.admit(request)
    guard let report = Self.reports.first(where: { $0.name == name }) else {
      throw Refusal.missing(
        "There is no report '\(name)' here. There are \(Self.reports.map(\.name).joined(separator: ", "))."
      )
    }
    let asking = try Asking(request, Self.parameters)
    let format = try asking.one("format", ServedFormat.self) ?? .json
    let question = try question(asking, report, visitor)
    let recalls = report.name == RecallReport.report.name
    if recalls || question.patients != nil {
      // What the database would refuse is told before anything is put on record.
      guard visitor.admission.readsLists else {
        throw Refusal.forbidden("The token is for figures only.")
      }
      let table = try await reader.list(report, question, visitor.secret)
      metrics.readList()
      return try format.response(table, mapping)
    }
    let tag = try await tag(question, report, format, visitor)
    if let tag, request.headers[.ifNoneMatch]?.contains(tag) == true {
      return Response(status: .notModified, headers: Self.cached(tag, question))
    }
    var response = try format.response(
      try await reader.report(report, question, visitor.secret), mapping)
    if let tag {
      for field in Self.cached(tag, question) { response.headers[field.name] = field.value }
    }
    return response
  }

  private func question(_ asking: Asking, _ report: Report, _ visitor: Gate.Visitor) throws
    -> ReportQuestion
  {
    func refuse(_ parameter: ReportParameter, _ name: String) throws {
      guard asking[name] == nil || report.parameters.contains(parameter) else {
        throw Refusal.usage("'\(report.name)' takes no '\(name)'")
      }
    }
    for (parameter, name) in [
      (ReportParameter.quarter, "period"), (.trend, "trend"), (.by, "by"), (.figures, "figures"),
      (.edition, "edition"), (.compare, "compare"), (.suppressBelow, "suppress-below"),
      (.patients, "patients"), (.asKnownNow, "view"),
    ] { try refuse(parameter, name) }
    let today = CalendarDate(daysSince1970: Int(Date().timeIntervalSince1970 / 86_400))
    var period = Period(.month, containing: today)
    if report.parameters.contains(.quarter) {
      guard let named = try asking.period() else {
        throw Refusal.usage("name a period, for example period=2024Q2 or period=2024-06")
      }
      period = named
    }
    let count = try asking.number("trend", 1...36) ?? report.trend
    guard period.advanced(by: 1 - count).start.year > 1900 else {
      throw Refusal.usage("there are no figures that far back")
    }
    var question = ReportQuestion(period.advanced(by: 1 - count)...period)
    question.region = asking.region.isNarrowed ? asking.region : visitor.region
    question.grouping = try asking.one("by", RegionLevel.self)
    question.figures = asking["figures"].map { $0.split(separator: ",").map(String.init) } ?? []
    question.suppressBelow = try asking.number("suppress-below", 2...1000)
    question.isComparison = try asking.one("compare", Yes.self) == .yes
    question.patients = try asking.one("patients", Indicator.self)
    if let edition = try asking.number("edition", 1...10_000) {
      question.view = .edition(edition)
    } else if try asking.one("view", Asking.View.self) == .knownNow {
      question.view = .knownNow
    }
    return try checked(question, asking)
  }

  private func checked(_ question: ReportQuestion, _ asking: Asking) throws(Refusal)
    -> ReportQuestion
  {
    guard asking["edition"] == nil || asking["view"] == nil else {
      throw .usage("'edition' is as published, 'view' may not be: name one of them")
    }
    guard !question.isComparison || (question.view != .knownNow && question.patients == nil) else {
      throw .usage("'compare' shows figures as published and as known now: leave the other out")
    }
    let isEdition = asking["edition"] != nil
    guard question.periods.count == 1 || (question.patients == nil && !isEdition) else {
      throw .usage("'patients' and 'edition' are of one period")
    }
    guard question.patients == nil || question.suppressBelow == nil else {
      throw .usage("a list of patients hides nobody: 'patients' goes without 'suppress-below'")
    }
    return question
  }

  // MARK: Caching

  /// What a report of closed periods alone is told by: its editions' digests, and what was asked by whom. nil for one that
  /// can change.
  private func tag(
    _ question: ReportQuestion, _ report: Report, _ format: ServedFormat, _ visitor: Gate.Visitor
  ) async throws -> String? {
    // The ranking also shows the period before.
    guard question.view != .knownNow, !question.isComparison,
      report.name != FacilitiesReport.report.name
    else { return nil }
    let editions = try await reader.read(visitor.secret) { tx in
      try await RollupStore.editions(in: tx)
    }
    var digests: [String] = []
    for period in question.periods {
      let mine = editions.filter { $0.edition.period == period }
      let edition =
        if case .edition(let number) = question.view {
          mine.first { $0.edition.number == number }
        } else {
          mine.last
        }
      guard let edition else { return nil }
      digests.append(edition.digest)
    }
    let region = question.region.query.map { $0.value ?? "" }
    let asked: [String] =
      [
        Self.version, report.name, format.rawValue, question.periodText,
        question.grouping?.rawValue ?? "", question.figures.joined(separator: ","),
        question.suppressBelow.map { "\($0)" } ?? "", visitor.admission.scope.description,
      ] + region + digests
    return "\"\(FNV.hash(asked.joined(separator: "\u{0}")))\""
  }

  /// Of how reports are written: another one makes other bytes of the same figures.
  private static let version = "1"

  /// A named edition is the same for ever; the last one can become another, so a copy is asked about.
  private static func cached(_ tag: String, _ question: ReportQuestion) -> HTTPFields {
    let isNamed = if case .edition = question.view { true } else { false }
    return [
      .eTag: tag,
      .cacheControl: isNamed ? "private, max-age=31536000, immutable" : "private, no-cache",
      .vary: "Authorization, Cookie",
    ]
  }
}

/// The hash function FNV-1a of 64 bits: tells versions apart that nobody tries to confuse.
enum FNV {
  static func hash(_ text: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return String(hash, radix: 16)
  }
}
