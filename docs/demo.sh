#!/bin/sh
# What `make demo` shows: a database of its own, an invented programme, its rollups, and a district's report.
set -eu
bin=$1
quarter=$2

say() { printf '\n\033[1m$ %s\033[0m\n' "$*" >&2; }
run() { say "$(basename "$1") $(shift; echo "$*")"; "$@"; }

# The demo keeps to a private server, whatever else is configured.
unset DATABASE_URL PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGSERVICE PGSERVICEFILE 2>/dev/null || true

run "$bin/rollup" migrate --time-zone Asia/Kolkata
run "$bin/rollup" sample-data --patients 20000 --seed 1 --from 2022-01 --to 2024-12
# All that is there: a few readings of the sample have wrong dates on purpose.
# Nobody writes here whom it would have to leave time.
run "$bin/rollup-backfill" --max-latency 0 --from 0001-01 --to 9999-12
url=$("$bin/rollup" db url)
district=$(psql "$url" -XAtc 'SELECT district FROM facilities GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1')
run "$bin/report" district-bp --quarter "$quarter" --district "$district" --format table
page=${ROLLUP_HOME:-$PWD/.rollup}/$quarter.html
run "$bin/report" district-bp --quarter "$quarter" --district "$district" --format html --output "$page"

cat >&2 <<END

The same as a page to print, without a server: open $page

The dashboard: make a token, start the service, and log in with the token at http://127.0.0.1:8080/?period=$quarter
  $bin/rollup token create --name me --all --lists
  $bin/report serve

What to try next, with $bin on your PATH:
  report district-bp --quarter $quarter --output $quarter.csv       the whole country, as CSV
  report trend --quarter $quarter --trend 8 --district "$district"
  report recall --district "$district"                             whom to call today
  report list                                                      the other reports
  rollup explain blood-pressure                                    every statement derived from the declaration
  rollup verify                                                    the rollups against the plain query
  rollup import csv --template my-data                             empty CSV files to fill with your own
  rollup db stop                                                   stop the private server; its data is in .rollup
END
