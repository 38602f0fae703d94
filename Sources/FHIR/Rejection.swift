/// Why a line cannot be imported. It may be written to a file that others read: no name, date or
/// measurement of a patient is in it, only ids.
public struct Rejection: Error, Sendable, Hashable, CustomStringConvertible {
  /// `Observation`, for example; nil when the line does not tell.
  public let resourceType: String?
  /// The resource's id; nil when it has none or none that FHIR allows.
  public let id: String?
  /// What is wrong, such as `no subject` or `systolic outside 20-400`.
  public let reason: String

  /// The reason, with the resource's type and id before it where they are known.
  public var description: String {
    let name = [resourceType, id].compactMap { $0 }.joined(separator: "/")
    return name.isEmpty ? reason : "\(name): \(reason)"
  }
}
