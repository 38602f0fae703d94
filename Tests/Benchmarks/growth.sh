#!/bin/sh
# growth.sh PROGRAMS PICTURE: how a backfill grows with the readings, beside refreshing materialised views of the same rows,
# as a markdown table and a picture (SVG). Readings lie in the order of time, as clinics write them; each patient has 15.
#
#   MILLIONS="1 3 10 30"  how many readings
#   VIEWS="1 3 10"        beside which of them views are refreshed
#   WORKERS=2             of the backfill
set -eu
bin=$1
picture=$2
millions=${MILLIONS:-1 3 10 30}
views=${VIEWS-1 3 10}
workers=${WORKERS:-2}

. "$(dirname "$0")/server.sh"
: >"$work/points"

quietly "$bin/rollup" migrate --time-zone Asia/Kolkata
url=$(quietly "$bin/rollup" db url)
psql() { quietly "$programs/psql" "$url" -Xq -v ON_ERROR_STOP=1 "$@"; }
measure() { quietly "$bin/benchmark" measure --runs 1 "$@"; }
backfill() { measure "$bin/rollup-backfill" --from 2018-01 --to 2024-12 --only blood-pressure --workers "$workers" --max-latency 0; }

for unit in month:M:YYYY-MM quarter:Q:YYYY\"Q\"Q; do
  name=${unit%%:*} rest=${unit#*:}
  psql <<END
CREATE MATERIALIZED VIEW blood_pressures_by_$name AS
SELECT DISTINCT ON (patient_id, period_start) '${rest%%:*}'::"char" AS period_type, period_start, patient_id, recorded_at, id,
  systolic, diastolic, facility_id, heart_rate, registration_facility_id, assigned_facility_id,
  extract(year FROM period_start)::integer AS year, to_char(period_start, '${rest#*:}') AS period_name
FROM (
  SELECT b.patient_id, date_trunc('$name', b.recorded_at AT TIME ZONE 'Asia/Kolkata')::date AS period_start, b.id,
    b.recorded_at, b.systolic, b.diastolic, b.facility_id, b.heart_rate, p.registration_facility_id, p.assigned_facility_id
  FROM blood_pressures AS b
  JOIN patients AS p ON p.id = b.patient_id
  WHERE b.deleted_at IS NULL AND p.deleted_at IS NULL
) AS b
ORDER BY patient_id, period_start, recorded_at DESC, id DESC
WITH NO DATA;
CREATE UNIQUE INDEX ON blood_pressures_by_$name (patient_id, period_type, period_start);
CREATE INDEX ON blood_pressures_by_$name (assigned_facility_id) INCLUDE (patient_id, period_type, period_start);
END
done
refresh() { measure "$programs/psql" "$url" -Xq -c "REFRESH MATERIALIZED VIEW blood_pressures_by_$1"; }

echo "| million readings | from nothing | finding nothing | peak memory | two views refreshed | from nothing : views | finding nothing : views |"
echo "|---|---|---|---|---|---|---|"
for size in $millions; do
  psql <<END
TRUNCATE patients, blood_pressures, rollup.blood_pressure_rollups;
INSERT INTO patients (id, registered_at, registration_facility_id, assigned_facility_id)
SELECT gen_random_uuid(), '2018-01-01', f, f
FROM (SELECT md5((n % 800)::text)::uuid AS f FROM generate_series(1, $size * 1000000 / 15) AS n) AS n;
INSERT INTO blood_pressures (patient_id, id, facility_id, systolic, diastolic, recorded_at)
SELECT id, gen_random_uuid(), assigned_facility_id, 110 + (random() * 60)::integer, 70 + (random() * 30)::integer,
  '2018-01-02Z'::timestamptz + random() * interval '2550 days' AS recorded_at
FROM patients CROSS JOIN generate_series(1, 15)
ORDER BY recorded_at;
VACUUM ANALYZE;
CHECKPOINT;
END
  first=$(backfill)
  psql -c 'VACUUM ANALYZE' -c CHECKPOINT
  again=$(backfill)
  line="$size ${first% *} ${again% *} ${first#* }"
  case " $views " in
    *" $size "*)
      months=$(refresh month)
      quarters=$(refresh quarter)
      line="$line ${months% *} ${quarters% *}"
      psql -c 'REFRESH MATERIALIZED VIEW blood_pressures_by_month WITH NO DATA' -c 'REFRESH MATERIALIZED VIEW blood_pressures_by_quarter WITH NO DATA'
      ;;
  esac
  echo "$line" | tee -a "$work/points" | awk '
    { v = $5 + $6; printf "| %s | %.1f s | %.1f s | %s MB | ", $1, $2, $3, $4 }
    NF > 4 { printf "%.1f s | %.2f | %.2f |\n", v, $2 / v, $3 / v }
    NF == 4 { print "| | |" }'
done

# Both axes linear: what is linear in the readings is a straight line.
awk '
  { x[NR] = $1; a[NR] = $2; b[NR] = $3
    if (NF > 4) { c[NR] = $5 + $6; last = NR; if (c[NR] > my) my = c[NR] }
    if ($1 > mx) mx = $1; if (a[NR] > my) my = a[NR] }
  function px(v) { return 70 + v / mx * 500 }
  function py(v) { return 330 - v / my * 290 }
  function line(v, n, colour, name, i, text) {
    text = px(0) "," py(0)
    for (i = 1; i <= n; i++) if (i in v) text = text " " px(x[i]) "," py(v[i])
    printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", text, colour
    for (i = 1; i <= n; i++) if (i in v) printf "<circle cx=\"%d\" cy=\"%d\" r=\"4\" fill=\"%s\"/>\n", px(x[i]), py(v[i]), colour
    if (x[n] < mx) printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"%s\">%s</text>\n", px(x[n]) + 20, py(v[n]) - 10, colour, name
    else printf "<text x=\"%d\" y=\"%d\" fill=\"%s\">%s</text>\n", px(x[n]) + 10, py(v[n]) + 5, colour, name
  }
  END {
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"800\" height=\"390\" font-family=\"sans-serif\" font-size=\"14\">"
    print "<title>Seconds of a backfill by millions of readings</title><rect width=\"800\" height=\"390\" fill=\"white\"/>"
    printf "<path d=\"M70 30V330H580\" fill=\"none\" stroke=\"#444\"/>\n"
    for (i = 1; i <= NR; i++) printf "<text x=\"%d\" y=\"350\" text-anchor=\"middle\">%s</text>\n", px(x[i]), x[i]
    for (i = 1; i <= 4; i++) printf "<text x=\"62\" y=\"%d\" text-anchor=\"end\">%.0f s</text><path d=\"M70 %dH580\" stroke=\"#ddd\"/>\n", py(my * i / 4) + 5, my * i / 4, py(my * i / 4)
    print "<text x=\"325\" y=\"378\" text-anchor=\"middle\">million readings</text>"
    if (last) line(c, last, "#b35900", "two views refreshed"); line(a, NR, "#00539f", "backfill from nothing"); line(b, NR, "#2e7d32", "finding nothing to change")
    print "</svg>"
  }' "$work/points" >"$picture"
