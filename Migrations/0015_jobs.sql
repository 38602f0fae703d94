-- The state of a job is changed by functions, each for whom it is meant to serve: an application asks for work and takes back what it
-- has asked for; a worker takes, completes and puts back jobs under a name that is its login's. Nobody writes another's record.

-- Who takes jobs: a name belongs to the login that used it first, so that nobody takes jobs under another's.
CREATE TABLE rollup.workers (
  name text PRIMARY KEY,
  login name NOT NULL DEFAULT session_user,
  began_at timestamptz NOT NULL DEFAULT now(),
  alive_at timestamptz NOT NULL DEFAULT now()
);

-- The sessions of a worker, each recorded by itself. Whoever takes over from a dead worker ends these and no others.
CREATE TABLE rollup.worker_sessions (
  worker text NOT NULL REFERENCES rollup.workers ON DELETE CASCADE,
  pid integer NOT NULL,
  -- A process's number is used again; with the time at which the session began it is one session's.
  started_at timestamptz NOT NULL,
  -- Its application_name. Behind a pooler another client may have the session by now, under another name.
  session_name text NOT NULL,
  PRIMARY KEY (worker, pid, started_at)
);

-- Queues named for a run hold the chunks of that run alone, and parts of projections have the run that they are of.
ALTER TABLE rollup.jobs
  ADD CONSTRAINT queues_of_runs CHECK (queue !~ '^run [0-9]+$' OR run IS NOT NULL) NOT VALID,
  ADD CONSTRAINT parts_of_runs CHECK (kind NOT IN ('project level', 'project chunk') OR run IS NOT NULL) NOT VALID;

