-- What closing publishes of the hypertension programme: each facility's figures, and the patients behind them.
-- A facility has a row when a report prints one: while it exists, or has something to count.

CREATE TABLE rollup.published_figures (
  period_type "char" NOT NULL,
  period_start date NOT NULL,
  edition integer NOT NULL,
  -- The facility as it was at closing; without an id for patients that have none.
  facility_id uuid,
  facility text NOT NULL,
  state text NOT NULL,
  district text NOT NULL,
  block text,
  size text,
  cumulative_registrations bigint NOT NULL,
  new_registrations bigint NOT NULL,
  assigned_patients bigint NOT NULL,
  under_care bigint NOT NULL,
  lost_to_follow_up bigint NOT NULL,
  dead bigint NOT NULL,
  patients_with_bp bigint NOT NULL,
  bp_controlled bigint NOT NULL,
  bp_uncontrolled bigint NOT NULL,
  controlled bigint NOT NULL,
  uncontrolled bigint NOT NULL,
  missed_visit bigint NOT NULL,
  visited_no_bp bigint NOT NULL,
  cohort_registered bigint NOT NULL,
  cohort_controlled bigint NOT NULL,
  cohort_uncontrolled bigint NOT NULL,
  cohort_missed_visit bigint NOT NULL,
  cohort_visited_no_bp bigint NOT NULL
);
CREATE UNIQUE INDEX published_figures_by_edition
  ON rollup.published_figures (period_type, period_start, edition, (coalesce(facility_id::text, '')));

-- The patients of an edition, those with the same facilities and state in one row: 20 bytes a patient. The arrays are
-- parallel and in the order of the ids; systolic and diastolic are the most recent reading's of the last three months.
CREATE TABLE rollup.published_patients (
  period_type "char" NOT NULL,
  period_start date NOT NULL,
  edition integer NOT NULL,
  registration_facility_id uuid,
  assigned_facility_id uuid,
  -- The bits of PatientState (docs/digest.md).
  state integer NOT NULL,
  patient_ids uuid[] NOT NULL,
  systolic smallint[],
  diastolic smallint[]
);
CREATE UNIQUE INDEX published_patients_by_edition ON rollup.published_patients (period_type, period_start, edition,
  (coalesce(assigned_facility_id::text, '')), (coalesce(registration_facility_id::text, '')), state);

SELECT rollup.protect('rollup.published_figures'), rollup.protect('rollup.published_patients');
