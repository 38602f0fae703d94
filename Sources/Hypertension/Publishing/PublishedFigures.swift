import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// A facility as an edition has it.
public struct PublishedFacility: Hashable, Sendable {
  /// nil for patients that have none.
  public let id: UUID?
  public let name: String
  public let state: String
  public let district: String
  public let block: String?
  /// nil of editions that have none.
  public let size: String?
}

/// The figures of an edition, as they were published.
public struct PublishedFigures: Sendable {
  public typealias Row = (facility: PublishedFacility, figures: CareFigures)

  public let edition: Edition
  /// Only of this state, and of this district; nil for all. Of names that differ in capitals or accents alone there are the rows of
  /// all: whoever asks picks those that are meant (``PlaceName``).
  public let state: String?
  public let district: String?
  /// Only this facility, by its name or its id.
  public let facility: String?

  public init(_ edition: Edition, state: String?, district: String?, facility: String? = nil) {
    self.edition = edition
    self.state = state
    self.district = district
    self.facility = facility
  }

  public func run(_ tx: borrowing Transaction) async throws -> [Row] {
    guard let served = ServedReading.current else { return try await read(tx) }
    return try await served.rows(of: self, tx)
  }

  /// As the database has them.
  func read(_ tx: borrowing Transaction) async throws -> [Row] {
    let (states, districts, facilities) = try await spellings(tx)
    let query = Query(
      text: """
        SELECT facility_id, facility, state, district, block, nullif(size, ''), \(CarePublication.countColumns.joined(separator: ", "))
        FROM rollup.published_figures
        WHERE \(edition.condition) AND ($1::text[] IS NULL OR state = ANY ($1))
          AND ($2::text[] IS NULL OR district = ANY ($2))
          AND ($3::text[] IS NULL OR facility = ANY ($3) OR facility_id::text = lower($4))
        """, binds: [Bind(states), Bind(districts), Bind(facilities), Bind(facility)])
    return try await tx.query(query).map { row in
      var figures = CareFigures()
      for (place, count) in CareFigures.counts.enumerated() {
        figures[keyPath: count] = try row.decode(place + 6, as: Int.self)
      }
      return (try Self.facility(row), figures)
    }
  }

  /// How the edition spells the names that are asked for. The server's lower() knows the letters of its locale alone.
  private func spellings(_ tx: borrowing Transaction) async throws -> (
    states: [String]?, districts: [String]?, facilities: [String]?
  ) {
    guard state != nil || district != nil || facility != nil else { return (nil, nil, nil) }
    let names = try await tx.query(
      Query(
        text: """
          SELECT DISTINCT state, district, facility FROM rollup.published_figures WHERE \(edition.condition)
          """)
    ).decode((String, String, String).self)
    func spellings(_ asked: String?, _ all: [String]) -> [String]? {
      asked.map(PlaceName.folded).map { key in
        Set(all.map(ExactText.init)).filter { PlaceName.folded($0.text) == key }.map(\.text)
      }
    }
    return (
      spellings(state, names.map(\.0)), spellings(district, names.map(\.1)),
      spellings(facility, names.map(\.2))
    )
  }

  /// The names of the states and districts of the edition, for a message that there is no such one.
  public func regions(_ tx: borrowing Transaction) async throws -> [(
    state: String, district: String
  )] {
    try await tx.query(
      Query(
        text: """
          SELECT DISTINCT state, district FROM rollup.published_figures WHERE \(edition.condition)
          """)
    ).map { try $0.decode((String, String).self) }
  }

  private static func facility(_ row: Postgres.Row) throws -> PublishedFacility {
    PublishedFacility(
      id: try row.decode(0, as: UUID?.self), name: try row.decode(1, as: String.self),
      state: try row.decode(2, as: String.self), district: try row.decode(3, as: String.self),
      block: try row.decode(4, as: String?.self), size: try row.decode(5, as: String?.self))
  }
}

/// A patient behind the figures, with the facilities that count for them.
public struct ListedPatient: Hashable, Sendable {
  public let id: UUID
  public let registrationFacility: UUID?
  public let assignedFacility: UUID?
  public let line: PatientLine
}

/// The patients of an edition, as they were published.
public struct PublishedPatients: Sendable {
  public let edition: Edition
  /// Only those registered at or assigned to these; nil for all.
  public let facilities: [UUID]?

  public init(_ edition: Edition, facilities: [UUID]?) {
    self.edition = edition
    self.facilities = facilities
  }

  public func run(_ tx: borrowing Transaction) async throws -> [ListedPatient] {
    try await rows(tx).flatMap { row in
      let state = PatientState(rawValue: try row.decode(2, as: Int.self))
      let (registration, assigned) = (
        try row.decode(0, as: UUID?.self), try row.decode(1, as: UUID?.self)
      )
      let systolic = try row.decode(4, as: [Int16?]?.self)
      let diastolic = try row.decode(5, as: [Int16?]?.self)
      return try row.decode(3, as: [UUID].self).enumerated().map { place, id in
        ListedPatient(
          id: id, registrationFacility: registration, assignedFacility: assigned,
          line: PatientLine(
            published: state, Pressure(systolic?[place], diastolic?[place])))
      }
    }
  }

