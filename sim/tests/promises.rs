//! `PROMISES.md` and the code say the same. `KVORUM_BLESS=1` writes the page anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use kvorum_sim::planted::PLANTS;
use kvorum_sim::{Checker, history, promises};

/// Promises that are judged under another's name, or that several checkers keep between them: nothing in the code
/// says their sentence, and the table of planted bugs names them.
const ELSEWHERE: &[(&str, &str, Checker)] = &[
    ("C1", "a request of a session is done once, however often it is attempted", Checker::History),
    (
        "C2",
        "a request that failed for certain never has an effect, one of unknown outcome has it once at most",
        Checker::History,
    ),
    ("H", "all members hold the same, whichever way they came by it", Checker::Agreement),
    ("R3", "whoever leads has every entry that was committed before", Checker::Raft),
    ("R4", "no two members apply different entries at one index", Checker::Raft),
];

fn checker(letter: &str) -> Checker {
    match letter {
        "V1" | "V2" => Checker::Liveness,
        "V3" => Checker::Ceiling,
        "V4" => Checker::Panic,
        "V5" => Checker::Determinism,
        _ => match letter.as_bytes() {
            [b'L' | b'C', ..] => Checker::History,
            [b'W', ..] => Checker::Watch,
            [b'E', ..] => Checker::Lease,
            [b'F', ..] => Checker::Fence,
            [b'H', ..] => Checker::Agreement,
            [b'D', ..] => Checker::Durability,
            [b'R', ..] => Checker::Raft,
            _ => panic!("whose promise is {letter}?"),
        },
    }
}

/// By its letter, then its number: W2 before W10.
fn order(letter: &str) -> (String, u32, String) {
    let (name, rest) = letter.split_at(1);
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    (name.to_string(), rest[..digits].parse().unwrap_or(0), rest[digits..].to_string())
}

/// Whether it is a letter with or without a number, as promises are called.
fn is_letter(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(|first| "LCWEFHDRV".contains(first))
        && chars.all(|c| c.is_ascii_digit() || ('a'..='d').contains(&c))
}

/// The promises that are written out in a source, as `"V4: nothing panics"`; what its tests say is left out.
fn written_out(text: &str, into: &mut BTreeSet<(String, String)>) {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    for literal in text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
    {
        if let Some((letter, sentence)) = literal.split_once(": ")
            && is_letter(letter)
        {
            into.insert((letter.to_string(), sentence.to_string()));
        }
    }
}

fn sources(folder: &Path, into: &mut BTreeSet<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            written_out(&std::fs::read_to_string(&path).expect("text"), into);
        }
    }
}

fn page() -> String {
    let mut rows: BTreeSet<(String, String)> = BTreeSet::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut rows);
    rows.extend(promises::Rule::ALL.map(|rule| (format!("{rule:?}"), rule.sentence().to_string())));
    rows.extend(ELSEWHERE.iter().map(|(letter, sentence, _)| (letter.to_string(), sentence.to_string())));
    let mut by_letter: BTreeMap<_, Vec<(String, String)>> = BTreeMap::new();
    for (letter, sentence) in rows {
        by_letter.entry(order(&letter)).or_default().push((letter, sentence));
    }
    let mut page = String::from(
        "# What is promised, by letter\n\n\
         A violation names the promise that was broken by its letter and number; so do the table of planted bugs\n\
         (`src/planted.rs`) and the tests. A letter that stands in several rows has been seen broken in each of these ways.\n\
         (`tests/promises.rs` sees to it that this page and the code say the same: `KVORUM_BLESS=1` writes it anew.)\n\n\
         | | promise | who sees to it |\n| --- | --- | --- |\n",
    );
    for (letter, sentence) in by_letter.into_values().flatten() {
        let _ = writeln!(page, "| {letter} | {sentence} | {} |", checker(&letter));
    }
    page.push_str(
        "\n`F1` where no letter follows means all that is promised of locks and elections, and `L1` all that the history\n\
         checker demands, which says it by name:\n\n\
         | rule of `kvorum_sim::history` | promise |\n| --- | --- |\n",
    );
    for rule in history::Rule::ALL {
        let _ = writeln!(page, "| `{rule:?}` | {} |", rule.sentence());
    }
    page
}

#[test]
fn the_page_of_promises_says_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("PROMISES.md");
    let right = page();
    if std::env::var_os("KVORUM_BLESS").is_some() {
        std::fs::write(&path, &right).expect("writable");
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let stale: Vec<&str> = is.lines().filter(|line| !right.contains(line)).collect();
    let missing: Vec<&str> = right.lines().filter(|line| !is.contains(line)).collect();
    assert!(
        is == right,
        "sim/PROMISES.md is not what the code says; KVORUM_BLESS=1 writes it anew.\nstale: {stale:#?}\nmissing: {missing:#?}"
    );
}

#[test]
fn every_letter_has_its_sentence() {
    let page = page();
    let has = |letter: &str| page.lines().any(|line| line.starts_with(&format!("| {letter} |")));
    let twins = PLANTS.iter().flat_map(|plant| plant.twin.split(", "));
    // P counts accidents, each of which its own row tells.
    for letter in twins.filter(|word| is_letter(word)) {
        assert!(has(letter), "{letter} stands in the table of planted bugs, and not in sim/PROMISES.md");
    }
    for (letter, _, by) in ELSEWHERE {
        assert_eq!(checker(letter), *by);
        let is_named = PLANTS.iter().any(|plant| plant.twin.split(", ").any(|word| word == *letter));
        assert!(is_named, "nothing is called {letter} any more");
    }
}

#[test]
fn what_is_written_out_is_found() {
    let mut found = BTreeSet::new();
    written_out("f(\"V4: nothing panics\", \"note: no letter\");\n// \"V5: a comment\"\n", &mut found);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [("V4".to_string(), "nothing panics".to_string())]);
    assert!(order("W2") < order("W10") && order("F1") < order("F1a"));
}
