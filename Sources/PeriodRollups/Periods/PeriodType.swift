/// The kinds of period that rollups are kept for, shorter ones first. All are of the reporting time zone's calendar.
public enum PeriodType: String, CaseIterable, Sendable, Codable {
  /// An ISO 8601 week: from Monday to Sunday, in the year that its Thursday is in.
  case week
  /// A calendar month.
  case month
  /// A calendar quarter; the first begins in January.
  case quarter
  /// A quarter of the financial year that begins in April; named after the calendar year it begins in.
  case financialQuarter
  /// Half a calendar year; the first begins in January.
  case halfYear

  /// What the `period_type` column holds.
  public var code: String {
    switch self {
    case .week: "W"
    case .month: "M"
    case .quarter: "Q"
    case .financialQuarter: "F"
    case .halfYear: "H"
    }
  }

  public init?(code: String) {
    guard let type = Self.allCases.first(where: { $0.code == code }) else { return nil }
    self = type
  }

  /// In a sentence.
  public var word: String {
    switch self {
    case .week: "week"
    case .month: "month"
    case .quarter: "quarter"
    case .financialQuarter: "financial quarter"
    case .halfYear: "half-year"
    }
  }

  public var plural: String { word + "s" }

  /// How a name of one looks.
  public var example: String {
    switch self {
    case .week: "2024-W23"
    case .month: "2024-06"
    case .quarter: "2024Q2"
    case .financialQuarter: "FY2024Q1"
    case .halfYear: "2024H1"
    }
  }

  /// In the name of a table: `financial_quarters`.
  var tableWord: String {
    plural.map { $0 == " " || $0 == "-" ? "_" : String($0) }.joined()
  }

  /// How many calendar months a period of this type has; nil for a week, which begins and ends within months.
  var months: Int? {
    switch self {
    case .week: nil
    case .month: 1
    case .quarter, .financialQuarter: 3
    case .halfYear: 6
    }
  }

  /// Whether its periods consist of whole calendar months.
  var isOfMonths: Bool { months != nil }

  /// The most days that a period of this type has.
  var mostDays: Int {
    switch self {
    case .week: 7
    case .month: 31
    case .quarter, .financialQuarter: 92
    case .halfYear: 184
    }
  }

  /// The month of a calendar year, from 0, in which a year of such periods begins.
  var firstMonth: Int { self == .financialQuarter ? 3 : 0 }

  /// The most periods of this type that a year has; a year has 52 or 53 weeks.
  public var mostPerYear: Int { months.map { 12 / $0 } ?? 53 }
}

extension PeriodType: Comparable {
  /// The shorter one first.
  public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }

  private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
