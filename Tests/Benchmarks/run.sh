#!/bin/sh
# make bench: the figures of docs/benchmarks.md as markdown tables, side by side in one run, on a private server of their
# own with the settings every private server has. The server is stopped and its files are removed at the end.
#
#   PATIENTS=100000      how many invented patients, with some 15 readings each
#   SECONDS_EACH=8       how long each series of single writes lasts
#   ROUNDS=3             how many series of each kind, in turn
#   IMPORT_ROWS=200000   how many readings the imports write
#   MEMORY_ROWS=1000000  how many readings the import has whose memory is measured; 0 leaves it out
#   FROM=2018-01         the sample's first month; the last is 2024-12
#   ORDER=time           how readings lie in their table: time, as clinics write them, or patient, as the sample is made
#   LATE_ROWS=2000       how many readings of 2024Q2 come after it is closed
#   BENCH_HOME=…         where the server's files go, and stay; a database that is there is used again
set -eu
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
patients=${PATIENTS:-100000}
seconds=${SECONDS_EACH:-8}
rounds=${ROUNDS:-3}
import_rows=${IMPORT_ROWS:-200000}
memory_rows=${MEMORY_ROWS:-1000000}
from=${FROM:-2018-01}
late_rows=${LATE_ROWS:-2000}
order=${ORDER:-time}

. "$here/server.sh"

# measure RUNS COMMAND...: the median of the seconds, and the most megabytes.
measure() {
  runs=$1
  shift
  quietly "$bin/benchmark" measure --runs "$runs" "$@"
}
seconds_of() { echo "${1% *}"; }
memory_of() { echo "${1#* }"; }
per_second() { awk -v n="$1" -v s="$2" 'BEGIN { printf "%d", n / s }'; }
# ratio NUMERATOR DENOMINATOR
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
# range "1.2 1.1 1.3": 1.10 to 1.30
range() { echo "$1" | tr ' ' '\n' | awk 'NF' | sort -n | awk 'NR == 1 { a = $1 } { b = $1 } END { printf "%s to %s", a, b }'; }

quietly "$bin/rollup" migrate --time-zone Asia/Kolkata
url=$(quietly "$bin/rollup" db url)
psql() { quietly "$programs/psql" "$url" -Xq -v ON_ERROR_STOP=1 "$@"; }
value() { psql -At -c "$1"; }

# What an interrupted run has left: 131/131 marks the readings of which no rollup is to know.
unmarked() { psql -c 'DELETE FROM blood_pressures WHERE (systolic, diastolic) = (131, 131)'; }
unmarked
if [ "$(value 'SELECT count(*) FROM patients')" -eq 0 ]; then
  sample=$(measure 1 "$bin/rollup" sample-data --patients "$patients" --seed 1 --from "$from" --to 2024-12)
  [ "$order" = patient ] || psql -c 'CLUSTER blood_pressures USING blood_pressures_by_time'
fi
patients=$(value 'SELECT count(*) FROM patients')
readings=$(value 'SELECT count(*) FROM blood_pressures')
echo "PostgreSQL $(value 'SHOW server_version'), $(nproc) cores, $patients patients, $readings readings in the order of $order."
echo "Load of the machine at the beginning: $(cut -d ' ' -f 1-3 /proc/loadavg)."

# --- Backfill ---------------------------------------------------------------------------------------------------------

written() { value 'SELECT count(*) FROM rollup.blood_pressure_rollups'; }
# Nothing is spared: no writer is there to rest for.
backfill() { measure 1 "$bin/rollup-backfill" --from "$from" --to 2024-12 --max-latency 0 "$@"; }
before=$(written)
# What the server does by itself after so many new rows is done before the clock starts.
psql -c 'VACUUM ANALYZE' -c CHECKPOINT
first=$(backfill --only blood-pressure)
rest=$(backfill)
psql -c 'VACUUM ANALYZE'
again=$(backfill --only blood-pressure)
all_again=$(backfill)

