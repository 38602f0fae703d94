/// The figures of INDICATORS.md, in its order; closing publishes the counts, reports show them with their rates.
extension FigureSet {
  public static let care = FigureSet(
    registrations + readings + outcomes + cohort,
    sums: [
      Sum("assigned_patients", of: ["under_care", "lost_to_follow_up"]),
      Sum("patients_with_bp", of: ["bp_controlled", "bp_uncontrolled"]),
      Sum("denominator", of: outcomeNames),
      Sum("cohort_registered", of: outcomeNames.map { "cohort_\($0)" }),
    ], runningTotals: [RunningTotal("cumulative_registrations", of: "new_registrations")])

  private static let outcomeNames = ["controlled", "uncontrolled", "missed_visit", "visited_no_bp"]

  /// Who is in the programme.
  public static let registrations = figures(of: [
    .cumulativeRegistrations, .newRegistrations, .assignedPatients, .underCare, .lostToFollowUp,
    .dead,
  ])

  /// By the most recent reading within the period.
  public static let readings =
    figures(of: [.patientsWithBP, .bpControlled, .bpUncontrolled])
    + [
      Figure.rate(
        "bp_controlled_rate", "Controlled %",
        "Controlled, of patients with a reading in the period", "bp_controlled",
        of: "patients_with_bp")
    ]

  /// Over the last three months, of patients under care who registered three months ago or more.
  public static let outcomes =
    figures(of: [.denominator, .controlled, .uncontrolled, .missedVisit, .visitedNoBP])
    + [
      rate("controlled", "Controlled %", "Blood pressure controlled"),
      rate("uncontrolled", "Uncontr. %", "Blood pressure uncontrolled"),
      rate("missed_visit", "Missed %", "Missed visits"),
      rate("visited_no_bp", "No BP %", "Visited, no blood pressure taken"),
    ]

  /// Of the patients who registered in the quarter before, or of a month two months before.
  public static let cohort =
    figures(of: [
      .cohortRegistered, .cohortControlled, .cohortUncontrolled, .cohortMissedVisit,
      .cohortVisitedNoBP,
    ])
    + [
      cohortRate("controlled", "Controlled %", "Cohort: blood pressure controlled"),
      cohortRate("uncontrolled", "Uncontr. %", "Cohort: blood pressure uncontrolled"),
      cohortRate("missed_visit", "Missed %", "Cohort: missed visits"),
      cohortRate("visited_no_bp", "No BP %", "Cohort: visited, no blood pressure taken"),
    ]

  private static func figures(of indicators: [Indicator]) -> [Figure] {
    indicators.map { Figure.count($0.rawValue, $0.heading, $0.title) }
  }

  private static func rate(_ part: String, _ heading: String, _ title: String) -> Figure {
    .rate("\(part)_rate", heading, title, part, of: "denominator")
  }

  private static func cohortRate(_ part: String, _ heading: String, _ title: String) -> Figure {
    .rate("cohort_\(part)_rate", heading, title, "cohort_\(part)", of: "cohort_registered")
  }
}

extension Indicator {
  /// A few letters above a column.
  public var heading: String {
    switch self {
    case .cumulativeRegistrations: "Registered"
    case .newRegistrations: "New"
    case .assignedPatients: "Assigned"
    case .underCare: "Under care"
    case .lostToFollowUp: "Lost"
    case .dead: "Dead"
    case .patientsWithBP: "With BP"
    case .bpControlled, .controlled, .cohortControlled: "Controlled"
    case .bpUncontrolled, .uncontrolled, .cohortUncontrolled: "Uncontrolled"
    case .denominator: "Denominator"
    case .missedVisit, .cohortMissedVisit: "Missed visit"
    case .visitedNoBP, .cohortVisitedNoBP: "No BP"
    case .cohortRegistered: "Cohort"
    }
  }

  /// What it counts, where it stands alone.
  public var title: String {
    switch self {
    case .cumulativeRegistrations: "Registered up to the end of the period"
    case .newRegistrations: "Registered within the period"
    case .assignedPatients: "Assigned patients who are not dead"
    case .underCare: "Patients under care"
    case .lostToFollowUp: "Patients lost to follow-up"
    case .dead: "Dead"
    case .patientsWithBP: "Patients with a reading in the period"
    case .bpControlled: "Controlled at the most recent reading in the period"
    case .bpUncontrolled: "Uncontrolled at the most recent reading in the period"
    case .denominator: "Patients under care who registered three months ago or more"
    case .controlled: "Blood pressure controlled"
    case .uncontrolled: "Blood pressure uncontrolled"
    case .missedVisit: "Missed visits"
    case .visitedNoBP: "Visited, no blood pressure taken"
    case .cohortRegistered: "Cohort: registered"
    case .cohortControlled: "Cohort: controlled"
    case .cohortUncontrolled: "Cohort: uncontrolled"
    case .cohortMissedVisit: "Cohort: missed visits"
    case .cohortVisitedNoBP: "Cohort: visited, no blood pressure taken"
    }
  }
}
