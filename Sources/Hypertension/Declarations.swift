import PeriodRollups

/// The tables of the default schema (`Migrations/0001_sources.sql`), as the rollups are declared over them.
public enum Tables {
  public enum Patients {
    public static let id = Column("id", .uuid)
    public static let registeredAt = Column("registered_at", .timestamptz)
    public static let registrationFacilityID = Column("registration_facility_id", .uuid)
    public static let assignedFacilityID = Column("assigned_facility_id", .uuid)
    public static let hypertensive = Column("hypertensive", .boolean)
    public static let diedAt = Column("died_at", .timestamptz)
    public static let deletedAt = Column("deleted_at", .timestamptz)

    public static let subject = Subject(
      "patient", table: "patients", id: id,
      values: [
        registeredAt, registrationFacilityID, assignedFacilityID, hypertensive, diedAt, deletedAt,
      ],
      exists: .isNull(deletedAt), carrying: [registrationFacilityID, assignedFacilityID],
      updatedAt: Column("updated_at", .timestamptz))
  }

  public enum BloodPressures {
    public static let facilityID = Column("facility_id", .uuid)
    public static let systolic = Column("systolic", .integer)
    public static let diastolic = Column("diastolic", .integer)
    public static let heartRate = Column("heart_rate", .integer)
    public static let recordedAt = Column("recorded_at", .timestamptz)
    public static let deletedAt = Column("deleted_at", .timestamptz)

    public static let source = Source(
      "blood pressure", code: "B", table: "blood_pressures", subject: Column("patient_id", .uuid),
      id: Column("id", .uuid), time: recordedAt,
      values: [facilityID, systolic, diastolic, heartRate, deletedAt],
      exists: .isNull(deletedAt), updatedAt: Column("updated_at", .timestamptz))
  }

  public enum BloodSugars {
    public static let facilityID = Column("facility_id", .uuid)
    public static let value = Column("value", .numeric)
    public static let type = Column("type", .text)
    public static let recordedAt = Column("recorded_at", .timestamptz)
    public static let deletedAt = Column("deleted_at", .timestamptz)

    public static let source = Source(
      "blood sugar", code: "S", table: "blood_sugars", subject: Column("patient_id", .uuid),
      id: Column("id", .uuid), time: recordedAt, values: [facilityID, value, type, deletedAt],
      exists: .isNull(deletedAt), updatedAt: Column("updated_at", .timestamptz))
  }

  public enum Visits {
    public static let facilityID = Column("facility_id", .uuid)
    public static let visitedAt = Column("visited_at", .timestamptz)
    public static let deletedAt = Column("deleted_at", .timestamptz)

    public static let source = Source(
      "visit", code: "V", table: "visits", subject: Column("patient_id", .uuid),
      id: Column("id", .uuid), time: visitedAt, values: [facilityID, deletedAt],
      exists: .isNull(deletedAt), updatedAt: Column("updated_at", .timestamptz))
  }
}

/// What is kept of hypertension patients. The names are those of `rollup explain` and `--only`.
public enum Rollups {
  /// The most recent blood pressure of each patient in each month and quarter. Raw values, never a `controlled` flag:
  /// reports may draw the line elsewhere.
  public static let bloodPressure = MostRecent(
    "blood-pressure", table: "rollup.blood_pressure_rollups", per: Tables.Patients.subject,
    id: Column("blood_pressure_id", .uuid), time: "recorded_at",
    keeping: [
      Tables.BloodPressures.systolic, Tables.BloodPressures.diastolic,
      Column("blood_pressure_facility_id", .uuid), Tables.BloodPressures.heartRate,
    ],
    from: [
      .init(
        Tables.BloodPressures.source,
        [
          Tables.BloodPressures.systolic, Tables.BloodPressures.diastolic,
          Tables.BloodPressures.facilityID, Tables.BloodPressures.heartRate,
        ])
    ], selectedBy: Tables.Patients.assignedFacilityID)

  /// The most recent visit of each patient in each month and quarter. A reading is also a visit (INDICATORS.md).
  public static let visits = MostRecent(
    "visits", table: "rollup.visit_rollups", per: Tables.Patients.subject,
    id: Column("visit_id", .uuid), time: "visited_at",
    keeping: [Column("visit_facility_id", .uuid)],
    from: [
      .init(Tables.BloodPressures.source, [Tables.BloodPressures.facilityID]),
      .init(Tables.Visits.source, [Tables.Visits.facilityID]),
    ], selectedBy: Tables.Patients.assignedFacilityID)

  /// The most recent blood sugar of each patient in each month and quarter, of whatever type: mg/dL, of the type `hba1c`
  /// per cent.
  public static let bloodSugar = MostRecent(
    "blood-sugar", table: "rollup.blood_sugar_rollups", per: Tables.Patients.subject,
    id: Column("blood_sugar_id", .uuid), time: "recorded_at",
    keeping: [
      Tables.BloodSugars.value, Tables.BloodSugars.type, Column("blood_sugar_facility_id", .uuid),
    ],
    from: [
      .init(
        Tables.BloodSugars.source,
        [Tables.BloodSugars.value, Tables.BloodSugars.type, Tables.BloodSugars.facilityID])
    ], selectedBy: Tables.Patients.assignedFacilityID)

  /// Who counts in the indicators: "hypertensive patients that are not deleted; nobody else" (INDICATORS.md).
  static let counted: Condition = .all([
    .isTrue(Tables.Patients.hypertensive), .isNull(Tables.Patients.deletedAt),
  ])

  /// Registrations by registration facility and period.
  public static let registrations = PeriodCount(
    "registrations", table: "rollup.registration_rollups", of: Tables.Patients.subject,
    by: Tables.Patients.registeredAt, per: Tables.Patients.registrationFacilityID, where: counted)

  /// What reports ask of patients.
  public static let patients = Register(
    "patients", table: "rollup.patient_register", of: Tables.Patients.subject, where: counted,
    months: [
      .init("registered_month", of: Tables.Patients.registeredAt),
      .init("died_month", of: Tables.Patients.diedAt),
    ],
    keeping: [Tables.Patients.registrationFacilityID, Tables.Patients.assignedFacilityID],
    selectedBy: [Tables.Patients.assignedFacilityID, Tables.Patients.registrationFacilityID])

  public static let catalog = Catalog(
    subject: Tables.Patients.subject, mostRecent: [bloodPressure, visits, bloodSugar],
    counts: [registrations], registers: [patients])
}
