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
        let now = kvorum_sim::script::run(&before);
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
