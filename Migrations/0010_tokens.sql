-- Access tokens, what each may see, and a record of every list of patients that is read: enforced here, below any service
-- (docs/access.md).

CREATE TABLE rollup.tokens (
  -- Public: what people call it by.
  id text PRIMARY KEY,
  name text NOT NULL,
  -- SHA-256 of the secret. That has 256 random bits, so there is nothing to guess and no need for a slow hash.
  secret_hash bytea NOT NULL UNIQUE,
  -- Whose figures: a region, from the outermost name inwards, or one facility; all null for everybody's.
  state text,
  district text,
  block text,
  facility_id uuid,
  -- Whether lists of patients may be read, or figures only.
  reads_lists boolean NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL DEFAULT session_user,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  revoked_by text,
  -- To the minute.
  last_used_at timestamptz,
  CHECK (district IS NULL OR state IS NOT NULL),
  CHECK (block IS NULL OR district IS NOT NULL),
  CHECK (facility_id IS NULL OR state IS NULL)
);

-- Logins: a browser has a secret of its own, which ends with its token or before, and can be ended without it.
CREATE TABLE rollup.sessions (
  secret_hash bytea PRIMARY KEY CHECK (length(secret_hash) = 32),
  token text NOT NULL REFERENCES rollup.tokens ON DELETE CASCADE,
  began_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);

-- Every list of patients that was asked for. The row is committed before the first patient is read, since what a reading
-- transaction writes it could take back; the reading completes it.
CREATE TABLE rollup.list_reads (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  announced_at timestamptz NOT NULL DEFAULT now(),
  announced_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
  token text NOT NULL REFERENCES rollup.tokens,
  login text NOT NULL DEFAULT session_user,
  list text NOT NULL,
  period_type "char" NOT NULL,
  period_start date NOT NULL,
  evaluated date NOT NULL,
  edition integer,
  -- The region that was asked for, within the token's.
  region text[] NOT NULL,
  -- Null where nothing was read.
  read_at timestamptz,
  rows bigint
);
CREATE INDEX list_reads_of_token ON rollup.list_reads (token, number);

CREATE FUNCTION rollup.guard_list_reads() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
  IF TG_OP = 'UPDATE' AND old.read_at IS NULL
    AND to_jsonb(old) - '{read_at,rows}'::text[] = to_jsonb(new) - '{read_at,rows}'::text[]
  THEN
    RETURN new;
  END IF;
  RAISE EXCEPTION '% of what was read is refused', TG_OP USING ERRCODE = 'RC077';
END
$guard$;
CREATE TRIGGER on_record BEFORE UPDATE OR DELETE ON rollup.list_reads
  FOR EACH ROW EXECUTE FUNCTION rollup.guard_list_reads();
CREATE TRIGGER on_record_whole BEFORE TRUNCATE ON rollup.list_reads
  FOR EACH STATEMENT EXECUTE FUNCTION rollup.guard_list_reads();
ALTER TABLE rollup.list_reads ENABLE ALWAYS TRIGGER on_record, ENABLE ALWAYS TRIGGER on_record_whole;

-- The statements over patients' rows that a service may have executed: their text is this program's, and a service names them.
CREATE TABLE rollup.filed_statements (
  name text NOT NULL,
  period_type "char" NOT NULL,
  period_start date NOT NULL,
  -- The month as of whose end patients are judged.
  evaluated date NOT NULL,
  -- Whether it counts everybody; else those of the facilities that it is given, $1.
  counts_all boolean NOT NULL,
  lists_patients boolean NOT NULL,
  text text NOT NULL,
  PRIMARY KEY (name, period_type, period_start, evaluated, counts_all)
);

-- The token whose secret, or that of one of its logins, the transaction has entered; null without one that holds. The setting has the time of the transaction
-- too, so that one that outlives its transaction on a pooled connection is worth nothing. (In PL/pgSQL because its plans are kept:
-- policies call this five times a statement.)
CREATE FUNCTION rollup.in_force() RETURNS rollup.tokens
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $in_force$
DECLARE
  entered text[] := string_to_array(current_setting('rollup.token', true), ' ');
  hash bytea;
  token rollup.tokens;
BEGIN
  IF entered[2] = extract(epoch FROM now())::text THEN
    hash := sha256(convert_to(entered[1], 'UTF8'));
    SELECT t.* INTO token
    FROM rollup.tokens AS t
    WHERE t.secret_hash = hash AND t.revoked_at IS NULL AND t.expires_at > statement_timestamp();
    IF NOT FOUND THEN
      SELECT t.* INTO token
      FROM rollup.sessions AS s JOIN rollup.tokens AS t ON t.id = s.token
      WHERE s.secret_hash = hash AND s.expires_at > statement_timestamp()
        AND t.revoked_at IS NULL AND t.expires_at > statement_timestamp();
    END IF;
  END IF;
  RETURN token;
END
$in_force$;

-- State, district, block and facility of the token in force; null elements for any, null for no token.
CREATE FUNCTION rollup.reach() RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $reach$
DECLARE
  token rollup.tokens := rollup.in_force();
BEGIN
  RETURN CASE WHEN token.id IS NOT NULL
    THEN ARRAY[token.state, token.district, token.block, token.facility_id::text] END;
END
$reach$;

