/// Everything that is kept for one subject: its sources and what is derived from them.
///
/// The order of ``mostRecent`` is the order in which rows are locked, the same in every statement.
public struct Catalog: Hashable, Sendable {
  public let subject: Subject
  public let sources: [Source]
  public let mostRecent: [MostRecent]
  public let counts: [PeriodCount]
  public let registers: [Register]

  public init(
    subject: Subject, mostRecent: [MostRecent], counts: [PeriodCount] = [],
    registers: [Register] = []
  ) {
    var sources: [Source] = []
    for input in mostRecent.flatMap(\.inputs) where !sources.contains(input.source) {
      sources.append(input.source)
    }
    self.subject = subject
    self.sources = sources
    self.mostRecent = mostRecent
    self.counts = counts
    self.registers = registers
  }

  /// The rollups that a source feeds.
  func fed(by source: Source) -> [(MostRecent, MostRecent.Input)] {
    mostRecent.compactMap { rollup in
      rollup.inputs.first { $0.source == source }.map { (rollup, $0) }
    }
  }

  /// The types of periods that the rollups have which a source feeds, shorter ones first.
  func periods(fedBy source: Source) -> [PeriodType] {
    let types = fed(by: source).flatMap(\.0.periods)
    return PeriodType.allCases.filter(types.contains)
  }

  /// The names that `rollup explain` and `--only` know.
  public var names: [String] {
    mostRecent.map(\.name) + counts.map(\.name) + registers.map(\.name)
  }
}
