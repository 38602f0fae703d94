import Foundation

/// A place where patients are seen, and where it lies.
public struct Facility: Sendable, Hashable {
  public var id: UUID
  public var name: String
  public var state: String
  public var district: String
  public var block: String?
  /// Such as `community`, `small`, `medium`, `large`.
  public var size: String?
  public var deletedAt: Date?

  public init(
    id: UUID = UUID(), name: String, state: String, district: String, block: String? = nil,
    size: String? = nil, deletedAt: Date? = nil
  ) {
    self.id = id
    self.name = name
    self.state = state
    self.district = district
    self.block = block
    self.size = size
    self.deletedAt = deletedAt
  }
}
