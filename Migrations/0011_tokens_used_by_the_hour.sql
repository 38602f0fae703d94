-- That a token was used is noted once an hour, not once a minute: each note is a change of the database, after which a
-- dashboard makes its pages anew.

CREATE OR REPLACE FUNCTION rollup.admit(secret text) RETURNS TABLE (
  id text, name text, state text, district text, block text, facility_id uuid, reads_lists boolean, expires_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $admit$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT * FROM rollup.enter(secret);
  IF current_setting('transaction_read_only') = 'off' THEN
    UPDATE rollup.tokens AS t
    SET last_used_at = now()
    WHERE t.id = (rollup.in_force()).id AND (t.last_used_at IS NULL OR t.last_used_at < now() - interval '1 hour');
  END IF;
END
$admit$;
