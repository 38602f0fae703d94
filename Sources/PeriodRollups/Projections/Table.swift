/// A table of the application that projections read.
///
/// Its columns go by the names that projections use: a column of the same name means the same in every table and
/// projection of a graph, which is what lets one lens narrow all of them.
///
/// ```swift
/// let patients = Table(
///   "patients", table: "clinic.patients", columns: [patientID, species], stored: ["patient_id": "id"])
/// ```
public struct Table: Hashable, Sendable {
  public let name: String
  public let table: TableName
  public let columns: [Column]
  /// What the table itself calls a column, where that is another name.
  let stored: [Identifier: Identifier]

  public init(
    _ name: String, table: TableName, columns: [Column], stored: [Identifier: Identifier] = [:]
  ) {
    self.name = name
    self.table = table
    self.columns = columns
    self.stored = stored
  }

  /// The column as the table calls it.
  func stored(_ column: Column) -> Column {
    Column(stored[column.name] ?? column.name, column.type)
  }
}
