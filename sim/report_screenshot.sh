#!/bin/sh
# Takes pictures of the report's page, to be looked at: light and dark, wide and narrow.
#
#   sim/report_screenshot.sh [FOLDER]      target/report_screenshots if none is named
#
# Skips, and says so, where there is no chromium (Debian: apt-get install chromium).
set -eu
cd "$(dirname "$0")/.."
folder=${1:-target/report_screenshots}
chromium=$(command -v chromium || command -v chromium-browser || true)
if [ -z "$chromium" ]; then
    echo "skipped: no chromium here to take pictures with"
    exit 0
fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
command=${KVORUM_SIM:-cargo run -q --release -p kvorum-sim --}
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT

shoot() { # page, picture, size, further flags
    "$chromium" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync --hide-scrollbars \
        --user-data-dir="$profile" --virtual-time-budget=3000 --screenshot="$folder/$2.png" \
        --window-size="$3" ${4:-} "file://$folder/$1.html" > "$folder/$2.log" 2>&1
    # A page whose script failed is a page without lanes: a picture of some size shows more than a frame.
    size=$(wc -c < "$folder/$2.png")
    echo "$folder/$2.png ($size bytes)"
    [ "$size" -gt 20000 ] || { echo "nothing much is on it"; exit 1; }
}

$command report --demo --seed 2 --without 8 -o "$folder/broken.html" > /dev/null
$command report --demo --seed 1 -o "$folder/fine.html" > /dev/null
shoot broken broken 1400,900
shoot broken broken-dark 1400,900 --blink-settings=preferredColorScheme=0
shoot broken broken-narrow 800,1000
shoot fine fine 1400,900
