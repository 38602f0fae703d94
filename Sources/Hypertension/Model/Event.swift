import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// Something that happened to a patient and is recorded: a reading, a blood sugar or a visit.
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
  /// Beats a minute, as measured with the pressures; nil where it was not.
  public var heartRate: Int?
  /// When it was taken; a reading without a time, or with an impossible one, is stored and counts in no period.
  public var recordedAt: Date?
  /// Set when the reading was taken back.
  public var deletedAt: Date?

  public init(
    id: UUID = UUID(), patientID: UUID, facilityID: UUID?, systolic: Int, diastolic: Int,
    heartRate: Int? = nil, recordedAt: Date?, deletedAt: Date? = nil
  ) {
    self.id = id
    self.patientID = patientID
    self.facilityID = facilityID
    self.systolic = systolic
    self.diastolic = diastolic
    self.heartRate = heartRate
    self.recordedAt = recordedAt
    self.deletedAt = deletedAt
  }

  public static var source: Source { Tables.BloodPressures.source }

  public var values: Values {
    [
      "id": Bind(id), "patient_id": Bind(patientID), "facility_id": Bind(facilityID),
      "systolic": Bind(Int32(clamping: systolic)), "diastolic": Bind(Int32(clamping: diastolic)),
      "heart_rate": Bind(heartRate.map { Int32(clamping: $0) }),
      "recorded_at": Bind(recordedAt), "deleted_at": Bind(deletedAt),
    ]
  }

  public static func columns(of batch: [Reading]) -> [Bind] {
    [
      Bind(batch.map(\.patientID)), Bind(batch.map(\.id)), Bind(batch.map(\.recordedAt)),
      Bind(batch.map(\.facilityID)), Bind(batch.map { Int32(clamping: $0.systolic) }),
      Bind(batch.map { Int32(clamping: $0.diastolic) }),
      Bind(batch.map { $0.heartRate.map { Int32(clamping: $0) } }), Bind(batch.map(\.deletedAt)),
    ]
  }
}

/// One blood-sugar measurement.
public struct BloodSugar: Event, Hashable {
  public var id: UUID
  public var patientID: UUID
  /// Where it was taken.
  public var facilityID: UUID?
  /// mg/dL; of the type ``Kind/hba1c`` per cent.
  public var value: Double
  public var kind: Kind
  /// When it was taken; one without a time, or with an impossible one, is stored and counts in no period.
  public var recordedAt: Date?
  /// Set when it was taken back.
  public var deletedAt: Date?

  /// What was measured, as the table has it.
  public enum Kind: String, Sendable, CaseIterable {
    case fasting
    case postPrandial = "post_prandial"
    case random
    case hba1c
  }

  public init(
    id: UUID = UUID(), patientID: UUID, facilityID: UUID?, value: Double, kind: Kind,
    recordedAt: Date?, deletedAt: Date? = nil
  ) {
    self.id = id
    self.patientID = patientID
    self.facilityID = facilityID
    self.value = value
    self.kind = kind
    self.recordedAt = recordedAt
    self.deletedAt = deletedAt
  }

  public static var source: Source { Tables.BloodSugars.source }

  public var values: Values {
    [
      "id": Bind(id), "patient_id": Bind(patientID), "facility_id": Bind(facilityID),
      "value": Bind(value), "type": Bind(kind.rawValue), "recorded_at": Bind(recordedAt),
      "deleted_at": Bind(deletedAt),
    ]
  }

  public static func columns(of batch: [BloodSugar]) -> [Bind] {
    [
      Bind(batch.map(\.patientID)), Bind(batch.map(\.id)), Bind(batch.map(\.recordedAt)),
      Bind(batch.map(\.facilityID)), Bind(batch.map(\.value)), Bind(batch.map(\.kind.rawValue)),
      Bind(batch.map(\.deletedAt)),
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
