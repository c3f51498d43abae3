//! Whether whoever holds a lease knows in time that it is over.

use std::collections::BTreeMap;

use super::promise::{Broken, Moment, Rule};

/// Judges what holders believe. Keeps an instant for each lease that ran out.
#[derive(Clone, Debug, Default)]
pub struct HolderJudge {
    over: BTreeMap<i64, Moment>,
}

impl HolderJudge {
    /// A lease ran out, and had by then: from now on somebody else may hold what hung on it.
    pub fn expired(&mut self, id: i64, at: Moment) {
        self.over.entry(id).or_insert(at);
    }

    /// Its holder was asked, and believes in it. `counted` is when the holder last looked at a clock: whoever stands
    /// still believes anything, and cannot help it.
    ///
    /// # Errors
    ///
    /// [`Rule::E8`]: it was over before that.
    pub fn believes(&self, id: i64, counted: Moment) -> Result<(), Broken> {
        match self.over.get(&id) {
            Some(over) if *over < counted => {
                let seen =
                    format!("lease {id} had run out by {over:?}, and at {counted:?} its holder did not know");
                Err(Broken::new(Rule::E8, seen))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    #[test]
    fn e8_a_holder_that_looks_at_the_clock_knows_that_its_lease_is_over() {
        let mut judge = HolderJudge::default();
        assert_eq!(judge.believes(7, at(9)), Ok(()), "it lives");
        judge.expired(7, at(5));
        judge.expired(7, at(8));
        assert_eq!(judge.believes(7, at(5)), Ok(()), "it stood still meanwhile");
        assert_eq!(judge.believes(8, at(9)), Ok(()), "that is another one");
        assert_eq!(judge.believes(7, at(6)).map_err(|broken| broken.rule), Err(Rule::E8));
    }
}
