import RollupStore

/// What became of the rows of an import.
public struct ImportReport: Sendable, Hashable {
  /// One of the four source tables.
  public struct Table: Sendable, Hashable {
    /// As the report of an import calls it, such as `readings`.
    public let name: String
    /// How many of its rows are new, changed and unchanged.
    public let outcome: BatchOutcome
    /// How many of them were stored under another patient, and are this one's now.
    public var moved = 0
  }

  /// One kind of input: a FHIR resource type or a CSV file.
  public struct Input: Sendable, Hashable {
    /// `Patient`, for example, or `patients`.
    public let name: String
    /// Lines or records.
    public internal(set) var read = 0
    /// What is no record of ours, such as another diagnosis or a preliminary observation.
    public internal(set) var skipped = 0
    /// What is in the file of rejects.
    public internal(set) var rejected = 0
  }

  /// In the order in which they were first read.
  public internal(set) var inputs: [Input] = []
  /// In the order in which they were written.
  public internal(set) var tables: [Table] = []

  /// Of all inputs.
  public var rejected: Int { inputs.reduce(0) { $0 + $1.rejected } }

  /// The place of a kind of input, made when it is new.
  mutating func input(_ name: String) -> Int {
    if let place = inputs.firstIndex(where: { $0.name == name }) { return place }
    inputs.append(Input(name: name))
    return inputs.count - 1
  }
}
