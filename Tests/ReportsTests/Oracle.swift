import Foundation

/// Every figure of `district-bp` counted straight from a programme by the words of INDICATORS.md,
/// patient by patient. It shares nothing with the report but the names of the columns.
struct Oracle {
  /// A month or a quarter, by its months: year * 12 + month, month from 0.
  struct Span {
    let isQuarter: Bool
    let first: Int
    var last: Int { first + (isQuarter ? 2 : 0) }

    var name: String {
      let year = String(format: "%04d", first / 12)
      return isQuarter
        ? "\(year)Q\(first % 12 / 3 + 1)" : year + String(format: "-%02d", first % 12 + 1)
    }
  }

  let programme: Programme
  /// The month of now.
  let now: Int
  let limits: (systolic: Int, diastolic: Int)

  private typealias Counts = [String: Int]

  private static let counts = [
    "cumulative_registrations", "new_registrations", "assigned_patients", "under_care",
    "lost_to_follow_up", "dead", "patients_with_bp", "bp_controlled", "bp_uncontrolled",
    "denominator",
    "controlled", "uncontrolled", "missed_visit", "visited_no_bp",
  ]
  private static let cohort = [
    "cohort_registered", "cohort_controlled", "cohort_uncontrolled", "cohort_missed_visit",
    "cohort_visited_no_bp",
  ]

  static let header =
    ["period", "level", "state", "district", "block", "facility_id", "facility"] + counts
    + ["controlled_rate", "uncontrolled_rate", "missed_visit_rate", "visited_no_bp_rate"] + cohort
    + ["cohort_controlled_rate", "status", "edition"]

  // MARK: One patient

  private struct History {
    let registered: Int
    let died: Int?
    /// Month and order of each; a reading is also a visit.
    let readings: [(month: Int, at: Micros, id: UUID, systolic: Int, diastolic: Int)]
    let visits: [Int]
  }

  private func history(of patient: Programme.Patient, _ clock: ReportingClock) -> History? {
    guard patient.isHypertensive, !patient.isDeleted, let registered = patient.registeredAt else {
      return nil
    }
    let readings = programme.readings.filter { $0.patient == patient.id && !$0.isDeleted }
      .compactMap {
        reading in
        reading.recordedAt.map {
          (clock.month($0), $0, reading.id, reading.systolic, reading.diastolic)
        }
      }
    let visits = programme.visits.filter { $0.patient == patient.id && !$0.isDeleted }
      .compactMap { $0.visitedAt.map(clock.month) }
    return History(
      registered: clock.month(registered), died: patient.diedAt.map(clock.month),
      readings: readings,
      visits: visits + readings.map(\.0))
  }

  private func isControlled(_ history: History, _ isIn: (Int) -> Bool) -> Bool? {
    let latest = history.readings.filter { isIn($0.month) }
      .max { ($0.at, $0.id.uuidString) < ($1.at, $1.id.uuidString) }
    return latest.map { $0.systolic < limits.systolic && $0.diastolic < limits.diastolic }
  }

  private func outcome(_ history: History, _ isIn: (Int) -> Bool) -> String {
    guard history.visits.contains(where: isIn) else { return "missed_visit" }
    guard let controlled = isControlled(history, isIn) else { return "visited_no_bp" }
    return controlled ? "controlled" : "uncontrolled"
  }

  private func count(_ history: History, in span: Span) -> Counts {
    let e = span.last < now ? span.last : now
    var counts: Counts = ["assigned": 0]
    func add(_ name: String) { counts[name, default: 0] += 1 }

    let isDead = history.died.map { $0 <= e } ?? false
    let lastVisit = history.visits.filter { $0 <= e }.max()
    let underCare =
      !isDead && (e - history.registered < 12 || lastVisit.map { e - $0 < 12 } ?? false)
    if isDead { add("dead") } else { add("assigned_patients") }
    if underCare { add("under_care") }
    if !isDead && !underCare { add("lost_to_follow_up") }
    if underCare && e - history.registered >= 3 {
      add("denominator")
      add(outcome(history) { $0 <= e && e - $0 < 3 })
    }
    if let controlled = isControlled(history, { span.first <= $0 && $0 <= span.last }) {
      add("patients_with_bp")
      add(controlled ? "bp_controlled" : "bp_uncontrolled")
    }
    let isInCohort =
      span.isQuarter
      ? history.registered / 3 == span.first / 3 - 1 : span.first - history.registered == 2
    if isInCohort {
      add("cohort_registered")
      let first = span.isQuarter ? span.first : span.first - 1
      add("cohort_" + outcome(history) { first <= $0 && $0 <= span.last })
    }
    return counts
  }

