import Foundation
import Hypertension
import PeriodRollups
import Postgres

/// `report recall`: whom a facility should call today.
public enum RecallReport: ReportDefinition {
  public static let report = Report(
    "recall", "Patients to recall",
    summary:
      "Patients of a facility who missed visits or are uncontrolled, most urgent first: ids only.",
    discussion:
      "As of today: patients under care who registered three months ago or more and have no visit in the last three months, or are "
      + "uncontrolled at the most recent reading of them. A visit is due 30 days after the one before; days overdue are counted "
      + "from then, for patients who never came from 30 days after the month of registration. First come those whose last reading was "
      + "180/110 or above, then those overdue longest.",
    example: "report recall --facility 'PHC Goniana' --district Bathinda",
    parameters: Set<ReportParameter>.region.union([.controlledBelow]), sections: [],
    maker: RecallList())
}

struct RecallList: ReportMaker {
  /// Treatment is dispensed for 30 days (India Hypertension Control Initiative: monthly follow-up).
  static let daysBetweenVisits = 30

  func make(_ report: Report, _ question: ReportQuestion, _ tx: borrowing Transaction) async throws
    -> ReportTable
  {
    guard question.region.isNarrowed else {
      throw ReportQuestion.Refusal(
        "name the facility whose patients are to be called, or a region; for example \(report.example)"
      )
    }
    let setting = try await ReportSetting.read(today: question.today, tx)
    let places = try await Places.live(question.region, tx)
    let query = RecallQuery(
      Evaluation(Period(.month, containing: setting.today), today: setting.today),
      limits: question.limits, facilities: places.compactMap(\.knownID), closed: setting.closed)
    let sorted = try await query.run(tx).map { Entry($0, today: setting.today) }
      .sorted { $0.order < $1.order }
    let byID = Dictionary(places.map { ($0.knownID, $0) }) { first, _ in first }
    return ReportTable(
      name: report.name, title: "\(report.title), \(setting.today)",
      facts: [
        ("report", report.name), ("as_of", "\(setting.today)"),
        ("controlled_below", "\(question.limits.systolic)/\(question.limits.diastolic)"),
        ("time_zone", setting.timeZone),
      ], columns: Self.columns,
      sections: [
        .init(
          "Most urgent first",
          [
            "patient_id", "reason", "last_visit", "last_reading", "systolic", "diastolic",
            "very_high", "days_overdue",
          ])
      ],
      rows: ReportTable.Rows(count: sorted.count) { number in
        sorted[number].row(byID[sorted[number].patient.facility], setting.today)
      })
  }

  private static let columns: [ReportTable.Column] =
    [
      "as_of", "state", "district", "block", "facility_id", "facility", "patient_id", "reason",
      "last_visit", "last_reading",
    ].map {
      ReportTable.Column($0, $0.replacing("_", with: " ").capitalized, isNumber: false)
    } + [
      .init("systolic", "Systolic"), .init("diastolic", "Diastolic"),
      .init("very_high", "Very high", isNumber: false), .init("days_overdue", "Days overdue"),
    ]

  /// A patient, and how urgent it is.
  private struct Entry: Sendable {
    let patient: RecallPatient
    /// 0 for one whose visit is not due yet.
    let daysOverdue: Int
    let isVeryHigh: Bool

    init(_ patient: RecallPatient, today: CalendarDate) {
      self.patient = patient
      let registered = Period(.month, containing: patient.registeredMonth)
      let last = patient.lastVisit ?? registered.lastDay
      let due = last.daysSince1970 + RecallList.daysBetweenVisits
      daysOverdue = Swift.max(0, today.daysSince1970 - due)
      isVeryHigh = patient.pressure?.isVeryHigh ?? false
    }

    /// Less for the more urgent.
    var order: (Int, Int, UUID) {
      (isVeryHigh ? 0 : 1, -daysOverdue, patient.id)
    }

    func row(_ place: Place?, _ today: CalendarDate) -> ReportTable.Row {
      let place = place ?? .stranger(patient.facility)
      func day(_ day: CalendarDate?) -> ReportTable.Cell { day.map { .text("\($0)") } ?? .empty }
      return ReportTable.Row(
        label: place.name, depth: 0,
        cells: [
          .text("\(today)"), .text(place.state), .text(place.district),
          .text(orEmpty: place.block), .text(place.idText), .text(place.name),
          .text(patient.id.uuidString.lowercased()),
          .text(patient.missedVisit ? "missed_visit" : "uncontrolled"), day(patient.lastVisit),
          day(patient.lastReading), patient.pressure.map { .integer($0.systolic) } ?? .empty,
          patient.pressure.map { .integer($0.diastolic) } ?? .empty,
          .text(isVeryHigh ? "yes" : "no"), .integer(daysOverdue),
        ])
    }
  }
}
