#!/usr/bin/env bash
# Patroni with PostgreSQL 15 over three kvorumd: two nodes, the primary is killed, it rejoins, kvorumd's leader is killed.
# Run by hand. Loopback only; ends only what it started.
#
#   gateway/tests/patroni.sh             with what is there (exit 2 where something is missing)
#   gateway/tests/patroni.sh --install   installs Debian's patroni, postgresql and python3-etcd first
#   KVORUMD=path                         the server; else the newer one of target/{release,debug}/kvorumd
#   KEEP=1                               keeps the folder with data and logs
#   PG_USER=name                         as whom PostgreSQL runs, if this is run by root (postgres)
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)

if [ "${1:-}" = --install ]; then
  apt-get install -y --no-install-recommends patroni postgresql python3-etcd
fi
target=${CARGO_TARGET_DIR:-$here/target}
server=${KVORUMD:-$(ls -t "$target"/{release,debug}/kvorumd 2>/dev/null | head -1)}
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
for need in "${server:-kvorumd}" "$bin/postgres" "$(command -v patroni || echo patroni)" "$(command -v curl || echo curl)"; do
  [ -x "$need" ] || { echo "missing: $need (see --install; cargo build -p kvorum-gateway --bin kvorumd)" >&2; exit 2; }
done

dir=$(mktemp -d /tmp/kvorum-patroni-XXXXXX)
chmod 755 "$dir"
cp "$server" "$dir/kvorumd"
as=()
owner=$(id -un)
if [ "$(id -u)" = 0 ]; then
  # PostgreSQL does not run as root. setpriv becomes what it starts, so that a job's number is the process's.
  owner=${PG_USER:-postgres}
  as=(setpriv "--reuid=$owner" "--regid=$(id -g "$owner")" --init-groups --)
fi
mkdir "$dir/pg" "$dir/store"
chown "$owner" "$dir/pg"

declare -A pid
say() { printf '%s %s\n' "$(date +%T.%3N)" "$*"; }
now() { date +%s%3N; }
since() { awk -v ms=$(($(now) - $1)) 'BEGIN { printf "%.1f s", ms / 1000 }'; }
postmaster() { head -1 "$dir/pg/$1/data/postmaster.pid" 2>/dev/null || true; }

finish() {
  local code=$? name
  touch "$dir/stop"
  for name in writer pg1 pg2 k1 k2 k3; do
    [ -z "${pid[$name]:-}" ] || kill "${pid[$name]}" 2>/dev/null || true
  done
  for name in "${!pid[@]}"; do wait "${pid[$name]}" 2>/dev/null || true; done
  for name in pg1 pg2; do
    [ -z "$(postmaster $name)" ] || kill -9 "$(postmaster $name)" 2>/dev/null || true
  done
  if [ -n "${KEEP:-}" ] || [ $code != 0 ]; then echo "kept: $dir"; else rm -rf "$dir"; fi
  exit $code
}
trap finish EXIT

# Waits up to $1 seconds for a command to succeed.
await() {
  local end=$(($(now) + $1 * 1000)) what=$2
  shift 2
  until "$@"; do
    [ "$(now)" -lt "$end" ] || { say "in vain: $what"; exit 1; }
    sleep 0.1
  done
}

read -r c1 c2 c3 p1 p2 p3 r1 r2 g1 g2 < <(python3 -c '
import socket
held = [socket.socket() for _ in range(10)]
for one in held: one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in held])')
declare -A client=([k1]=$c1 [k2]=$c2 [k3]=$c3) peer=([k1]=$p1 [k2]=$p2 [k3]=$p3)
declare -A rest=([pg1]=$r1 [pg2]=$r2) port=([pg1]=$g1 [pg2]=$g2)

start_store() {
  local url=http://127.0.0.1:${client[$1]} peer_url=http://127.0.0.1:${peer[$1]}
  "$dir/kvorumd" --name="$1" --data-dir="$dir/store/$1" \
    --listen-client-urls="$url" --advertise-client-urls="$url" \
    --listen-peer-urls="$peer_url" --initial-advertise-peer-urls="$peer_url" \
    --initial-cluster="k1=http://127.0.0.1:$p1,k2=http://127.0.0.1:$p2,k3=http://127.0.0.1:$p3" \
    >>"$dir/$1.log" 2>&1 &
  pid[$1]=$!
}

# Which member leads, as it says itself.
store_leader() {
  local name said
  for name in k1 k2 k3; do
    said=$(curl -sm 2 -d '{}' "http://127.0.0.1:${client[$name]}/v3/maintenance/status") || continue
    if python3 -c 'import json, sys; s = json.loads(sys.argv[1]); sys.exit(s.get("leader") != s["header"]["member_id"])' "$said" 2>/dev/null; then
      echo "$name"; return
    fi
  done
}
has_store_leader() { [ -n "$(store_leader)" ]; }