-- Puts a token in force until the transaction ends.
CREATE FUNCTION rollup.enter(secret text) RETURNS TABLE (
  id text, name text, state text, district text, block text, facility_id uuid, reads_lists boolean, expires_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $enter$
#variable_conflict use_column
BEGIN
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

-- The same, and notes that it was used. In a transaction of its own: who reads in a snapshot could not note it beside others.
CREATE FUNCTION rollup.admit(secret text) RETURNS TABLE (
  id text, name text, state text, district text, block text, facility_id uuid, reads_lists boolean, expires_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $admit$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT * FROM rollup.enter(secret);
  IF current_setting('transaction_read_only') = 'off' THEN
    UPDATE rollup.tokens AS t
    SET last_used_at = now()
    WHERE t.id = (rollup.in_force()).id AND (t.last_used_at IS NULL OR t.last_used_at < now() - interval '1 minute');
  END IF;
END
$admit$;

-- Begins a login of at most twelve hours: from then on the secret that has this SHA-256 opens what the token opens. Of a token
-- alone: with a login no other is begun, or it would never end.
CREATE FUNCTION rollup.log_in(secret text, session_hash bytea) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $log_in$
DECLARE
  holding rollup.tokens;
  until timestamptz;
BEGIN
  SELECT t.* INTO holding
  FROM rollup.tokens AS t
  WHERE t.secret_hash = sha256(convert_to(secret, 'UTF8')) AND t.revoked_at IS NULL AND t.expires_at > now();
  IF NOT FOUND THEN
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
CREATE FUNCTION rollup.log_out(secret text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $log_out$
  DELETE FROM rollup.sessions AS s WHERE s.secret_hash = sha256(convert_to(secret, 'UTF8'))
$log_out$;

-- The facilities as they are now, of the token's region. The table is named with its schema, so that no temporary table of a
-- caller's takes its place.
DO $places$
BEGIN
  EXECUTE format($make$
    CREATE FUNCTION rollup.places_in_reach() RETURNS TABLE (
      id uuid, name text, state text, district text, block text, size text, deleted_at timestamptz
    )
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    #variable_conflict use_column
    DECLARE
      reach text[] := rollup.reach();
    BEGIN
      RETURN QUERY
        SELECT f.id, f.name::text, f.state::text, f.district::text, f.block::text, f.size::text, f.deleted_at::timestamptz
        FROM %s AS f
        WHERE reach IS NOT NULL AND (reach[1] IS NULL OR f.state = reach[1])
          AND (reach[2] IS NULL OR f.district = reach[2]) AND (reach[3] IS NULL OR f.block = reach[3])
          AND (reach[4] IS NULL OR f.id::text = reach[4]);
    END
    $body$
    $make$, (
      SELECT format('%I.%I', n.nspname, c.relname)
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.oid = 'facilities'::regclass
    ));
END
$places$;

-- What a service's statements find under the application's name for facilities; it is first on their search_path.
CREATE SCHEMA IF NOT EXISTS rollup_reach;
CREATE VIEW rollup_reach.facilities WITH (security_barrier) AS SELECT * FROM rollup.places_in_reach();
GRANT USAGE ON SCHEMA rollup_reach TO PUBLIC;
GRANT SELECT ON rollup_reach.facilities TO PUBLIC;

-- Refuses facilities that are not the token's: neither now nor in an edition of the period.
CREATE FUNCTION rollup.refuse_beyond_reach(facilities uuid[], type "char", start date) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $refuse$
DECLARE
  reach text[] := rollup.reach();
BEGIN
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

-- Figures by facility, counted by a filed statement from patients' rows that the caller cannot read.
CREATE FUNCTION rollup.filed_figures(
  statement text, type "char", start date, month date, facilities uuid[], systolic integer, diastolic integer
) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $figures$
DECLARE
  filed text;
BEGIN
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

-- Puts on record that a list of patients is about to be read.
CREATE FUNCTION rollup.announce_list(
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
  INSERT INTO rollup.list_reads (token, list, period_type, period_start, evaluated, edition, region)
  VALUES (token.id, statement, type, start, month, of_edition, of_region)
  RETURNING number INTO announced;
  RETURN announced;
END
$announce$;

-- The patients of an announced list, once: only after the announcement is committed, which no rollback of this reading undoes.
CREATE FUNCTION rollup.read_list(announced bigint, facilities uuid[], systolic integer, diastolic integer) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $read$
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

-- Whether a facility lies in a region that was asked for: names, whatever their case, and a facility's name or id.
CREATE FUNCTION rollup.lies_in(region text[], state text, district text, block text, facility text, id uuid) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $lies$
  SELECT (region[1] IS NULL OR lower(state) = lower(region[1]))
    AND (region[2] IS NULL OR lower(district) = lower(region[2]))
    AND (region[3] IS NULL OR coalesce(lower(block) = lower(region[3]), false))
    AND (region[4] IS NULL OR coalesce(lower(facility) = lower(region[4]) OR id::text = lower(region[4]), false))
$lies$;

REVOKE EXECUTE ON FUNCTION rollup.in_force(), rollup.reach(), rollup.enter(text), rollup.admit(text),
  rollup.log_in(text, bytea), rollup.log_out(text), rollup.places_in_reach(),
  rollup.refuse_beyond_reach(uuid[], "char", date),
  rollup.filed_figures(text, "char", date, date, uuid[], integer, integer),
  rollup.announce_list(text, "char", date, date, integer, text[]), rollup.read_list(bigint, uuid[], integer, integer)
  FROM PUBLIC;

-- For everybody as before. The role of a service has a policy of its own on top, which is made with the role.
CREATE POLICY everybody ON rollup.deployment USING (true) WITH CHECK (true);
CREATE POLICY everybody ON rollup.editions USING (true) WITH CHECK (true);
CREATE POLICY everybody ON rollup.published_figures USING (true) WITH CHECK (true);
ALTER TABLE rollup.deployment ENABLE ROW LEVEL SECURITY;
ALTER TABLE rollup.editions ENABLE ROW LEVEL SECURITY;
ALTER TABLE rollup.published_figures ENABLE ROW LEVEL SECURITY;
