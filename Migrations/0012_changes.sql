-- Whatever writes rollup rows notes which places' figures may change (rollup.changes, made with the rollups), so that a dashboard
-- counts only those again.

-- A note that anything may have changed: a backfill, a closing.
CREATE TABLE rollup.changes_of_everything (noted_in xid8 NOT NULL DEFAULT pg_current_xact_id());

-- Notes are forgotten after one hour to two: whatever the one snapshot saw is gone, what the next saw goes next.
CREATE TABLE rollup.changes_forgotten (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  seen_by pg_snapshot NOT NULL,
  next_seen_by pg_snapshot NOT NULL,
  next_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO rollup.changes_forgotten (seen_by, next_seen_by) VALUES (pg_current_snapshot(), pg_current_snapshot());

-- Whether a snapshot sees whatever an earlier one saw.
CREATE FUNCTION rollup.sees_all_of(later pg_snapshot, earlier pg_snapshot) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $sees$
  SELECT pg_snapshot_xmax(earlier) <= pg_snapshot_xmax(later)
    AND NOT EXISTS (SELECT FROM pg_snapshot_xip(later) AS x (id) WHERE pg_visible_in_snapshot(x.id, earlier))
$sees$;

-- The places that have been noted since a snapshot, as the caller's snapshot sees them; null where anything may have changed, or is not
-- known any more.
CREATE FUNCTION rollup.changes_since(earlier pg_snapshot) RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- A table of some minutes' notes, which nobody has analyzed, is read by its index.
SET enable_seqscan = off SET enable_bitmapscan = off AS $since$
BEGIN
  IF rollup.sees_all_of(pg_current_snapshot(), earlier) IS NOT TRUE
    OR rollup.sees_all_of(earlier, (SELECT f.seen_by FROM rollup.changes_forgotten AS f)) IS NOT TRUE
    OR EXISTS (SELECT FROM rollup.changes_of_everything AS e WHERE NOT pg_visible_in_snapshot(e.noted_in, earlier))
  THEN
    RETURN NULL;
  END IF;
  RETURN (
    SELECT coalesce(array_agg(DISTINCT c.place), '{}')
    FROM rollup.changes AS c
    WHERE c.noted_in >= pg_snapshot_xmin(earlier) AND NOT pg_visible_in_snapshot(c.noted_in, earlier)
  );
END
$since$;

-- Forgets notes, not more often than once an hour. For anybody to call now and then.
CREATE FUNCTION rollup.forget_changes() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $forget$
DECLARE
  seen pg_snapshot;
BEGIN
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

-- What pages show besides rollup rows and editions, and nobody notes: the deployment's settings and the facilities, which are the
-- application's. Equal texts, equal rows.
DO $circumstances$
BEGIN
  EXECUTE format($make$
    CREATE FUNCTION rollup.circumstances() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
      SELECT concat_ws(' ',
        (SELECT sum(hashtextextended(d::text, 0)) FROM rollup.deployment AS d),
        (SELECT concat(count(*), ' ', sum(hashtextextended(f::text, 0))) FROM %s AS f))
    $body$
    $make$, (
      SELECT format('%I.%I', n.nspname, c.relname)
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.oid = 'facilities'::regclass
    ));
END
$circumstances$;

REVOKE EXECUTE ON FUNCTION rollup.changes_since(pg_snapshot), rollup.forget_changes(), rollup.circumstances() FROM PUBLIC;
