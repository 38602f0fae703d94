/// A value that a statement takes when it is executed, by name.
public struct Parameter: Hashable, Sendable {
  public let name: String
  public let type: ColumnType
  /// Set where the declaration fixes the value (the `dead` of `status <> 'dead'`); bound all the same.
  public let constant: String?

  public init(_ name: String, _ type: ColumnType, constant: String? = nil) {
    self.name = name
    self.type = type
    self.constant = constant
  }

  /// The deployment's reporting time zone, an IANA name.
  public static let timeZone = Parameter("time_zone", .text)
  /// Keys of subjects (patients).
  public static func subjects(_ type: ColumnType) -> Parameter {
    Parameter("subject_ids", .array(type))
  }
  /// Keys of source rows, parallel to ``subjects(_:)``.
  public static func rows(_ type: ColumnType) -> Parameter { Parameter("row_ids", .array(type)) }
  /// The first key of a chunk.
  public static func firstSubject(_ type: ColumnType) -> Parameter {
    Parameter("first_subject", type)
  }
  /// The key a chunk ends before.
  public static func endSubject(_ type: ColumnType) -> Parameter {
    Parameter("end_subject", type)
  }
  /// The first day of the first period of a span.
  public static let from = Parameter("from", .date)
  /// The first day after a span.
  public static let to = Parameter("to", .date)
  /// The first days of the periods that a removal touches.
  public static let periodStarts = Parameter("period_starts", .array(.date))
}
