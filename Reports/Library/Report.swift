import Hypertension
import Postgres

/// A report, declared: what it is called, what it may be asked, what it counts, and how its rows come about. `report list`
/// and `report NAME --help` are made from it.
public struct Report: Sendable {
  /// What it is called on the command line and in files.
  public let name: String
  /// Above the table.
  public let title: String
  /// One sentence.
  public let summary: String
  /// What the sentence leaves out; for `--help`.
  public let discussion: String
  /// A command line that works.
  public let example: String
  public let parameters: Set<ReportParameter>
  /// Whether `--from` and `--to` are days and not periods.
  public let takesDays: Bool
  /// What it shows when nothing else is asked for, in the groups in which people read it.
  public let sections: [Section]
  /// Which rows there are without `--by`; nil for all levels of the hierarchy.
  public let grouping: RegionLevel?
  /// How many periods it shows without `--trend`.
  public let trend: Int
  /// Whether `--patients` lists who is behind a figure.
  public let hasLineList: Bool
  let maker: any ReportMaker

  /// Figures that are read together.
  public struct Section: Sendable {
    public let title: String
    public let figures: [Figure]
    /// The names of figures that files have and pages have no room for.
    public let aside: Set<String>

    public init(_ title: String, _ figures: [Figure], aside: Set<String> = []) {
      self.title = title
      self.figures = figures
      self.aside = aside
    }
  }

  /// What a report of figures counts.
  public enum Counting: Sendable {
    /// INDICATORS.md.
    case care
    case bloodSugar, heartRate
    /// Late arrivals, impossible times, silent facilities.
    case dataQuality

    var source: any CountSource {
      switch self {
      case .care: CareCounts()
      case .bloodSugar: MeasurementCounts(kind: .bloodSugar)
      case .heartRate: MeasurementCounts(kind: .heartRate)
      case .dataQuality: QualityCounts()
      }
    }
  }

  /// A report of figures: a row a place and period.
  /// - Parameters:
  ///   - summary: one sentence.
  ///   - example: a command line that works.
  ///   - sections: figures that belong to what is counted.
  ///   - grouping: which rows there are without `--by`; nil for all levels.
  ///   - trend: how many periods it shows without `--trend`.
  ///   - hasLineList: whether `--patients` lists who is behind a figure.
  public init(
    _ name: String, _ title: String, summary: String, discussion: String = "", example: String,
    parameters: Set<ReportParameter>, sections: [Section], grouping: RegionLevel? = nil,
    trend: Int = 1, hasLineList: Bool = false, counting: Counting
  ) {
    self.init(
      name, title, summary: summary, discussion: discussion, example: example,
      parameters: parameters, sections: sections, grouping: grouping, trend: trend,
      hasLineList: hasLineList, maker: FigureTable(counting.source))
  }

  init(
    _ name: String, _ title: String, summary: String, discussion: String = "", example: String,
    parameters: Set<ReportParameter>, takesDays: Bool = false, sections: [Section],
    grouping: RegionLevel? = nil,
    trend: Int = 1, hasLineList: Bool = false, maker: any ReportMaker
  ) {
    self.name = name
    self.title = title
    self.summary = summary
    self.discussion = discussion
    self.example = example
    self.parameters = parameters
    self.takesDays = takesDays
    self.sections = sections
    self.grouping = grouping
    self.trend = trend
    self.hasLineList = hasLineList
    self.maker = maker
  }

  /// The figures of all sections.
  public var figures: [Figure] { sections.flatMap(\.figures) }

  /// Makes the report from rollups, facilities and what was published, in one snapshot.
  /// - Throws: ``UnknownRegion``, ``ReportQuestion/Refusal``, ``Closing/Refusal``, ``DeploymentError/notMigrated``.
  public func make(_ question: ReportQuestion, _ pool: Pool) async throws -> ReportTable {
    try await pool.transaction(.repeatableRead, readOnly: true) { tx in
      try await make(question, in: tx)
    }
  }

  /// As ``make(_:_:)``, in a transaction of the caller's.
  public func make(_ question: ReportQuestion, in tx: borrowing Transaction) async throws
    -> ReportTable
  {
    try await maker.make(self, question, tx)
  }
}

/// How a kind of report comes about.
protocol ReportMaker: Sendable {
  /// The figures that `--figures` may name; nil where there is no choice.
  var choice: FigureSet? { get }

  func make(_ report: Report, _ question: ReportQuestion, _ tx: borrowing Transaction) async throws
    -> ReportTable
}

extension ReportMaker {
  var choice: FigureSet? { nil }
}

extension Report {
  /// The figures that `--figures` may name.
  public var choosable: [Figure] { maker.choice?.figures ?? figures }
}

/// One report. A new one is a file with a type like this, and its name in ``Report/all``: `docs/examples/deaths`.
public protocol ReportDefinition: Sendable {
  static var report: Report { get }
}

extension Report {
  /// Every report there is, in the order of `report list`.
  public static let all: [any ReportDefinition.Type] = [
    DistrictBPReport.self, TrendReport.self, RegistrationsReport.self, CohortReport.self,
    FacilitiesReport.self, RecallReport.self, DataQualityReport.self, BloodSugarReport.self,
    HeartRateReport.self, RangeBPReport.self,
  ]
}
