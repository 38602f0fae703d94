import Foundation
import Postgres
import RollupStore

/// A patient's entry in the programme.
public struct Patient: Sendable, Hashable {
  public var id: UUID
  public var registeredAt: Date?
  public var registrationFacilityID: UUID?
  /// The facility now responsible; starts as the registration facility.
  public var assignedFacilityID: UUID?
  /// Whether the patient has a hypertension diagnosis. Indicators count nobody else.
  public var hypertensive: Bool
  public var diedAt: Date?
  public var deletedAt: Date?

  public init(
    id: UUID = UUID(), registeredAt: Date?, registrationFacilityID: UUID?,
    assignedFacilityID: UUID? = nil, hypertensive: Bool = true, diedAt: Date? = nil,
    deletedAt: Date? = nil
  ) {
    self.id = id
    self.registeredAt = registeredAt
    self.registrationFacilityID = registrationFacilityID
    self.assignedFacilityID = assignedFacilityID ?? registrationFacilityID
    self.hypertensive = hypertensive
    self.diedAt = diedAt
    self.deletedAt = deletedAt
  }

  var values: Values {
    [
      "id": Bind(id), "registered_at": Bind(registeredAt),
      "registration_facility_id": Bind(registrationFacilityID),
      "assigned_facility_id": Bind(assignedFacilityID), "hypertensive": Bind(hypertensive),
      "died_at": Bind(diedAt), "deleted_at": Bind(deletedAt),
    ]
  }

  static func columns(of batch: [Patient]) -> [Bind] {
    [
      Bind(batch.map(\.id)), Bind(batch.map(\.registeredAt)),
      Bind(batch.map(\.registrationFacilityID)), Bind(batch.map(\.assignedFacilityID)),
      Bind(batch.map(\.hypertensive)), Bind(batch.map(\.diedAt)), Bind(batch.map(\.deletedAt)),
    ]
  }
}
