/// What an edition says of a patient, besides facilities and a reading: the bits of `published_patients.state`.
public struct PatientState: OptionSet, Hashable, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// Died in the evaluation month or before.
  public static let dead = PatientState(rawValue: 1)
  /// Registered less than twelve months ago, or visited in the last twelve.
  public static let caredFor = PatientState(rawValue: 2)
  /// Registered three months ago or more.
  public static let adjusted = PatientState(rawValue: 4)
  /// Visited in the last three months.
  public static let visited = PatientState(rawValue: 8)
  /// The reading is within the period.
  public static let readInPeriod = PatientState(rawValue: 16)
  /// Of the period's cohort.
  public static let inCohort = PatientState(rawValue: 32)
  /// Visited in the cohort's window.
  public static let cohortVisited = PatientState(rawValue: 64)
  /// The reading is within the cohort's window.
  public static let readInCohortWindow = PatientState(rawValue: 128)
  /// Registered within the period.
  public static let new = PatientState(rawValue: 256)
}

/// A blood pressure in mmHg.
public struct Pressure: Hashable, Sendable {
  public let systolic: Int
  public let diastolic: Int

  public init(systolic: Int, diastolic: Int) {
    self.systolic = systolic
    self.diastolic = diastolic
  }

  func isControlled(_ limits: ControlLimits) -> Bool {
    systolic < limits.systolic && diastolic < limits.diastolic
  }
}

/// A patient behind the figures of a period: the state, and the most recent reading of each window.
public struct PatientLine: Hashable, Sendable {
  public let state: PatientState
  /// The most recent reading of the last three months.
  public let recent: Pressure?
  let inPeriod: Pressure?
  let inCohortWindow: Pressure?

  init(_ state: PatientState, recent: Pressure?, inPeriod: Pressure?, inCohortWindow: Pressure?) {
    self.state = state
    self.recent = recent
    self.inPeriod = inPeriod
    self.inCohortWindow = inCohortWindow
  }

  /// As an edition has it. One reading is enough: the windows of a period that is over end together, so a reading that is
  /// the most recent of three months is also the most recent of every shorter window that it lies in, and one that does
  /// not lie in it says that the window has none.
  public init(published state: PatientState, _ reading: Pressure?) {
    self.init(
      state, recent: reading, inPeriod: state.contains(.readInPeriod) ? reading : nil,
      inCohortWindow: state.contains(.readInCohortWindow) ? reading : nil)
  }

  private var isUnderCare: Bool { !state.contains(.dead) && state.contains(.caredFor) }

  /// The indicators that count the patient at the assigned facility, by their columns' names.
  public func indicators(_ limits: ControlLimits) -> Set<Indicator> {
    var all: Set<Indicator> = [.cumulativeRegistrations]
    if state.contains(.new) { all.insert(.newRegistrations) }
    all.insert(state.contains(.dead) ? .dead : .assignedPatients)
    if !state.contains(.dead) { all.insert(isUnderCare ? .underCare : .lostToFollowUp) }
    if let inPeriod {
      all.formUnion([
        .patientsWithBP, inPeriod.isControlled(limits) ? .bpControlled : .bpUncontrolled,
      ])
    }
    if isUnderCare, state.contains(.adjusted) {
      all.insert(.denominator)
      switch (state.contains(.visited), recent?.isControlled(limits)) {
      case (false, _): all.insert(.missedVisit)
      case (true, nil): all.insert(.visitedNoBP)
      case (true, .some(let controlled)): all.insert(controlled ? .controlled : .uncontrolled)
      }
    }
    if state.contains(.inCohort) {
      all.insert(.cohortRegistered)
      switch (state.contains(.cohortVisited), inCohortWindow?.isControlled(limits)) {
      case (false, _): all.insert(.cohortMissedVisit)
      case (true, nil): all.insert(.cohortVisitedNoBP)
      case (true, .some(let controlled)):
        all.insert(controlled ? .cohortControlled : .cohortUncontrolled)
      }
    }
    return all
  }
}
