//! Bugs that are planted on purpose, so that the rehearsal can be seen to find them
//! (`sim/src/planted.rs` lists them).
//!
//! `planted!` of a name is a constant `false`, and what hangs on it is not even compiled, unless rustc was
//! given `--cfg planted="name"` (that bug is in) or `--cfg planted="any"` (the bug that the environment
//! variable `KVORUM_PLANTED` names is in: one build for all of them). No feature turns it on, so that nobody
//! who depends on this crate can.

/// Whether this bug is planted.
#[cfg(not(planted = "any"))]
#[doc(hidden)]
#[macro_export]
macro_rules! planted {
    ($name:tt) => {
        cfg!(planted = $name)
    };
}

/// Whether this bug is planted.
#[cfg(planted = "any")]
#[doc(hidden)]
#[macro_export]
macro_rules! planted {
    ($name:tt) => {
        cfg!(planted = $name) || $crate::planted::is($name)
    };
}

/// Whether the environment names this bug. It is asked once: a bug is in for as long as the process lives.
#[cfg(planted = "any")]
pub fn is(name: &str) -> bool {
    static NAMED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    NAMED.get_or_init(|| std::env::var("KVORUM_PLANTED").unwrap_or_default()) == name
}
