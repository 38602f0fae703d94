/// The declaration of a rollup: the most recent event of each subject in each period.
///
/// From this one value come its table and partitions, the statements of the write path, the backfill and the
/// verification; `rollup explain` prints them.
///
/// ```swift
/// let bloodPressure = MostRecent(
///   "blood-pressure", table: "rollup.blood_pressure_rollups", per: patients,
///   id: Column("blood_pressure_id", .uuid), time: "recorded_at",
///   keeping: [Column("systolic", .integer)],
///   from: [.init(bloodPressures, [systolic])])
/// ```
///
/// Most recent is the greatest time, ties broken by the greatest id as the database orders ids (INDICATORS.md),
/// and between two sources with the same time and id by the greatest source code.
public struct MostRecent: Hashable, Sendable {
  public let name: String
  public let table: TableName
  public let subject: Subject
  public let periods: [PeriodType]
  /// The column that says which event it is.
  public let id: Column
  /// The column that says when it was; always `timestamptz` here, whatever the source has.
  public let time: Column
  /// What is copied from the event.
  public let kept: [Column]
  public let inputs: [Input]
  /// The carried column that reports select by, if any; it is indexed.
  public let selectedBy: Column?

  /// One source of events, and which of its columns go where.
  public struct Input: Hashable, Sendable {
    public let source: Source
    /// The source's columns for ``MostRecent/kept``, in the same order.
    public let kept: [Column]

    public init(_ source: Source, _ kept: [Column]) {
      self.source = source
      self.kept = kept
    }
  }

  public init(
    _ name: String, table: TableName, per subject: Subject,
    periods: [PeriodType] = [.month, .quarter],
    id: Column, time: Identifier, keeping kept: [Column], from inputs: [Input],
    selectedBy: Column? = nil
  ) {
    precondition(!inputs.isEmpty, "\(name) has no source")
    for input in inputs {
      precondition(
        input.kept.map(\.type) == kept.map(\.type),
        "\(name) keeps \(kept.map(\.name)), which \(input.source.name) does not give in that order and type"
      )
      precondition(
        input.kept.allSatisfy(input.source.columns.contains),
        "\(name) keeps a column that \(input.source.name) does not have")
    }
    self.name = name
    self.table = table
    self.subject = subject
    self.periods = periods
    self.id = id
    self.time = Column(time, .timestamptz)
    self.kept = kept
    self.inputs = inputs
    self.selectedBy = selectedBy
  }

  /// Says which source an event came from; present where there is more than one.
  public var origin: Column? { inputs.count > 1 ? Column("source", .char) : nil }

  static let periodType = Column("period_type", .char)
  static let periodStart = Column("period_start", .date)
  /// The period as people write it. They follow from the key and never change with the rest.
  static let named = [Column("year", .integer), Column("period_name", .text)]

  /// The subject's key in the rollup.
  public var subjectID: Column { Column(inputs[0].source.subject.name, subject.id.type) }

  /// The key of a row. The subject leads because each partition holds one period only.
  public var key: [Column] { [subjectID, Self.periodType, Self.periodStart] }

  /// The columns of ``key`` in the order in which rows are locked: periods by start, months before quarters, and in each
  /// the subjects by key.
  var lockOrder: [Column] { [Self.periodStart, Self.periodType, subjectID] }

  /// What identifies the event a row holds, in the order in which the most recent is chosen.
  var ranking: [Column] { [time, id] + (origin.map { [$0] } ?? []) }

  /// What a row says besides its key.
  public var content: [Column] { ranking + kept + subject.carried }
}
