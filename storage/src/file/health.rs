//! One failed write ends all writing.

use std::io;
use std::sync::Arc;

use kvorum_core::{Error, ErrorKind, Result};
use parking_lot::Mutex;

/// Shared by the log and by all images being written: the first failure, for good.
///
/// A disk that failed once may have dropped what it said it had; only a new start, which reads
/// everything again, may trust it.
#[derive(Clone, Default)]
pub(super) struct Health(Arc<Mutex<Option<String>>>);

impl Health {
    /// Refuses if anything has failed before.
    pub(super) fn check(&self) -> Result<()> {
        match &*self.0.lock() {
            None => Ok(()),
            Some(first) => Err(ErrorKind::Io {
                action: "write refused, because an earlier one failed".into(),
                reason: first.clone(),
            }
            .into()),
        }
    }

    /// Passes a write's result on, and remembers it if it is the first failure.
    pub(super) fn watch<T>(&self, result: io::Result<T>, action: impl FnOnce() -> String) -> Result<T> {
        result.map_err(|e| {
            let action = action();
            self.fail(&format!("{action}: {e}"));
            // Part of it, or all of it, may be there at the next start.
            Error::unknown(ErrorKind::Io { action, reason: e.to_string() })
        })
    }

    /// Ends all writing.
    pub(super) fn fail(&self, reason: &str) {
        self.0.lock().get_or_insert_with(|| reason.to_string());
    }
}

/// A failed read, in words. It leaves the disk as trusted as before.
pub(super) fn cannot_read(path: &str, error: &io::Error) -> Error {
    ErrorKind::Io { action: format!("reading {path}"), reason: error.to_string() }.into()
}
