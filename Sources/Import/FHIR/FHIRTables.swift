/// The SQL of a FHIR import: the raw lines as they were copied, and what they mean (INDICATORS.md,
/// "From FHIR R4 to the model"). Of two resources with one id the later line counts.
enum FHIRTables {
  static let create = """
    DROP TABLE IF EXISTS pg_temp.raw_organizations, pg_temp.raw_patients, pg_temp.raw_conditions,
      pg_temp.raw_encounters, pg_temp.raw_observations, pg_temp.encounters, pg_temp.hypertension,
      pg_temp.observations;
    CREATE TEMPORARY TABLE raw_organizations (
      file int, line bigint, id text, name text, state text, district text);
    CREATE TEMPORARY TABLE raw_patients (file int, line bigint, id text, died_at timestamptz);
    CREATE TEMPORARY TABLE raw_conditions (
      file int, line bigint, id text, patient text, encounter text, recorded_at timestamptz,
      retracted boolean);
    CREATE TEMPORARY TABLE raw_encounters (
      file int, line bigint, id text, patient text, started_at timestamptz, facility text,
      deleted boolean);
    CREATE TEMPORARY TABLE raw_observations (
      file int, line bigint, id text, patient text, encounter text, recorded_at timestamptz,
      systolic int, diastolic int, heart_rate int, sugar numeric, sugar_type text, deleted boolean);
    """

  /// Run in this order.
  static let resolve = [
    facilities, encounters, conditions, patients, observations, readings, bloodSugars, visits,
  ]

  private static let facilities = """
    INSERT INTO ready_facilities (id, name, state, district)
    SELECT DISTINCT ON (1) pg_temp.import_id('Organization', id), name, state, district
    FROM raw_organizations
    ORDER BY 1, file DESC, line DESC;
    ANALYZE ready_facilities;
    """

  /// An unknown facility is an error of the encounter and of what refers to it; no facility is
  /// none.
  private static let encounters = """
    CREATE TEMPORARY TABLE encounters AS
    SELECT e.*, e.facility_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM ready_facilities AS f WHERE f.id = e.facility_id)
      AND NOT EXISTS (SELECT FROM facilities AS f WHERE f.id = e.facility_id) AS is_astray
    FROM (
      SELECT DISTINCT ON (1) pg_temp.import_id('Encounter', id) AS id,
        pg_temp.import_id('Patient', patient) AS patient_id, started_at,
        pg_temp.import_id('Organization', facility) AS facility_id, deleted, file, line,
        id AS text_id
      FROM raw_encounters
      ORDER BY 1, file DESC, line DESC
    ) AS e;
    CREATE INDEX ON encounters (id);
    CREATE INDEX ON encounters (patient_id, started_at, id);
    ANALYZE encounters;
    INSERT INTO import_rejects
    SELECT file, line, 'Encounter', text_id,
      'serviceProvider: the Organization is in no file and not stored'
    FROM encounters
    WHERE is_astray;
    """

  /// The earliest of each patient that is not taken back. An encounter that is in no file may have
  /// been stored before, as a visit.
  private static let conditions = """
    CREATE TEMPORARY TABLE hypertension AS
    SELECT DISTINCT ON (c.patient_id) c.*, coalesce(e.facility_id, v.facility_id) AS facility_id,
      coalesce(e.started_at, v.visited_at) AS started_at, coalesce(e.is_astray, false) AS is_astray
    FROM (
      SELECT DISTINCT ON (1) pg_temp.import_id('Condition', id) AS id,
        pg_temp.import_id('Patient', patient) AS patient_id,
        pg_temp.import_id('Encounter', encounter) AS encounter_id, recorded_at, retracted
      FROM raw_conditions
      ORDER BY 1, file DESC, line DESC
    ) AS c
    LEFT JOIN encounters AS e ON e.id = c.encounter_id
    LEFT JOIN visits AS v ON e.id IS NULL AND v.patient_id = c.patient_id AND v.id = c.encounter_id
    WHERE NOT c.retracted
    ORDER BY c.patient_id, c.recorded_at, c.id;
    CREATE INDEX ON hypertension (patient_id);
    ANALYZE hypertension;
    """

  /// Registration is the earliest condition's; what it does not say (no date, no encounter) is the
  /// earliest encounter's. A deletion is this system's and no part of FHIR: it stays.
  private static let patients = """
    CREATE TEMPORARY TABLE resolved_patients ON COMMIT PRESERVE ROWS AS
    SELECT p.*, h.patient_id IS NOT NULL AS hypertensive, coalesce(h.is_astray, false) AS is_astray,
      CASE
        WHEN h.patient_id IS NULL THEN first.started_at
        ELSE coalesce(h.recorded_at, h.started_at, first.started_at)
      END AS registered_at,
      CASE
        WHEN h.patient_id IS NULL THEN first.facility_id
        ELSE coalesce(h.facility_id, first.facility_id)
      END AS facility_id,
      h.patient_id IS NULL AND first.id IS NULL AS has_nothing
    FROM (
      SELECT DISTINCT ON (1) pg_temp.import_id('Patient', id) AS id, died_at, file, line,
        id AS text_id
      FROM raw_patients
      ORDER BY 1, file DESC, line DESC
    ) AS p
    LEFT JOIN hypertension AS h ON h.patient_id = p.id
    LEFT JOIN LATERAL (
      SELECT e.id, e.started_at, e.facility_id
      FROM encounters AS e
      WHERE e.patient_id = p.id AND NOT (e.is_astray OR e.deleted)
      ORDER BY e.started_at, e.id
      LIMIT 1
    ) AS first ON true;
    INSERT INTO import_rejects
    SELECT file, line, 'Patient', text_id,
      CASE
        WHEN is_astray THEN 'registration: the facility of the Condition''s encounter is unknown'
        ELSE 'registration: there is neither a hypertension Condition nor an Encounter'
      END
    FROM resolved_patients
    WHERE is_astray OR has_nothing;
    INSERT INTO ready_patients (id, registered_at, registration_facility_id, assigned_facility_id,
      hypertensive, died_at, deleted_at)
    SELECT p.id, p.registered_at, p.facility_id, p.facility_id, p.hypertensive, p.died_at,
      k.deleted_at
    FROM resolved_patients AS p
    LEFT JOIN patients AS k ON k.id = p.id
    WHERE NOT (p.is_astray OR p.has_nothing)
    ORDER BY p.id;
    DROP TABLE resolved_patients;
    CREATE INDEX ON ready_patients (id);
    ANALYZE ready_patients;
    """