-- Whether the caller of a function of the owner's, which calls this, has the owner's rights: by the role that is set, else by login.
-- (In PL/pgSQL, whose plans are kept: as SQL it took 65 us a call instead of 5.)
CREATE OR REPLACE FUNCTION rollup.caller_is_owner() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $owner$
BEGIN
  RETURN pg_has_role(
    CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role')::name END, current_user, 'USAGE');
END
$owner$;

-- Records the calling session as one of a worker's, under the name of its login. When it began the caller says, who alone may see it:
-- what is not true names no session.
CREATE OR REPLACE FUNCTION rollup.register_session(worker text, started_at timestamp with time zone) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $register$
#variable_conflict use_column
BEGIN
  INSERT INTO rollup.workers (name) VALUES (register_session.worker) ON CONFLICT (name) DO NOTHING;
  IF NOT EXISTS (
    SELECT FROM rollup.workers AS w WHERE w.name = register_session.worker AND w.login = session_user
  ) THEN
    RAISE EXCEPTION 'the worker "%" is another login''s', register_session.worker
      USING ERRCODE = 'insufficient_privilege', HINT = 'Give each worker a name of its own.';
  END IF;
  INSERT INTO rollup.worker_sessions (worker, pid, started_at, session_name)
  SELECT register_session.worker, pg_backend_pid(), register_session.started_at, current_setting('application_name')
  WHERE register_session.started_at IS NOT NULL
  ON CONFLICT (worker, pid, started_at) DO NOTHING;
END
$register$;

-- The sessions of workers that belong to the caller's login: nobody is told another's.
CREATE OR REPLACE FUNCTION rollup.sessions_of(workers text[])
RETURNS TABLE (pid integer, started_at timestamptz, session_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $sessions$
  SELECT s.pid, s.started_at, s.session_name
  FROM rollup.workers AS w JOIN rollup.worker_sessions AS s ON s.worker = w.name
  WHERE w.name = ANY (workers) AND w.login = session_user
$sessions$;

-- Forgets a worker that has gone, unless jobs are still in its name.
CREATE OR REPLACE FUNCTION rollup.retire_worker(worker text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $retire$
  DELETE FROM rollup.workers AS w
  WHERE w.name = retire_worker.worker AND w.login = session_user
    AND NOT EXISTS (SELECT FROM rollup.jobs AS j WHERE j.state = 'taken' AND j.worker = w.name)
$retire$;

-- Asks for a job, once those that it needs are done. Returns its number, or that of the one with its unique key which has not begun.
-- Chunks of a run, jobs that need one, and the unique keys of schedules are for whoever has the owner's rights.
CREATE OR REPLACE FUNCTION rollup.enqueue_job(
  queue text, kind text, arguments jsonb, priority smallint, run bigint, weight bigint, not_before timestamp with time zone, unique_key text,
  needs bigint[], max_failures integer, time_limit integer, step smallint
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $enqueue$
#variable_conflict use_column
DECLARE
  open_needs bigint[] := '{}';
  made bigint;
BEGIN
  IF (
    enqueue_job.run IS NOT NULL OR enqueue_job.step <> 0
    OR EXISTS (SELECT FROM rollup.jobs AS j WHERE j.id = ANY (enqueue_job.needs) AND j.run IS NOT NULL)
    OR starts_with(enqueue_job.unique_key, 'schedule ')
  ) AND NOT rollup.caller_is_owner() THEN
    RAISE EXCEPTION 'chunks of runs, what needs them, and jobs of schedules are for rollup_closer to ask for'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF cardinality(enqueue_job.needs) > 0 THEN
    -- Locked, so that they are not done meanwhile.
    SELECT coalesce(array_agg(n.id), '{}') INTO open_needs
    FROM (
      SELECT j.id FROM rollup.jobs AS j
      WHERE j.id = ANY (enqueue_job.needs) AND j.state <> 'done'
      ORDER BY j.id
      FOR SHARE
    ) AS n;
  END IF;
  LOOP
    INSERT INTO rollup.jobs (queue, kind, arguments, priority, state, run, weight, not_before, unique_key, needs, max_failures,
      time_limit, step)
    VALUES (enqueue_job.queue, enqueue_job.kind, enqueue_job.arguments, enqueue_job.priority,
      CASE cardinality(open_needs) WHEN 0 THEN 'waiting' ELSE 'blocked' END, enqueue_job.run, enqueue_job.weight,
      coalesce(enqueue_job.not_before, '-infinity'), enqueue_job.unique_key, cardinality(open_needs), enqueue_job.max_failures,
      enqueue_job.time_limit, enqueue_job.step)
    ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL AND state IN ('blocked', 'waiting') DO NOTHING
    RETURNING id INTO made;
    IF made IS NOT NULL THEN
      INSERT INTO rollup.job_needs (needed, job) SELECT n.id, made FROM unnest(open_needs) AS n (id);
      IF cardinality(open_needs) = 0 THEN
        PERFORM pg_notify('rollup_jobs', enqueue_job.queue);
      END IF;
      RETURN made;
    END IF;
    -- Locked, so that it does not begin before the caller's transaction is there for it to see.
    SELECT j.id INTO made FROM rollup.jobs AS j
    WHERE j.kind = enqueue_job.kind AND j.unique_key = enqueue_job.unique_key AND j.state IN ('blocked', 'waiting')
    FOR NO KEY UPDATE;
    IF made IS NOT NULL THEN
      RETURN made;
    END IF;
  END LOOP;
END
$enqueue$;

-- Asks for many jobs, without uniqueness or needs. Returns their numbers, in order.
CREATE OR REPLACE FUNCTION rollup.enqueue_jobs(
  queues text[], kinds text[], arguments text[], priorities smallint[], runs bigint[], weights bigint[], max_failures integer[],
  time_limits integer[], not_before timestamp with time zone[], steps smallint[]
) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $enqueue$
#variable_conflict use_column
BEGIN
  IF EXISTS (
    SELECT FROM unnest(enqueue_jobs.runs, enqueue_jobs.steps) AS a (run, step) WHERE a.run IS NOT NULL OR a.step <> 0
  ) AND NOT rollup.caller_is_owner() THEN
    RAISE EXCEPTION 'chunks of runs are for rollup_closer to ask for' USING ERRCODE = 'insufficient_privilege';
  END IF;
  PERFORM pg_notify('rollup_jobs', q.queue) FROM (SELECT DISTINCT unnest(enqueue_jobs.queues) AS queue) AS q;
  RETURN QUERY
  INSERT INTO rollup.jobs (queue, kind, arguments, priority, run, weight, max_failures, time_limit, not_before, step)
  SELECT a.queue, a.kind, a.arguments::jsonb, a.priority, a.run, a.weight, a.max_failures, a.time_limit,
    coalesce(a.not_before, '-infinity'), a.step
  FROM unnest(enqueue_jobs.queues, enqueue_jobs.kinds, enqueue_jobs.arguments, enqueue_jobs.priorities, enqueue_jobs.runs,
      enqueue_jobs.weights, enqueue_jobs.max_failures, enqueue_jobs.time_limits, enqueue_jobs.not_before, enqueue_jobs.steps)
    WITH ORDINALITY AS a (queue, kind, arguments, priority, run, weight, max_failures, time_limit, not_before, step, number)
  ORDER BY a.number
  RETURNING id;
END
$enqueue$;

-- Takes the next jobs for a worker: of the step that their queue is at, by priority, then in the order in which they were asked for.
-- Chunks of runs are taken by whoever has the owner's rights alone.
--
-- The first jobs that wait are read off the index that has them in order, whatever the planner knows of jobs. It never knows them well:
-- of a kind that was not there when it last looked it expects none, and then it reads all jobs and sorts all that wait for each handful
-- that is taken (docs/benchmarks.md). How many are asked for it does not know either, and joins what is taken with all jobs by a merge:
-- each by its number is a hundred times less. The plan is made once for each session.
CREATE OR REPLACE FUNCTION rollup.take_jobs(most bigint, queues text[], kinds text[], worker text, lease interval)
RETURNS SETOF rollup.jobs
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET jit = off
SET plan_cache_mode = force_generic_plan AS $take$
#variable_conflict use_column
DECLARE
  takes_runs boolean := rollup.caller_is_owner();
BEGIN
  IF NOT EXISTS (SELECT FROM rollup.workers AS w WHERE w.name = take_jobs.worker AND w.login = session_user) THEN
    PERFORM rollup.register_session(take_jobs.worker, NULL);
  END IF;
  RETURN QUERY
  WITH next AS (
    SELECT n.id
    FROM unnest(take_jobs.queues) AS q (queue)
    LEFT JOIN LATERAL (
      SELECT s.step FROM rollup.jobs AS s
      WHERE s.queue = q.queue AND s.step > 0 AND s.state IN ('waiting', 'taken')
      ORDER BY s.step
      LIMIT 1
    ) AS first ON true
    CROSS JOIN LATERAL (
      SELECT w.id, w.priority FROM rollup.jobs AS w
      WHERE w.queue = q.queue AND w.step <= coalesce(first.step, 0::smallint) AND w.state = 'waiting' AND w.not_before <= now()
        AND w.kind = ANY (take_jobs.kinds) AND (takes_runs OR w.run IS NULL)
      ORDER BY w.step, w.priority, w.id
      LIMIT take_jobs.most
      FOR UPDATE SKIP LOCKED
    ) AS n
    ORDER BY n.priority, n.id
    LIMIT take_jobs.most
  )
  UPDATE rollup.jobs AS j
  SET state = 'taken', worker = take_jobs.worker, attempts = j.attempts + 1, taken_at = now(), alive_at = now(),
    lease = coalesce(take_jobs.lease, '30 s')
  FROM next
  WHERE j.id = next.id
  RETURNING j.*;
END
$take$;

-- Says that a worker is alive. Returns its jobs, and which of them it is asked to stop. One that is being completed is passed over, and is
-- still the worker's.
CREATE OR REPLACE FUNCTION rollup.keep_jobs(worker text) RETURNS TABLE (id bigint, is_cancelled boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $keep$
#variable_conflict use_column
BEGIN
  UPDATE rollup.workers AS w SET alive_at = now() WHERE w.name = keep_jobs.worker AND w.login = session_user;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  UPDATE rollup.jobs AS j SET alive_at = now()
  FROM (
    SELECT t.id FROM rollup.jobs AS t WHERE t.state = 'taken' AND t.worker = keep_jobs.worker FOR UPDATE SKIP LOCKED
  ) AS mine
  WHERE j.id = mine.id;
  RETURN QUERY SELECT j.id, j.is_cancelled FROM rollup.jobs AS j WHERE j.state = 'taken' AND j.worker = keep_jobs.worker;
END
$keep$;

-- Puts the jobs of workers that have been silent for their own lease back. Returns a row a job, with the worker that had it.
CREATE OR REPLACE FUNCTION rollup.rescue_jobs(rescuer text) RETURNS TABLE (id bigint, worker text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $rescue$
  WITH put_back AS (
    UPDATE rollup.jobs AS j
    SET state = CASE WHEN j.is_cancelled THEN 'cancelled' ELSE 'waiting' END, unique_key = NULL,
      done_at = CASE WHEN j.is_cancelled THEN now() END
    FROM (
      SELECT t.id FROM rollup.jobs AS t
      WHERE t.state = 'taken' AND t.alive_at < now() - t.lease AND t.worker IS DISTINCT FROM rescue_jobs.rescuer
      FOR UPDATE SKIP LOCKED
    ) AS silent
    WHERE j.id = silent.id
    RETURNING j.id, j.worker, pg_notify('rollup_jobs', j.queue)
  )
  SELECT p.id, p.worker FROM put_back AS p
$rescue$;

-- Notes that jobs are done: those that are still the worker's in the attempt that is named. Returns their numbers. Jobs that need no other
-- any more may then be taken.
--
-- Few are looked up each by its number, by a plan that is made once for each session. Of many that plan compares each job that is taken
-- with each that was done (8,389 in 12 s), and meanwhile still more are done; so it is planned anew, and joined otherwise.
CREATE OR REPLACE FUNCTION rollup.complete_jobs(
  ids bigint[], tries integer[], worker text, written bigint, removed bigint, emitted bigint, differences bigint, parts jsonb
) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_nestloop = on SET enable_mergejoin = off
SET enable_hashjoin = off SET jit = off AS $complete$
#variable_conflict use_column
BEGIN
  IF cardinality(complete_jobs.ids) > 20 THEN
    -- Until the function returns.
    PERFORM set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_nestloop', 'off', true),
      set_config('enable_mergejoin', 'on', true), set_config('enable_hashjoin', 'on', true);
  END IF;
  IF NOT EXISTS (SELECT FROM rollup.workers AS w WHERE w.name = complete_jobs.worker AND w.login = session_user) THEN
    RETURN;
  END IF;
  RETURN QUERY
  WITH done AS (
    UPDATE rollup.jobs AS j
    SET state = 'done', done_at = clock_timestamp(), error = NULL, written = complete_jobs.written,
      removed = complete_jobs.removed, emitted = complete_jobs.emitted, found = complete_jobs.differences, parts = complete_jobs.parts
    FROM unnest(complete_jobs.ids, complete_jobs.tries) AS a (id, attempts)
    WHERE j.id = a.id AND j.attempts = a.attempts AND j.state = 'taken' AND j.worker = complete_jobs.worker AND NOT j.is_cancelled
    RETURNING j.id
  ), needing AS (
    SELECT n.job, count(*)::integer AS fewer FROM rollup.job_needs AS n JOIN done ON n.needed = done.id GROUP BY n.job
  ), held AS MATERIALIZED (
    SELECT h.id FROM rollup.jobs AS h WHERE h.id IN (SELECT job FROM needing) ORDER BY h.id FOR NO KEY UPDATE
  ), freed AS (
    UPDATE rollup.jobs AS j
    SET needs = j.needs - n.fewer,
      state = CASE WHEN j.needs = n.fewer AND j.state = 'blocked' THEN 'waiting' ELSE j.state END
    FROM needing AS n JOIN held AS h ON h.id = n.job
    WHERE j.id = n.job
    RETURNING CASE WHEN j.state = 'waiting' THEN pg_notify('rollup_jobs', j.queue) END
  )
  SELECT d.id FROM done AS d WHERE (SELECT count(*) FROM freed) >= 0;
END
$complete$;

-- Puts a job back, to be tried again later, or ends it when it has failed too often. Returns its state; null when it is not the worker's.
CREATE OR REPLACE FUNCTION rollup.fail_job(id bigint, attempt integer, worker text, error text, backoff double precision) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fail$
  UPDATE rollup.jobs AS j
  SET failures = j.failures + 1, error = fail_job.error, unique_key = NULL,
    state = CASE WHEN j.is_cancelled THEN 'cancelled' WHEN j.failures + 1 >= j.max_failures THEN 'aside' ELSE 'waiting' END,
    done_at = CASE WHEN j.is_cancelled THEN now() END,
    not_before = now() + make_interval(secs => least(fail_job.backoff * 2 ^ j.failures, 3600) * (0.5 + random() / 2))
  FROM rollup.workers AS w
  WHERE j.id = fail_job.id AND j.state = 'taken' AND j.worker = fail_job.worker AND j.attempts = fail_job.attempt
    AND w.name = fail_job.worker AND w.login = session_user
  RETURNING j.state
$fail$;

-- Puts a job back as if it had not been taken. Returns whether it was the worker's.
CREATE OR REPLACE FUNCTION rollup.put_back_job(id bigint, attempt integer, worker text, pause interval) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $put_back$
  WITH put_back AS (
    UPDATE rollup.jobs AS j
    SET state = CASE WHEN j.is_cancelled THEN 'cancelled' ELSE 'waiting' END, unique_key = NULL,
      not_before = now() + put_back_job.pause, done_at = CASE WHEN j.is_cancelled THEN now() END
    FROM rollup.workers AS w
    WHERE j.id = put_back_job.id AND j.state = 'taken' AND j.worker = put_back_job.worker AND j.attempts = put_back_job.attempt
      AND w.name = put_back_job.worker AND w.login = session_user
    RETURNING pg_notify('rollup_jobs', j.queue)
  )
  SELECT count(*) > 0 FROM put_back
$put_back$;

-- Gives jobs that have failed too often, or were cancelled, another try; without the owner's rights only those that the caller's login
-- has asked for. Returns how many.
CREATE OR REPLACE FUNCTION rollup.retry_jobs(ids bigint[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $retry$
  WITH retried AS (
    UPDATE rollup.jobs AS j
    SET state = CASE WHEN j.needs > 0 THEN 'blocked' ELSE 'waiting' END, failures = 0, not_before = '-infinity',
      is_cancelled = false, done_at = NULL, unique_key = NULL
    WHERE j.id = ANY (retry_jobs.ids) AND j.state IN ('aside', 'cancelled')
      AND (j.run IS NULL AND j.created_by = session_user OR rollup.caller_is_owner())
    RETURNING pg_notify('rollup_jobs', j.queue)
  )
  SELECT count(*) FROM retried
$retry$;

-- Cancels jobs, and those that need them; without the owner's rights only those that the caller's login has asked for. One that a worker
-- has is stopped with the worker's next heartbeat. Returns how many were not over yet.
CREATE OR REPLACE FUNCTION rollup.cancel_jobs(ids bigint[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $cancel$
  WITH RECURSIVE all_of_them (id) AS (
    SELECT unnest(cancel_jobs.ids)
    UNION
    SELECT n.job FROM all_of_them AS a JOIN rollup.job_needs AS n ON n.needed = a.id
  ), cancelled AS (
    UPDATE rollup.jobs AS j
    SET is_cancelled = true, state = CASE WHEN j.state = 'taken' THEN j.state ELSE 'cancelled' END,
      done_at = CASE WHEN j.state = 'taken' THEN j.done_at ELSE now() END
    FROM (
      SELECT h.id FROM rollup.jobs AS h
      WHERE h.id IN (SELECT a.id FROM all_of_them AS a)
        AND (h.run IS NULL AND h.created_by = session_user OR rollup.caller_is_owner())
      ORDER BY h.id
      FOR NO KEY UPDATE
    ) AS a
    WHERE j.id = a.id AND j.state IN ('blocked', 'waiting', 'taken', 'aside')
    RETURNING 1
  )
  SELECT count(*) FROM cancelled
$cancel$;

-- Forgets jobs that have been over for long, some at a time, and workers that are gone; with the owner's rights runs of projections too.
-- Jobs of steps stay for as long as their run. Returns how many jobs.
CREATE OR REPLACE FUNCTION rollup.prune_jobs(history interval, most bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $prune$
DECLARE
  prunes_runs boolean := rollup.caller_is_owner();
  pruned bigint;
BEGIN
  DELETE FROM rollup.worker_sessions AS s
  WHERE NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = s.pid);
  DELETE FROM rollup.workers AS w
  WHERE w.alive_at < now() - interval '1 day'
    AND NOT EXISTS (SELECT FROM rollup.jobs AS j WHERE j.state = 'taken' AND j.worker = w.name);
  IF prunes_runs THEN
    DELETE FROM rollup.runs AS r WHERE r.kind = 'project' AND r.finished_at < now() - prune_jobs.history;
  END IF;
  DELETE FROM rollup.jobs AS j
  WHERE j.id IN (
    SELECT o.id FROM rollup.jobs AS o
    WHERE o.step = 0 AND o.state IN ('done', 'cancelled') AND o.done_at < now() - prune_jobs.history
      AND (prunes_runs OR o.run IS NULL)
    LIMIT prune_jobs.most
    FOR UPDATE SKIP LOCKED
  );
  GET DIAGNOSTICS pruned = ROW_COUNT;
  RETURN pruned;
END
$prune$;

REVOKE EXECUTE ON FUNCTION rollup.caller_is_owner(), rollup.register_session(text, timestamptz), rollup.sessions_of(text[]),
  rollup.retire_worker(text),
  rollup.enqueue_job(text, text, jsonb, smallint, bigint, bigint, timestamptz, text, bigint[], integer, integer, smallint),
  rollup.enqueue_jobs(text[], text[], text[], smallint[], bigint[], bigint[], integer[], integer[], timestamptz[], smallint[]),
  rollup.take_jobs(bigint, text[], text[], text, interval), rollup.keep_jobs(text), rollup.rescue_jobs(text),
  rollup.complete_jobs(bigint[], integer[], text, bigint, bigint, bigint, bigint, jsonb),
  rollup.fail_job(bigint, integer, text, text, double precision), rollup.put_back_job(bigint, integer, text, interval),
  rollup.retry_jobs(bigint[]), rollup.cancel_jobs(bigint[]), rollup.prune_jobs(interval, bigint)
FROM PUBLIC;
