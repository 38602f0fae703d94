/// The declaration of a register: one row for each subject that counts, holding what reports ask of subjects.
///
/// It spares reports the application's own table (its types, its soft deletes, its names of people) and puts times
/// into months of the reporting time zone once, when they are written.
public struct Register: Hashable, Sendable {
  public let name: String
  public let table: TableName
  public let subject: Subject
  public let counted: Condition
  /// Times that are kept as the first day of their month in the reporting time zone; the first must exist.
  public let months: [Month]
  /// Columns kept as they are.
  public let kept: [Column]
  /// The columns of ``kept`` that reports select by; each is indexed, with everything else in the index.
  public let selectedBy: [Column]

  /// A time of the subject, and the column that holds its month.
  public struct Month: Hashable, Sendable {
    public let column: Column
    public let time: Column

    public init(_ column: Identifier, of time: Column) {
      self.column = Column(column, .date)
      self.time = time
    }
  }

  public init(
    _ name: String, table: TableName, of subject: Subject, where counted: Condition,
    months: [Month], keeping kept: [Column], selectedBy: [Column]
  ) {
    self.name = name
    self.table = table
    self.subject = subject
    self.counted = counted
    self.months = months
    self.kept = kept
    self.selectedBy = selectedBy
  }

  /// The subject's key in the register.
  public var subjectID: Column { Column(Identifier("\(subject.name)_id"), subject.id.type) }

  var content: [Column] { months.map(\.column) + kept }
}
