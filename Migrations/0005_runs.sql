-- Runs of long work in chunks of patients: what is done, what is left, and who is at it, so that any machine can go on.

CREATE TABLE rollup.runs (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- backfill, …
  kind text NOT NULL,
  -- What is asked for, as JSON with sorted keys: the same command again is the same text.
  task text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL DEFAULT session_user,
  finished_at timestamptz
);

CREATE TABLE rollup.run_chunks (
  run bigint NOT NULL REFERENCES rollup.runs ON DELETE CASCADE,
  number integer NOT NULL,
  -- A chunk is taken when all of the steps before are over.
  step smallint NOT NULL,
  -- What is done, such as load or mend.
  what text NOT NULL,
  -- From a patient's key, itself included, up to another, itself not; null where there is no bound.
  first_subject text,
  end_subject text,
  -- These patients alone, instead.
  subject_ids text[],
  -- How many patients, about.
  subjects bigint NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'taken', 'done', 'aside')),
  -- How often it was taken, and how often that ended in an error.
  attempts integer NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  not_before timestamptz NOT NULL DEFAULT '-infinity',
  worker text,
  -- The worker's session, which whoever takes the chunk over ends.
  backend integer,
  backend_start timestamptz,
  taken_at timestamptz,
  alive_at timestamptz,
  done_at timestamptz,
  written bigint,
  removed bigint,
  -- Differences that a verification found.
  found bigint,
  -- Why the last attempt failed; ids only.
  error text,
  PRIMARY KEY (run, number)
);
CREATE INDEX run_chunks_left ON rollup.run_chunks (run, step, number) WHERE state NOT IN ('done', 'aside');