# What rollups replace: the same rows of months and quarters, with the same columns and indexes, as materialised views, made
# anew as a whole.
view() {
  psql <<END
DROP MATERIALIZED VIEW IF EXISTS blood_pressures_by_$1;
CREATE MATERIALIZED VIEW blood_pressures_by_$1 AS
SELECT DISTINCT ON (patient_id, period_start) '$2'::"char" AS period_type, period_start, patient_id, recorded_at, id, systolic,
  diastolic, facility_id, heart_rate, registration_facility_id, assigned_facility_id,
  extract(year FROM period_start)::integer AS year, to_char(period_start, '$3') AS period_name
FROM (
  SELECT b.patient_id, date_trunc('$1', b.recorded_at AT TIME ZONE 'Asia/Kolkata')::date AS period_start, b.id, b.recorded_at,
    b.systolic, b.diastolic, b.facility_id, b.heart_rate, p.registration_facility_id, p.assigned_facility_id
  FROM blood_pressures AS b
  JOIN patients AS p ON p.id = b.patient_id
  WHERE b.deleted_at IS NULL AND p.deleted_at IS NULL
    AND b.recorded_at >= '$from-01'::timestamp AT TIME ZONE 'Asia/Kolkata'
    AND b.recorded_at < '2025-01-01'::timestamp AT TIME ZONE 'Asia/Kolkata'
) AS b
ORDER BY patient_id, period_start, recorded_at DESC, id DESC
WITH NO DATA;
CREATE UNIQUE INDEX ON blood_pressures_by_$1 (patient_id, period_type, period_start);
CREATE INDEX ON blood_pressures_by_$1 (assigned_facility_id) INCLUDE (patient_id, period_type, period_start);
END
}
view month M YYYY-MM
view quarter Q 'YYYY"Q"Q'
refresh() { measure 1 "$programs/psql" "$url" -Xq -c "REFRESH MATERIALIZED VIEW blood_pressures_by_$1"; }
refresh month >/dev/null
refresh quarter >/dev/null
months=$(refresh month)
quarters=$(refresh quarter)
views=$(awk -v a="$(seconds_of "$months")" -v b="$(seconds_of "$quarters")" 'BEGIN { printf "%.1f", a + b }')
in_views=$(value 'SELECT (SELECT count(*) FROM blood_pressures_by_month) + (SELECT count(*) FROM blood_pressures_by_quarter)')
psql -c 'DROP MATERIALIZED VIEW blood_pressures_by_month, blood_pressures_by_quarter'

echo
echo "| backfill, $from to 2024-12, two workers | time | : views | peak memory |"
echo "|---|---|---|---|"
line() { echo "| $1 | $(seconds_of "$2") s | $(ratio "$(seconds_of "$2")" "$views") | $(memory_of "$2") MB |"; }
if [ "$before" -eq 0 ]; then
  [ -z "${sample:-}" ] || echo "| sample data made | $(seconds_of "$sample") s | | $(memory_of "$sample") MB |"
  line "\`rollup-backfill --only blood-pressure\` from nothing" "$first"
  line "\`rollup-backfill\` of all the rest: visits, blood sugar, registrations, register" "$rest"
fi
line "\`rollup-backfill --only blood-pressure\` that finds nothing to change" "$again"
line "\`rollup-backfill\` of everything that finds nothing to change" "$all_again"
echo "| \`REFRESH MATERIALIZED VIEW\`, months and quarters of blood pressure ($in_views rows; the rollup has $(written)) | $views s | 1.00 | |"

# --- Report -----------------------------------------------------------------------------------------------------------

district=$(value 'SELECT district FROM facilities GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1')
registered=$(value "SELECT count(*) FROM patients AS p JOIN facilities AS f ON f.id = p.registration_facility_id WHERE f.district = '$district'")
psql -c 'VACUUM ANALYZE'
sed -e "s/\$1/'$district'/g; s/\$2/'2024-04-01'/g; s/\$3/'Asia\/Kolkata'/g" \
  "$here/../ReportsTests/Resources/district-bp-from-sources.sql" >"$work/sources.sql"
