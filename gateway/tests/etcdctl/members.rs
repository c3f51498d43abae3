//! Members and their state.

use crate::Talk;

pub(crate) fn talk(talk: &mut Talk) {
    talk.say(&["alarm", "list"]);
    talk.say(&["alarm", "disarm"]);
    for format in ["simple", "table", "json"] {
        talk.say(&["member", "list", "-w", format]);
    }
    talk.say(&["endpoint", "health"]);
    talk.say(&["endpoint", "health", "--cluster", "-w", "table"]);
    talk.say(&["endpoint", "status"]);
    talk.say(&["endpoint", "status", "-w", "table"]);
    talk.say(&["endpoint", "hashkv"]);
    talk.say(&["defrag"]);
    let snapshot = std::env::temp_dir().join(format!("kvorum-etcdctl-{}.db", std::process::id()));
    talk.say(&["snapshot", "save", &snapshot.to_string_lossy()]);
    let _ = std::fs::remove_file(snapshot);
    talk.say(&["auth", "status"]);
    talk.say(&["user", "list"]);
    talk.say(&["version"]);
    if std::env::var_os("KVORUM_CHECK_PERF").is_some() {
        let said = talk.ctl.run(&["check", "perf"], "");
        // How well it did is the machine's; that it came to its end is not.
        assert!(said.contains("Throughput"), "{said}");
        eprintln!("check perf: {said}");
    }
}
