"""etcd's clients for Python, unchanged, against a server: etcd3gw over JSON, etcd3 over gRPC.

    python3 clients.py HOST PORT
"""

import sys
import threading

import etcd3
import etcd3gw

HOST, PORT = sys.argv[1], int(sys.argv[2])


def check(what, is_so):
    print(("ok    " if is_so else "WRONG ") + what, flush=True)
    if not is_so:
        sys.exit(1)


def raises(kind, call):
    try:
        call()
    except kind:
        return True
    return False


def over_json():
    client = etcd3gw.client(host=HOST, port=PORT, api_path="/v3/")
    check("gw status", client.status()["version"].startswith("3.5."))
    check("gw members", len(client.members()) == 1)
    client.put("gw/a", "1")
    client.put("gw/b", b"\x00\xff")
    check("gw get", client.get("gw/a") == [b"1"])
    check("gw bytes", client.get("gw/b") == [b"\x00\xff"])
    check("gw prefix", [kv["key"] for _, kv in client.get_prefix("gw/")] == [b"gw/a", b"gw/b"])
    check("gw create, once", client.create("gw/new", "x") and not client.create("gw/new", "y"))
    check("gw replace", client.replace("gw/a", "1", "2") and not client.replace("gw/a", "1", "3"))
    check("gw delete", client.delete("gw/b") and not client.delete("gw/b"))
    lease = client.lease(ttl=60)
    client.put("gw/leased", "x", lease=lease)
    check("gw time to live", 0 < lease.ttl() <= 60)
    check("gw keys of a lease", lease.keys() == [b"gw/leased"])
    check("gw renewal", lease.refresh() == 60)
    lease.revoke()
    check("gw revocation", client.get("gw/leased") == [])
    check("gw a lease that is gone", lease.ttl() == -1)
    with client.lock("l", ttl=60) as first:
        check("gw lock", first.is_acquired())
        check("gw lock, held", not client.lock("l", ttl=60).acquire())
    events, cancel = client.watch("gw/w")
    threading.Timer(0.2, lambda: (client.put("gw/w", "1"), client.delete("gw/w"))).start()
    first, second = next(events), next(events)
    check("gw watch, put", first["kv"]["value"] == b"1" and "type" not in first)
    check("gw watch, delete", second["type"] == "DELETE")
    cancel()
    check("gw delete all under a prefix", client.delete_prefix("gw/"))
    check("gw a wrong request", raises(Exception, lambda: client.get("")))


def over_grpc():
    client = etcd3.client(host=HOST, port=PORT, timeout=10)
    check("status", client.status().version.startswith("3.5."))
    check("members", len(list(client.members)) == 1)
    client.put("a", "1")
    value, meta = client.get("a")
    check("get", value == b"1" and meta.key == b"a" and meta.version == 1)
    check("get, nothing", client.get("nothing") == (None, None))
    check("put if absent", client.put_if_not_exists("new", "x") and not client.put_if_not_exists("new", "y"))
    check("replace", client.replace("a", "1", "2") and not client.replace("a", "1", "3"))
    succeeded, responses = client.transaction(
        compare=[client.transactions.value("a") == "2", client.transactions.version("nothing") == 0],
        success=[client.transactions.put("b", "1"), client.transactions.get("a")],
        failure=[client.transactions.delete("a")],
    )
    check("transaction", succeeded and responses[1][0][0] == b"2")
    check("range", [kv.key for _, kv in client.get_all(sort_target="key")] == [b"a", b"b", b"new"])
    check("sorted", [kv.key for _, kv in client.get_all(sort_order="descend", sort_target="key")][0] == b"new")
    lease = client.lease(60)
    client.put("leased", "x", lease)
    check("time to live", 0 < lease.remaining_ttl <= 60 and lease.granted_ttl == 60)
    check("renewal", list(lease.refresh())[0].TTL == 60)
    lease.revoke()
    check("revocation", client.get("leased")[0] is None)
    check("a lease twice", raises(etcd3.exceptions.PreconditionFailedError, lambda: [client.lease(60, 7) for _ in (1, 2)]))
    with client.lock("l", ttl=60) as lock:
        check("lock", lock.is_acquired())
    events, cancel = client.watch_prefix("w")
    client.put("w1", "1")
    client.delete("w1")
    first, second = next(events), next(events)
    check("watch, put", isinstance(first, etcd3.events.PutEvent) and first.value == b"1")
    check("watch, delete", isinstance(second, etcd3.events.DeleteEvent))
    cancel()
    client.compact(client.put("a", "3").header.revision)
    events, cancel = client.watch("a", start_revision=1)
    check("watch of what is compacted", raises(etcd3.exceptions.RevisionCompactedError, lambda: next(events)))
    cancel()
    check("defragment", client.defragment() is None)
    check("alarms", list(client.list_alarms()) == [])
    client.create_alarm()
    check("alarm", raises(Exception, lambda: client.put("a", "x")) and len(list(client.list_alarms())) == 1)
    client.disarm_alarm()
    client.put("a", "x")
    check("delete a prefix", client.delete_prefix("a").deleted == 1)


over_json()
over_grpc()
print("all is well")
