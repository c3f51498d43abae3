//! The command as it is called: what it prints, what it ends with.

use std::path::PathBuf;
use std::process::{Command, Output};

fn sim(words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvorum-sim"));
    command.args(words.split_whitespace()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn seeds_are_run_and_summed_up() {
    let output = sim("run --seeds 3 --seconds 2 --jobs 2 --sample-determinism");
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.starts_with("3 seeds, 0 with a violation"), "{text}");
    assert!(text.contains("wall time") && text.contains("calls answered"), "{text}");
}

#[test]
fn lines_of_json_come_in_the_order_of_the_seeds() {
    let text = said(&sim("run --seeds 4 --from 10 --seconds 1 --jobs 3 --json"));
    let begins: Vec<&str> = text.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(begins, ["{\"seed\":10", "{\"seed\":11", "{\"seed\":12", "{\"seed\":13"]);
}

#[test]
fn a_replay_does_the_same_to_the_last_letter() {
    let (first, second) = (sim("run --seed 5 --seconds 3"), sim("run --seed 5 --seconds 3"));
    assert_eq!(said(&first), said(&second));
    let text = said(&first);
    for part in ["seed 5: ", "plan", "counts", "trace  ", "every promise was kept"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn what_it_does_not_know_ends_with_two_and_a_word_about_it() {
    let wrong = [
        ("", "which command"),
        ("dance", "dance"),
        ("run", "--seeds N"),
        ("run --seed 1 --seeds 2", "--seeds N"),
        ("run --seeds 0", "at least 1"),
        ("run --seeds many", "many"),
        ("run --seed 1 --without x", "`x`"),
        ("run --seed 1 --seconds -3", "seconds"),
        ("run --seed 1 --nodes 0", "--nodes"),
        ("run --seeds 2 --trace", "--trace"),
        ("run --seed 1 --loud", "--loud"),
        ("run --seeds 9 --from 18446744073709551615", "not that many"),
        ("run --seeds many", "--seeds"),
        ("run --seed 1 --jobs 2", "--jobs"),
        ("run --seed 1 --seconds 1 --only 999", "there is no 999"),
        ("run --seed 1 --without 100000", "below 100000"),
        ("shrink", "--seed"),
        ("report --seed 1", "-o"),
        ("planted no_such_bug", "no_such_bug"),
        ("planted --class Z", "A, B and C"),
        ("planted swap_branches --class C", "of that class"),
        ("planted --jobs two", "--jobs"),
    ];
    for (words, about) in wrong {
        let output = sim(words);
        let told = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(output.status.code(), Some(2), "{words}: {told}");
        assert!(told.contains(about) && output.stdout.is_empty(), "{words}: {told}");
    }
}

#[test]
fn help_has_examples() {
    for words in ["run --help", "shrink -h", "report --help", "planted --help"] {
        let output = sim(words);
        assert_eq!(output.status.code(), Some(0));
        assert!(said(&output).contains("Examples:"), "{words}");
    }
    assert!(said(&sim("--help")).contains("Commands:"));
}

#[test]
fn a_seed_that_keeps_its_promises_is_not_shrunk() {
    let output = sim("shrink --seed 5 --seconds 2");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(said(&output), "seed 5 breaks no promise in 2 s\n");
}

#[test]
fn a_report_is_written() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report.html");
    let output = sim(&format!("report --seed 5 --seconds 2 -o {}", file.display()));
    assert_eq!(output.status.code(), Some(0));
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.contains("seed 5") && page.contains("No violation") && page.ends_with("</html>\n"));
    assert_eq!(sim("report --seed 5 --seconds 1 -o /nowhere/at/all.html").status.code(), Some(2));
}

#[test]
fn planted_bugs_are_listed() {
    assert!(said(&sim("planted --list")).contains("send_before_sync"));
}

#[test]
fn a_bug_that_is_not_built_in_is_not_planted_in_silence() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvorum-sim"));
    let output =
        command.args(["run", "--seeds", "1"]).env("KVORUM_PLANTED", "swap_branches").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("KVORUM_PLANTED"), "{text}");
}
