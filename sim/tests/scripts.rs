//! The scripts of `tests/scripts`: what the cluster says to each command, word for word. After a change that is
//! meant, `UPDATE_GOLDEN=1 cargo test -p kvorum-sim --test scripts` writes its words anew: read the difference.

#[test]
fn the_cluster_says_what_it_said_when_somebody_read_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    let mut differing = Vec::new();
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let before = std::fs::read_to_string(&path).unwrap();
        let now = kvorum_sim::script::run(&before).unwrap_or_else(|bad| panic!("{}: {bad}", path.display()));
        if now == before {
            continue;
        }
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, now).unwrap();
        } else {
            differing.push(format!("{}\n{now}", path.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}

/// What a script of these lines is told, below a cluster of three whose leader is known.
fn refused(lines: &str) -> String {
    let script = format!("> nodes 3\n> leader\n{lines}");
    kvorum_sim::script::run(&script).expect_err(lines).to_string()
}

#[test]
fn a_line_that_cannot_be_run_is_told_with_its_number_and_what_was_expected() {
    let node = "1 to 3, or L, F and G as `leader` named them";
    for (lines, words) in [
        ("> put 9 a b", format!("line 3, `put 9 a b`: expected a node instead of `9`: {node}")),
        ("\n# so\n> kill Lx", format!("line 5, `kill Lx`: expected a node instead of `Lx`: {node}")),
        ("> put L a", "line 3, `put L a`: expected `put NODE KEY VALUE [LEASE]`".into()),
        ("> get L a b c", "line 3, `get L a b c`: expected `get NODE KEY`".into()),
        ("> leader L", "line 3, `leader L`: expected `leader`".into()),
        (">put 1", "line 3, `put 1`: expected `put NODE KEY VALUE [LEASE]`".into()),
        ("> kill L\n> put L a b", "line 4, `put L a b`: expected a node that runs: node".into()),
        ("> wipe L", "line 3, `wipe L`: expected a node that does not run: `kill L` it first".into()),
        ("> run -3", "line 3, `run -3`: expected milliseconds, 86400000 at most, instead of `-3`".into()),
        ("> run 99999999999", "at most, instead of `99999999999`".into()),
        ("> nodes 3", "line 3, `nodes 3`: expected no second `nodes`: a script is of one cluster".into()),
        ("> set quota-bytes 1", "expected it before `nodes`".into()),
        ("> put L a b c", "expected a lease's number instead of `c`".into()),
        ("> compact L x", "expected a revision instead of `x`".into()),
        ("> session-put L 1 a b", "expected `open-session NODE` before it".into()),
        ("> await x", "expected `begin x COMMAND` before it".into()),
        ("> events x", "expected `watch x NODE PREFIX REVISION` before it".into()),
        ("> begin x", "expected a command: `set NAME NUMBER`, `nodes COUNT`".into()),
        ("> frob", "line 3, `frob`: expected a command: `set NAME NUMBER`".into()),
        ("> ", "line 3, ``: expected a command".into()),
    ] {
        let told = refused(lines);
        assert!(told.contains(&words), "{lines:?}: {told}");
    }
    for (script, words) in [
        ("> put 1 a b", "line 1, `put 1 a b`: expected `nodes COUNT` before any node is named"),
        ("> nodes 0", "expected a number of nodes, 1 to 62, instead of `0`"),
        ("> nodes 99999999999999999999", "1 to 62, instead of `99999999999999999999`"),
        (
            "> set frob 1",
            "expected image-log-bytes, keep-bytes, catch-up-bytes or quota-bytes instead of `frob`",
        ),
    ] {
        let told = kvorum_sim::script::run(script).expect_err(script).to_string();
        assert!(told.contains(words), "{script:?}: {told}");
    }
}

#[test]
fn every_command_is_listed_where_people_look_for_it() {
    let told = refused("> frob");
    let (_, commands) = told.split_once("a command: ").expect("it lists them");
    let listed = include_str!("../src/script.rs");
    for command in commands.split(", ") {
        assert!(listed.contains(&format!("//! | {command} | ")), "{command}");
    }
}
