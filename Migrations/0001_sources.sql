-- The default source tables, for an application that has none of its own.

-- No foreign keys to patients: a reading may arrive before its patient (mobile sync has no order).
-- Each primary key contains the patient, so that the tables can be sharded by patient.

CREATE TABLE IF NOT EXISTS facilities (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  state text NOT NULL,
  district text NOT NULL,
  block text,
  size text,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS patients (
  id uuid PRIMARY KEY,
  registered_at timestamptz,
  registration_facility_id uuid,
  assigned_facility_id uuid,
  hypertensive boolean NOT NULL DEFAULT true,
  died_at timestamptz,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS blood_pressures (
  patient_id uuid NOT NULL,
  id uuid NOT NULL,
  facility_id uuid,
  systolic integer NOT NULL,
  diastolic integer NOT NULL,
  -- Missing, or in the year 16: stored all the same, and in no period when there is none.
  recorded_at timestamptz,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (patient_id, id)
);

CREATE TABLE IF NOT EXISTS visits (
  patient_id uuid NOT NULL,
  id uuid NOT NULL,
  facility_id uuid,
  visited_at timestamptz,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (patient_id, id)
);
