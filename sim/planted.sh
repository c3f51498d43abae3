#!/bin/sh
# Plants bugs in the core and the storage, one line each, and demands that the rehearsal finds every one of them.
#
#   sim/planted.sh            all of them (sim/src/planted.rs lists them; a day's work)
#   sim/planted.sh NAME …     these
#
# By hand: RUSTFLAGS='--cfg planted="NAME"' cargo test -p kvorum-sim
# Here the flag goes to our own crates only, so that nothing else is built anew.
set -u
cd "$(dirname "$0")/.."
plants=${*:-$(grep -rhoE 'planted = "[a-z_]+"' core/src storage/src | cut -d'"' -f2 | sort -u)}
wrapper=$(mktemp)
trap 'rm -f "$wrapper"' EXIT
printf '#!/bin/sh\nrustc=$1; shift\nexec "$rustc" "$@" --cfg "planted=\\"$PLANTED\\""\n' > "$wrapper"
chmod +x "$wrapper"
missed=0
for plant in $plants; do
    export PLANTED=$plant RUSTC_WORKSPACE_WRAPPER=$wrapper RUST_BACKTRACE=0
    touch core/src/lib.rs storage/src/lib.rs
    log=target/planted-$plant.txt
    if KVORUM_SEEDS=${KVORUM_SEEDS:-40} cargo test --no-fail-fast -p kvorum-core -p kvorum-sim --lib --test sync --test defences --test images --test prefixes --test scripts --test random > "$log" 2>&1; then
        echo "$plant: MISSED"; missed=1
    elif grep -q '^test result: FAILED' "$log"; then
        echo "$plant: found by $(grep '^test .*FAILED' "$log" | head -3 | cut -d' ' -f2 | tr '\n' ' ')"
        grep -A1 'panicked at' "$log" | sed -n 2p
    else
        echo "$plant: does not build, see $log"; missed=1
    fi
done
exit $missed
