//! `planted`: builds each planted bug and demands that it is found, and by whom it should be.

mod build;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use kvorum_sim::planted::{Class, Expected, PLANTS, Plant};
use lexopt::prelude::*;

use super::{End, Stop, help};
use build::{Found, Workshop};

const HELP: &str = "\
Builds each planted bug, in a target directory of its own, and demands that the rehearsal finds it: within
so many seeds, and by the checker that guards the promise it breaks. Ends with 1 if one is not.

Usage: kvorum-sim planted [NAME…] [OPTIONS]

Options:
      --list           say what there is, and build nothing
      --class ABC      only those of these classes
      --seeds-a N      seeds for a bug of class A [50]
      --seeds-b N      seeds for a bug of class B [500]
      --seeds-c N      seeds for a bug of class C [5000]
      --seconds T      simulated seconds of each seed [60]
      --from S         the first seed [0]
      --jobs J         threads of each batch, and of each build [as many as there are processors]
      --minutes M      give a bug up after this long, its build not counted [20]
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
    jobs: Option<usize>,
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
        jobs: None,
        minutes: 20,
        profile: "planted".into(),
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("help") | Short('h') => return Ok(None),
            Long("list") => asked.is_list = true,
            Long("class") => asked.classes = parser.value()?.string()?.to_uppercase(),
            Long("seeds-a") => asked.seeds[0] = parser.value()?.parse()?,
            Long("seeds-b") => asked.seeds[1] = parser.value()?.parse()?,
            Long("seeds-c") => asked.seeds[2] = parser.value()?.parse()?,
            Long("seconds") => asked.seconds = parser.value()?.parse()?,
            Long("from") => asked.from = parser.value()?.parse()?,
            Long("jobs") => asked.jobs = Some(parser.value()?.parse()?),
            Long("minutes") => asked.minutes = parser.value()?.parse()?,
            Long("profile") => asked.profile = parser.value()?.string()?,
            Value(name) => asked.names.push(name.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Some(asked))
}

/// Those that were asked for, in the order of the list.
fn choose(asked: &Asked) -> Result<Vec<&'static Plant>, Stop> {
    if let Some(name) = asked.names.iter().find(|name| PLANTS.iter().all(|plant| plant.name != **name)) {
        return Err(Stop::Usage(format!("no bug is called `{name}`: see `kvorum-sim planted --list`")));
    }
    let is_wanted = |plant: &&Plant| asked.names.is_empty() || asked.names.iter().any(|n| n == plant.name);
    let is_of_class = |plant: &&Plant| asked.classes.contains(letter(plant.class));
    Ok(PLANTS.iter().filter(is_wanted).filter(is_of_class).collect())
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
    let workshop = Workshop::new(&asked.profile, asked.jobs)?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{:<32} c {:<16} {:<24} {:>12} {:>8} {:>8}",
        "bug", "expected", "found by", "seeds", "build", "search"
    )?;
    let mut not_caught = Vec::new();
    for plant in &plants {
        let verdict = try_one(&workshop, plant, &asked, &mut out)?;
        if verdict != "caught" {
            not_caught.push(format!("{verdict}: {} ({})", plant.name, plant.does));
        }
    }
    writeln!(out, "\n{} of {} caught by whom it should be", plants.len() - not_caught.len(), plants.len())?;
    for line in &not_caught {
        writeln!(out, "  {line}")?;
    }
    Ok(if not_caught.is_empty() { End::Well } else { End::Broken })
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

/// Builds and searches, and prints the row.
fn try_one(
    workshop: &Workshop,
    plant: &Plant,
    asked: &Asked,
    out: &mut dyn Write,
) -> Result<&'static str, Stop> {
    write!(out, "{:<32} {} {:<16} ", plant.name, letter(plant.class), plant.expected)?;
    out.flush()?;
    let (begin, budget) = (Instant::now(), asked.seeds[plant.class as usize]);
    let target = match plant.expected {
        Expected::Test { target, .. } => Some(target),
        Expected::Checkers(_) => None,
    };
    let built = match target {
        Some(target) => workshop.build_test(plant.name, target)?,
        None => workshop.build_command(plant.name)?,
    };
    let build = begin.elapsed();
    if let Err(log) = built {
        writeln!(out, "DOES NOT BUILD: see {}", log.display())?;
        return Ok("does not build");
    }
    let begin = Instant::now();
    let until = begin + Duration::from_secs(60 * asked.minutes);
    let found = match target {
        Some(target) => workshop.run_test(plant.name, target, until)?,
        None => workshop.search(asked.from, budget, asked.seconds, until)?,
    };
    let (by, seeds, verdict) = judge(plant, &found, budget);
    let (build, search) = (build.as_secs_f64(), begin.elapsed().as_secs_f64());
    writeln!(out, "{by:<24} {seeds:>12} {build:>6.0} s {search:>6.1} s")?;
    Ok(verdict)
}

fn is_expected(plant: &Plant, checker: &str) -> bool {
    match plant.expected {
        Expected::Checkers(checkers) => checkers.iter().any(|one| one.name() == checker),
        Expected::Test { .. } => false,
    }
}

/// Who found it, after how many seeds, and what that means.
fn judge(plant: &Plant, found: &Found, budget: u64) -> (String, String, &'static str) {
    match found {
        Found::Broken { checker, seeds } if is_expected(plant, checker) => {
            (checker.clone(), format!("{seeds} of {budget}"), "caught")
        }
        Found::Broken { checker, seeds } => {
            (format!("ANOTHER: {checker}"), format!("{seeds} of {budget}"), "caught by another")
        }
        Found::Nothing { seeds } => ("MISSED".into(), format!("{seeds} of {budget}"), "missed"),
        Found::Died { seeds } => ("THE COMMAND DIED".into(), format!("{seeds} of {budget}"), "died"),
        Found::TooLate { seeds } => {
            ("MISSED, out of time".into(), format!("{seeds} of {budget}"), "out of time")
        }
        Found::TestFailed => ("test".into(), "-".into(), "caught"),
        Found::TestPassed => ("MISSED: test passes".into(), "-".into(), "missed"),
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
}
