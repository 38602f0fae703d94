-- The chunks of runs are jobs: one queue. What older versions have begun goes on, and what they did stays on record.

ALTER TABLE rollup.jobs
  -- From 1: taken when the jobs of the steps before are over, in its queue. 0: without steps.
  ADD COLUMN step smallint NOT NULL DEFAULT 0,
  -- Differences that a verification found.
  ADD COLUMN found bigint;

DROP INDEX rollup.jobs_waiting;
CREATE INDEX jobs_waiting ON rollup.jobs (queue, step, priority, id) WHERE state = 'waiting';
-- Tells the step that a queue is at.
CREATE INDEX jobs_steps ON rollup.jobs (queue, step) WHERE step > 0 AND state IN ('waiting', 'taken');
-- Jobs of steps are on record for as long as their run.
DROP INDEX rollup.jobs_over;
CREATE INDEX jobs_over ON rollup.jobs (done_at) WHERE step = 0 AND state IN ('done', 'cancelled');

INSERT INTO rollup.jobs (queue, kind, arguments, step, state, run, weight, attempts, failures, worker, created_at, created_by,
  taken_at, alive_at, done_at, written, removed, found, error)
SELECT 'run ' || c.run, r.kind,
  jsonb_build_object('number', c.number, 'step', c.step, 'what', c.what, 'subjects', c.subjects,
    'scope', CASE WHEN c.subject_ids IS NULL
      THEN jsonb_build_object('bounds', jsonb_build_object('first', c.first_subject, 'end', c.end_subject))
      ELSE jsonb_build_object('subjects', jsonb_build_object('_0', to_jsonb(c.subject_ids))) END),
  c.step, CASE c.state WHEN 'taken' THEN 'waiting' ELSE c.state END, c.run, c.subjects, c.attempts, c.failures, c.worker,
  r.created_at, r.created_by, c.taken_at, c.alive_at, c.done_at, c.written, c.removed, c.found, c.error
FROM rollup.run_chunks AS c JOIN rollup.runs AS r ON r.number = c.run
ORDER BY c.run, c.number;

DROP TABLE rollup.run_chunks;
