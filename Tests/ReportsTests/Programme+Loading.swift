import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

extension Programme {
  /// Puts the programme into a database as an application does, readings in part before their
  /// patients, transfers, deaths and deletions as changes of what was there.
  func record(in store: Store) async throws {
    for facility in facilities { try await store.save(facility.stored) }
    try await store.record(readings.prefix(readings.count / 2).map(\.stored))
    for patient in patients {
      try await store.insert(patient.atRegistration)
      try await store.update(patient.stored)
    }
    try await store.record(readings.dropFirst(readings.count / 2).map(\.stored))
    try await store.record(visits.map(\.stored))
  }

  /// Puts it into the source tables behind the rollups' back, and backfills.
  func load(into store: Store) async throws {
    for facility in facilities { try await store.save(facility.stored) }
    let inserts = [insertPatients, insertReadings, insertVisits]
    try await store.rollups.pool.withConnection { connection in
      for insert in inserts { try await connection.query(insert) }
    }
    let rollups = store.rollups
    for chunk in try await rollups.chunks(of: 20, keyedBy: UUID.self) {
      _ = try await rollups.derive(
        chunk, in: .all, rollups: rollups.catalog.mostRecent, registers: rollups.catalog.registers)
    }
    for count in rollups.catalog.counts { _ = try await rollups.derive(count, in: .all) }
  }
}

extension Programme {
  private var insertPatients: Query {
    Query(
      text: """
        INSERT INTO patients (id, registered_at, registration_facility_id, assigned_facility_id, hypertensive,
          died_at, deleted_at)
        SELECT id, at, f, a, h, died, CASE WHEN gone THEN now() END
        FROM unnest($1, $2, $3, $4, $5, $6, $7) AS p (id, at, f, a, h, died, gone)
        """,
      binds: [
        Bind(patients.map(\.id)), instants(patients.map(\.registeredAt)),
        Bind(patients.map(\.registrationFacility)), Bind(patients.map(\.assignedFacility)),
        Bind(patients.map(\.isHypertensive)), instants(patients.map(\.diedAt)),
        Bind(patients.map(\.isDeleted)),
      ])
  }

  private var insertReadings: Query {
    Query(
      text: """
        INSERT INTO blood_pressures (patient_id, id, systolic, diastolic, recorded_at, deleted_at)
        SELECT p, id, s, d, at, CASE WHEN gone THEN now() END
        FROM unnest($1, $2, $3, $4, $5, $6) AS r (p, id, s, d, at, gone)
        """,
      binds: [
        Bind(readings.map(\.patient)), Bind(readings.map(\.id)), Bind(readings.map(\.systolic)),
        Bind(readings.map(\.diastolic)), instants(readings.map(\.recordedAt)),
        Bind(readings.map(\.isDeleted)),
      ])
  }

  private var insertVisits: Query {
    Query(
      text: """
        INSERT INTO visits (patient_id, id, visited_at, deleted_at)
        SELECT p, id, at, CASE WHEN gone THEN now() END
        FROM unnest($1, $2, $3, $4) AS v (p, id, at, gone)
        """,
      binds: [
        Bind(visits.map(\.patient)), Bind(visits.map(\.id)), instants(visits.map(\.visitedAt)),
        Bind(visits.map(\.isDeleted)),
      ])
  }

  private func instants(_ values: [Micros?]) -> Bind {
    Bind(values.map { $0.map { Timestamp($0.date) } })
  }
}

extension Micros {
  fileprivate var date: Date { Date(timeIntervalSince1970: Double(self) / 1_000_000) }
}

private let deletion = Date(timeIntervalSince1970: 1_700_000_000)

extension Programme.Facility {
  var stored: Facility {
    Facility(
      id: id, name: name, state: state, district: district, block: block, size: size,
      deletedAt: isDeleted ? deletion : nil)
  }
}

extension Programme.Patient {
  /// As the patient came: at the registration facility, alive.
  fileprivate var atRegistration: Patient {
    Patient(id: id, registeredAt: registeredAt?.date, registrationFacilityID: registrationFacility)
  }

  fileprivate var stored: Patient {
    var patient = Patient(
      id: id, registeredAt: registeredAt?.date, registrationFacilityID: registrationFacility,
      hypertensive: isHypertensive, diedAt: diedAt?.date, deletedAt: isDeleted ? deletion : nil)
    patient.assignedFacilityID = assignedFacility
    return patient
  }
}

extension Programme.Reading {
  fileprivate var stored: Reading {
    Reading(
      id: id, patientID: patient, facilityID: nil, systolic: systolic, diastolic: diastolic,
      recordedAt: recordedAt?.date, deletedAt: isDeleted ? deletion : nil)
  }
}

extension Programme.Visit {
  fileprivate var stored: Visit {
    Visit(
      id: id, patientID: patient, facilityID: nil, visitedAt: visitedAt?.date,
      deletedAt: isDeleted ? deletion : nil)
  }
}
