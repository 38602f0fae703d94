-- What whoever holds a token gives to these functions is looked at before anything is done with it: arrays of the wrong shape,
-- nothing where something has to be, texts without end. Names are compared byte by byte, as the policies do.

-- Refuses a region that is not four names: state, district, block, facility. PostgreSQL counts an array's elements from whatever number
-- the caller writes ('[0:3]={…}'), so region[1] of one array is region[2] of another.
CREATE OR REPLACE FUNCTION rollup.refuse_odd_region(region text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $odd_region$
BEGIN
  IF region IS NULL OR array_ndims(region) IS DISTINCT FROM 1 OR array_lower(region, 1) IS DISTINCT FROM 1
    OR array_length(region, 1) IS DISTINCT FROM 4
  THEN
    RAISE EXCEPTION 'a region is four names: state, district, block and facility' USING ERRCODE = 'invalid_parameter_value';
  ELSIF EXISTS (SELECT FROM unnest(region) AS r (name) WHERE octet_length(r.name) NOT BETWEEN 1 AND 20000) THEN
    RAISE EXCEPTION 'a name of the region is empty or too long' USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$odd_region$;

-- Refuses facilities that are not a plain list of ids; null, for everybody's, is the caller's to allow.
CREATE OR REPLACE FUNCTION rollup.refuse_odd_facilities(facilities uuid[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $odd_facilities$
BEGIN
  IF cardinality(facilities) > 0 AND (array_ndims(facilities) <> 1 OR array_lower(facilities, 1) <> 1) THEN
    RAISE EXCEPTION 'facilities are a list of ids' USING ERRCODE = 'invalid_parameter_value';
  ELSIF cardinality(facilities) > 1000000 OR array_position(facilities, NULL) IS NOT NULL THEN
    RAISE EXCEPTION 'facilities are at most a million ids, none of them null' USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$odd_facilities$;

-- Refuses a period, or limits, that are none.
CREATE OR REPLACE FUNCTION rollup.refuse_odd_question(statement text, type "char", start date, month date) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $odd_question$
BEGIN
  IF statement IS NULL OR octet_length(statement) > 100 OR type IS NULL OR start IS NULL OR month IS NULL
    OR NOT isfinite(start) OR NOT isfinite(month)
  THEN
    RAISE EXCEPTION 'name a statement, a type of period, a first day and a month' USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$odd_question$;

CREATE OR REPLACE FUNCTION rollup.refuse_odd_limits(systolic integer, diastolic integer) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $odd_limits$
BEGIN
  IF systolic IS NULL OR diastolic IS NULL OR systolic NOT BETWEEN 1 AND 1000 OR diastolic NOT BETWEEN 1 AND 1000 THEN
    RAISE EXCEPTION 'limits are two pressures in mmHg' USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$odd_limits$;

-- Puts a token in force until the transaction ends. The setting has the transaction's time behind a space, so a secret has none.
CREATE OR REPLACE FUNCTION rollup.enter(secret text) RETURNS TABLE (
  id text, name text, state text, district text, block text, facility_id uuid, reads_lists boolean, expires_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $enter$
#variable_conflict use_column
BEGIN
  IF secret IS NULL OR octet_length(secret) NOT BETWEEN 1 AND 200 OR position(' ' IN secret) > 0 THEN
    RAISE EXCEPTION 'the token is unknown, expired or revoked' USING ERRCODE = 'invalid_authorization_specification';
  END IF;
  PERFORM set_config('rollup.token', secret || ' ' || extract(epoch FROM now())::text, true);
  RETURN QUERY
    SELECT t.id, t.name, t.state, t.district, t.block, t.facility_id, t.reads_lists, t.expires_at
    FROM rollup.in_force() AS t
    WHERE t.id IS NOT NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the token is unknown, expired or revoked' USING ERRCODE = 'invalid_authorization_specification';
  END IF;
END
$enter$;

-- Begins a login of at most twelve hours: from then on the secret that has this SHA-256 opens what the token opens. Of a token
-- alone: with a login no other is begun, or it would never end.
CREATE OR REPLACE FUNCTION rollup.log_in(secret text, session_hash bytea) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $log_in$
DECLARE
  holding rollup.tokens;
  until timestamptz;
BEGIN
  IF session_hash IS NULL OR length(session_hash) <> 32 THEN
    RAISE EXCEPTION 'a login is known by a SHA-256' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF octet_length(secret) <= 200 THEN
    SELECT t.* INTO holding
    FROM rollup.tokens AS t
    WHERE t.secret_hash = sha256(convert_to(secret, 'UTF8')) AND t.revoked_at IS NULL AND t.expires_at > now();
  END IF;
  IF holding.id IS NULL THEN
    RAISE EXCEPTION 'the token is unknown, expired or revoked' USING ERRCODE = 'invalid_authorization_specification';
  END IF;
  -- Nobody waits for another's clearing up.
  DELETE FROM rollup.sessions AS old
  WHERE old.secret_hash IN (SELECT s.secret_hash FROM rollup.sessions AS s WHERE s.expires_at < now() FOR UPDATE SKIP LOCKED);
  INSERT INTO rollup.sessions AS s (secret_hash, token, expires_at)
  VALUES (session_hash, holding.id, least(holding.expires_at, now() + interval '12 hours'))
  RETURNING s.expires_at INTO until;
  UPDATE rollup.tokens AS t SET last_used_at = now() WHERE t.id = holding.id;
  RETURN until;
END
$log_in$;

-- Ends a login; its token holds on.
CREATE OR REPLACE FUNCTION rollup.log_out(secret text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $log_out$
  DELETE FROM rollup.sessions AS s
  WHERE octet_length(secret) <= 200 AND s.secret_hash = sha256(convert_to(secret, 'UTF8'))
$log_out$;

-- Refuses facilities that are not the token's: neither now nor in an edition of the period.
CREATE OR REPLACE FUNCTION rollup.refuse_beyond_reach(facilities uuid[], type "char", start date) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $refuse$
DECLARE
  reach text[] := rollup.reach();
BEGIN
  PERFORM rollup.refuse_odd_facilities(facilities);
  IF reach IS NULL THEN
    RAISE EXCEPTION 'no token is in force' USING ERRCODE = 'invalid_authorization_specification';
  ELSIF reach = ARRAY[NULL, NULL, NULL, NULL]::text[] THEN
    RETURN;
  ELSIF facilities IS NULL OR EXISTS (
    SELECT unnest(facilities)
    EXCEPT (
      SELECT p.id FROM rollup.places_in_reach() AS p
      UNION ALL
      SELECT f.facility_id
      FROM rollup.published_figures AS f
      WHERE f.period_type = type AND f.period_start = start AND (reach[1] IS NULL OR f.state = reach[1])
        AND (reach[2] IS NULL OR f.district = reach[2]) AND (reach[3] IS NULL OR f.block = reach[3])
        AND (reach[4] IS NULL OR f.facility_id::text = reach[4])
    )
  ) THEN
    RAISE EXCEPTION 'that is beyond the token''s region' USING ERRCODE = 'insufficient_privilege';
  END IF;
END
$refuse$;

-- Figures by facility, counted by a filed statement from patients' rows that the caller cannot read. To compile such a statement takes
-- longer than to execute it.
CREATE OR REPLACE FUNCTION rollup.filed_figures(
  statement text, type "char", start date, month date, facilities uuid[], systolic integer, diastolic integer
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $figures$
DECLARE
  filed text;
BEGIN
  PERFORM rollup.refuse_odd_question(statement, type, start, month);
  PERFORM rollup.refuse_odd_limits(systolic, diastolic);
  PERFORM rollup.refuse_beyond_reach(facilities, type, start);
  SELECT f.text INTO filed
  FROM rollup.filed_statements AS f
  WHERE f.name = statement AND f.period_type = type AND f.period_start = start AND f.evaluated = month
    AND f.counts_all = (facilities IS NULL) AND NOT f.lists_patients;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no figures are filed for %', start USING ERRCODE = 'no_data_found';
  END IF;
  RETURN QUERY EXECUTE filed USING coalesce(facilities, '{}'), systolic, diastolic;
END
$figures$;

-- Puts on record that a list of patients is about to be read: of a list there is, and of a region that read_list understands as it
-- stands here.
CREATE OR REPLACE FUNCTION rollup.announce_list(
  statement text, type "char", start date, month date, of_edition integer, of_region text[]
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $announce$
DECLARE
  token rollup.tokens := rollup.in_force();
  announced bigint;
BEGIN
  IF token.id IS NULL THEN
    RAISE EXCEPTION 'no token is in force' USING ERRCODE = 'invalid_authorization_specification';
  ELSIF NOT token.reads_lists THEN
    RAISE EXCEPTION 'the token is for figures only' USING ERRCODE = 'insufficient_privilege';
  END IF;
  PERFORM rollup.refuse_odd_question(statement, type, start, month);
  PERFORM rollup.refuse_odd_region(of_region);
  IF of_edition < 1 OR statement NOT IN ('recall', 'patients', 'published patients')
    OR (statement = 'published patients') <> (of_edition IS NOT NULL)
  THEN
    RAISE EXCEPTION 'there is no such list' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  INSERT INTO rollup.list_reads (token, list, period_type, period_start, evaluated, edition, region)
  VALUES (token.id, statement, type, start, month, of_edition, of_region)
  RETURNING number INTO announced;
  RETURN announced;
END
$announce$;

-- The patients of an announced list, once: only after the announcement is committed, which no rollback of this reading undoes.
CREATE OR REPLACE FUNCTION rollup.read_list(announced bigint, facilities uuid[], systolic integer, diastolic integer)
RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $read$
DECLARE
  token rollup.tokens := rollup.in_force();
  asked rollup.list_reads;
  filed text;
  found_rows bigint;
BEGIN
  IF token.id IS NULL THEN
    RAISE EXCEPTION 'no token is in force' USING ERRCODE = 'invalid_authorization_specification';
  END IF;
  SELECT r.* INTO asked FROM rollup.list_reads AS r WHERE r.number = announced;
  IF asked.token IS DISTINCT FROM token.id OR NOT token.reads_lists OR asked.read_at IS NOT NULL
    OR asked.announced_in = pg_current_xact_id() OR asked.announced_at < now() - interval '5 minutes'
  THEN
    RAISE EXCEPTION 'the list has not been announced' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF facilities IS NULL THEN
    RAISE EXCEPTION 'a list is of named facilities' USING ERRCODE = 'insufficient_privilege';
  END IF;
  PERFORM rollup.refuse_odd_region(asked.region);
  PERFORM rollup.refuse_odd_limits(systolic, diastolic);
  PERFORM rollup.refuse_beyond_reach(facilities, asked.period_type, asked.period_start);
  -- And of those that were announced.
  IF EXISTS (
    SELECT unnest(facilities)
    EXCEPT (
      SELECT p.id FROM rollup.places_in_reach() AS p
      WHERE rollup.lies_in(asked.region, p.state, p.district, p.block, p.name, p.id)
      UNION ALL
      SELECT f.facility_id FROM rollup.published_figures AS f
      WHERE f.period_type = asked.period_type AND f.period_start = asked.period_start
        AND rollup.lies_in(asked.region, f.state, f.district, f.block, f.facility, f.facility_id)
    )
  ) THEN
    RAISE EXCEPTION 'another region was announced' USING ERRCODE = 'insufficient_privilege';
  END IF;
  SELECT f.text INTO filed
  FROM rollup.filed_statements AS f
  WHERE f.name = asked.list AND f.lists_patients AND NOT f.counts_all AND (
    f.period_type = asked.period_type AND f.period_start = asked.period_start AND f.evaluated = asked.evaluated
      AND asked.edition IS NULL
    OR f.period_type = '*' AND asked.edition IS NOT NULL
  );
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no list is filed for %', asked.period_start USING ERRCODE = 'no_data_found';
  END IF;
  RETURN QUERY EXECUTE filed
    USING facilities, systolic, diastolic, asked.period_type, asked.period_start, asked.edition;
  GET DIAGNOSTICS found_rows = ROW_COUNT;
  UPDATE rollup.list_reads SET read_at = now(), rows = found_rows WHERE number = announced;
END
$read$;

-- Whether a facility lies in a region: names byte by byte, as whoever announces has found them spelled; a facility by its name or id.
CREATE OR REPLACE FUNCTION rollup.lies_in(region text[], state text, district text, block text, facility text, id uuid)
RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $lies$
  SELECT (region[1] IS NULL OR state = region[1])
    AND (region[2] IS NULL OR district = region[2])
    AND (region[3] IS NULL OR coalesce(block = region[3], false))
    AND (region[4] IS NULL OR coalesce(facility = region[4] OR id::text = lower(region[4]), false))
$lies$;

-- The places that have been noted since a snapshot, as the caller's snapshot sees them; null where anything may have changed, or is not
-- known any more. A note that the snapshot sees and that has a later transaction's number was written by hand and says nothing.
CREATE OR REPLACE FUNCTION rollup.changes_since(earlier pg_snapshot) RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- A table of some minutes' notes, which nobody has analyzed, is read by its index. What is switched off has a cost beyond every limit
-- from which the server compiles plans, which takes a hundred times as long as the plan.
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $since$
BEGIN
  IF rollup.sees_all_of(pg_current_snapshot(), earlier) IS NOT TRUE
    OR rollup.sees_all_of(earlier, (SELECT f.seen_by FROM rollup.changes_forgotten AS f)) IS NOT TRUE
    OR EXISTS (
      SELECT FROM rollup.changes_of_everything AS e
      WHERE NOT pg_visible_in_snapshot(e.noted_in, earlier) AND e.noted_in < pg_snapshot_xmax(pg_current_snapshot())
    )
  THEN
    RETURN NULL;
  END IF;
  RETURN (
    SELECT coalesce(array_agg(DISTINCT c.place), '{}')
    FROM rollup.changes AS c
    WHERE c.noted_in >= pg_snapshot_xmin(earlier) AND NOT pg_visible_in_snapshot(c.noted_in, earlier)
      AND c.noted_in < pg_snapshot_xmax(pg_current_snapshot())
  );
END
$since$;

-- Forgets notes, not more often than once an hour, and those of transactions that have not been yet. For anybody to call now and then.
CREATE OR REPLACE FUNCTION rollup.forget_changes() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $forget$
DECLARE
  seen pg_snapshot;
BEGIN
  DELETE FROM rollup.changes AS c WHERE c.noted_in >= pg_snapshot_xmax(pg_current_snapshot());
  DELETE FROM rollup.changes_of_everything AS e WHERE e.noted_in >= pg_snapshot_xmax(pg_current_snapshot());
  SELECT f.next_seen_by INTO seen
  FROM rollup.changes_forgotten AS f
  WHERE f.next_at < now() - interval '1 hour'
  FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  DELETE FROM rollup.changes AS c
  WHERE c.noted_in < pg_snapshot_xmax(seen) AND pg_visible_in_snapshot(c.noted_in, seen);
  DELETE FROM rollup.changes_of_everything AS e
  WHERE e.noted_in < pg_snapshot_xmax(seen) AND pg_visible_in_snapshot(e.noted_in, seen);
  UPDATE rollup.changes_forgotten SET seen_by = seen, next_seen_by = pg_current_snapshot(), next_at = now();
END
$forget$;

-- Who notes that anything may have changed can say why; the right to write this column is the right to note, without that to write the
-- transaction.
ALTER TABLE rollup.changes_of_everything ADD COLUMN IF NOT EXISTS reason text;

REVOKE EXECUTE ON FUNCTION rollup.refuse_beyond_reach(uuid[], "char", date) FROM PUBLIC;
