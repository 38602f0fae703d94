#!/bin/sh
# serve.sh PROGRAMS: how fast the dashboard answers, as a markdown table: wrk with many clients on each kind of page, each request
# another region at random, and in the same run the statements of such a page by pgbench, on a private server of its own. Needs
# wrk and perl.
#
#   PATIENTS=500000    how many invented patients, in 833 facilities
#   FROM=2022-01       the sample's first month; the last is 2024-12
#   CLOSED="2023Q1 2023Q2 2023Q3 2023Q4 2024Q1"
#                      the quarters that are closed; pages are of the last of them and of the open one after it
#   CLIENTS=50         of wrk
#   SECONDS_EACH=5     how long each series lasts
#   WRITES=10          readings a second that are written beside the second series, by the library's statement
#   MINUTES=0          of load by four clients on all pages at the end, with the memory each minute
#   BENCH_HOME=…       where the server's files go, and stay; a database that is there is used again
set -eu
bin=$1
patients=${PATIENTS:-500000}
from=${FROM:-2022-01}
closed=${CLOSED:-2023Q1 2023Q2 2023Q3 2023Q4 2024Q1}
clients=${CLIENTS:-50}
seconds=${SECONDS_EACH:-5}
writes=${WRITES:-10}
minutes=${MINUTES:-0}

. "$(dirname "$0")/server.sh"

quietly "$bin/rollup" migrate --time-zone Asia/Kolkata
url=$(quietly "$bin/rollup" db url)
psql() { quietly "$programs/psql" "$url" -Xq -v ON_ERROR_STOP=1 "$@"; }
value() { psql -At -c "$1"; }

if [ "$(value 'SELECT count(*) FROM patients')" -eq 0 ]; then
  quietly "$bin/rollup" sample-data --patients "$patients" --seed 1 --from "$from" --to 2024-12
  quietly "$bin/rollup-backfill" --from "$from" --to 2024-12 --max-latency 0
  for quarter in $closed; do quietly "$bin/rollup" close --quarter "$quarter"; done
  psql -c 'VACUUM ANALYZE'
fi
[ -z "${ONLY_MADE:-}" ] || exit 0
closed=$(value "SELECT to_char(max(period_start), 'YYYY\"Q\"Q') FROM rollup.editions WHERE period_type = 'Q'")
open=$(value "SELECT to_char(max(period_start) + interval '3 months', 'YYYY\"Q\"Q') FROM rollup.editions WHERE period_type = 'Q'")

# --- The service ------------------------------------------------------------------------------------------------------

token=$(quietly "$bin/rollup" token create --name bench --all --lists)
"$bin/report" serve --database-url "$url" --port 0 --rate-limit 0 2>"$work/log" &
service=$!
# Its end is not what this comes to.
trap 'ended=$?; set +e; kill $service 2>/dev/null; (exit $ended); tidy' EXIT
until grep -q 'serving at' "$work/log"; do
  kill -0 $service || { cat "$work/log" >>"$work/said"; exit 1; }
  sleep 0.1
done
address=$(sed -n 's/.*serving at \([^"]*\)\/".*/\1/p' "$work/log" | head -1)
memory() { awk '/^VmRSS/ { printf "%d", $2 / 1024 }' /proc/$service/status; }

# One address a line. Names of regions are those of the sample: letters and blanks.
paths() {
  value "SELECT DISTINCT replace($2, ' ', '%20') FROM facilities WHERE deleted_at IS NULL" >"$work/paths-$1"
}
region="'state=' || state"
district="$region || '&district=' || district"
block="$district || '&block=' || block"
for standing in closed open; do
  period=$closed
  [ $standing = closed ] || period=$open
  paths "overview-$standing" "'/?period=$period'"
  paths "state-$standing" "'/?period=$period&' || $region"
  paths "district-$standing" "'/?period=$period&' || $district"
  paths "block-$standing" "'/?period=$period&' || $block"
  paths "facility-$standing" "'/?period=$period&facility=' || id"
  paths "csv-$standing" "'/api/v1/reports/district-bp?format=csv&period=$period&' || $district"
done
paths recall "'/recall?facility=' || id"
paths login "'/login'"

