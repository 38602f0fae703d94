import Foundation

/// A column with the Swift type of its values, so that a lens on it cannot be given another.
///
/// ```swift
/// let patientID = Field<UUID>("patient_id")
/// let mine: Projection.Lens = .where(patientID, is: patient.id)
/// ```
public struct Field<Value: FieldValue>: Hashable, Sendable {
  public let column: Column

  public init(_ name: Identifier) { column = Column(name, Value.columnType) }
}

/// A type whose values a lens can name.
public protocol FieldValue: Hashable, Sendable {
  /// The type of a column that holds them.
  static var columnType: ColumnType { get }
  /// The value as PostgreSQL reads a constant of that type.
  var fieldText: String { get }
  /// Reads what PostgreSQL prints.
  init?(fieldText: String)
}

extension UUID: FieldValue {
  public static var columnType: ColumnType { .uuid }
  public var fieldText: String { uuidString.lowercased() }
  public init?(fieldText: String) { self.init(uuidString: fieldText) }
}

extension String: FieldValue {
  public static var columnType: ColumnType { .text }
  public var fieldText: String { self }
  public init?(fieldText: String) { self = fieldText }
}

extension Int: FieldValue {
  public static var columnType: ColumnType { .bigint }
  public var fieldText: String { String(self) }
  public init?(fieldText: String) { self.init(fieldText) }
}

extension Bool: FieldValue {
  public static var columnType: ColumnType { .boolean }
  public var fieldText: String { self ? "true" : "false" }
  public init?(fieldText: String) { self = fieldText.hasPrefix("t") }
}

extension CalendarDate: FieldValue {
  public static var columnType: ColumnType { .date }
  public var fieldText: String { description }

  public init?(fieldText: String) {
    let parts = fieldText.split(separator: "-").map { Int($0) ?? 0 }
    guard parts.count == 3 else { return nil }
    self.init(year: parts[0], month: parts[1], day: parts[2])
  }
}