report() { measure 7 "$bin/report" district-bp --quarter 2024Q2 "$@"; }
report --district "$district" >/dev/null
one=$(report --district "$district")
all=$(report)
measure 1 "$programs/psql" "$url" -Xq -f "$work/sources.sql" >/dev/null
sources=$(measure 3 "$programs/psql" "$url" -Xq -f "$work/sources.sql")

echo
echo "| report of a quarter, the whole command, warm | median | peak memory |"
echo "|---|---|---|"
echo "| \`report district-bp --district\`, $registered registered, 7 runs | $(seconds_of "$one") s | $(memory_of "$one") MB |"
echo "| the same figures from the sources, psql, 3 runs | $(seconds_of "$sources") s | |"
echo "| from the sources : from the rollups | $(ratio "$(seconds_of "$sources")" "$(seconds_of "$one")") | |"
echo "| \`report district-bp\` of everything, 7 runs | $(seconds_of "$all") s | $(memory_of "$all") MB |"

# --- Single writes ----------------------------------------------------------------------------------------------------

. "$here/readings.sh"

by_pgbench() {
  quietly "$programs/pgbench" -n -c 4 -j 1 -T "$seconds" -M prepared -f "$1" "$url" |
    sed -n 's/^tps = \([0-9]*\).*/\1/p'
}
by_client() { quietly "$bin/benchmark" writes --connections 4 --seconds "$seconds" --database-url "$url" "$1"; }
by_pgbench "$work/library.sql" >/dev/null
echo
echo "| durable single writes a second, 4 connections, each after looking up a random patient | $(seq -s ' | ' "$rounds") |"
echo "|---|$(seq "$rounds" | sed 's/.*/---|/' | tr -d '\n')"
a= b= c= d= ba= dc= db=
for round in $(seq "$rounds"); do
  psql -c CHECKPOINT
  a1=$(by_pgbench "$work/bare.sql")
  b1=$(by_pgbench "$work/library.sql")
  c1=$(by_client bare)
  d1=$(by_client library)
  a="$a $a1 |" b="$b $b1 |" c="$c $c1 |" d="$d $d1 |"
  ba="$ba $(ratio "$b1" "$a1")" dc="$dc $(ratio "$d1" "$c1")" db="$db $(ratio "$d1" "$b1")"
done
echo "| pgbench, bare insert |$a"
echo "| pgbench, the library's statement: the reading and its rollup rows |$b"
echo "| the client, bare insert |$c"
echo "| the library: \`store.record(reading)\` |$d"
echo
echo "- pgbench, the library's statement : bare insert: $(range "$ba")"
echo "- **the library : a bare insert by the same client: $(range "$dc")** (aim: 0.80)"
echo "- the library : pgbench with the library's statement: $(range "$db") (aim: 1.00)"

# --- Writers beside a backfill ----------------------------------------------------------------------------------------

# Everything is derived anew meanwhile, again and again, as often as it takes.
unmarked
quietly "$bin/rollup-backfill" --from "$from" --to 2024-12 --only blood-pressure >>"$work/said" 2>&1
alone= beside=
for round in $(seq "$rounds"); do
  psql -c CHECKPOINT
  alone1=$(by_client library)
  (while :; do "$bin/rollup-backfill" --from "$from" --to 2024-12 >>"$work/said" 2>&1 || true; done) &
  backfilling=$!
  sleep 5
  beside1=$(by_client library)
  kill "$backfilling" 2>/dev/null || true
  pkill -INT -P "$backfilling" 2>/dev/null || true
  wait "$backfilling" 2>/dev/null || true
  alone="$alone $alone1" beside="$beside $(ratio "$beside1" "$alone1")"