cat >"$work/ask.lua" <<'END'
local paths = {}
for line in io.lines(os.getenv("PATHS")) do paths[#paths + 1] = line end
local headers = { Authorization = "Bearer " .. os.getenv("TOKEN") }
function init(arguments) math.randomseed(tonumber(tostring(arguments):match("0x(%x+)"), 16) or os.time()) end
function request() return wrk.format("GET", paths[math.random(#paths)], headers) end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("of wrk: %.1f %.1f %.0f %d\n", latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.requests / summary.duration * 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
END
# ask KIND CLIENTS SECONDS: milliseconds at the median and the 99th percentile, answers a second, failures.
ask() {
  threads=2
  [ "$2" -ge 2 ] || threads=1
  PATHS="$work/paths-$1" TOKEN=$token quietly wrk -t $threads -c "$2" -d "$3" --timeout 30 -s "$work/ask.lua" "$address" |
    sed -n 's/^of wrk: //p'
}
# once KIND: every page of the kind once, eight at a time, after a note that anything may have changed.
once() {
  psql -c 'INSERT INTO rollup.changes_of_everything DEFAULT VALUES'
  begun=$(date +%s%N)
  sed "s|.*|url = \"$address&\"\noutput = \"$work/page\"|" "$work/paths-$1" |
    quietly curl -fsS --no-progress-meter --parallel --parallel-max 8 -H "Authorization: Bearer $token" -K - || true
  echo "$(wc -l <"$work/paths-$1") in $((($(date +%s%N) - begun) / 1000000)) ms"
}
cells() { echo "$1" | awk '{ printf "%s | %s | %s%s", $1, $2, $3, ($4 > 0 ? ", " $4 " failed" : "") }'; }

# --- The same statements by pgbench -----------------------------------------------------------------------------------

# What the server is asked for a page, from its own log, with the values in the place of parameters.
location=$(value 'SHOW data_directory')
logged() { cat "$ROLLUP_HOME"/*log* "$location"/*log "$location"/log/* 2>/dev/null; }
cat >"$work/statements.pl" <<'END'
my ($text, @all);
while (my $line = <STDIN>) {
  if ($line =~ /^\@report serve\@ LOG:  (?:execute [^:]*|statement): (.*)/s) { push @all, $1; $text = 1; }
  elsif (@all && $line =~ /^\@report serve\@ DETAIL:  parameters: (.*)/s) {
    my ($values, %value) = ($1);
    $value{$1} = $2 while $values =~ /\$(\d+) = ('(?:[^']|'')*'|NULL)/g;
    $all[-1] =~ s/\$(\d+)/exists $value{$1} ? $value{$1} : "\$$1"/ge;
    $text = 0;
  }
  elsif ($line =~ /^\t/ && $text) { $all[-1] .= substr($line, 1); }
  else { $text = 0; }
}
for my $statement (@all) {
  $statement =~ s/\s*--[^\n]*//g;
  $statement =~ s/\s+/ /g;
  # pgbench takes a colon before a name for a variable of its own.
  $statement =~ s/(?<!:):(?=[A-Za-z])/: /g;
  print "$statement;\n";
}
END
# by_pgbench KIND: as ask, as many clients as the service has connections.
by_pgbench() {
  psql -c "ALTER SYSTEM SET log_line_prefix = '@%a@ '" -c "ALTER SYSTEM SET log_statement = 'all'" \
    -c "ALTER SYSTEM SET log_error_verbosity = 'default'" -c 'SELECT pg_reload_conf()' >>"$work/said"
  sleep 0.5
  was=$(logged | wc -c)
  path=$(sort -R "$work/paths-$1" | head -1)
  curl -sS -H "Authorization: Bearer $token" "$address$path" >>"$work/said"
  sleep 0.5
  logged | tail -c +$((was + 1)) | perl "$work/statements.pl" >"$work/$1.sql"
  psql -c 'ALTER SYSTEM RESET ALL' -c 'SELECT pg_reload_conf()' >>"$work/said"
  sleep 0.5
  rm -f "$work"/latency.*
  PGOPTIONS='-c search_path=rollup_reach,pg_temp -c role=rollup_server' "$programs/pgbench" -n -c 8 -j 1 -T "$seconds" \
    -l --log-prefix "$work/latency" -f "$work/$1.sql" "$url" >"$work/pgbench" 2>&1 ||
    { cat "$work/pgbench" >>"$work/said"; echo '– – –'; return; }
  cat "$work"/latency.* | awk '{ print $3 }' | sort -n | awk -v s="$seconds" '{ v[NR] = $1 }
    END { printf "%.1f %.1f %.0f 0", v[int((NR + 1) / 2)] / 1000, v[int(NR * 0.99 + 0.5)] / 1000, NR / s }'
}

# --- Pages ------------------------------------------------------------------------------------------------------------

. "$(dirname "$0")/readings.sh"
writer=
write() {
  "$programs/pgbench" -n -c 1 -M prepared -R "$writes" -T 100000 -f "$work/library.sql" "$url" >"$work/writer" 2>&1 &
  writer=$!
}
rest() { kill $writer 2>/dev/null || true; wait $writer 2>/dev/null || true; }

echo "PostgreSQL $(value 'SHOW server_version'), $(nproc) cores, $(value 'SELECT count(*) FROM patients') patients, $(value 'SELECT count(*) FROM facilities') facilities; closed is $closed, open $open. Load of the machine at the beginning: $(cut -d ' ' -f 1-3 /proc/loadavg)."
before=$(memory)
echo
echo "| page, milliseconds | all of them for the first time | then $clients clients p50 | p99 | a second | beside $writes writes a second p50 | p99 | a second | beside them, 1 client p50 | p99 | a second | the SQL of one, pgbench, 8 clients p50 | p99 | a second |"
echo "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
for kind in ${KINDS:-overview-closed overview-open state-closed state-open district-closed district-open block-closed facility-closed facility-open csv-closed csv-open recall login}; do
  sql='– – –'
  [ "$kind" = login ] || sql=$(by_pgbench "$kind")
  first=$(once "$kind")
  many=$(ask "$kind" "$clients" "$seconds")
  write
  written=$(ask "$kind" "$clients" "$seconds")
  one=$(ask "$kind" 1 "$seconds")
  rest
  echo "| $kind | $first | $(cells "$many") | $(cells "$written") | $(cells "$one") | $(cells "$sql") |"
done
echo
echo "Resident memory of the service: $before MB before, $(memory) MB after."

# --- A longer load ----------------------------------------------------------------------------------------------------

if [ "$minutes" -gt 0 ]; then
  cat "$work"/paths-* | grep -v login >"$work/paths-all"
  write
  echo
  echo "| minute | p50 | p99 | a second | memory, MB |"
  echo "|---|---|---|---|---|"
  for minute in $(seq "$minutes"); do
    echo "| $minute | $(cells "$(ask all 4 60)") | $(memory) |"
  done
  rest
fi
