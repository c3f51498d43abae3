//! This program again, in a process of its own.

use std::fmt::Display;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::{failover, size};

/// Runs a child to its end and answers with the number that it says.
pub(crate) fn ask(arguments: &[&str]) -> f64 {
    let mut child = Talker::start(arguments);
    let number = child.hear().trim().parse().expect("a child says a number");
    let _ = child.child.wait();
    number
}

/// In a child: the answer.
pub(crate) fn say(what: impl Display) {
    println!("{what}");
    // The parent may have gone; then nobody wants to know.
    let _ = std::io::stdout().flush();
}

/// A child that is talked with, line by line.
pub(crate) struct Talker {
    pub(crate) child: Child,
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Talker {
    pub(crate) fn start(arguments: &[&str]) -> Talker {
        let me = std::env::current_exe().expect("this program has a name");
        let mut command = Command::new(me);
        command.arg("--child").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program can be started again");
        let answers = BufReader::new(child.stdout.take().expect("it was piped"));
        Talker { words: child.stdin.take(), answers, child }
    }

    pub(crate) fn tell(&mut self, words: &str) {
        if let Some(pipe) = &mut self.words {
            writeln!(pipe, "{words}").expect("the child listens");
        }
    }

    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the child speaks");
        line
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        let _ = self.child.wait();
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What this program does as a child.
pub(crate) fn run(arguments: &[String]) {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse().expect("a number");
    match words[..] {
        ["memory", place, keys] => size::child_memory(place, number(keys)),
        ["load", dir, keys] => size::child_load(dir, number(keys)),
        ["restart", dir] => size::child_restart(dir),
        ["watchers", kind, count] => size::child_watchers(kind, number(count)),
        ["member", id, dir, peers] => failover::child_member(number(id), dir, peers),
        _ => panic!("no child does {words:?}"),
    }
}
