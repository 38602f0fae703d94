/// A table of the application whose rows are events of a subject: readings, visits.
///
/// Names, types and conventions are declared here and assumed nowhere else, so an existing application adopts the
/// library by describing its tables.
public struct Source: Hashable, Sendable {
  /// How messages and statements call it, in the singular: `blood pressure`.
  public let name: String
  /// One letter that tells this source's events from another's in a rollup over both.
  public let code: Character
  public let table: TableName
  /// The subject's key: the patient.
  public let subject: Column
  /// Together with ``subject`` the table's primary key.
  public let id: Column
  /// When it happened. Missing and impossible times are stored and belong to no period.
  public let time: Column
  /// The other columns the write path sets, a soft-delete mark among them.
  public let values: [Column]
  /// When a row counts: `.isNull(deletedAt)` for a soft-delete column, `.always` without one.
  public let exists: Condition
  /// A column set to `now()` when the library changes a row; nil where the application has none.
  public let updatedAt: Column?

  public init(
    _ name: String, code: Character, table: TableName, subject: Column, id: Column, time: Column,
    values: [Column],
    exists: Condition = .always, updatedAt: Column? = nil
  ) {
    self.name = name
    self.code = code
    self.table = table
    self.subject = subject
    self.id = id
    self.time = time
    self.values = values
    self.exists = exists
    self.updatedAt = updatedAt
  }

  /// All columns the write path sets, in the order of the staging table.
  public var columns: [Column] { [subject, id, time] + values }

  /// The table's primary key. The subject is in it so that the table can be sharded by subject.
  var key: [Column] { [subject, id] }
}

/// The table whose rows are what a rollup is kept *per*: patients.
public struct Subject: Hashable, Sendable {
  public let name: String
  public let table: TableName
  public let id: Column
  /// The other columns the write path sets.
  public let values: [Column]
  /// When a subject exists for reporting.
  public let exists: Condition
  /// Copied into each rollup row of the subject, and kept as the subject has them while the period is open.
  public let carried: [Column]
  public let updatedAt: Column?

  public init(
    _ name: String, table: TableName, id: Column, values: [Column], exists: Condition = .always,
    carrying carried: [Column] = [], updatedAt: Column? = nil
  ) {
    self.name = name
    self.table = table
    self.id = id
    self.values = values
    self.exists = exists
    self.carried = carried
    self.updatedAt = updatedAt
  }

  public var columns: [Column] { [id] + values }
}
