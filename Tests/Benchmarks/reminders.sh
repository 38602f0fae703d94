#!/bin/sh
# reminders.sh PROGRAMS: how the three uses of the veterinary example grow with the patients, each beside the single large query that
# it replaces, as a markdown table; on a private server of its own.
#
#   SIZES="10000 100000 500000"  how many patients the first of two organizations has; the second has a tenth of that
#   PANELS=200                   how many panels are opened
#   JOBS=20000                   how many jobs that do nothing
set -eu
bin=$1
sizes=${SIZES:-10000 100000 500000}
panels=${PANELS:-200}
jobs=${JOBS:-20000}

unset DATABASE_URL PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGSERVICE PGSERVICEFILE 2>/dev/null || true
work=$(mktemp -d /tmp/rollup-reminders.XXXXXX)
chmod 755 "$work"
ROLLUP_HOME=$work/home
export ROLLUP_HOME
tidy() {
  status=$?
  trap - EXIT INT TERM
  [ "$status" -eq 0 ] || tail -n 20 "$work/said" >&2
  "$bin/rollup" db stop >/dev/null 2>&1 || true
  if [ -s "$ROLLUP_HOME/data-location" ]; then rm -rf "$(cat "$ROLLUP_HOME/data-location")"; fi
  rm -rf "$work"
  exit "$status"
}
trap tidy EXIT
trap 'exit 130' INT TERM
: >"$work/said"

programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
"$bin/rollup" migrate --time-zone UTC 2>>"$work/said"
url=$("$bin/rollup" db url 2>>"$work/said")
for size in $sizes; do
  "$programs/psql" "$url" -Xqc "CREATE DATABASE vet$size" 2>>"$work/said"
  DATABASE_URL=$(echo "$url" | sed "s#/rollup?#/vet$size?#")
  export DATABASE_URL
  "$bin/rollup" migrate --time-zone UTC 2>>"$work/said"
  "$bin/reminders" create --patients "$size" --organizations 2
  # The practice's own tables are as a practice has them; those of the projections are new.
  "$programs/psql" "$DATABASE_URL" -Xqc 'VACUUM ANALYZE' -c CHECKPOINT 2>>"$work/said"
  "$bin/reminders" measure --panels "$panels" --jobs "$jobs" >"$work/$size"
  unset DATABASE_URL
  "$programs/psql" "$url" -Xqc "DROP DATABASE vet$size" 2>>"$work/said"
done

# A column a size: the time, and what is said beside it.
awk -F, '
  FNR == 1 { file++; n = split(FILENAME, path, "/"); head = head " " path[n] " patients |"; rule = rule "---|"; next }
  { if (file == 1) { order[++count] = $1 } cell[$1, file] = $3 != "" ? $3 : ($2 >= 1000 ? sprintf("%.1f s", $2 / 1000) : $2 " ms") }
  END {
    print "| what |" head
    print "|---|" rule
    for (i = 1; i <= count; i++) {
      line = "| " order[i] " |"
      for (f = 1; f <= file; f++) line = line " " cell[order[i], f] " |"
      print line
    }
  }' $(for size in $sizes; do echo "$work/$size"; done)
