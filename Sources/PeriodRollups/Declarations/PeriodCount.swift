/// The declaration of a count: how many subjects fall in each period, by a column of theirs, such as registrations by
/// facility.
///
/// The table holds *changes*: +1 for a registration, -1 when it is taken back, many in one row after a batch. No row
/// is ever updated by a writer, so no two writers wait for each other, and in any one snapshot the changes add up
/// to exactly what the sources of that snapshot count. Repair and folding rest on that (docs/decisions/003).
public struct PeriodCount: Hashable, Sendable {
  public let name: String
  public let table: TableName
  public let subject: Subject
  public let periods: [PeriodType]
  /// When the subject counts from.
  public let time: Column
  /// What it is counted by; a subject without it is not counted.
  public let group: Column
  /// Which subjects count.
  public let counted: Condition

  public init(
    _ name: String, table: TableName, of subject: Subject,
    periods: [PeriodType] = [.month, .quarter], by time: Column, per group: Column,
    where counted: Condition
  ) {
    self.name = name
    self.table = table
    self.subject = subject
    self.periods = periods
    self.time = time
    self.group = group
    self.counted = counted
  }

  static let change = Column("change", .bigint)
}
