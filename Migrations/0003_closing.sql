-- Closed periods: the grace before closing, the editions that were published with their digests, and the roles.

ALTER TABLE rollup.deployment
  -- Days after a period's end in which late data still counts.
  ADD COLUMN month_grace_days integer NOT NULL DEFAULT 15 CHECK (month_grace_days BETWEEN 0 AND 3650),
  ADD COLUMN quarter_grace_days integer NOT NULL DEFAULT 15 CHECK (quarter_grace_days BETWEEN 0 AND 3650);

-- A period is closed when it has an edition here. Edition 1 is its closing, each later one a restatement.
CREATE TABLE rollup.editions (
  period_type "char" NOT NULL,
  period_start date NOT NULL,
  edition integer NOT NULL CHECK (edition >= 1),
  -- The place in the chain of digests, over all periods: 1, 2, 3, …
  sequence bigint NOT NULL UNIQUE CHECK (sequence >= 1),
  period_name text NOT NULL,
  time_zone text NOT NULL,
  -- The version of the indicators' definitions.
  definitions integer NOT NULL,
  closed_at timestamptz NOT NULL,
  closed_by text NOT NULL,
  -- Why it was restated; null for edition 1.
  reason text,
  -- The digest of the edition before it in the chain; null for the first.
  previous bytea,
  digest bytea NOT NULL,
  PRIMARY KEY (period_type, period_start, edition),
  CHECK ((edition = 1) = (reason IS NULL))
);

-- The digests of what each place has in each part of an edition, and of each district (docs/digest.md).
CREATE TABLE rollup.edition_leaves (
  period_type "char" NOT NULL,
  period_start date NOT NULL,
  edition integer NOT NULL,
  part text NOT NULL,
  place text NOT NULL,
  rows bigint NOT NULL,
  digest bytea NOT NULL,
  PRIMARY KEY (period_type, period_start, edition, part, place)
);

CREATE TABLE rollup.edition_regions (
  period_type "char" NOT NULL,
  period_start date NOT NULL,
  edition integer NOT NULL,
  state text NOT NULL,
  district text NOT NULL,
  -- Of the published figures alone, which anyone can recompute from the published file.
  figures bytea,
  digest bytea NOT NULL,
  PRIMARY KEY (period_type, period_start, edition, state, district)
);

-- Keeps tables of closed periods from being emptied.
CREATE FUNCTION rollup.refuse() RETURNS trigger LANGUAGE plpgsql AS $refuse$
BEGIN
  RAISE EXCEPTION '% of what is closed or published is refused: %', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'RC077', HINT = '''rollup restate'' makes a new edition.';
END
$refuse$;

-- What belongs to an edition can be written until the edition is entered, which is the last step of closing.
CREATE FUNCTION rollup.guard_published() RETURNS trigger LANGUAGE plpgsql AS $guard$
DECLARE
  there record;
BEGIN
  IF TG_OP = 'INSERT' THEN there := new; ELSE there := old; END IF;
  IF TG_OP = 'UPDATE' OR EXISTS (
    SELECT FROM rollup.editions AS e
    WHERE e.period_type = there.period_type AND e.period_start = there.period_start AND e.edition = there.edition
  ) THEN
    RAISE EXCEPTION '% of what is published is refused: %', TG_OP, TG_TABLE_NAME
      USING ERRCODE = 'RC077', HINT = '''rollup restate'' makes a new edition.';
  END IF;
  RETURN there;
END
$guard$;

-- What is asked of every table of published rows, the editions themselves among them.
CREATE FUNCTION rollup.protect(published regclass) RETURNS void LANGUAGE plpgsql AS $protect$
BEGIN
  EXECUTE format('CREATE TRIGGER published BEFORE INSERT OR UPDATE OR DELETE ON %s
    FOR EACH ROW EXECUTE FUNCTION rollup.guard_published()', published);
  EXECUTE format('CREATE TRIGGER published_whole BEFORE TRUNCATE ON %s
    FOR EACH STATEMENT EXECUTE FUNCTION rollup.refuse()', published);
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER published, ENABLE ALWAYS TRIGGER published_whole', published);
END
$protect$;

SELECT rollup.protect('rollup.editions'), rollup.protect('rollup.edition_leaves'), rollup.protect('rollup.edition_regions');
