-- Durable jobs, which workers on any machine take; schedules; and the actions that projections have set off.

CREATE TABLE rollup.jobs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  queue text NOT NULL DEFAULT 'default',
  -- Which handler does it.
  kind text NOT NULL,
  arguments jsonb NOT NULL DEFAULT '{}',
  -- Smaller goes first.
  priority smallint NOT NULL DEFAULT 0,
  -- blocked: jobs that it needs are not done. aside: failed too often.
  state text NOT NULL DEFAULT 'waiting'
    CHECK (state IN ('blocked', 'waiting', 'taken', 'done', 'aside', 'cancelled')),
  -- The work that it is a part of, and how much of it.
  run bigint REFERENCES rollup.runs ON DELETE CASCADE,
  weight bigint NOT NULL DEFAULT 0,
  not_before timestamptz NOT NULL DEFAULT '-infinity',
  -- No two jobs of a kind that have not begun have the same. One that has begun is no reason not to ask again.
  unique_key text,
  -- How many jobs it still needs (rollup.job_needs).
  needs integer NOT NULL DEFAULT 0,
  -- How often it was taken, and how often that ended in an error. That a worker was killed is no failure of the job.
  attempts integer NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  max_failures integer NOT NULL DEFAULT 5,
  -- Seconds.
  time_limit integer,
  -- Whoever has it is asked to stop.
  is_cancelled boolean NOT NULL DEFAULT false,
  -- Its sessions have this application_name; whoever takes over from it ends them.
  worker text,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL DEFAULT session_user,
  taken_at timestamptz,
  alive_at timestamptz,
  -- How long its worker may be silent before it is taken for dead: the worker's own promise, not that of whoever looks.
  lease interval,
  done_at timestamptz,
  written bigint,
  removed bigint,
  emitted bigint,
  -- Of a chunk of projections: by the projection's name what it has written and removed, and the seconds that took.
  parts jsonb,
  -- Why the last attempt failed; ids only.
  error text
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

CREATE INDEX jobs_waiting ON rollup.jobs (queue, priority, id) WHERE state = 'waiting';
CREATE INDEX jobs_taken ON rollup.jobs (worker) WHERE state = 'taken';
CREATE INDEX jobs_of_run ON rollup.jobs (run) WHERE run IS NOT NULL;
CREATE INDEX jobs_over ON rollup.jobs (done_at) WHERE state IN ('done', 'cancelled');
CREATE UNIQUE INDEX jobs_unique ON rollup.jobs (kind, unique_key)
  WHERE unique_key IS NOT NULL AND state IN ('blocked', 'waiting');

-- A job that is blocked, and one that it needs.
CREATE TABLE rollup.job_needs (
  needed bigint NOT NULL REFERENCES rollup.jobs ON DELETE CASCADE,
  job bigint NOT NULL REFERENCES rollup.jobs ON DELETE CASCADE,
  PRIMARY KEY (needed, job)
);
CREATE INDEX job_needs_of ON rollup.job_needs (job);

-- Jobs that are made by the clock.
CREATE TABLE rollup.schedules (
  name text PRIMARY KEY,
  -- Minute, hour, day, month, weekday, by the reporting time zone's clock.
  cron text NOT NULL,
  queue text NOT NULL DEFAULT 'default',
  kind text NOT NULL,
  arguments jsonb NOT NULL DEFAULT '{}',
  next_at timestamptz NOT NULL,
  last_at timestamptz
);

-- What has been set off, for good: a key is here once, however long ago its job was pruned.
CREATE TABLE rollup.emitted (
  action text NOT NULL,
  key text NOT NULL,
  emitted_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (action, key)
);
