/// What is read of one FHIR R4 resource (INDICATORS.md, "From FHIR R4 to the model").
///
/// Ids are FHIR's own, as text: what refers to what is resolved later, when all files have been
/// read.
public enum Resource: Sendable, Hashable {
  case organization(OrganizationResource)
  case patient(PatientResource)
  case condition(ConditionResource)
  case encounter(EncounterResource)
  case observation(ObservationResource)
}

/// A facility.
public struct OrganizationResource: Sendable, Hashable {
  public let id: String
  /// `Unknown` where the publisher does not say; so with the next two.
  public let name: String
  public let state: String
  /// The address's district, else its city.
  public let district: String
}

/// A patient.
public struct PatientResource: Sendable, Hashable {
  public let id: String
  /// When the patient died; nil when alive, and when the date is not known.
  public let deceased: FHIRDateTime?
  /// Whether the patient is said to have died, but not when: worth a note, for reports count such a
  /// patient as alive.
  public let isDeceasedWithoutDate: Bool
}

/// A diagnosis of hypertension.
public struct ConditionResource: Sendable, Hashable {
  public let id: String
  public let patientID: String
  /// `recordedDate`, else `onsetDateTime`.
  public let recorded: FHIRDateTime?
  public let encounterID: String?
  /// Whether its `verificationStatus` takes it back: refuted or entered-in-error.
  public let isRetracted: Bool
}

/// A visit.
public struct EncounterResource: Sendable, Hashable {
  public let id: String
  public let patientID: String
  /// nil where the publisher does not say: it still tells the facility of what refers to it.
  public let start: FHIRDateTime?
  /// The Organization.
  public let serviceProviderID: String?
  /// Whether its `status` says that it did not happen, or not yet: planned, cancelled or
  /// entered-in-error.
  public let isRetracted: Bool
}

/// A blood-pressure reading.
public struct ObservationResource: Sendable, Hashable {
  /// What its status means for the model.
  public enum State: Sendable, Hashable {
    /// final, amended or corrected
    case final
    /// A deleted reading.
    case enteredInError
  }

  public let id: String
  public let patientID: String
  public let encounterID: String?
  /// `effectiveDateTime`, else `effectiveInstant`, else the start of `effectivePeriod`; nil where
  /// there is none.
  public let effective: FHIRDateTime?
  /// Whole mmHg, 20 to 400.
  public let systolic: Int
  /// Whole mmHg, 10 to 300.
  public let diastolic: Int
  public let state: State
}
