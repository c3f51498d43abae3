//! `planted`: demands that each planted bug is found, and by whom it should be.

mod build;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use kvorum_sim::planted::{Class, Expected, PLANTS, Plant};
use lexopt::prelude::*;

use super::{End, Stop, args, help};
use build::{Found, Seeds, Workshop};

const HELP: &str = "\
Switches on one planted bug after the other, in a build of its own that has all of them, and demands that the
rehearsal finds it: within so many seeds, and by the checker that guards the promise it breaks. Where no seed
can show it, a test that plays it must fail. Ends with 1 if one is not found, or by another checker, or if
the seed that shows it fails without the bug, too. Builds no more than what is asked for needs.

Usage: kvorum-sim planted [NAME…] [OPTIONS]

Options:
      --list           say what there is, and build nothing
      --class ABC      only those of these classes
      --seeds-a N      seeds for a bug of class A [50]
      --seeds-b N      seeds for a bug of class B [500]
      --seeds-c N      seeds for a bug of class C [5000]
      --seconds T      simulated seconds of each seed [60]
      --from S         the first seed [0]
      --jobs J         bugs looked for at the same time [as many as there are processors]
      --minutes M      give a bug up after this long [20]
      --profile NAME   cargo's profile to build with [planted]

Examples:
  kvorum-sim planted
  kvorum-sim planted send_before_sync read_without_index
  kvorum-sim planted --class A --seeds-a 100
";

struct Asked {
    names: Vec<String>,
    classes: String,
    is_list: bool,
    seeds: [u64; 3],
    from: u64,
    seconds: f64,
    jobs: usize,
    minutes: u64,
    profile: String,
}

fn parse(parser: &mut lexopt::Parser) -> Result<Option<Asked>, Stop> {
    let mut asked = Asked {
        names: Vec::new(),
        classes: "ABC".into(),
        is_list: false,
        seeds: [50, 500, 5000],
        from: 0,
        seconds: 60.0,
        jobs: thread::available_parallelism().map_or(1, usize::from),
        minutes: 20,
        profile: "planted".into(),
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("help") | Short('h') => return Ok(None),
            Long("list") => asked.is_list = true,
            Long("class") => asked.classes = parser.value()?.string()?.to_uppercase(),
            Long("seeds-a") => asked.seeds[0] = args::value(parser, "seeds-a")?,
            Long("seeds-b") => asked.seeds[1] = args::value(parser, "seeds-b")?,
            Long("seeds-c") => asked.seeds[2] = args::value(parser, "seeds-c")?,
            Long("seconds") => asked.seconds = args::value(parser, "seconds")?,
            Long("from") => asked.from = args::value(parser, "from")?,
            Long("jobs") => asked.jobs = args::value(parser, "jobs")?,
            Long("minutes") => asked.minutes = args::value(parser, "minutes")?,
            Long("profile") => asked.profile = parser.value()?.string()?,
            Value(name) => asked.names.push(name.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if asked.jobs == 0 {
        return Err(Stop::usage("--jobs is at least 1"));
    }
    Ok(Some(asked))
}

/// Those that were asked for, in the order of the list.
fn choose(asked: &Asked) -> Result<Vec<&'static Plant>, Stop> {
    if let Some(name) = asked.names.iter().find(|name| PLANTS.iter().all(|plant| plant.name != **name)) {
        return Err(Stop::Usage(format!("no bug is called `{name}`: see `kvorum-sim planted --list`")));
    }
    if asked.classes.is_empty() || !asked.classes.chars().all(|class| "ABC".contains(class)) {
        return Err(Stop::usage("--class takes one or more of the letters A, B and C"));
    }
    let is_wanted = |plant: &&Plant| asked.names.is_empty() || asked.names.iter().any(|n| n == plant.name);
    let is_of_class = |plant: &&Plant| asked.classes.contains(letter(plant.class));
    let chosen: Vec<_> = PLANTS.iter().filter(is_wanted).filter(is_of_class).collect();
    if chosen.is_empty() {
        return Err(Stop::usage("none of these bugs is of that class: see `kvorum-sim planted --list`"));
    }
    Ok(chosen)
}

fn letter(class: Class) -> char {
    match class {
        Class::A => 'A',
        Class::B => 'B',
        Class::C => 'C',
    }
}

/// `planted`.
pub(crate) fn command(parser: &mut lexopt::Parser) -> Result<End, Stop> {
    let Some(asked) = parse(parser)? else { return help(HELP) };
    let plants = choose(&asked)?;
    if asked.is_list {
        return list(&plants);
    }
    let workshop = build(&plants, &asked)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{:<32} c {:<28} {:<24} {:>12} {:>8}", "bug", "expected", "found by", "seeds", "time")?;
    let mut not_caught = Vec::new();
    try_all(&workshop, &plants, &asked, |plant, row, verdict| {
        writeln!(out, "{row}")?;
        if verdict != CAUGHT {
            not_caught.push(format!("{verdict}: {} ({})", plant.name, plant.does));
        }
        Ok(out.flush()?)
    })?;
    writeln!(out, "\n{} of {} caught by whom it should be", plants.len() - not_caught.len(), plants.len())?;
    not_caught.sort();
    for line in &not_caught {
        writeln!(out, "  {line}")?;
    }
    Ok(if not_caught.is_empty() { End::Well } else { End::Broken })
}

fn test_of(plant: &Plant) -> Option<&'static str> {
    match plant.expected {
        Expected::Test { target, .. } => Some(target),
        Expected::Checkers(_) => None,
    }
}

