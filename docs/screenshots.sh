#!/bin/sh
# What `make screenshots` does: a private server with an invented programme, the dashboard on it, and pictures of its pages by
# Chromium, as wide as a phone and as a screen, in light and in dark.
set -eu
bin=$1
out=$2

unset DATABASE_URL PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGSERVICE PGSERVICEFILE 2>/dev/null || true
if ! command -v chromium >/dev/null; then
  if [ "$(id -u)" -eq 0 ]; then as_root=; else as_root=sudo; fi
  $as_root apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core curl
fi

folder=$(mktemp -d /tmp/screenshots-XXXXXX)
export ROLLUP_HOME="$folder/home"
service=
finish() {
  [ -z "$service" ] || kill "$service" 2>/dev/null || true
  "$bin/rollup" db stop >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap finish EXIT

"$bin/rollup" migrate --time-zone Asia/Kolkata >&2
# Until today, or nobody were to be called any more.
year=$(date +%Y)
last=$((year - 1))
"$bin/rollup" sample-data --patients 5000 --seed 1 --from $((year - 2))-01 --to "$(date +%Y-%m)" >&2
"$bin/rollup-backfill" --from $((year - 2))-01 --to "$(date +%Y-%m)" >&2
"$bin/rollup" migrate --first-period $((year - 2))Q4 >&2
for quarter in $((year - 2))Q4 ${last}Q1 ${last}Q2 ${last}Q3; do "$bin/rollup" close --quarter "$quarter" >&2; done
token=$("$bin/rollup" token create --name 'Dr Kaur' --all --lists 2>/dev/null)

"$bin/report" serve --port 0 --rate-limit 0 2>"$folder/log" &
service=$!
while ! grep -q 'serving at' "$folder/log"; do
  kill -0 $service || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
address=$(sed -n 's/.*serving at \([^"]*\)\/".*/\1/p' "$folder/log" | head -1)

# A browser that is told to take a picture cannot be told to log in: it is given the pages as files.
mkdir -p "$folder/pages" "$out"
ask() { curl -sS -H "Authorization: Bearer $token" "$address$1"; }
ask /style.css >"$folder/pages/style.css"
page() { ask "$2" | sed 's|"/style.css"|"style.css"|' >"$folder/pages/$1.html"; }

encoded() { printf %s "$1" | od -An -tx1 | tr -d ' \n' | sed 's/../%&/g'; }
state=$(encoded "$(psql "$("$bin/rollup" db url)" -XAtc 'SELECT min(state) FROM facilities')")
row=$(psql "$("$bin/rollup" db url)" -XAtF ' ' -c "SELECT id FROM facilities ORDER BY state, district, name LIMIT 1")
district=$(encoded "$(psql "$("$bin/rollup" db url)" -XAtc "SELECT district FROM facilities WHERE id = '$row'")")
block=$(encoded "$(psql "$("$bin/rollup" db url)" -XAtc "SELECT block FROM facilities WHERE id = '$row'")")

page login /login
page overview "/?period=${last}Q3"
page overview-open "/?period=${last}Q4"
page state "/?period=${last}Q3&state=$state"
page district "/?period=${last}Q3&state=$state&district=$district"
page district-open "/?period=${last}-12&state=$state&district=$district&sort=controlled_rate-up"
page block "/?period=${last}Q3&state=$state&district=$district&block=$block"
page facility "/?period=${last}Q3&facility=$row"
page recall "/recall?facility=$row"
page refusal "/?period=${last}Q5"

for file in "$folder"/pages/*.html; do
  name=$(basename "$file" .html)
  for width in 390 1280; do
    for colours in light dark; do
      scheme=1
      [ $colours = light ] || scheme=0
      chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$folder/browser" \
        --blink-settings=preferredColorScheme=$scheme --window-size=$width,2200 \
        --screenshot="$out/$name-$width-$colours.png" "file://$file" >/dev/null 2>&1
    done
  done
done
echo "pictures are in $out" >&2
