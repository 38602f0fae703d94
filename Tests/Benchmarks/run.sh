#!/bin/sh
# make bench: the figures of docs/benchmarks.md, side by side in one run, on a private server of their own.
# PATIENTS=500000 (15 readings each) and SECONDS_EACH=8 can be set.
set -eu
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
patients=${PATIENTS:-100000}
seconds=${SECONDS_EACH:-8}
ROLLUP_HOME=${BENCH_HOME:-/tmp/rollup-bench}
export ROLLUP_HOME
unset DATABASE_URL PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGSERVICE PGSERVICEFILE 2>/dev/null || true
programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)

timed() { # what, command...
  what=$1; shift
  start=$(date +%s.%N)
  "$@" >/tmp/rollup-bench.out 2>&1 || { cat /tmp/rollup-bench.out >&2; exit 1; }
  end=$(date +%s.%N)
  echo "| $what | $(echo "$end - $start" | bc | xargs printf '%.2f') s |"
}

"$bin/rollup" migrate --time-zone Asia/Kolkata 2>/dev/null
url=$("$bin/rollup" db url)
echo "PostgreSQL $("$programs/psql" "$url" -XAtc 'SHOW server_version'), $(nproc) cores, $patients patients"
echo
echo '| what | time |'
echo '|---|---|'
timed "sample data" "$bin/rollup" sample-data --patients "$patients" --seed 1 --from 2018-01 --to 2024-12
timed "backfill from nothing" "$bin/rollup-backfill" --from 2018-01 --to 2024-12
"$programs/psql" "$url" -Xqc 'VACUUM ANALYZE' 
timed "backfill that finds nothing to change" "$bin/rollup-backfill" --from 2018-01 --to 2024-12
district=$("$programs/psql" "$url" -XAtc 'SELECT district FROM facilities GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1')
"$bin/report" district-bp --quarter 2024Q2 --district "$district" >/dev/null
timed "report of one district and quarter, whole command" "$bin/report" district-bp --quarter 2024Q2 --district "$district"
timed "report of everything, whole command" "$bin/report" district-bp --quarter 2024Q2
sed -e "s/\$1/'$district'/g; s/\$2/'2024-04-01'/g; s/\$3/'Asia\/Kolkata'/g" \
  "$here/../ReportsTests/Resources/district-bp-from-sources.sql" >/tmp/rollup-bench.sql
timed "the same figures of the district from the sources, psql" "$programs/psql" "$url" -Xq -f /tmp/rollup-bench.sql

echo
echo '| durable single inserts, 4 connections, pgbench | transactions a second |'
echo '|---|---|'
variables="\\set p random(1, $patients)
\\set s random(0, 90 * 86400)"
# The library's own statement, as 'rollup explain' prints it, with pgbench's variables in the place of its parameters.
library=$("$bin/rollup" explain blood-pressure | sed -n '/insert, one statement/,/insert ahead/p' | grep -v '^--')
{
  echo "$variables"
  echo "SELECT id AS patient, assigned_facility_id AS facility FROM patients WHERE id >= md5(:p::text)::uuid ORDER BY id LIMIT 1 \\gset"
  parameters=$("$bin/rollup" explain blood-pressure | grep -m1 '^-- insert a blood pressure: ' | sed 's/^-- [^:]*: //')
  echo "$library" | sed $(echo "$parameters" | tr ',' '\n' | sed -n \
    -e 's/^ *\$\([0-9]*\) patient_id.*/-e s\/\$\1::\/:patient_id::\/g/p' \
    -e 's/^ *\$\([0-9]*\) id$/-e s\/\$\1::\/gen_random_uuid()::\/g/p' \
    -e 's/^ *\$\([0-9]*\) recorded_at.*/-e s\/\$\1::\/:recorded_at::\/g/p' \
    -e 's/^ *\$\([0-9]*\) facility_id.*/-e s\/\$\1::\/:facility_id::\/g/p' \
    -e 's/^ *\$\([0-9]*\) systolic.*/-e s\/\$\1::\/130::\/g/p' \
    -e 's/^ *\$\([0-9]*\) diastolic.*/-e s\/\$\1::\/80::\/g/p' \
    -e 's/^ *\$\([0-9]*\) deleted_at.*/-e s\/\$\1::\/NULL::\/g/p' \
    -e 's/^ *\$\([0-9]*\) time_zone.*/-e s\/\$\1::\/:zone::\/g/p') \
    | sed -e "s/:patient_id::/:patient::/g" -e "s/:facility_id::/:facility::/g" \
      -e "s/:recorded_at::timestamptz/('2024-04-01'::timestamptz + :s * interval '1 second')/g" -e "s/:zone::/'Asia\/Kolkata'::/g"
} >/tmp/rollup-bench-library.sql
# The same look-up of a random patient before both, so that only the insert differs.
{
  echo "$variables"
  echo "SELECT id AS patient, assigned_facility_id AS facility FROM patients WHERE id >= md5(:p::text)::uuid ORDER BY id LIMIT 1 \\gset"
  echo "INSERT INTO blood_pressures (patient_id, id, recorded_at, facility_id, systolic, diastolic) VALUES (:patient::uuid, gen_random_uuid(), '2024-04-01'::timestamptz + :s * interval '1 second', :facility::uuid, 130, 80);"
} >/tmp/rollup-bench-bare.sql
rate() {
  "$programs/pgbench" -n -c 4 -j 1 -T "$seconds" -M "$1" -f "$2" "$url" 2>/tmp/rollup-bench.err | sed -n 's/^tps = \([0-9]*\).*/\1/p'
}
for round in 1 2 3; do
  echo "| round $round: bare insert | $(rate prepared /tmp/rollup-bench-bare.sql) |"
  echo "| round $round: the library's insert, five rows in one statement | $(rate prepared /tmp/rollup-bench-library.sql) |"
done
"$bin/rollup" verify >/tmp/rollup-bench.out 2>&1 && echo "" && echo "verify is clean after it"
"$bin/rollup" db stop 2>/dev/null