  private func rows(_ tx: borrowing Transaction) async throws -> Rows {
    guard let served = ServedReading.current else {
      return try await tx.query(
        Query(text: Self.text(edition.condition), binds: [Bind(facilities)]))
    }
    return try await served.patients(
      of: facilities,
      columns: """
        registration_facility_id uuid, assigned_facility_id uuid, state integer, patient_ids uuid[], systolic smallint[],
        diastolic smallint[]
        """, tx)
  }

  private static func text(_ edition: String) -> String {
    """
    SELECT registration_facility_id, assigned_facility_id, state, patient_ids, systolic, diastolic
    FROM rollup.published_patients
    WHERE \(edition) AND ($1::uuid[] IS NULL OR assigned_facility_id = ANY ($1)
      OR registration_facility_id = ANY ($1))
    """
  }

  /// Of an edition that is not part of the text, a row a patient, so that as many are put on record as are read. Patients
  /// who are assigned elsewhere are for others to list.
  static let filedText = """
    SELECT p.registration_facility_id, p.assigned_facility_id, p.state, ARRAY[l.id], ARRAY[l.systolic], ARRAY[l.diastolic]
    FROM rollup.published_patients AS p
    CROSS JOIN LATERAL unnest(p.patient_ids, p.systolic, p.diastolic) AS l (id, systolic, diastolic)
    WHERE p.period_type = $4 AND p.period_start = $5 AND p.edition = $6 AND p.assigned_facility_id = ANY ($1)
    """

  /// The figures of each facility, counted from the patients with other limits.
  public func figures(_ limits: ControlLimits, _ tx: borrowing Transaction) async throws
    -> [UUID?: CareFigures]
  {
    var figures: [UUID?: CareFigures] = [:]
    for patient in try await run(tx) {
      figures[patient.assignedFacility, default: CareFigures()].count(
        patient.line, limits, atRegistration: false)
      guard let registration = patient.registrationFacility else { continue }
      figures[registration, default: CareFigures()].count(
        patient.line, limits, atRegistration: true)
    }
    return figures
  }
}

/// The patients behind the figures of a period as they are now.
public struct LivePatients: Sendable {
  public let evaluation: Evaluation
  public let closed: Set<Period>
  /// Only those assigned to these; nil for everybody.
  public let facilities: [UUID]?

  public init(_ evaluation: Evaluation, closed: Set<Period>, assignedTo facilities: [UUID]? = nil) {
    self.evaluation = evaluation
    self.closed = closed
    self.facilities = facilities
  }

  public func run(_ tx: borrowing Transaction) async throws -> [ListedPatient] {
    let states = CareStates(
      evaluation: evaluation, closed: closed,
      scope: facilities == nil ? .everybody : .assignedFacilities)
    return try await rows(states, tx).map { row in
      var state: PatientState = []
      for (place, bit) in Self.bits where try row.decode(place, as: Bool.self) {
        state.insert(bit)
      }
      func pressure(_ place: Int) throws -> Pressure? {
        Pressure(
          try row.decode(place, as: Int32?.self), try row.decode(place + 1, as: Int32?.self))
      }
      return ListedPatient(
        id: try row.decode(0, as: UUID.self),
        registrationFacility: try row.decode(1, as: UUID?.self),
        assignedFacility: try row.decode(2, as: UUID?.self),
        line: PatientLine(
          state, recent: try pressure(11), inPeriod: try pressure(13),
          inCohortWindow: try pressure(15)))
    }
  }

  private func rows(_ states: CareStates, _ tx: borrowing Transaction) async throws -> Rows {
    guard let served = ServedReading.current else {
      return try await tx.query(Query(text: states.query, binds: [Bind(facilities ?? [])]))
    }
    return try await served.patients(
      of: facilities,
      columns: """
        patient_id uuid, registration_facility_id uuid, assigned_facility_id uuid, is_new boolean, dead boolean,
        cared_for boolean, adjusted boolean, visited boolean, visited_in_period boolean, in_cohort boolean,
        cohort_visited boolean, recent_systolic integer, recent_diastolic integer, period_systolic integer,
        period_diastolic integer, cohort_systolic integer, cohort_diastolic integer
        """, tx)
  }

  /// Where ``CareStates/query`` has them; the fifth of its booleans, a visit within the period, is not a state.
  private static let bits: [(Int, PatientState)] = [
    (3, .new), (4, .dead), (5, .caredFor), (6, .adjusted), (7, .visited), (9, .inCohort),
    (10, .cohortVisited),
  ]
}

extension Pressure {
  init?(_ systolic: (some BinaryInteger)?, _ diastolic: (some BinaryInteger)?) {
    guard let systolic, let diastolic else { return nil }
    self.init(systolic: Int(systolic), diastolic: Int(diastolic))
  }

  fileprivate init?(_ systolic: Int16??, _ diastolic: Int16??) {
    guard case .some(.some(let systolic)) = systolic, case .some(.some(let diastolic)) = diastolic
    else { return nil }
    self.init(systolic: Int(systolic), diastolic: Int(diastolic))
  }
}

extension Edition {
  /// Numbers, a code and a day that the calendar computed.
  var condition: String {
    "period_type = '\(period.type.code)' AND period_start = '\(period.start)' AND edition = \(number)"
  }
}
