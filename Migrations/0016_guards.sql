-- The guards of closed periods trust nothing that a writer can set, and a ledger entry collides with no other.

-- A number only orders entries. As a key it made an entry collide where its sequence has fallen behind the table (a failover, a
-- partial restore), and the entry was lost.
ALTER TABLE IF EXISTS rollup.late_arrivals DROP CONSTRAINT IF EXISTS late_arrivals_pkey;

-- Whether the transaction that has written a row version is committed, so that it is not the one at hand nor one of its
-- subtransactions. A version that is older than the server remembers is.
CREATE OR REPLACE FUNCTION rollup.is_committed(written_in xid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $committed$
  SELECT CASE
      -- At least as young as the snapshot: of this transaction, since no other's could be seen.
      WHEN a.age <= 0 OR a.age > 2147483648 THEN false
      -- Frozen for good.
      WHEN s.next <= a.age THEN true
      ELSE coalesce(pg_xact_status((s.next - a.age)::text::xid8) = 'committed', true)
    END
  FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::numeric AS next) AS s
  CROSS JOIN LATERAL (SELECT (s.next - written_in::text::numeric + 4294967296) % 4294967296 AS age) AS a
$committed$;

-- Whether the session's login may act as the closer, by which backfills are run. Where the roles were not made, everybody may.
CREATE OR REPLACE FUNCTION rollup.acts_as_closer() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $acts$
  SELECT coalesce(pg_has_role(session_user, to_regrole('rollup_closer'), 'MEMBER'), true)
$acts$;

-- Whatever a session's replication role.
ALTER TABLE rollup.editions ENABLE ALWAYS TRIGGER recorded;
