# To be sourced: a private server of a benchmark's own, whatever else is configured; `$bin` is the folder of the commands. It is
# stopped and its files are removed at the end. Sets `$work`, a folder; `$programs`, PostgreSQL's; ROLLUP_HOME, here or BENCH_HOME.
unset DATABASE_URL PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGSERVICE PGSERVICEFILE 2>/dev/null || true
work=$(mktemp -d /tmp/rollup-bench.XXXXXX)
chmod 755 "$work"
ROLLUP_HOME=${BENCH_HOME:-$work/home}
export ROLLUP_HOME

tidy() {
  status=$?
  trap - EXIT INT TERM
  [ "$status" -eq 0 ] || { echo "$(basename "$0") failed; what was said last:" >&2; tail -n 20 "$work/said" >&2 || true; }
  "$bin/rollup" db stop >/dev/null 2>&1 || true
  # Root's server may have its data elsewhere, because the server's own user cannot enter the home.
  if [ -z "${BENCH_HOME:-}" ] && [ -s "$ROLLUP_HOME/data-location" ]; then
    rm -rf "$(cat "$ROLLUP_HOME/data-location")"
  fi
  rm -rf "$work"
  exit "$status"
}
trap tidy EXIT
trap 'exit 130' INT TERM

# Every program says what it has to say to a file that is only shown when something fails.
: >"$work/said"
quietly() { "$@" 2>>"$work/said"; }

programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -n "$programs" ] || programs=$(dirname "$(command -v psql)")
