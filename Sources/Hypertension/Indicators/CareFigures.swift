/// The counts of INDICATORS.md for one place and period. They add: a district's are the sum of its
/// facilities'.
public struct CareFigures: Sendable, Hashable {
  // By registration facility.
  public var cumulativeRegistrations = 0
  public var newRegistrations = 0
  // By assigned facility, as of the evaluation month.
  public var assignedPatients = 0
  public var underCare = 0
  public var lostToFollowUp = 0
  public var dead = 0
  // By the most recent reading within the period.
  public var patientsWithBP = 0
  public var bpControlled = 0
  public var bpUncontrolled = 0
  // Outcomes over the last three months of those adjusted and under care.
  public var controlled = 0
  public var uncontrolled = 0
  public var missedVisit = 0
  public var visitedNoBP = 0
  // The cohort registered in the quarter before (for a month: two months before).
  public var cohortRegistered = 0
  public var cohortControlled = 0
  public var cohortUncontrolled = 0
  public var cohortMissedVisit = 0
  public var cohortVisitedNoBP = 0

  public init() {}

  /// Patients adjusted and under care: the four outcomes sum to it.
  public var denominator: Int { controlled + uncontrolled + missedVisit + visitedNoBP }

  /// Every stored count, in the order in which the figures are queried.
  static var counts: [WritableKeyPath<CareFigures, Int> & Sendable] {
    [
      \.cumulativeRegistrations, \.newRegistrations, \.assignedPatients, \.underCare,
      \.lostToFollowUp, \.dead, \.patientsWithBP, \.bpControlled, \.bpUncontrolled, \.controlled,
      \.uncontrolled, \.missedVisit, \.visitedNoBP, \.cohortRegistered, \.cohortControlled,
      \.cohortUncontrolled, \.cohortMissedVisit, \.cohortVisitedNoBP,
    ]
  }

  public static func + (a: Self, b: Self) -> Self {
    var sum = a
    for count in counts { sum[keyPath: count] += b[keyPath: count] }
    return sum
  }

  public var isZero: Bool { self == CareFigures() }
}

/// A percentage with one decimal, half away from zero; computed in whole numbers, so that no binary
/// fraction decides which way a half goes.
public struct Rate: Sendable, Hashable, CustomStringConvertible {
  /// Tenths of a percent.
  public let tenths: Int

  /// - Returns: nil where the denominator is 0.
  public init?(_ part: Int, of whole: Int) {
    guard whole > 0 else { return nil }
    tenths = (2000 * part + whole) / (2 * whole)
  }

  public var description: String { "\(tenths / 10).\(tenths % 10)" }
}
