//! The programs with tests in them that the table of planted bugs names: what cargo calls them, and where they are.

/// A program with tests in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program<'a> {
    /// The folder of its package; the package is called the same, with `kvorum-` before it.
    pub folder: &'a str,
    /// What of the package it is.
    pub part: Part<'a>,
}

/// What of a package a program with tests is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The library with its unit tests.
    Library,
    /// A binary with its unit tests.
    Binary(&'a str),
    /// A file in `tests`, or a folder there with a `main.rs` in it.
    Tests(&'a str),
}

/// The packages other than the simulator's whose folder of tests can be named, as `<folder>_<file>`.
const WITH_TESTS: [&str; 2] = ["storage", "gateway"];

impl<'a> Program<'a> {
    /// The program that the table calls so ([`Expected::Test`](super::Expected::Test) says how).
    pub fn named(name: &'a str) -> Program<'a> {
        let in_another = |folder: &&'static str| {
            let file = name.strip_prefix(*folder)?.strip_prefix('_')?;
            Some(Program { folder, part: Part::Tests(file) })
        };
        match name {
            "core" | "storage" | "transport" | "sim" | "gateway" => {
                Program { folder: name, part: Part::Library }
            }
            "kvorumd" => Program { folder: "gateway", part: Part::Binary(name) },
            _ => WITH_TESTS
                .iter()
                .find_map(in_another)
                .unwrap_or(Program { folder: "sim", part: Part::Tests(name) }),
        }
    }

    /// Cargo's words for it.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec!["-p".into(), format!("kvorum-{}", self.folder)];
        match self.part {
            Part::Library => words.push("--lib".into()),
            Part::Binary(name) => words.extend(["--bin".into(), name.into()]),
            Part::Tests(name) => words.extend(["--test".into(), name.into()]),
        }
        words
    }
}

/// The program's name and the test's own in `<program>::<test>`.
pub fn split(target: &str) -> (&str, &str) {
    target.split_once("::").unwrap_or((target, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_by_their_names() {
        for (name, words) in [
            ("core", "-p kvorum-core --lib"),
            ("gateway", "-p kvorum-gateway --lib"),
            ("kvorumd", "-p kvorum-gateway --bin kvorumd"),
            ("gateway_kvorumd", "-p kvorum-gateway --test kvorumd"),
            ("storage_rot", "-p kvorum-storage --test rot"),
            ("crash_points", "-p kvorum-sim --test crash_points"),
        ] {
            assert_eq!(Program::named(name).words().join(" "), words);
        }
        assert_eq!(split("core::node::tests::a"), ("core", "node::tests::a"));
    }
}
