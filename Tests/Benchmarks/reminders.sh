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

. "$(dirname "$0")/server.sh"

quietly "$bin/rollup" migrate --time-zone UTC
url=$(quietly "$bin/rollup" db url)
for size in $sizes; do
  quietly "$programs/psql" "$url" -Xqc "CREATE DATABASE vet$size"
  DATABASE_URL=$(echo "$url" | sed "s#/rollup?#/vet$size?#")
  export DATABASE_URL
  quietly "$bin/rollup" migrate --time-zone UTC
  "$bin/reminders" create --patients "$size" --organizations 2
  # The practice's own tables are as a practice has them; those of the projections are new.
  quietly "$programs/psql" "$DATABASE_URL" -Xqc 'VACUUM ANALYZE' -c CHECKPOINT
  "$bin/reminders" measure --panels "$panels" --jobs "$jobs" >"$work/$size"
  unset DATABASE_URL
  quietly "$programs/psql" "$url" -Xqc "DROP DATABASE vet$size"
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
