/// What every import ends in: temporary tables with the rows as they are to be, numbered in the
/// order of their subjects. They vanish with the session.
enum ReadyTables {
  /// Text ids become uuids: one that is a UUID is itself, any other is the digest of its kind and
  /// itself.
  static let create = """
    DROP TABLE IF EXISTS pg_temp.import_rejects, pg_temp.ready_facilities, pg_temp.ready_patients,
      pg_temp.ready_readings, pg_temp.ready_blood_sugars, pg_temp.ready_visits;
    CREATE OR REPLACE FUNCTION pg_temp.import_id(kind text, id text) RETURNS uuid
    LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE
        WHEN id ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN id::uuid
        ELSE md5(kind || '/' || id)::uuid
      END
    $$;
    CREATE TEMPORARY TABLE import_rejects (
      file int, line bigint, resource text, id text, reason text);
    CREATE TEMPORARY TABLE ready_facilities (
      id uuid, name text, state text, district text, block text, size text);
    CREATE TEMPORARY TABLE ready_patients (
      place bigint GENERATED ALWAYS AS IDENTITY, id uuid, registered_at timestamptz,
      registration_facility_id uuid, assigned_facility_id uuid, hypertensive boolean,
      died_at timestamptz, deleted_at timestamptz);
    CREATE TEMPORARY TABLE ready_readings (
      place bigint GENERATED ALWAYS AS IDENTITY, patient_id uuid, id uuid, facility_id uuid,
      systolic int, diastolic int, heart_rate int, recorded_at timestamptz, deleted_at timestamptz);
    CREATE TEMPORARY TABLE ready_blood_sugars (
      place bigint GENERATED ALWAYS AS IDENTITY, patient_id uuid, id uuid, facility_id uuid,
      value numeric, type text, recorded_at timestamptz, deleted_at timestamptz);
    CREATE TEMPORARY TABLE ready_visits (
      place bigint GENERATED ALWAYS AS IDENTITY, patient_id uuid, id uuid, facility_id uuid,
      visited_at timestamptz, deleted_at timestamptz);
    """

  static let index = """
    CREATE INDEX ON ready_patients (place);
    CREATE INDEX ON ready_readings (place);
    CREATE INDEX ON ready_blood_sugars (place);
    CREATE INDEX ON ready_visits (place);
    ANALYZE ready_patients, ready_readings, ready_blood_sugars, ready_visits;
    """
}
