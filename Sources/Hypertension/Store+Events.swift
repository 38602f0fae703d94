import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// Readings and visits.
extension Store {
  // MARK: One

  /// Records what a phone sent: inserted when it is new, corrected when it is there with other values, nothing when it is
  /// there as sent. A reading may come before its patient; it counts when the patient arrives.
  ///
  /// The key is the patient and the id together: under another patient's it is another row, which counts too. A reading that was somebody
  /// else's goes over with ``reassign(_:_:from:to:)``. Imports do that by themselves (docs/import.md).
  @discardableResult
  public func record<R: Event>(_ event: R) async throws -> WriteOutcome {
    if try await path(R.self).insert(event.id, of: event.patientID, event.values) {
      return .inserted
    }
    return try await update(event)
  }

  /// As ``record(_:)-(R)``, in the caller's transaction.
  @discardableResult
  public func record<R: Event>(_ event: R, in tx: borrowing Transaction) async throws
    -> WriteOutcome
  {
    let isNew = try await path(R.self).insert(event.id, of: event.patientID, event.values, in: tx)
    return isNew ? .inserted : try await update(event, in: tx)
  }

  /// Inserts.
  /// - Throws: ``WriteError/alreadyThere(_:key:)``.
  public func insert<R: Event>(_ event: R) async throws {
    guard try await path(R.self).insert(event.id, of: event.patientID, event.values) else {
      throw WriteError.alreadyThere(R.source.name, key: "\(event.id)")
    }
  }

  /// As ``insert(_:)-(R)``, in the caller's transaction.
  public func insert<R: Event>(_ event: R, in tx: borrowing Transaction) async throws {
    guard try await path(R.self).insert(event.id, of: event.patientID, event.values, in: tx) else {
      throw WriteError.alreadyThere(R.source.name, key: "\(event.id)")
    }
  }

  /// Gives a reading or visit the values it has here: a correction, another time, another facility.
  /// - Throws: ``WriteError/notFound(_:key:)``.
  @discardableResult
  public func update<R: Event>(_ event: R) async throws -> WriteOutcome {
    try await transaction { tx in try await update(event, in: tx) }
  }

  /// As ``update(_:)-(R)``, in the caller's transaction.
  @discardableResult
  public func update<R: Event>(_ event: R, in tx: borrowing Transaction) async throws
    -> WriteOutcome
  {
    try await path(R.self).update(
      event.id, of: event.patientID, [R.source.time] + R.source.values, event.values, in: tx)
  }

  /// Marks one deleted.
  /// - Returns: `unchanged` when it was already.
  @discardableResult
  public func delete<R: Event>(_ type: R.Type, _ id: UUID, of patient: UUID) async throws
    -> WriteOutcome
  {
    try await transaction { tx in try await delete(type, id, of: patient, in: tx) }
  }

  @discardableResult
  public func delete<R: Event>(
    _ type: R.Type, _ id: UUID, of patient: UUID, in tx: borrowing Transaction
  ) async throws -> WriteOutcome {
    try await path(type).delete(id, of: patient, in: tx)
  }

  /// Takes the mark away.
  @discardableResult
  public func restore<R: Event>(_ type: R.Type, _ id: UUID, of patient: UUID) async throws
    -> WriteOutcome
  {
    try await transaction { tx in try await restore(type, id, of: patient, in: tx) }
  }

  @discardableResult
  public func restore<R: Event>(
    _ type: R.Type, _ id: UUID, of patient: UUID, in tx: borrowing Transaction
  ) async throws -> WriteOutcome {
    try await path(type).restore(id, of: patient, in: tx)
  }

  /// Removes one for good.
  public func destroy<R: Event>(_ type: R.Type, _ id: UUID, of patient: UUID) async throws {
    try await transaction { tx in try await destroy(type, id, of: patient, in: tx) }
  }

  public func destroy<R: Event>(
    _ type: R.Type, _ id: UUID, of patient: UUID, in tx: borrowing Transaction
  ) async throws {
    try await path(type).destroy(id, of: patient, in: tx)
  }

  /// Gives one to the patient it belongs to.
  public func reassign<R: Event>(
    _ type: R.Type, _ id: UUID, from patient: UUID, to other: UUID
  ) async throws {
    try await transaction { tx in try await reassign(type, id, from: patient, to: other, in: tx) }
  }

  public func reassign<R: Event>(
    _ type: R.Type, _ id: UUID, from patient: UUID, to other: UUID, in tx: borrowing Transaction
  ) async throws {
    try await path(type).reassign(id, from: patient, to: other, in: tx)
  }

  // MARK: Many

  /// Records a batch in one transaction, set by set; see ``record(_:)-(R)`` for each. Of two with one id the later counts.
  @discardableResult
  public func record<R: Event>(_ batch: [R]) async throws -> BatchOutcome {
    try await pool.transaction(.readCommitted, retrying: .batch) { tx in
      try await record(batch, in: tx)
    }
  }

  /// As ``record(_:)-([R])``, in the caller's transaction.
  @discardableResult
  public func record<R: Event>(_ batch: [R], in tx: borrowing Transaction) async throws
    -> BatchOutcome
  {
    try await rollups.write(R.source, in: tx) { tx, staging in
      try await tx.execute(staging.fill(R.columns(of: batch)))
    }
  }

  /// Inserts a batch, all or nothing.
  /// - Throws: ``WriteError/alreadyThere(_:key:)`` when any of them is there.
  public func insert<R: Event>(_ batch: [R]) async throws {
    try await pool.transaction(.readCommitted, retrying: .batch) { tx in
      try await insert(batch, in: tx)
    }
  }

  /// As ``insert(_:)-([R])``, in the caller's transaction.
  public func insert<R: Event>(_ batch: [R], in tx: borrowing Transaction) async throws {
    let outcome = try await record(batch, in: tx)
    guard outcome.inserted == batch.count else {
      throw WriteError.alreadyThere(
        R.source.name,
        key: "in a batch of \(batch.count): \(batch.count - outcome.inserted) of its rows")
    }
  }
}

extension Staging {
  /// Fills the table from one array a column.
  func fill(_ arrays: [Bind]) -> Query {
    let parameters = zip(1..., columns).map { "$\($0)::\($1.type.sql)[]" }.joined(separator: ", ")
    let names = columns.map(\.name.quoted).joined(separator: ", ")
    return Query(
      text: "INSERT INTO \(table) (\(names)) SELECT * FROM unnest(\(parameters))", binds: arrays)
  }
}
