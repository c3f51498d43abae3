//! The table of planted bugs and the code say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kvorum_sim::planted::{Expected, PLANTS, plant};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push(path);
        }
    }
}

/// Where each plant stands, by its name.
fn in_the_code() -> BTreeMap<String, BTreeSet<String>> {
    let mut files = Vec::new();
    for part in ["core/src", "storage/src", "transport/src", "src"] {
        sources(&root().join(part), &mut files);
    }
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("text");
        for after in text.split("planted!(\"").skip(1) {
            let name = after.split('"').next().unwrap_or_default().to_string();
            let relative = path.strip_prefix(root()).expect("below the root");
            let file = relative.to_string_lossy().replace('\\', "/");
            found.entry(name).or_default().insert(file);
        }
    }
    found
}

#[test]
fn every_plant_has_its_row_and_every_row_its_plant() {
    let code = in_the_code();
    for name in code.keys() {
        assert!(plant(name).is_some(), "{name} is planted in {:?}, and not in the table", code[name]);
    }
    for row in PLANTS {
        let files = code.get(row.name).unwrap_or_else(|| panic!("{} is not in the code", row.name));
        assert!(files.contains(row.file), "{} is in {files:?}, not in {}", row.name, row.file);
    }
}

/// Whether a function of that name is there: whether it fails with the bug is for the command to see.
fn is_a_test(program: &str, test: &str) -> bool {
    let mut files = Vec::new();
    match program {
        "core" | "storage" => sources(&root().join(program).join("src"), &mut files),
        "sim" => sources(&root().join("sim/src"), &mut files),
        "storage_rot" => files.push(root().join("storage/tests/rot.rs")),
        file if root().join(format!("sim/tests/{file}.rs")).exists() => {
            files.push(root().join(format!("sim/tests/{file}.rs")));
        }
        folder => sources(&root().join("sim/tests").join(folder), &mut files),
    }
    let head = format!("fn {test}(");
    files.iter().any(|path| std::fs::read_to_string(path).expect("text").contains(&head))
}

#[test]
fn names_are_given_once_and_somebody_is_to_find_each() {
    let names: BTreeSet<&str> = PLANTS.iter().map(|plant| plant.name).collect();
    assert_eq!(names.len(), PLANTS.len());
    for plant in PLANTS {
        match plant.expected {
            Expected::Checkers(checkers) => assert!(!checkers.is_empty(), "{}", plant.name),
            Expected::Test { target, because } => {
                assert!(!because.is_empty(), "{}", plant.name);
                let (program, path) = target.split_once("::").expect("a program and a test's path");
                let test = path.rsplit("::").next().unwrap_or_default();
                assert!(is_a_test(program, test), "{}: there is no test {target}", plant.name);
            }
        }
        assert!(plant.does.ends_with('.') && !plant.twin.is_empty(), "{}", plant.name);
    }
}
