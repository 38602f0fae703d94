/// The SQL of a CSV import. Of two rows with one id the later counts.
enum CSVTables {
  static let create = """
    DROP TABLE IF EXISTS pg_temp.raw_facilities, pg_temp.raw_patients, pg_temp.raw_readings,
      pg_temp.raw_blood_sugars, pg_temp.raw_visits;
    CREATE TEMPORARY TABLE raw_facilities (
      file int, line bigint, id text, name text, state text, district text, block text, size text);
    CREATE TEMPORARY TABLE raw_patients (
      file int, line bigint, id text, registered_at timestamptz, registration_facility_id text,
      assigned_facility_id text, hypertensive boolean, died_at timestamptz, deleted_at timestamptz);
    CREATE TEMPORARY TABLE raw_readings (
      file int, line bigint, id text, patient_id text, facility_id text, systolic int,
      diastolic int, heart_rate int, recorded_at timestamptz, deleted_at timestamptz);
    CREATE TEMPORARY TABLE raw_blood_sugars (
      file int, line bigint, id text, patient_id text, facility_id text, value numeric, type text,
      recorded_at timestamptz, deleted_at timestamptz);
    CREATE TEMPORARY TABLE raw_visits (
      file int, line bigint, id text, patient_id text, facility_id text, visited_at timestamptz,
      deleted_at timestamptz);
    """

  /// Run in this order.
  static let resolve = [
    facilities, patients,
    rows("readings", "Reading", "systolic, diastolic, heart_rate, recorded_at, deleted_at"),
    rows("blood_sugars", "BloodSugar", "value, type, recorded_at, deleted_at"),
    rows("visits", "Visit", "visited_at, deleted_at"),
  ]

  /// The facilities that are in the file or stored.
  private static let facilities = """
    INSERT INTO ready_facilities (id, name, state, district, block, size)
    SELECT DISTINCT ON (1) pg_temp.import_id('Facility', id), name, coalesce(state, 'Unknown'),
      coalesce(district, 'Unknown'), block, size
    FROM raw_facilities
    ORDER BY 1, file DESC, line DESC;
    DROP TABLE IF EXISTS pg_temp.known_facilities;
    CREATE TEMPORARY TABLE known_facilities AS
    SELECT id FROM ready_facilities UNION SELECT id FROM facilities;
    CREATE INDEX ON known_facilities (id);
    ANALYZE known_facilities;
    """

  private static let patients = """
    INSERT INTO import_rejects
    SELECT file, line, 'patients', id,
      CASE
        WHEN registration_facility_id IS NOT NULL AND NOT EXISTS (
          SELECT FROM known_facilities AS f
          WHERE f.id = pg_temp.import_id('Facility', registration_facility_id)
        ) THEN 'registration_facility_id: the facility is in no file and not stored'
        ELSE 'assigned_facility_id: the facility is in no file and not stored'
      END
    FROM raw_patients
    WHERE EXISTS (
      SELECT FROM (VALUES (registration_facility_id), (assigned_facility_id)) AS g (id)
      WHERE g.id IS NOT NULL
        AND NOT EXISTS (
          SELECT FROM known_facilities AS f WHERE f.id = pg_temp.import_id('Facility', g.id)
        )
    );
    INSERT INTO ready_patients (id, registered_at, registration_facility_id, assigned_facility_id,
      hypertensive, died_at, deleted_at)
    SELECT DISTINCT ON (1) pg_temp.import_id('Patient', id), registered_at,
      pg_temp.import_id('Facility', registration_facility_id),
      pg_temp.import_id('Facility', coalesce(assigned_facility_id, registration_facility_id)),
      coalesce(hypertensive, true), died_at, deleted_at
    FROM raw_patients AS p
    WHERE NOT EXISTS (SELECT FROM import_rejects AS r WHERE (r.file, r.line) = (p.file, p.line))
    ORDER BY 1, file DESC, line DESC;
    CREATE INDEX ON ready_patients (id);
    ANALYZE ready_patients;
    """

  /// Readings, blood sugars or visits: without a facility they are at the patient's assigned one.
  private static func rows(_ table: String, _ kind: String, _ columns: String) -> String {
    """
    INSERT INTO import_rejects
    SELECT file, line, '\(table)', id, 'facility_id: the facility is in no file and not stored'
    FROM raw_\(table) AS r
    WHERE facility_id IS NOT NULL AND NOT EXISTS (
      SELECT FROM known_facilities AS f WHERE f.id = pg_temp.import_id('Facility', r.facility_id)
    );
    \(givenToAnother(table, kind))
    CREATE INDEX ON import_rejects (file, line);
    INSERT INTO ready_\(table) (patient_id, id, facility_id, \(columns))
    SELECT r.patient_uuid, r.uuid,
      coalesce(pg_temp.import_id('Facility', r.facility_id), p.assigned_facility_id,
        k.assigned_facility_id),
      \(columns.split(separator: ", ").map { "r." + $0 }.joined(separator: ", "))
    FROM (
      SELECT DISTINCT ON (1, 2) pg_temp.import_id('Patient', patient_id) AS patient_uuid,
        pg_temp.import_id('\(kind)', id) AS uuid, r.*
      FROM raw_\(table) AS r
      WHERE NOT EXISTS (SELECT FROM import_rejects AS i WHERE (i.file, i.line) = (r.file, r.line))
      ORDER BY 1, 2, file DESC, line DESC
    ) AS r
    LEFT JOIN ready_patients AS p ON p.id = r.patient_uuid
    LEFT JOIN patients AS k ON k.id = r.patient_uuid
    ORDER BY r.patient_uuid, r.uuid;
    """
  }

  /// An id is one row's. Under several patients the last is meant, and the others are named.
  private static func givenToAnother(_ table: String, _ kind: String) -> String {
    """
    INSERT INTO import_rejects
    SELECT r.file, r.line, '\(table)', r.id,
      format('id: it comes again for another patient in line %s%s, which counts', r.last_line,
        CASE WHEN r.last_file <> r.file THEN ' of a later file' END)
    FROM (
      SELECT t.file, t.line, t.id, pg_temp.import_id('Patient', t.patient_id) AS patient,
        first_value(pg_temp.import_id('Patient', t.patient_id)) OVER last_first AS last_patient,
        first_value(t.line) OVER last_first AS last_line,
        first_value(t.file) OVER last_first AS last_file
      FROM raw_\(table) AS t
      WHERE pg_temp.import_id('\(kind)', t.id) IN (
          SELECT pg_temp.import_id('\(kind)', d.id) FROM raw_\(table) AS d
          GROUP BY 1
          HAVING min(d.patient_id) <> max(d.patient_id)
        )
        AND NOT EXISTS (SELECT FROM import_rejects AS i WHERE (i.file, i.line) = (t.file, t.line))
      WINDOW last_first AS (
        PARTITION BY pg_temp.import_id('\(kind)', t.id) ORDER BY t.file DESC, t.line DESC
      )
    ) AS r
    WHERE r.patient <> r.last_patient;
    """
  }
}
