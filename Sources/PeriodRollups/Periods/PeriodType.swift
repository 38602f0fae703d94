/// The kinds of period that rollups are kept for.
public enum PeriodType: String, CaseIterable, Sendable, Codable {
  /// A calendar month in the reporting time zone.
  case month
  /// A calendar quarter in the reporting time zone; the first begins in January.
  case quarter

  /// What the `period_type` column holds.
  public var code: String {
    switch self {
    case .month: "M"
    case .quarter: "Q"
    }
  }

  public init?(code: String) {
    guard let type = Self.allCases.first(where: { $0.code == code }) else { return nil }
    self = type
  }

  /// How many calendar months a period of this type has.
  public var months: Int {
    switch self {
    case .month: 1
    case .quarter: 3
    }
  }

  /// How many periods of this type a year has.
  public var perYear: Int { 12 / months }

  /// Whether its periods consist of whole calendar months.
  public var isOfMonths: Bool { true }
}
