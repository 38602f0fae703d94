import Hypertension

/// The columns of INDICATORS.md, in its order.
extension DistrictBP {
  typealias Column = ReportTable.Column
  struct Figure: Sendable {
    let column: Column
    let cell: @Sendable (CareFigures) -> ReportTable.Cell
  }

  private static func count(
    _ name: String, _ heading: String, _ figure: @escaping @Sendable (CareFigures) -> Int
  ) -> Figure {
    Figure(column: Column(name, heading)) { .integer(figure($0)) }
  }

  private static func rate(
    _ name: String, _ heading: String, _ part: @escaping @Sendable (CareFigures) -> Int,
    of whole: @escaping @Sendable (CareFigures) -> Int
  ) -> Figure {
    Figure(column: Column(name, heading)) { figures in
      Rate(part(figures), of: whole(figures)).map { .rate(tenths: $0.tenths) } ?? .empty
    }
  }

  static let figures: [Figure] = [
    count("cumulative_registrations", "Registered") { $0.cumulativeRegistrations },
    count("new_registrations", "New") { $0.newRegistrations },
    count("assigned_patients", "Assigned") { $0.assignedPatients },
    count("under_care", "Under care") { $0.underCare },
    count("lost_to_follow_up", "Lost") { $0.lostToFollowUp },
    count("dead", "Dead") { $0.dead },
    count("patients_with_bp", "With BP") { $0.patientsWithBP },
    count("bp_controlled", "Controlled") { $0.bpControlled },
    count("bp_uncontrolled", "Uncontrolled") { $0.bpUncontrolled },
    count("denominator", "Denominator") { $0.denominator },
    count("controlled", "Controlled") { $0.controlled },
    count("uncontrolled", "Uncontrolled") { $0.uncontrolled },
    count("missed_visit", "Missed visit") { $0.missedVisit },
    count("visited_no_bp", "No BP") { $0.visitedNoBP },
    rate("controlled_rate", "Controlled %", { $0.controlled }, of: { $0.denominator }),
    rate("uncontrolled_rate", "Uncontr. %", { $0.uncontrolled }, of: { $0.denominator }),
    rate("missed_visit_rate", "Missed %", { $0.missedVisit }, of: { $0.denominator }),
    rate("visited_no_bp_rate", "No BP %", { $0.visitedNoBP }, of: { $0.denominator }),
    count("cohort_registered", "Cohort") { $0.cohortRegistered },
    count("cohort_controlled", "Controlled") { $0.cohortControlled },
    count("cohort_uncontrolled", "Uncontrolled") { $0.cohortUncontrolled },
    count("cohort_missed_visit", "Missed visit") { $0.cohortMissedVisit },
    count("cohort_visited_no_bp", "No BP") { $0.cohortVisitedNoBP },
    rate(
      "cohort_controlled_rate", "Controlled %", { $0.cohortControlled }, of: { $0.cohortRegistered }
    ),
  ]

  static let columns: [Column] =
    [
      Column("period", "Period", isNumber: false), Column("level", "Level", isNumber: false),
      Column("state", "State", isNumber: false), Column("district", "District", isNumber: false),
      Column("block", "Block", isNumber: false),
      Column("facility_id", "Facility id", isNumber: false),
      Column("facility", "Facility", isNumber: false),
    ] + figures.map(\.column) + [
      Column("status", "Status", isNumber: false), Column("edition", "Edition"),
    ]

  static let sections: [ReportTable.Section] = [
    .init(
      "Registrations and care",
      [
        "cumulative_registrations", "new_registrations", "assigned_patients", "under_care",
        "lost_to_follow_up", "dead",
      ]),
    .init(
      "Blood pressure in the period", ["patients_with_bp", "bp_controlled", "bp_uncontrolled"]),
    .init(
      "Outcomes of patients under care, registered three months ago or more",
      [
        "denominator", "controlled", "uncontrolled", "missed_visit", "visited_no_bp",
        "controlled_rate",
        "missed_visit_rate",
      ]),
    .init(
      "Cohort",
      [
        "cohort_registered", "cohort_controlled", "cohort_uncontrolled", "cohort_missed_visit",
        "cohort_visited_no_bp", "cohort_controlled_rate",
      ]),
  ]
}
