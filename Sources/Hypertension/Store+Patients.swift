import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// Patients. Each operation has a form in a transaction of its own and one in the caller's (`in:`).
extension Store {
  private var path: SubjectPath<UUID> { SubjectPath(in: rollups) }

  /// Registers a patient. Readings and visits that came ahead enter the rollups now.
  /// - Throws: ``WriteError/alreadyThere(_:key:)``.
  public func insert(_ patient: Patient) async throws {
    try await transaction { tx in try await insert(patient, in: tx) }
  }

  public func insert(_ patient: Patient, in tx: borrowing Transaction) async throws {
    guard try await path.insert(patient.id, patient.values, in: tx) else {
      throw WriteError.alreadyThere("patient", key: "\(patient.id)")
    }
  }

  /// Records what a phone sent of a patient: inserted, corrected, or nothing.
  @discardableResult
  public func record(_ patient: Patient) async throws -> WriteOutcome {
    try await transaction { tx in try await record(patient, in: tx) }
  }

  @discardableResult
  public func record(_ patient: Patient, in tx: borrowing Transaction) async throws -> WriteOutcome
  {
    // First as a correction: an arrival's lock keeps out everybody who writes ahead of a patient in the same slot.
    do {
      return try await update(patient, in: tx)
    } catch WriteError.notFound {
      let isNew = try await path.insert(patient.id, patient.values, in: tx)
      return isNew ? .inserted : try await update(patient, in: tx)
    }
  }

  /// Gives a patient the values it has here.
  @discardableResult
  public func update(_ patient: Patient) async throws -> WriteOutcome {
    try await transaction { tx in try await update(patient, in: tx) }
  }

  @discardableResult
  public func update(_ patient: Patient, in tx: borrowing Transaction) async throws -> WriteOutcome
  {
    try await path.update(patient.id, Tables.Patients.subject.values, patient.values, in: tx)
  }

  /// Makes another facility responsible. Rows of open periods follow.
  @discardableResult
  public func transfer(_ patient: UUID, to facility: UUID) async throws -> WriteOutcome {
    try await transaction { tx in try await transfer(patient, to: facility, in: tx) }
  }

  @discardableResult
  public func transfer(_ patient: UUID, to facility: UUID, in tx: borrowing Transaction)
    async throws
    -> WriteOutcome
  {
    try await path.update(
      patient, [Tables.Patients.assignedFacilityID], ["assigned_facility_id": Bind(facility)],
      in: tx)
  }

  /// Records a death; nil takes it back.
  @discardableResult
  public func recordDeath(of patient: UUID, at instant: Date?) async throws -> WriteOutcome {
    try await transaction { tx in try await recordDeath(of: patient, at: instant, in: tx) }
  }

  @discardableResult
  public func recordDeath(of patient: UUID, at instant: Date?, in tx: borrowing Transaction)
    async throws -> WriteOutcome
  {
    try await path.update(patient, [Tables.Patients.diedAt], ["died_at": Bind(instant)], in: tx)
  }

  /// Marks a patient deleted; nothing of the patient counts any more.
  @discardableResult
  public func delete(patient: UUID) async throws -> WriteOutcome {
    try await transaction { tx in try await delete(patient: patient, in: tx) }
  }

  @discardableResult
  public func delete(patient: UUID, in tx: borrowing Transaction) async throws -> WriteOutcome {
    try await path.delete(patient, in: tx)
  }

  /// Takes the mark away.
  @discardableResult
  public func restore(patient: UUID) async throws -> WriteOutcome {
    try await transaction { tx in try await restore(patient: patient, in: tx) }
  }

  @discardableResult
  public func restore(patient: UUID, in tx: borrowing Transaction) async throws -> WriteOutcome {
    try await path.restore(patient, in: tx)
  }

  /// Removes a patient with all readings and visits for good.
  public func destroy(patient: UUID) async throws {
    try await transaction { tx in try await destroy(patient: patient, in: tx) }
  }

  public func destroy(patient: UUID, in tx: borrowing Transaction) async throws {
    try await path.destroy(patient, in: tx)
  }

  /// Gives all readings and visits of a duplicate to the patient it duplicates, and marks the duplicate deleted.
  public func merge(_ duplicate: UUID, into patient: UUID) async throws {
    try await transaction { tx in try await merge(duplicate, into: patient, in: tx) }
  }

  public func merge(_ duplicate: UUID, into patient: UUID, in tx: borrowing Transaction)
    async throws
  {
    try await path.merge(duplicate, into: patient, in: tx)
  }

  /// Records a batch of patients in one transaction, set by set.
  @discardableResult
  public func record(_ batch: [Patient]) async throws -> BatchOutcome {
    try await pool.transaction(.readCommitted, retrying: .batch) { tx in
      try await record(batch, in: tx)
    }
  }

  @discardableResult
  public func record(_ batch: [Patient], in tx: borrowing Transaction) async throws -> BatchOutcome
  {
    try await rollups.writeSubjects(in: tx) { tx, staging in
      try await tx.execute(staging.fill(Patient.columns(of: batch)))
    }
  }
}
