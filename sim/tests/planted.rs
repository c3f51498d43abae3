//! The table of planted bugs and the code say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kvorum_sim::planted::program::{Part, Program, split};
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
    for part in ["core/src", "storage/src", "transport/src", "src", "gateway/src"] {
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

/// The files in which a test with this path may be: the one that its modules name, where it is in a folder of tests.
fn files_of(program: &str, test: &str) -> Vec<PathBuf> {
    let (program, mut files) = (Program::named(program), Vec::new());
    let folder = root().join(program.folder);
    match program.part {
        Part::Library => sources(&folder.join("src"), &mut files),
        Part::Binary(name) => sources(&folder.join("src/bin").join(name), &mut files),
        Part::Tests(name) => {
            let modules: Vec<&str> = test.split("::").collect();
            let inside = match &modules[..modules.len() - 1] {
                [] => "main".into(),
                modules => modules.join("/"),
            };
            let alone = folder.join(format!("tests/{name}.rs"));
            let among = folder.join(format!("tests/{name}/{inside}.rs"));
            files.push(if alone.exists() { alone } else { among });
        }
    }
    files
}

/// Whether a function of that name is there: whether it fails with the bug is for the command to see.
fn is_a_test(program: &str, test: &str) -> bool {
    let name = test.rsplit("::").next().unwrap_or_default();
    let head = format!("fn {name}(");
    let has_it = |path: &PathBuf| std::fs::read_to_string(path).is_ok_and(|text| text.contains(&head));
    files_of(program, test).iter().any(has_it)
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
                let (program, test) = split(target);
                assert!(is_a_test(program, test), "{}: there is no test {target}", plant.name);
            }
        }
        assert!(plant.does.ends_with('.') && !plant.twin.is_empty(), "{}", plant.name);
    }
}

#[test]
fn the_page_of_what_was_found_says_how_many_there_are() {
    let page = std::fs::read_to_string(root().join("sim/FOUND.md")).expect("text");
    let said = format!("\n{} bugs are planted", PLANTS.len());
    assert!(page.contains(&said), "sim/FOUND.md does not say that there are {}", PLANTS.len());
}
