//! What is printed: lines, and below them, on a terminal, a progress bar.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::Instant;

use crate::process::locked;

/// Where lines and the progress bar go.
pub(crate) struct Screen {
    began: Instant,
    is_terminal: bool,
    /// In quarters: without a terminal, the bar is a line for each.
    said: Mutex<usize>,
}

impl Screen {
    pub(crate) fn new() -> Screen {
        Screen { began: Instant::now(), is_terminal: io::stdout().is_terminal(), said: Mutex::new(0) }
    }

    /// Prints a line with the time since the start.
    pub(crate) fn say(&self, line: impl AsRef<str>) {
        let _one_at_a_time = locked(&self.said);
        self.print(line.as_ref());
    }

    fn print(&self, line: &str) {
        let clear = if self.is_terminal { "\r\x1b[2K" } else { "" };
        println!("{clear}[{:7.3} s] {line}", self.began.elapsed().as_secs_f64());
    }

    /// Shows how far the load is.
    pub(crate) fn progress(&self, done: usize, all: usize) {
        let mut said = locked(&self.said);
        let (done, all) = (done.min(all), all.max(1));
        if self.is_terminal {
            let full = 40 * done / all;
            print!("\r  [{:<40}] {done} of {all} files", "#".repeat(full));
            // A bar that cannot be shown is no reason to stop.
            let _ = io::stdout().flush();
        } else if 4 * done / all > *said {
            *said = 4 * done / all;
            self.print(&format!("loaded {done} of {all} files"));
        }
    }
}
