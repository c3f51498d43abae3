//! Who did what, when only what was done is known: each deed needs a doer of its own among those who may
//! have done it.

/// Gives each deed a doer: `may[deed]` are those who may have done it, numbers below `doers`.
///
/// # Errors
///
/// Deeds that have fewer doers between them than they are, if not every deed can have one.
pub(super) fn assign(may: &[Vec<usize>], doers: usize) -> Result<Vec<usize>, Vec<usize>> {
    let mut search = Search {
        may,
        deed_of: vec![NOBODY; doers],
        doer_of: vec![NOBODY; may.len()],
        reached_from: vec![NOBODY; doers],
        touched: Vec::new(),
    };
    for (deed, doers) in may.iter().enumerate() {
        // What comes first mostly fits; the search is for the rest.
        match doers.iter().copied().find(|&doer| search.deed_of[doer] == NOBODY) {
            Some(doer) => search.give(deed, doer),
            None => search.make_room(deed)?,
        }
    }
    Ok(search.doer_of)
}

const NOBODY: usize = usize::MAX;

struct Search<'a> {
    may: &'a [Vec<usize>],
    deed_of: Vec<usize>,
    doer_of: Vec<usize>,
    /// By which deed a doer was reached in the search under way.
    reached_from: Vec<usize>,
    touched: Vec<usize>,
}

impl Search<'_> {
    fn give(&mut self, deed: usize, doer: usize) {
        self.deed_of[doer] = deed;
        self.doer_of[deed] = doer;
    }

    /// Looks, widening, for a chain of deeds that can each pass their doer on, up to a doer who is free.
    fn make_room(&mut self, deed: usize) -> Result<(), Vec<usize>> {
        for doer in self.touched.drain(..) {
            self.reached_from[doer] = NOBODY;
        }
        let mut queue = vec![deed];
        let mut next = 0;
        while let Some(&from) = queue.get(next) {
            next += 1;
            for &doer in &self.may[from] {
                if self.reached_from[doer] != NOBODY {
                    continue;
                }
                self.reached_from[doer] = from;
                self.touched.push(doer);
                match self.deed_of[doer] {
                    NOBODY => {
                        self.pass_on(doer);
                        return Ok(());
                    }
                    other => queue.push(other),
                }
            }
        }
        Err(queue)
    }

    /// Walks the chain back, from the doer who is free.
    fn pass_on(&mut self, mut doer: usize) {
        while doer != NOBODY {
            let deed = self.reached_from[doer];
            let before = self.doer_of[deed];
            self.give(deed, doer);
            doer = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_makes_room() {
        let may = [vec![0, 1], vec![0, 2], vec![0], vec![2, 3]];
        let doers = assign(&may, 4).unwrap();
        assert_eq!(doers, [1, 2, 0, 3]);
    }

    #[test]
    fn three_deeds_of_two_are_told() {
        let may = [vec![0, 1], vec![4], vec![0, 1], vec![1, 0]];
        assert_eq!(assign(&may, 5), Err(vec![3, 2, 0]));
        assert_eq!(assign(&[vec![]], 0), Err(vec![0]));
    }

    /// Every small graph, against trying all assignments.
    #[test]
    fn as_good_as_trying_everything() {
        fn can(may: &[Vec<usize>], taken: u32) -> bool {
            let Some((first, rest)) = may.split_first() else { return true };
            first.iter().any(|&doer| taken & 1 << doer == 0 && can(rest, taken | 1 << doer))
        }
        for graph in 0..1u32 << 12 {
            let may: Vec<Vec<usize>> = (0..4)
                .map(|deed| (0..3).filter(|doer| graph >> (deed * 3 + doer) & 1 == 1).collect())
                .collect();
            for deeds in 1..=4 {
                let found = assign(&may[..deeds], 3);
                assert_eq!(found.is_ok(), can(&may[..deeds], 0), "{may:?}");
                if let Err(few) = found {
                    let mut doers: Vec<usize> = few.iter().flat_map(|&deed| may[deed].clone()).collect();
                    doers.sort_unstable();
                    doers.dedup();
                    assert!(doers.len() < few.len(), "{may:?}: {few:?}");
                }
            }
        }
    }
}
