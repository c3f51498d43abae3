//! The bugs that a rehearsal must find: each is one line under `cfg(planted = "NAME")`.

/// How hard a planted bug is to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Within some 50 seeds.
    A,
    /// Within some 500.
    B,
    /// Within some 5000.
    C,
}

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plant {
    /// What comes after `planted = `.
    pub name: &'static str,
    /// The accident of another system that it repeats.
    pub twin: &'static str,
    /// What it does wrong.
    pub does: &'static str,
    /// Where it is planted.
    pub file: &'static str,
    /// Who must find it: a checker's name, or `test:<target>[::<filter>]`.
    pub expected: &'static str,
    /// How hard it is to find.
    pub class: Class,
}

/// All of them.
pub const PLANTS: &[Plant] = &[
    Plant {
        name: "send_before_sync",
        twin: "etcd #12589",
        does: "sends what depends on a write before the write is durable",
        file: "core/src/node/ready.rs",
        expected: "durability",
        class: Class::A,
    },
    Plant {
        name: "read_without_index",
        twin: "every store that read from a deposed leader",
        does: "answers a linearizable read without asking the others",
        file: "core/src/node/mod.rs",
        expected: "history",
        class: Class::A,
    },
    Plant {
        name: "delete_nothing_bumps",
        twin: "Xline 6b627c4",
        does: "takes a revision for a deletion that deletes nothing",
        file: "core/src/state/store.rs",
        expected: "history",
        class: Class::A,
    },
];
