import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// Counts of a period's most recent measurements by the facility that the patient is assigned to, from the rollups alone.
/// They count whom the indicators count: hypertensive patients who are registered by the end of the period.
public struct MeasurementQuery: Sendable {
  /// Which measurement.
  public enum Kind: Sendable {
    case bloodSugar, heartRate
  }

  public let kind: Kind
  public let period: Period
  /// What is read of a closed period.
  public let state: State
  /// Only patients assigned to these; nil for everybody's.
  public let facilities: [UUID]?

  /// Of which moment.
  public enum State: Sendable {
    /// An open period as it is.
    case open
    /// The rows that a period closed with, of the patients of its last edition.
    case closed(Edition)
    /// A closed period with what came late, of the patients of today.
    case knownNow
  }

  public init(_ kind: Kind, _ period: Period, _ state: State, facilities: [UUID]?) {
    self.kind = kind
    self.period = period
    self.state = state
    self.facilities = facilities
  }

  /// Counts by facility; nil is "no facility".
  public func run(_ tx: borrowing Transaction) async throws -> [UUID?: Tally] {
    let counts = counts
    let columns = counts.map { "count(*) FILTER (WHERE \($0.condition))" }
    let query = Query(
      text: """
        SELECT p.assigned_facility_id, \(columns.joined(separator: ",\n  "))
        FROM (
          \(patients)
        ) AS p
        JOIN (\(rows)) AS m ON m.patient_id = p.patient_id
        GROUP BY p.assigned_facility_id
        """, binds: [Bind(facilities)])
    var tallies: [UUID?: Tally] = [:]
    for row in try await tx.query(query) {
      var tally = Tally()
      for (place, count) in counts.enumerated() {
        tally[count.name] = try row.decode(place + 1, as: Int.self)
      }
      tallies[try row.decode(0, as: UUID?.self)] = tally
    }
    return tallies
  }

  private var patients: String {
    let these = "($1::uuid[] IS NULL OR assigned_facility_id = ANY ($1))"
    if case .closed(let edition) = state {
      return """
        SELECT unnest(patient_ids) AS patient_id, assigned_facility_id
          FROM rollup.published_patients
          WHERE \(edition.condition) AND \(these)
        """
    }
    return """
      SELECT patient_id, assigned_facility_id
        FROM rollup.patient_register
        WHERE registered_month < \(CareStates.date(period.end)) AND \(these)
      """
  }

  private var includesLate: Bool { if case .knownNow = state { true } else { false } }

  private var rows: String {
    switch kind {
    case .bloodSugar:
      Rollups.bloodSugar.rows(
        of: period, isClosed: includesLate,
        reading: [Tables.BloodSugars.value, Tables.BloodSugars.type])
    case .heartRate:
      Rollups.bloodPressure.rows(
        of: period, isClosed: includesLate, reading: [Tables.BloodPressures.heartRate])
    }
  }

  private var counts: [(name: String, condition: String)] {
    switch kind {
    case .bloodSugar:
      let controlled = Self.below(hba1c: 7, fasting: 126, random: 200)
      let veryHigh = "NOT (\(Self.below(hba1c: 9, fasting: 200, random: 300)))"
      return [
        ("patients_with_blood_sugar", "true"), ("sugar_controlled", controlled),
        ("sugar_raised", "NOT (\(controlled)) AND NOT (\(veryHigh))"),
        ("sugar_very_high", veryHigh), ("sugar_fasting", "m.type = 'fasting'"),
        ("sugar_post_prandial", "m.type = 'post_prandial'"),
        (
          "sugar_random",
          "m.type IS NULL OR m.type NOT IN ('fasting', 'post_prandial', 'hba1c')"
        ),
        ("sugar_hba1c", "m.type = 'hba1c'"),
      ]
    case .heartRate:
      return [
        ("patients_with_bp", "true"), ("patients_with_heart_rate", "m.heart_rate IS NOT NULL"),
        ("patients_without_heart_rate", "m.heart_rate IS NULL"),
        ("heart_rate_below_60", "m.heart_rate < 60"),
        ("heart_rate_60_to_100", "m.heart_rate BETWEEN 60 AND 100"),
        ("heart_rate_above_100", "m.heart_rate > 100"),
      ]
    }
  }

  /// mg/dL, of HbA1c per cent.
  private static func below(hba1c: Int, fasting: Int, random: Int) -> String {
    "m.value < CASE m.type WHEN 'hba1c' THEN \(hba1c) WHEN 'fasting' THEN \(fasting) ELSE \(random) END"
  }
}