start_pg() {
  mkdir -p "$dir/pg/$1" && chown "$owner" "$dir/pg/$1"
  cat >"$dir/$1.yml" <<YML
scope: kvorum
name: $1
restapi: {listen: "127.0.0.1:${rest[$1]}", connect_address: "127.0.0.1:${rest[$1]}"}
etcd3: {hosts: ["127.0.0.1:$c1", "127.0.0.1:$c2", "127.0.0.1:$c3"]}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 5
    synchronous_mode: true
    postgresql: {use_pg_rewind: true, parameters: {max_connections: 20, shared_buffers: 16MB, fsync: "on"}}
  initdb: [{encoding: UTF8}, data-checksums]
  pg_hba: ["host replication replicator 127.0.0.1/32 trust", "host all all 127.0.0.1/32 trust"]
postgresql:
  listen: "127.0.0.1:${port[$1]}"
  connect_address: "127.0.0.1:${port[$1]}"
  data_dir: $dir/pg/$1/data
  bin_dir: $bin
  pgpass: $dir/pg/$1/pgpass
  authentication:
    replication: {username: replicator, password: r}
    superuser: {username: postgres, password: s}
  parameters: {unix_socket_directories: "$dir/pg/$1"}
YML
  (cd "$dir/pg/$1" && exec "${as[@]}" patroni "$dir/$1.yml" >>"$dir/$1.log" 2>&1) &
  pid[$1]=$!
}
is_primary() { [ "$(curl -sm 2 -o /dev/null -w '%{http_code}' "http://127.0.0.1:${rest[$1]}/primary")" = 200 ]; }
is_replica() { [ "$(curl -sm 2 -o /dev/null -w '%{http_code}' "http://127.0.0.1:${rest[$1]}/replica")" = 200 ]; }
is_sync() { [ "$(curl -sm 2 -o /dev/null -w '%{http_code}' "http://127.0.0.1:${rest[$1]}/synchronous")" = 200 ]; }
timeline() { curl -sm 2 "http://127.0.0.1:${rest[$1]}/patroni" | python3 -c 'import json, sys; print(json.load(sys.stdin)["timeline"])'; }
# Whoever takes writes.
sql() {
  PGCONNECT_TIMEOUT=2 timeout 10 "$bin/psql" -qAtX -c "$1" \
    "host=127.0.0.1,127.0.0.1 port=$g1,$g2 user=postgres dbname=postgres target_session_attrs=read-write"
}

say "three kvorumd"
for name in k1 k2 k3; do start_store $name; done
await 60 "a leader of kvorumd" has_store_leader
say "leads: $(store_leader)"
began=$(now)
start_pg pg1
await 120 "the first primary" is_primary pg1
say "pg1 is primary after $(since "$began")"
began=$(now)
start_pg pg2
await 120 "a replica that is in step" is_sync pg2
say "pg2 is a synchronous replica after $(since "$began")"

sql 'create table t (id bigint primary key)'
# Writes one row after the other, and notes those that were acknowledged, and when.
(
  id=0
  while [ ! -e "$dir/stop" ]; do
    id=$((id + 1))
    if sql "insert into t values ($id)" >/dev/null 2>&1; then echo "$(now) $id"; else sleep 0.1; fi
  done
) >"$dir/acknowledged" &
pid[writer]=$!
acknowledged() { wc -l <"$dir/acknowledged"; }
# The longest time without an acknowledged write since $1, in seconds, and the number of writes.
report() {
  awk -v from="$1" '$1 >= from { n++; if (last && $1 - last > gap) gap = $1 - last; last = $1 }
    END { printf "%d writes acknowledged, longest pause %.1f s\n", n, gap / 1000 }' "$dir/acknowledged"
}
has_more() { [ "$(acknowledged)" -ge "$1" ]; }
await 60 "writes" has_more 20

say "SIGKILL: pg1's Patroni and PostgreSQL, after $(acknowledged) acknowledged writes"
began=$(now)
kill -9 "${pid[pg1]}" "$(postmaster pg1)"
wait "${pid[pg1]}" 2>/dev/null || true
unset 'pid[pg1]'
await 120 "a new primary" is_primary pg2
say "pg2 is primary after $(since "$began") (ttl 20 s)"
before=$(acknowledged)
await 60 "writes go on" has_more $((before + 20))
say "timeline $(timeline pg2); writes since the kill: $(report $((began - 1000)))"

began=$(now)
start_pg pg1
await 120 "it rejoins" is_replica pg1
await 120 "it rejoins in step" is_sync pg1
say "pg1 is back as a synchronous replica after $(since "$began")"

leader=$(store_leader)
line=$(timeline pg2)
say "SIGKILL: $leader, kvorumd's leader"
began=$(now)
kill -9 "${pid[$leader]}"
wait "${pid[$leader]}" 2>/dev/null || true
unset "pid[$leader]"
await 30 "another leader of kvorumd" has_store_leader
say "$(store_leader) leads kvorumd after $(since "$began")"
# Two lives of the leader's lock: a lost one would show.
end=$((began + 45000))
while [ "$(now)" -lt $end ]; do
  is_primary pg2 || is_primary pg2 || { say "pg2 is no primary any more"; exit 1; }
  sleep 0.5
done
[ "$(timeline pg2)" = "$line" ] || { say "the timeline is $(timeline pg2), and was $line"; exit 1; }
say "45 s later pg2 still is primary, timeline $line: $(report "$began")"
start_store "$leader"
await 30 "a leader of kvorumd" has_store_leader
before=$(acknowledged)
await 30 "writes" has_more $((before + 20))

touch "$dir/stop"
wait "${pid[writer]}" || true
unset 'pid[writer]'
there=$(sql 'select id from t' | sort)
lost=$(comm -23 <(awk '{ print $2 }' "$dir/acknowledged" | sort) <(echo "$there") | wc -l)
say "acknowledged: $(acknowledged) rows, missing: $lost"
[ "$lost" = 0 ] || exit 1
is_replica pg1 && say "ok"
