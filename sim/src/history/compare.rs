//! The judge against the oracle, on true histories and on lies about them.

use std::fmt::{self, Display, Formatter, Write};

use super::mutate::{OPERATORS, Operator};
use super::random::{Dice, Story, story};
use super::{check, check_with_lease_ends, oracle};

/// On what the two agreed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// True histories that nobody changed.
    pub untouched: u64,
    /// For each way of changing a history: its name, how many then could still be true, and how many not.
    pub operators: Vec<(&'static str, u64, u64)>,
}

impl Tally {
    /// How many changed histories could still be true.
    pub fn legal(&self) -> u64 {
        self.operators.iter().map(|(_, legal, _)| legal).sum()
    }

    /// How many changed histories could not be true.
    pub fn illegal(&self) -> u64 {
        self.operators.iter().map(|(_, _, illegal)| illegal).sum()
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>30} {:>9} {:>9}", "", "legal", "illegal")?;
        writeln!(f, "{:>30} {:>9} {:>9}", "untouched", self.untouched, 0)?;
        for (name, legal, illegal) in &self.operators {
            writeln!(f, "{name:>30} {legal:>9} {illegal:>9}")?;
        }
        write!(f, "{:>30} {:>9} {:>9}", "all changed", self.legal(), self.illegal())
    }
}

/// Makes `count` histories, each from a seed of its own, changes each in one or two ways, and has it judged by
/// [`check()`] and by [`oracle::can_be_true`]. Every 64th is left as it is and must be found true.
///
/// # Errors
///
/// The first history on which the two do not agree, in words, with its seed.
pub fn compare(seed_from: u64, count: u64) -> Result<Tally, String> {
    let names = OPERATORS.iter().map(|operator| (operator.name, 0, 0));
    let mut tally = Tally { untouched: 0, operators: names.collect() };
    for seed in seed_from..seed_from.saturating_add(count) {
        let mut dice = Dice::new(seed);
        let mut story = story(&mut dice);
        let operator = (seed % 64 != 0).then(|| changed(&mut story, &mut dice));
        let is_legal = agreed(seed, &story)?;
        match operator {
            None if is_legal => tally.untouched += 1,
            None => {
                return Err(in_words(seed, &story, "this history was made by a store, and is called a lie"));
            }
            Some(at) if is_legal => tally.operators[at].1 += 1,
            Some(at) => tally.operators[at].2 += 1,
        }
    }
    Ok(tally)
}

/// Changes a history, and tells in which way: the first, if in two.
fn changed(story: &mut Story, dice: &mut Dice) -> usize {
    let first = dice.below(OPERATORS.len());
    let mut ways = (0..OPERATORS.len()).map(|at| (first + at) % OPERATORS.len());
    let has_changed = |at: &usize| {
        let Operator { change, .. } = &OPERATORS[*at];
        change(story, dice)
    };
    let at = ways.find(has_changed).unwrap_or(first);
    if dice.chance(25) {
        let Operator { change, .. } = &OPERATORS[dice.below(OPERATORS.len())];
        change(story, dice);
    }
    at
}

fn agreed(seed: u64, story: &Story) -> Result<bool, String> {
    let log = story.event_log();
    let verdict = match &story.ends {
        None => check(&log, &story.ops),
        Some(ends) => check_with_lease_ends(&log, &story.ops, ends),
    };
    let truth = oracle::can_be_true(&log, &story.ops, story.ends.as_ref());
    if verdict.is_ok() == truth {
        return Ok(truth);
    }
    let seen = match verdict {
        Ok(_) => "the judge finds nothing wrong, and no order of requests explains it".to_string(),
        Err(broken) => format!("there is an order that explains it, and the judge says: {broken}"),
    };
    Err(in_words(seed, story, &seen))
}

fn in_words(seed: u64, story: &Story, seen: &str) -> String {
    let mut words = format!("seed {seed}: {seen}\nlog:\n");
    for (at, changes) in story.log.iter().enumerate() {
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        let _ = writeln!(words, "  {}: {}", at + 2, changes.join(", "));
    }
    let _ = writeln!(words, "lease ends: {:?}\nrequests:", story.ends);
    for op in &story.ops {
        let _ = writeln!(words, "  {op}\n      {op:?}");
    }
    words
}