  /// At the encounter's facility. What its code says tells a blood sugar from a blood pressure.
  private static let observations = """
    CREATE TEMPORARY TABLE observations AS
    SELECT o.*, coalesce(e.facility_id, v.facility_id) AS facility_id,
      coalesce(e.is_astray, false) AS is_astray
    FROM (
      SELECT DISTINCT ON (1) pg_temp.import_id('Observation', id) AS id,
        pg_temp.import_id('Patient', patient) AS patient_id,
        pg_temp.import_id('Encounter', encounter) AS encounter_id, recorded_at, systolic, diastolic,
        heart_rate, sugar, sugar_type, deleted, file, line, id AS text_id
      FROM raw_observations
      ORDER BY 1, file DESC, line DESC
    ) AS o
    LEFT JOIN encounters AS e ON e.id = o.encounter_id
    LEFT JOIN visits AS v ON e.id IS NULL AND v.patient_id = o.patient_id AND v.id = o.encounter_id;
    ANALYZE observations;
    """

  /// The encounter's facility, else the assigned one. A patient that is in no file and not stored
  /// may still arrive. A deleted reading without values is the stored one. A heart rate that the resource does not say is
  /// the stored one: most exports have it in an Observation of its own.
  private static let readings = """
    UPDATE observations AS o
    SET (systolic, diastolic, recorded_at)
      = (b.systolic, b.diastolic, coalesce(o.recorded_at, b.recorded_at))
    FROM blood_pressures AS b
    WHERE o.sugar_type IS NULL AND o.systolic IS NULL AND (b.patient_id, b.id) = (o.patient_id, o.id);
    \(rejected(whereMissing: "systolic", "sugar_type IS NULL"))
    INSERT INTO ready_readings (patient_id, id, facility_id, systolic, diastolic, heart_rate,
      recorded_at, deleted_at)
    SELECT o.patient_id, o.id,
      coalesce(o.facility_id, p.assigned_facility_id, k.assigned_facility_id),
      o.systolic, o.diastolic, coalesce(o.heart_rate, b.heart_rate), o.recorded_at, \(deletedAt("o.recorded_at"))
    FROM observations AS o
    LEFT JOIN blood_pressures AS b ON (b.patient_id, b.id) = (o.patient_id, o.id)
    LEFT JOIN ready_patients AS p ON p.id = o.patient_id
    LEFT JOIN patients AS k ON k.id = o.patient_id
    WHERE o.sugar_type IS NULL AND NOT (o.is_astray OR o.systolic IS NULL)
    ORDER BY o.patient_id, o.id;
    """

  /// As readings.
  private static let bloodSugars = """
    UPDATE observations AS o
    SET (sugar, sugar_type, recorded_at) = (b.value, b.type, coalesce(o.recorded_at, b.recorded_at))
    FROM blood_sugars AS b
    WHERE o.sugar_type IS NOT NULL AND o.sugar IS NULL AND (b.patient_id, b.id) = (o.patient_id, o.id);
    \(rejected(whereMissing: "sugar", "sugar_type IS NOT NULL"))
    INSERT INTO ready_blood_sugars (patient_id, id, facility_id, value, type, recorded_at, deleted_at)
    SELECT o.patient_id, o.id,
      coalesce(o.facility_id, p.assigned_facility_id, k.assigned_facility_id),
      o.sugar, o.sugar_type, o.recorded_at, \(deletedAt("o.recorded_at"))
    FROM observations AS o
    LEFT JOIN ready_patients AS p ON p.id = o.patient_id
    LEFT JOIN patients AS k ON k.id = o.patient_id
    WHERE o.sugar_type IS NOT NULL AND NOT (o.is_astray OR o.sugar IS NULL)
    ORDER BY o.patient_id, o.id;
    """

  /// Rejects those of the observations that are nowhere or without values.
  private static func rejected(whereMissing value: String, _ condition: String) -> String {
    """
    INSERT INTO import_rejects
    SELECT file, line, 'Observation', text_id,
      CASE
        WHEN is_astray THEN 'encounter: its Organization is in no file and not stored'
        ELSE 'status: it is entered-in-error, has no values, and is not stored'
      END
    FROM observations
    WHERE \(condition) AND (is_astray OR \(value) IS NULL);
    """
  }

  private static let visits = """
    INSERT INTO ready_visits (patient_id, id, facility_id, visited_at, deleted_at)
    SELECT patient_id, id, facility_id, started_at, \(deletedAt("started_at"))
    FROM encounters
    WHERE NOT is_astray
    ORDER BY patient_id, id;
    """

  /// What is deleted is deleted as of its own time, so that the same import again changes nothing.
  private static func deletedAt(_ time: String) -> String {
    "CASE WHEN deleted THEN coalesce(\(time), timestamptz '1970-01-01 00:00:00+00') END"
  }
}
