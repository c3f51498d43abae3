//! A client's walk over everything that its node holds: for backups in other forms, and for hashes.
//!
//! What it will never know: those forms.

use std::sync::Arc;

use crate::error::Result;
use crate::shared::Shared;
use crate::state::{Facts, Scope, Step, Walk};

/// Every version of every key that a node holds, in the order in which they were written, as of one moment
/// ([`crate::Client::export`]).
///
/// Each step holds the node's state for a moment only; in between, the node goes on. As long as an export lives, what
/// compactions make unreachable stays in memory: drop it soon.
#[derive(Debug)]
pub struct Export {
    shared: Arc<Shared>,
    walk: Walk,
}

impl Export {
    pub(crate) fn new(shared: Arc<Shared>, scope: Scope) -> Result<Export> {
        let walk = shared.state.read().walk(scope)?;
        Ok(Export { shared, walk })
    }

    /// What there is besides versions.
    pub fn facts(&self) -> &Facts {
        self.walk.facts()
    }

    /// The last revision that is shown.
    pub fn until(&self) -> crate::ids::Revision {
        self.walk.until()
    }

    /// Begins from the first version again: the same ones come again.
    pub fn rewind(&mut self) {
        self.walk.rewind();
    }

    /// Goes on by a few thousand keys or revisions at most.
    pub fn step(&mut self) -> Step {
        self.walk.next(&self.shared.state.read())
    }
}
