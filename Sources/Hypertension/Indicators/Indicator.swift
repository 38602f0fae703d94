/// A count of INDICATORS.md, by the name of its column.
public enum Indicator: String, CaseIterable, Sendable, Hashable {
  case cumulativeRegistrations = "cumulative_registrations"
  case newRegistrations = "new_registrations"
  case assignedPatients = "assigned_patients"
  case underCare = "under_care"
  case lostToFollowUp = "lost_to_follow_up"
  case dead
  case patientsWithBP = "patients_with_bp"
  case bpControlled = "bp_controlled"
  case bpUncontrolled = "bp_uncontrolled"
  case denominator
  case controlled
  case uncontrolled
  case missedVisit = "missed_visit"
  case visitedNoBP = "visited_no_bp"
  case cohortRegistered = "cohort_registered"
  case cohortControlled = "cohort_controlled"
  case cohortUncontrolled = "cohort_uncontrolled"
  case cohortMissedVisit = "cohort_missed_visit"
  case cohortVisitedNoBP = "cohort_visited_no_bp"

  /// Registrations count at the registration facility, everything else at the assigned one.
  public var isOfRegistration: Bool {
    self == .cumulativeRegistrations || self == .newRegistrations
  }

  /// Its place in the figures; nil for the denominator, which is a sum.
  var count: WritableKeyPath<CareFigures, Int>? {
    switch self {
    case .cumulativeRegistrations: \.cumulativeRegistrations
    case .newRegistrations: \.newRegistrations
    case .assignedPatients: \.assignedPatients
    case .underCare: \.underCare
    case .lostToFollowUp: \.lostToFollowUp
    case .dead: \.dead
    case .patientsWithBP: \.patientsWithBP
    case .bpControlled: \.bpControlled
    case .bpUncontrolled: \.bpUncontrolled
    case .denominator: nil
    case .controlled: \.controlled
    case .uncontrolled: \.uncontrolled
    case .missedVisit: \.missedVisit
    case .visitedNoBP: \.visitedNoBP
    case .cohortRegistered: \.cohortRegistered
    case .cohortControlled: \.cohortControlled
    case .cohortUncontrolled: \.cohortUncontrolled
    case .cohortMissedVisit: \.cohortMissedVisit
    case .cohortVisitedNoBP: \.cohortVisitedNoBP
    }
  }
}

extension CareFigures {
  /// Counts a patient at the registration facility, or at the assigned one.
  public mutating func count(_ line: PatientLine, _ limits: ControlLimits, atRegistration: Bool) {
    for indicator in line.indicators(limits) where indicator.isOfRegistration == atRegistration {
      if let count = indicator.count { self[keyPath: count] += 1 }
    }
  }
}