done
echo
echo "- writers beside \`rollup-backfill\` : writers alone: **$(range "$beside")** (aim: 0.80), alone$(echo "$alone" | sed 's/ /, /g; s/^,//') a second"

# --- Imports ----------------------------------------------------------------------------------------------------------

# New readings, each a second after one that is there, so that nearly every one becomes the most recent of its month:
# what costs the rollups most. In random order, as the readings of many clinics are.
# readings_file ROWS FILE VALUES: makes a CSV file.
readings_file() {
  psql <<END
\\copy (SELECT gen_random_uuid() AS id, patient_id, facility_id, $3, to_char((recorded_at + interval '1 second') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS recorded_at FROM blood_pressures CROSS JOIN generate_series(1, 1 + $1 / $readings) WHERE recorded_at BETWEEN '2018-01-02' AND '2024-12-30' AND deleted_at IS NULL AND (systolic, diastolic) <> (131, 131) ORDER BY random() LIMIT $1) TO '$2' WITH (FORMAT csv, HEADER)
END
}
marked='131 AS systolic, 131 AS diastolic'
readings_file "$import_rows" "$work/copy.csv" "$marked"
readings_file "$import_rows" "$work/psql.csv" "$marked"
readings_file "$import_rows" "$work/sources.csv" "$marked"
readings_file "$import_rows" "$work/record.csv" 'systolic, diastolic'
readings_file "$import_rows" "$work/import.csv" 'systolic, diastolic'
psql -c CHECKPOINT
copied=$(quietly "$bin/benchmark" load --database-url "$url" copy "$work/copy.csv")
psql -c CHECKPOINT
by_psql=$(measure 1 "$programs/psql" "$url" -Xq -c "\\copy blood_pressures (id, patient_id, facility_id, systolic, diastolic, recorded_at) FROM '$work/psql.csv' WITH (FORMAT csv, HEADER)")
psql -c CHECKPOINT
sources_only=$(measure 1 "$bin/rollup" import csv --sources-only --rejects "$work/rejects.csv" --readings "$work/sources.csv")
psql -c CHECKPOINT
recorded=$(quietly "$bin/benchmark" load --database-url "$url" record "$work/record.csv")
psql -c CHECKPOINT
imported=$(measure 1 "$bin/rollup" import csv --rejects "$work/rejects.csv" --readings "$work/import.csv")
row() { printf '%s\n' "| $1 | $2 s | $(per_second "$import_rows" "$2") | $(ratio "$copied" "$2") |"; }
echo
echo "| $import_rows new readings | time | readings a second | of bare COPY's rate |"
echo "|---|---|---|---|"
row "\`COPY blood_pressures FROM STDIN\`, the same client" "$copied"
row "psql \`\\copy\`, the whole command" "$(seconds_of "$by_psql")"
row "\`rollup import csv --sources-only\`, the whole command" "$(seconds_of "$sources_only")"
row "\`store.record(batch)\`, with rollups" "$recorded"
row "\`rollup import csv\`, with rollups, the whole command" "$(seconds_of "$imported")"

# --- Memory -----------------------------------------------------------------------------------------------------------

echo
echo "| peak resident memory of a command (aim: under 64 MB) | MB |"
echo "|---|---|"
if [ "$memory_rows" -gt 0 ]; then
  readings_file "$memory_rows" "$work/memory.csv" 'systolic, diastolic'
  large=$(measure 1 "$bin/rollup" import csv --rejects "$work/rejects.csv" --readings "$work/memory.csv")
  echo "| \`rollup import csv\`, $memory_rows new readings, $(du -m "$work/memory.csv" | cut -f 1) MB ($(seconds_of "$large") s) | $(memory_of "$large") |"
fi
[ "$before" -ne 0 ] || echo "| \`rollup-backfill\` of blood pressure from nothing | $(memory_of "$first") |"
echo "| \`rollup-backfill\` that finds nothing to change | $(memory_of "$again") |"
echo "| \`report district-bp --district\` | $(memory_of "$one") |"
echo "| \`report district-bp\` of everything | $(memory_of "$all") |"

# --- And all of it is right -------------------------------------------------------------------------------------------

unmarked
echo
if "$bin/rollup" verify --from "$from" --to 2024-12 >>"$work/said" 2>&1; then
  echo "\`rollup verify --from $from --to 2024-12\` finds no difference after all of it."
else
  echo "**\`rollup verify\` finds differences.**"
  exit 1
fi

# --- Closing ----------------------------------------------------------------------------------------------------------

size() { value "SELECT $(printf "pg_total_relation_size('rollup.%s') + " "$@") 0"; }
editions() { size published_figures published_patients edition_leaves edition_regions editions; }
longest_wait() { sed -n 's/.*its writers waited \([0-9]*\) ms.*/\1/p' "$1" | sort -n | tail -1; }
megabytes() { awk -v n="$1" 'BEGIN { printf "%.2f", n / 1000000 }'; }

psql -c 'VACUUM ANALYZE'
empty=$(editions)
closing=$("$bin/benchmark" measure --runs 1 "$bin/rollup" close --first-period 2015Q1 --through 2024Q4 --yes 2>"$work/closing")
closed=$(value 'SELECT count(*) FROM rollup.editions')
added=$(($(editions) - empty))
checking=$(measure 1 "$bin/rollup" verify --closed)
psql <<END
\\copy (SELECT gen_random_uuid() AS id, patient_id, facility_id, systolic, diastolic, to_char((recorded_at + interval '1 second') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS recorded_at FROM blood_pressures WHERE recorded_at BETWEEN '2024-04-02' AND '2024-06-29' AND deleted_at IS NULL ORDER BY random() LIMIT $late_rows) TO '$work/late.csv' WITH (FORMAT csv, HEADER)
END
late=$(measure 1 "$bin/rollup" import csv --rejects "$work/rejects.csv" --readings "$work/late.csv")
restating=$("$bin/benchmark" measure --runs 1 "$bin/rollup" restate --quarter 2024Q2 --reason 'make bench' 2>"$work/restating")
cat "$work/closing" "$work/restating" >>"$work/said"

echo
echo "| closing, $patients patients, $closed periods | time | peak memory | longest wait of a writer |"
echo "|---|---|---|---|"
echo "| \`rollup close --through 2024Q4\`, all of them, two at a time | $(seconds_of "$closing") s | $(memory_of "$closing") MB | $(longest_wait "$work/closing") ms |"
echo "| \`rollup verify --closed\` | $(seconds_of "$checking") s | $(memory_of "$checking") MB | |"
echo "| import of $late_rows readings for 2024Q2 and its months | $(seconds_of "$late") s | $(memory_of "$late") MB | |"
echo "| \`rollup restate --quarter 2024Q2\` | $(seconds_of "$restating") s | $(memory_of "$restating") MB | $(longest_wait "$work/restating") ms |"
echo
echo "| bytes that closing adds | all | a period |"
echo "|---|---|---|"
echo "| all | $(megabytes "$added") MB | $(megabytes $((added / closed))) MB |"
for table in published_patients published_figures edition_leaves edition_regions; do
  bytes=$(size "$table")
  echo "| \`rollup.$table\` | $(megabytes "$bytes") MB | $(megabytes $((bytes / closed))) MB |"
done
echo "| the 2024Q2 edition that was replaced, its rows | $(megabytes "$(value "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class AS c WHERE c.relname ~ '_edition_1\$' AND c.relkind = 'r'")") MB | |"
echo
if "$bin/rollup" verify --closed >>"$work/said" 2>&1; then
  echo "\`rollup verify --closed\` finds every digest as it was."
else
  echo "**\`rollup verify --closed\` finds differences.**"
  exit 1
fi
