import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// Something that happened to a patient and is recorded: a reading or a visit.
public protocol Event: Sendable {
  static var source: Source { get }
  var id: UUID { get }
  var patientID: UUID { get }
  /// A value for each column of ``source``.
  var values: Values { get }
  /// The same for many, as arrays in the order of the source's columns.
  static func columns(of batch: [Self]) -> [Bind]
}

/// One blood-pressure measurement.
public struct Reading: Event, Hashable {
  public var id: UUID
  public var patientID: UUID
  /// Where it was taken.
  public var facilityID: UUID?
  /// mmHg.
  public var systolic: Int
  /// mmHg.
  public var diastolic: Int
  /// When it was taken; a reading without a time, or with an impossible one, is stored and counts in no period.
  public var recordedAt: Date?
  /// Set when the reading was taken back.
  public var deletedAt: Date?

  public init(
    id: UUID = UUID(), patientID: UUID, facilityID: UUID?, systolic: Int, diastolic: Int,
    recordedAt: Date?, deletedAt: Date? = nil
  ) {
    self.id = id
    self.patientID = patientID
    self.facilityID = facilityID
    self.systolic = systolic
    self.diastolic = diastolic
    self.recordedAt = recordedAt
    self.deletedAt = deletedAt
  }

  public static var source: Source { Tables.BloodPressures.source }

  public var values: Values {
    [
      "id": Bind(id), "patient_id": Bind(patientID), "facility_id": Bind(facilityID),
      "systolic": Bind(Int32(clamping: systolic)), "diastolic": Bind(Int32(clamping: diastolic)),
      "recorded_at": Bind(recordedAt), "deleted_at": Bind(deletedAt),
    ]
  }

  public static func columns(of batch: [Reading]) -> [Bind] {
    [
      Bind(batch.map(\.patientID)), Bind(batch.map(\.id)), Bind(batch.map(\.recordedAt)),
      Bind(batch.map(\.facilityID)), Bind(batch.map { Int32(clamping: $0.systolic) }),
      Bind(batch.map { Int32(clamping: $0.diastolic) }), Bind(batch.map(\.deletedAt)),
    ]
  }
}

/// An encounter of a patient at a facility.
public struct Visit: Event, Hashable {
  public var id: UUID
  public var patientID: UUID
  public var facilityID: UUID?
  public var visitedAt: Date?
  public var deletedAt: Date?

  public init(
    id: UUID = UUID(), patientID: UUID, facilityID: UUID?, visitedAt: Date?, deletedAt: Date? = nil
  ) {
    self.id = id
    self.patientID = patientID
    self.facilityID = facilityID
    self.visitedAt = visitedAt
    self.deletedAt = deletedAt
  }

  public static var source: Source { Tables.Visits.source }

  public var values: Values {
    [
      "id": Bind(id), "patient_id": Bind(patientID), "facility_id": Bind(facilityID),
      "visited_at": Bind(visitedAt), "deleted_at": Bind(deletedAt),
    ]
  }

  public static func columns(of batch: [Visit]) -> [Bind] {
    [
      Bind(batch.map(\.patientID)), Bind(batch.map(\.id)), Bind(batch.map(\.visitedAt)),
      Bind(batch.map(\.facilityID)), Bind(batch.map(\.deletedAt)),
    ]
  }
}