/// One build for all that need seeds, and one for each program with tests that are asked for.
fn build(plants: &[&Plant], asked: &Asked) -> Result<Workshop, Stop> {
    let mut workshop = Workshop::new(&asked.profile)?;
    let tests: Vec<&str> = plants.iter().filter_map(|plant| test_of(plant)).collect();
    if tests.len() < plants.len() {
        workshop.build_command()?;
    }
    workshop.build_tests(&tests)?;
    Ok(workshop)
}

/// Looks for several at a time, and tells of each in the order of the list.
fn try_all(
    workshop: &Workshop,
    plants: &[&'static Plant],
    asked: &Asked,
    mut tell: impl FnMut(&Plant, &str, &'static str) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, tried) = mpsc::channel();
    let searchers = asked.jobs.min(plants.len());
    thread::scope(|scope| {
        for _ in 0..searchers {
            let (sender, next, stop) = (sender.clone(), &next, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(plant) = plants.get(number) else { return };
                    // A bug that is looked for alone gets all threads.
                    let row = try_one(workshop, plant, asked, asked.jobs / searchers);
                    if sender.send((number, row)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let told = in_order(tried, |number, row| {
            let (row, verdict) = row?;
            tell(plants[number], &row, verdict)
        });
        stop.store(true, Ordering::Relaxed);
        told
    })
}

/// Hands on what comes in any order by its number.
fn in_order<T>(
    tried: mpsc::Receiver<(usize, T)>,
    mut tell: impl FnMut(usize, T) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let (mut early, mut expected) = (std::collections::BTreeMap::new(), 0);
    for (number, row) in tried {
        early.insert(number, row);
        while let Some(row) = early.remove(&expected) {
            tell(expected, row)?;
            expected += 1;
        }
    }
    Ok(())
}

fn list(plants: &[&Plant]) -> Result<End, Stop> {
    let mut out = io::stdout().lock();
    for plant in plants {
        let (class, name, expected) = (letter(plant.class), plant.name, plant.expected);
        writeln!(out, "{class} {name:<32} {expected:<16} {}", plant.does)?;
        writeln!(out, "{:>35}{}, like {}", "", plant.file, plant.twin)?;
    }
    Ok(End::Well)
}

/// Looks for one: its row, and the verdict.
fn try_one(
    workshop: &Workshop,
    plant: &Plant,
    asked: &Asked,
    jobs: usize,
) -> Result<(String, &'static str), Stop> {
    let (begin, budget) = (Instant::now(), asked.seeds[plant.class as usize]);
    let until = begin + Duration::from_secs(60 * asked.minutes);
    let seeds = Seeds { from: asked.from, budget, seconds: asked.seconds, jobs };
    let found = match test_of(plant) {
        Some(test) => workshop.run_test(plant.name, test, until)?,
        None => workshop.search(plant.name, seeds, until)?,
    };
    let (by, seeds, verdict) = judge(plant, &found, budget);
    let expected = match test_of(plant) {
        Some(_) => "a test".into(),
        None => plant.expected.to_string(),
    };
    let (name, class, took) = (plant.name, letter(plant.class), begin.elapsed().as_secs_f64());
    Ok((format!("{name:<32} {class} {expected:<28} {by:<24} {seeds:>12} {took:>6.1} s"), verdict))
}

fn is_expected(plant: &Plant, checker: &str) -> bool {
    match plant.expected {
        Expected::Checkers(checkers) => checkers.iter().any(|one| one.name() == checker),
        Expected::Test { .. } => false,
    }
}

const CAUGHT: &str = "caught";

/// Who found it, after how many seeds, and what that means.
fn judge(plant: &Plant, found: &Found, budget: u64) -> (String, String, &'static str) {
    let of = |seeds: &u64| format!("{seeds} of {budget}");
    match found {
        Found::Broken { checker, seeds } if is_expected(plant, checker) => {
            (checker.clone(), of(seeds), CAUGHT)
        }
        Found::Broken { checker, seeds } => (format!("ANOTHER: {checker}"), of(seeds), "caught by another"),
        Found::FalseAlarm { checker, seeds } => {
            (format!("FALSE ALARM: {checker}"), of(seeds), "a false alarm")
        }
        Found::Nothing { seeds } => ("MISSED".into(), of(seeds), "missed"),
        Found::Died { seeds } => ("THE COMMAND DIED".into(), of(seeds), "died"),
        Found::TooLate { seeds } => ("MISSED, out of time".into(), of(seeds), "out of time"),
        Found::TestFailed => ("its test".into(), "-".into(), CAUGHT),
        Found::TestPassed => ("MISSED: test passes".into(), "-".into(), "missed"),
        Found::TestAlwaysFails => ("FALSE ALARM: test".into(), "-".into(), "a false alarm"),
        Found::NoSuchTest => ("NO SUCH TEST".into(), "-".into(), "no such test"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_be_found_by_another_is_told_apart() {
        let plant = kvorum_sim::planted::plant("delete_nothing_bumps").unwrap();
        let broken = |checker: &str| Found::Broken { checker: checker.into(), seeds: 3 };
        assert_eq!(judge(plant, &broken("history"), 50).2, "caught");
        assert_eq!(judge(plant, &broken("panic"), 50).2, "caught by another");
        assert_eq!(judge(plant, &Found::Nothing { seeds: 50 }, 50).2, "missed");
    }

    #[test]
    fn rows_are_told_in_their_order() {
        let (sender, tried) = mpsc::channel();
        for number in [2, 0, 1, 3] {
            sender.send((number, ())).unwrap();
        }
        drop(sender);
        let mut told = Vec::new();
        in_order(tried, |number, ()| {
            told.push(number);
            Ok(())
        })
        .unwrap();
        assert_eq!(told, [0, 1, 2, 3]);
    }
}
