//! Where the log goes: standard streams, and files that can be opened anew when somebody has moved them away.
//!
//! What it will never know: what a line says.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kvorum_core::planted;

/// All that is written to. Every line goes to each.
pub(crate) struct Outputs(Mutex<Vec<Output>>);

struct Output {
    /// If it is a file: its path.
    path: Option<String>,
    writer: Box<dyn Write + Send>,
}

impl Outputs {
    /// Opens them all. The error names the file that cannot be opened.
    pub(crate) fn open(names: &[String]) -> Result<Outputs, String> {
        let outputs = names.iter().map(|name| Output::open(name)).collect::<Result<_, _>>()?;
        Ok(Outputs(Mutex::new(outputs)))
    }

    pub(crate) fn stderr() -> Outputs {
        Outputs(Mutex::new(vec![Output { path: None, writer: Box::new(io::stderr()) }]))
    }

    pub(crate) fn write(&self, text: &str) {
        for output in self.lock().iter_mut() {
            // A log that cannot be written is no reason to stop serving.
            let _ = output.writer.write_all(text.as_bytes()).and_then(|()| output.writer.flush());
        }
    }

    /// Opens the files anew, by their paths: each, and why not if it cannot be. That one is written to as before.
    pub(crate) fn reopen(&self) -> Vec<(String, Result<(), String>)> {
        // Not under the lock: whoever has a line to write must not wait for a file system.
        let paths: Vec<Option<String>> = self.lock().iter().map(|output| output.path.clone()).collect();
        let reopen = |(at, path): (usize, Option<String>)| {
            let path = path?;
            let opened = open(&path).map(|file| self.replace(at, file));
            Some((path, opened))
        };
        paths.into_iter().enumerate().filter_map(reopen).collect()
    }

    fn replace(&self, at: usize, file: File) {
        if planted!("hangup_writes_on") {
            return;
        }
        if let Some(output) = self.lock().get_mut(at) {
            output.writer = Box::new(file);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Output>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output {
    fn open(name: &str) -> Result<Output, String> {
        let stream = |writer| Ok(Output { path: None, writer });
        match name {
            "default" | "stderr" => stream(Box::new(io::stderr())),
            "stdout" => stream(Box::new(io::stdout())),
            "systemd/journal" => Err("the journal is written to by logging to stderr under systemd".into()),
            path => Ok(Output { path: Some(path.into()), writer: Box::new(open(path)?) }),
        }
    }
}

fn open(path: &str) -> Result<File, String> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map_err(|error| format!("opening the log {path:?}: {error}"))
}
