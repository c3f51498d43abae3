//! Keys: put, get, del, txn, watch, compaction.

use crate::Talk;

pub(crate) fn talk(talk: &mut Talk) {
    put_and_get(talk);
    errors(talk);
    txns(talk);
    watches(talk);
    compaction(talk);
}

fn put_and_get(talk: &mut Talk) {
    talk.say(&["put", "a", "1"]);
    talk.say(&["put", "a", "2", "--prev-kv"]);
    talk.say(&["put", "a", "--ignore-value"]);
    talk.say_with(&["put", "b/1"], "from stdin");
    for key in ["b/2", "b/3", "c"] {
        talk.say(&["put", key, key, "-w", "json"]);
    }
    talk.say(&["get", "a"]);
    talk.say(&["get", "a", "--rev=2"]);
    talk.say(&["get", "nothing"]);
    talk.say(&["get", "b/", "--prefix", "--keys-only"]);
    talk.say(&["get", "b/", "--prefix", "--print-value-only"]);
    talk.say(&["get", "b/", "c", "--limit=2", "--order=DESCEND", "--sort-by=MODIFY"]);
    talk.say(&["get", "b/2", "--from-key", "--consistency=s"]);
    talk.say(&["get", "--prefix", "", "--count-only", "-w", "fields"]);
    for format in ["simple", "json", "fields"] {
        talk.say(&["get", "a", "c", "-w", format]);
        talk.say(&["get", "a", "-w", format, "--hex"]);
    }
    talk.say(&["del", "b/3", "--prev-kv"]);
    talk.say(&["del", "b/", "--prefix", "-w", "json"]);
    talk.say(&["del", "nothing"]);
}

fn errors(talk: &mut Talk) {
    talk.say(&["put", "", "v"]);
    talk.say(&["put", "a", "v", "--lease=1234"]);
    talk.say(&["put", "nothing", "--ignore-value"]);
    talk.say(&["get", "a", "--rev=1000"]);
    let long = "v".repeat(1_600_000);
    talk.say_with(&["put", "long"], &long);
}

fn txns(talk: &mut Talk) {
    let taken = "value(\"a\") = \"2\"\nmod(\"c\") > \"0\"\n\nput a 3\nget a\ndel c\n\nget c\n\n";
    talk.say_with(&["txn"], taken);
    talk.say_with(&["txn", "-i"], taken);
    talk.say_with(&["txn", "-w", "json"], "version(\"a\") = \"100\"\n\n\nget a\nput d 1\n\n");
    talk.say_with(&["txn"], "create(\"none\") = \"0\"\n\nput e 1\nput e 2\n\n\n");
}

fn watches(talk: &mut Talk) {
    let watch = talk.ctl.start(&["watch", "a", "--rev=2"]);
    let history = watch.lines(12);
    let ended = watch.interrupt();
    talk.note("watch a --rev=2", &format!("{history}{ended:?}"));
    let watch = talk.ctl.start(&["watch", "a", "--prefix", "--prev-kv", "-w", "json", "--rev=3"]);
    talk.note("watch in JSON", &watch.lines(1));
    let shell = "echo $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE $ETCD_WATCH_REVISION";
    let watch = talk.ctl.start(&["watch", "a", "--rev=2", "--", "sh", "-c", shell]);
    talk.note("watch with a command", &watch.lines(4));
    let mut watch = talk.ctl.start(&["watch", "-i"]);
    watch.tell("watch c --rev=2\n");
    talk.note("watch -i", &watch.lines(6));
    let watch = talk.ctl.start(&["watch", "live", "--prefix", "--rev=1"]);
    talk.say(&["put", "live/1", "x"]);
    talk.say(&["del", "live/1"]);
    talk.note("watch live", &watch.lines(6));
}

fn compaction(talk: &mut Talk) {
    talk.say(&["compaction", "5"]);
    talk.say(&["compaction", "5"]);
    talk.say(&["compaction", "7", "--physical"]);
    talk.say(&["compaction", "1000"]);
    talk.say(&["get", "a", "--rev=4"]);
    talk.say(&["watch", "a", "--rev=4"]);
}
