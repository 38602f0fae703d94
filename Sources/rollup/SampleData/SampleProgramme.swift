import PeriodRollups
import Postgres

/// A believable health programme that exists nowhere, made by PostgreSQL itself: states, districts, blocks and
/// facilities of four sizes; patients who register over the years, are treated, drop out, move and die; visits with and
/// without a reading; late syncs, wrong times and deleted readings (DESIGN.md section 9).
///
/// Everything is a function of the parameters, the time zone among them: each draw is a hash of the seed, the kind of
/// draw and the row's number, and ids are digests, so the same call anywhere writes the same rows.
///
/// - `SampleProgramme+Facilities.swift`, `+Patients.swift` and `+Readings.swift` hold the statements.
struct SampleProgramme: Sendable {
  let patients: Int
  let seed: Int
  /// The first month and the last, itself included.
  let from: Period
  let to: Period

  /// A statement and what it does, for a progress line.
  struct Step: Sendable {
    let what: String
    let query: Query
  }

  /// Patients whose readings are written by one statement.
  private static let chunk = 25_000

  /// What the ids of this programme begin from: other parameters, other rows.
  func name(_ timeZone: String) -> String {
    "sample/\(patients)/\(seed)/\(from)/\(to)/\(timeZone)"
  }

  /// The stream of random numbers for one kind of draw.
  func stream(_ kind: Draw) -> Int { seed &* 16 &+ kind.rawValue }

  enum Draw: Int {
    case patient = 1
    case course, visit, reading
  }

  /// The whole programme, to be run in this order on one connection: the first two statements leave temporary tables
  /// that the others read. Rows that are there already stay as they are.
  func statements(timeZone: String) -> [Step] {
    [
      Step(what: "planning facilities", query: planFacilities(timeZone)),
      Step(what: "planning patients", query: planPatients(timeZone)),
      Step(what: "facilities", query: insertFacilities),
      Step(what: "patients", query: insertPatients),
    ]
      + stride(from: 1, through: patients, by: Self.chunk).flatMap { first in
        let last = min(first + Self.chunk - 1, patients)
        return [
          Step(
            what: "readings of patients \(first) to \(last)",
            query: insertReadings(of: first...last, timeZone)),
          Step(
            what: "blood sugars of patients \(first) to \(last)",
            query: insertBloodSugars(of: first...last, timeZone)),
          Step(
            what: "visits of patients \(first) to \(last)",
            query: insertVisits(of: first...last, timeZone)),
        ]
      }
  }

  /// True when the source tables are empty or hold this programme already: only then may it be written.
  func isWelcome(_ timeZone: String) -> Query {
    """
    SELECT EXISTS (SELECT FROM facilities WHERE id = md5(\(name(timeZone)) || '/facility/1')::uuid)
      OR NOT (EXISTS (SELECT FROM facilities) OR EXISTS (SELECT FROM patients)
        OR EXISTS (SELECT FROM blood_pressures) OR EXISTS (SELECT FROM blood_sugars) OR EXISTS (SELECT FROM visits))
    """
  }

  /// The temporary tables go, so that the connection can be used again.
  static let forget = "DROP TABLE IF EXISTS pg_temp.sample_facilities, pg_temp.sample_patients"
}
