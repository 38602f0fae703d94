-- Declarations that change: what the digest of each edition is over, and what is filled. And the reference programme's
-- heart rate and blood sugar.

-- A closing that is being entered comes before or after this, not beside it.
LOCK TABLE rollup.editions IN SHARE ROW EXCLUSIVE MODE;

-- What the digest of a part of an edition is over, whatever the declarations say by now. It needs no guard: with another
-- entry the digest would not be what it is.
CREATE TABLE rollup.edition_parts (
  period_type "char" NOT NULL,
  period_start date NOT NULL,
  edition integer NOT NULL,
  -- The rollup's name, or the published part's.
  part text NOT NULL,
  -- Its table, by schema and name.
  relation text NOT NULL,
  -- The column that says which place a line belongs to.
  place text NOT NULL,
  -- The columns of a line, in order.
  columns text[] NOT NULL,
  PRIMARY KEY (part, period_type, period_start, edition)
);

-- Editions of before: their rollups' tables have the columns of then, in the order of then. A rollup's part is called as its
-- table is, as far as is known: visit_rollups is 'visits', weight_rollups 'weight'.
INSERT INTO rollup.edition_parts (period_type, period_start, edition, part, relation, place, columns)
SELECT e.period_type, e.period_start, e.edition, t.part, t.relation, t.place, t.columns
FROM (
  SELECT c.oid,
    CASE c.relname WHEN 'visit_rollups' THEN 'visits' WHEN 'registration_rollups' THEN 'registrations'
      ELSE replace(regexp_replace(c.relname, '_rollups$', ''), '_', '-') END AS part,
    n.nspname || '.' || c.relname AS relation,
    coalesce((
      SELECT a.attname FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
      JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
      WHERE i.indrelid = c.oid AND x.relname = c.relname || '_by_' || a.attname
    ), (array_agg(a.attname ORDER BY a.attnum))[1])::text AS place,
    array_agg(a.attname::text ORDER BY a.attnum) AS columns
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relkind = 'p' AND NOT c.relispartition AND to_regclass(format('%I.%I', n.nspname, c.relname || '_late')) IS NOT NULL
    AND a.attname NOT IN ('period_type', 'period_start', 'year', 'period_name')
  GROUP BY c.oid, c.relname, n.nspname
) AS t
JOIN rollup.editions AS e ON EXISTS (
  SELECT FROM pg_inherits AS of_type
  JOIN pg_class AS s ON s.oid = of_type.inhrelid
  WHERE of_type.inhparent = t.oid
    AND pg_get_expr(s.relpartbound, s.oid) = format('FOR VALUES IN (%L)', e.period_type::text)
);

-- And of what the reference programme published.
INSERT INTO rollup.edition_parts (period_type, period_start, edition, part, relation, place, columns)
SELECT e.period_type, e.period_start, e.edition, t.part, 'rollup.' || t.relation, t.place, t.columns
FROM (
  VALUES ('figures', 'published_figures', 'facility_id', ARRAY[
      'facility_id', 'facility', 'state', 'district', 'block', 'cumulative_registrations', 'new_registrations',
      'assigned_patients', 'under_care', 'lost_to_follow_up', 'dead', 'patients_with_bp', 'bp_controlled',
      'bp_uncontrolled', 'controlled', 'uncontrolled', 'missed_visit', 'visited_no_bp', 'cohort_registered',
      'cohort_controlled', 'cohort_uncontrolled', 'cohort_missed_visit', 'cohort_visited_no_bp'
    ]),
    ('sizes', 'published_figures', 'facility_id', ARRAY['facility_id', 'size']),
    ('patients', 'published_patients', 'assigned_facility_id', ARRAY[
      'registration_facility_id', 'assigned_facility_id', 'state', 'patient_ids', 'systolic', 'diastolic'
    ])
) AS t (part, relation, place, columns)
JOIN rollup.editions AS e ON EXISTS (
  SELECT FROM rollup.edition_leaves AS l
  WHERE (l.period_type, l.period_start, l.edition, l.part) = (e.period_type, e.period_start, e.edition, t.part)
);

-- A program of before does not put on record what its digests are over: it must not close.
CREATE FUNCTION rollup.refuse_unrecorded() RETURNS trigger LANGUAGE plpgsql AS $refuse$
BEGIN
  IF NOT EXISTS (
    SELECT FROM rollup.edition_parts AS p
    WHERE p.period_type = new.period_type AND p.period_start = new.period_start AND p.edition = new.edition
  ) THEN
    RAISE EXCEPTION 'this program is older than the database, and cannot say what the digest is over'
      USING ERRCODE = 'RC078', HINT = 'Close with the version that has migrated the database.';
  END IF;
  RETURN new;
END
$refuse$;
CREATE TRIGGER recorded BEFORE INSERT ON rollup.editions FOR EACH ROW EXECUTE FUNCTION rollup.refuse_unrecorded();

-- What may be read: the rows of a period type of a rollup, or a column of it, when a backfill has filled it.
CREATE TABLE rollup.readiness (
  rollup text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('periods', 'column')),
  -- The period type's code, or the column's name.
  name text NOT NULL,
  relation text NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  -- The days whose periods are filled; null for none.
  filled daterange,
  filled_at timestamptz,
  -- The last run that filled any.
  run bigint,
  PRIMARY KEY (rollup, kind, name)
);

ALTER TABLE blood_pressures
  -- Beats a minute, as measured with the blood pressure.
  ADD COLUMN IF NOT EXISTS heart_rate integer;

CREATE TABLE IF NOT EXISTS blood_sugars (
  patient_id uuid NOT NULL,
  id uuid NOT NULL,
  facility_id uuid,
  -- mg/dL; of the type hba1c per cent.
  value numeric NOT NULL,
  type text NOT NULL CHECK (type IN ('fasting', 'post_prandial', 'random', 'hba1c')),
  recorded_at timestamptz,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (patient_id, id)
);