  // MARK: The report

  /// The rows, each a text a column.
  /// - Parameters: only the district and state of that name.
  func rows(_ span: Span, state: String? = nil, district: String? = nil) -> [[String]] {
    let clock = ReportingClock(programme.timeZone)
    var byFacility: [UUID?: Counts] = [:]
    for patient in programme.patients {
      guard let history = history(of: patient, clock), history.registered <= span.last else {
        continue
      }
      byFacility[patient.assignedFacility, default: [:]].merge(
        count(history, in: span), uniquingKeysWith: +)
      // A registration that no facility made is nobody's.
      guard let facility = patient.registrationFacility else { continue }
      byFacility[facility, default: [:]]["cumulative_registrations", default: 0] += 1
      if history.registered >= span.first {
        byFacility[facility, default: [:]]["new_registrations", default: 0] += 1
      }
    }
    return rows(span, byFacility, state, district)
  }

  private func rows(
    _ span: Span, _ byFacility: [UUID?: Counts], _ state: String?, _ district: String?
  )
    -> [[String]]
  {
    // Keyed by state, district, block, name and id: a region's key begins those of what is in it.
    var figures: [[String]: Counts] = [:]
    let known = Dictionary(uniqueKeysWithValues: programme.facilities.map { ($0.id, $0) })
    for id in Set(known.keys.map { Optional($0) }).union(byFacility.keys) {
      let counts = byFacility[id] ?? [:]
      let facility = id.flatMap { known[$0] }
      if facility?.isDeleted ?? true, counts.values.allSatisfy({ $0 == 0 }) { continue }
      let key = [
        facility?.state ?? "Unknown", facility?.district ?? "Unknown", facility?.block ?? "",
        facility?.name ?? "Unknown facility", id?.uuidString.lowercased() ?? "",
      ]
      if let state, key[0] != state { continue }
      if let district, key[1] != district { continue }
      let first = district != nil ? 2 : state != nil ? 1 : 0
      for length in first...5 where length != 4 && !(length == 3 && key[2].isEmpty) {
        figures[Array(key.prefix(length)), default: [:]].merge(counts, uniquingKeysWith: +)
      }
    }
    if state == nil, district == nil, figures.isEmpty { figures[[]] = [:] }
    return figures.keys.sorted { a, b in
      a.lexicographicallyPrecedes(b) {
        Array($0.unicodeScalars).lexicographicallyPrecedes(Array($1.unicodeScalars))
      }
    }.map { row(span, $0, figures[$0] ?? [:]) }
  }

  private func row(_ span: Span, _ key: [String], _ counts: Counts) -> [String] {
    func cell(_ index: Int) -> String { key.count > index ? key[index] : "" }
    func rate(_ name: String, _ whole: String) -> String {
      Self.rate(counts[name] ?? 0, of: counts[whole] ?? 0)
    }
    let level = ["all", "state", "district", "block", "", "facility"][key.count]
    return [span.name, level, cell(0), cell(1), cell(2), cell(4), cell(3)]
      + Self.counts.map { String(counts[$0] ?? 0) }
      + ["controlled", "uncontrolled", "missed_visit", "visited_no_bp"].map {
        rate($0, "denominator")
      }
      + Self.cohort.map { String(counts[$0] ?? 0) }
      + [rate("cohort_controlled", "cohort_registered"), "open", "0"]
  }

  /// 100 * n / whole with one decimal, half away from zero, by long decimals.
  static func rate(_ n: Int, of whole: Int) -> String {
    guard whole != 0 else { return "" }
    var exact = Decimal(100 * n) / Decimal(whole)
    var rounded = Decimal()
    NSDecimalRound(&rounded, &exact, 1, .plain)
    let text = "\(rounded)"
    return text.contains(".") ? text : text + ".0"
  }
}
