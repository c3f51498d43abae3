//! What `kvorumd import` refuses, with which words and codes, and that nothing is left of it.

use std::fs;
use std::process::Output;

use crate::process::{Scratch, command, free_port, member};

fn run(scratch: &Scratch, words: &[&str]) -> Output {
    let flags = member("a", &[("a", free_port())], free_port(), &scratch.path().join("deep/a"));
    let words: Vec<&str> =
        ["import"].iter().chain(words).copied().chain(flags.iter().map(String::as_str)).collect();
    command(&words).output().unwrap()
}

#[test]
fn what_is_no_snapshot_is_refused_for_what_it_is() {
    let scratch = Scratch::new();
    let [empty, text] = ["empty", "text"].map(|name| scratch.path().join(name).display().to_string());
    fs::write(&empty, "").unwrap();
    fs::write(&text, "text").unwrap();
    let directory = scratch.path().display().to_string();
    for (file, reason) in [
        (directory.as_str(), "is a directory"),
        (&empty, "is empty"),
        ("/dev/null", "is not a plain file"),
        ("/nothing", "opening /nothing: No such file"),
        (&text, "it is no snapshot of etcd's"),
    ] {
        let output = run(&scratch, &[file]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with(file) && said.contains(reason) || said.starts_with(reason), "{said}");
        assert!(!said.contains("--skip-hash-check"), "{said}");
        assert!(!said.contains("See '") && said.lines().count() == 1, "{said}");
        assert!(!scratch.path().join("deep").exists(), "nothing is left");
    }
    fs::create_dir(scratch.path().join("deep")).unwrap();
    assert_eq!(run(&scratch, &[&text]).status.code(), Some(1));
    assert_eq!(fs::read_dir(scratch.path().join("deep")).unwrap().count(), 0, "what was there is left alone");
}

#[test]
fn a_wrong_command_line_is_told_with_where_to_look() {
    let scratch = Scratch::new();
    for (words, reason) in [
        (&[][..], "import needs the FILE"),
        (&["file", "--nosuch"], "flag provided but not defined: -nosuch"),
        (&["file", "--skip-hash-check=maybe"], "invalid boolean value"),
    ] {
        let output = run(&scratch, words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with(reason) && said.ends_with("See 'kvorumd import --help'.\n"), "{said}");
    }
}

#[test]
fn a_flag_that_is_not_there_is_refused_by_name_as_at_a_start() {
    let scratch = Scratch::new();
    let output = run(&scratch, &["file", "--cert-file=x"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("--cert-file is not supported by kvorumd: "), "{said}");
}

#[test]
fn its_help_has_its_flags() {
    for words in [&["import", "--help"][..], &["import", "-h"], &["import", "file", "--help"]] {
        let output = command(words).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0));
        for flag in ["skip-hash-check", "data-dir", "name", "initial-cluster", "initial-advertise-peer-urls"]
        {
            assert!(said.contains(&format!("\n  --{flag} '")), "{flag}: {said}");
        }
        assert!(!said.contains("--listen-client-urls"), "{said}");
    }
}

/// What somebody keeps there is never removed, nor imported over.
#[test]
fn a_member_that_never_came_to_run_is_not_imported_over() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path().join("deep/a/member/store")).unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "file").unwrap();
    let output = run(&scratch, &[file.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("deep/a/member is there already"), "{said}");
    assert!(said.contains("it is no snapshot"), "both are told: {said}");
    assert_eq!(fs::read_dir(scratch.path().join("deep/a")).unwrap().count(), 1);
}

#[test]
fn a_file_is_no_data_directory() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("deep")).unwrap();
    fs::write(scratch.path().join("deep/a"), "mine").unwrap();
    let output = run(&scratch, &["/nothing"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("deep/a is a file, and no directory"), "{said}");
    assert_eq!(fs::read(scratch.path().join("deep/a")).unwrap(), b"mine");
}
