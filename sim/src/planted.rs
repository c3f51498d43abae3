//! The bugs that can be planted in the product, one line each, and who is to find them.
//!
//! A checker that has never seen a bug proves nothing. Each plant stands in the real code behind
//! `planted!("name")` (`core/src/planted.rs`) and costs nothing unless it is built in. `kvorum-sim planted`
//! builds all of them at once and switches on one after the other. By hand, one alone:
//!
//! ```text
//! RUSTFLAGS='--cfg planted="name"' cargo test -p kvorum-sim
//! ```
//!
//! A new one is one line in the product, `planted!("name")`, and one row here, beside its neighbours;
//! `sim/tests/planted.rs` sees to it that neither is without the other, and `sim/FOUND.md` has their number.
//!
//! Names like P9 count the accidents of other stores that we set out to repeat: what went wrong stands in the row's
//! `does`, and who has had it behind the number. Other letters with a number (E2, W4, …) are promises:
//! `sim/PROMISES.md` has a sentence for each.
//!
//! Not planted: P6 and an entry apart from the hard state written along with it (both lie in one group, whole
//! or not there); P21 (there is no authorization), P24 (the members are fixed, and there are no learners).
//! (P26, inside raft, is played from outside: `commit_earlier_terms`.) A revision taken from *all* keys, tombstones included, does no harm either: the log of
//! revisions keeps the compaction's own, so that the newest key is never older than it. A watch of the future
//! is kept from the past in three places; an expiry by whoever does not lead, in two (raft forwards its
//! proposal, the guard drops what it forwards).

pub mod program;

use crate::violation::Checker;

/// A bug that can be built in.
#[derive(Clone, Copy, Debug)]
pub struct Plant {
    /// What stands in `planted!("…")`.
    pub name: &'static str,
    /// The accident that it repeats, by its number, or the promise that it breaks; and who has had it.
    pub twin: &'static str,
    /// What goes wrong, in a sentence.
    pub does: &'static str,
    /// Where it is (if in several places, where it begins).
    pub file: &'static str,
    /// Who is to see it.
    pub expected: Expected,
    /// How soon.
    pub class: Class,
}

/// Who is to see a planted bug.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// One of these, in a run that a seed makes up; the first one is the one whose promise it is, the others
    /// may be faster.
    Checkers(&'static [Checker]),
    /// A test that plays it, because made-up runs cannot show it.
    Test {
        /// Which: `core`, `storage`, `transport`, `sim`, `gateway` or `kvorumd` (the server) and the path of one of its unit
        /// tests; `storage_rot` and a test in `storage/tests/rot.rs`, and so on for `storage_…` and `gateway_…`; or
        /// a file in `sim/tests` and the test in it.
        target: &'static str,
        /// Why no run shows it.
        because: &'static str,
    },
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Expected::Checkers(checkers) => {
                let names: Vec<&str> = checkers.iter().map(|checker| checker.name()).collect();
                f.pad(&names.join("|"))
            }
            Expected::Test { target, .. } => f.pad(&format!("test:{target}")),
        }
    }
}

/// How soon a planted bug is to be found, in seeds of 60 simulated seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// 50.
    A,
    /// 500.
    B,
    /// 5000.
    C,
}

impl Class {
    /// How many seeds it may take.
    pub fn seeds(self) -> u64 {
        match self {
            Class::A => 50,
            Class::B => 500,
            Class::C => 5000,
        }
    }
}

/// The plant of this name.
pub fn plant(name: &str) -> Option<&'static Plant> {
    PLANTS.iter().find(|plant| plant.name == name)
}

/// Why no run shows what goes wrong in the gateway or in its server.
const NO_GATEWAY: &str = "made-up runs have clients and nodes, and no gateway between them";

/// Why no run shows what goes wrong in a read of very many keys.
const FEW_KEYS: &str = "made-up runs have fewer keys than are read under one lock";

/// All of them, floor by floor from below.
pub const PLANTS: &[Plant] = &[
    Plant {
        name: "skip_log_sync",
        twin: "P1, etcd 12589",
        does: "The log says that a group is durable without having synced it.",
        file: "storage/src/file/wal.rs",
        expected: Expected::Checkers(&[Checker::Durability]),
        class: Class::A,
    },
    Plant {
        name: "retry_failed_sync",
        twin: "P3, fsyncgate",
        does: "A failed sync is tried again, and believed the second time.",
        file: "storage/src/file/wal.rs",
        expected: Expected::Checkers(&[Checker::Durability]),
        class: Class::A,
    },
    Plant {
        name: "skip_directory_sync",
        twin: "P4, etcd 6368",
        does: "A segment's name is used before the directory is synced.",
        file: "storage/src/file/wal.rs",
        expected: Expected::Checkers(&[Checker::Durability, Checker::Panic]),
        class: Class::B,
    },
    Plant {
        name: "cut_at_first_bad_record",
        twin: "P7, protocol-aware recovery",
        does: "Reading ends at the first bad group, though acknowledged ones lie behind it.",
        file: "storage/src/file/scan.rs",
        expected: Expected::Checkers(&[Checker::Durability]),
        class: Class::B,
    },
    Plant {
        name: "torn_tail_is_damage",
        twin: "etcd 5230",
        does: "A write that was torn by a loss of power is called damage, and the node does not start.",
        file: "storage/src/file/scan.rs",
        expected: Expected::Checkers(&[Checker::Liveness, Checker::Panic]),
        class: Class::A,
    },
    Plant {
        name: "damage_is_forgotten",
        twin: "protocol-aware recovery",
        does: "An image in which a reader met with damage is handed out again, and again.",
        file: "storage/src/file/sink.rs",
        expected: Expected::Test {
            target: "storage_rot::what_was_written_by_this_process_is_not_read_through_first_but_damage_in_it_is_remembered",
            because: "made-up runs damage files of nodes that are down",
        },
        class: Class::A,
    },
    Plant {
        name: "damaged_image_stays_newest",
        twin: "protocol-aware recovery",
        does: "A leader whose newest image is damaged writes none for a follower that needs one until the next is due.",
        file: "core/src/node/window.rs",
        expected: Expected::Test {
            target: "images::a_leader_whose_images_are_damaged_writes_another_for_whoever_needs_one",
            because: "made-up runs damage files of nodes that are down",
        },
        class: Class::A,
    },
    Plant {
        name: "lost_log_passed_over",
        twin: "protocol-aware recovery",
        does: "A node that is alone goes on from its newest image though the log, cut short, ends before it.",
        file: "core/src/node/recover.rs",
        expected: Expected::Test {
            target: "core::node::recover::tests::nobody_sends_an_image_to_a_node_that_is_alone",
            because: "made-up runs have three nodes or more, whose peers know how far a log went",
        },
        class: Class::A,
    },
    Plant {
        name: "long_frame_moved_for_each_chunk",
        twin: "Limits::request_bytes",
        does: "What has come of a very large value is copied for each chunk of an image, and a start takes a minute.",
        file: "core/src/state/load.rs",
        expected: Expected::Test {
            target: "core::state::load::tests::a_long_frame_is_not_moved_for_each_chunk_of_it",
            because: "made-up runs have small values",
        },
        class: Class::A,
    },
    Plant {
        name: "damage_untold",
        twin: "protocol-aware recovery",
        does: "A damaged snapshot, for which something else stands in, is not told to whoever reads the log.",
        file: "gateway/src/bin/kvorumd/disk.rs",
        expected: Expected::Test {
            target: "gateway_kvorumd::disks::a_damaged_snapshot_is_told_though_something_else_stands_in_for_it",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "lost_store_begins_anew",
        twin: "a disk that is not mounted",
        does: "A member that has begun, and whose store is gone, begins an empty one.",
        file: "gateway/src/bin/kvorumd/directory.rs",
        expected: Expected::Test {
            target: "kvorumd::directory::tests::a_member_whose_store_is_gone_does_not_begin_anew",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "damaged_image_fails_the_disk",
        twin: "protocol-aware recovery",
        does: "A node stops for good because an image that it was to send is damaged, though all of it is in memory.",
        file: "core/src/disk.rs",
        expected: Expected::Test {
            target: "core::disk::tests::a_damaged_image_is_none_to_send_and_no_reason_to_stop_writing",
            because: "made-up runs damage files of nodes that are down",
        },
        class: Class::A,
    },
    Plant {
        name: "drop_log_before_image",
        twin: "openraft 511",
        does: "The log is dropped when an image is begun, not when it is durable.",
        file: "core/src/node/upkeep.rs",
        expected: Expected::Checkers(&[Checker::Durability, Checker::Liveness, Checker::Panic]),
        class: Class::B,
    },
    Plant {
        name: "starts_not_counted",
        twin: "seed 4093",
        does: "After a restart, only the entries of the log count for when an image is due.",
        file: "core/src/node/upkeep.rs",
        expected: Expected::Test {
            target: "historic::durability::kvorum_4093_a_log_that_grows_by_starts_is_bounded_too",
            because: "needs a node that is started a dozen times within a minute and hears of few entries",
        },
        class: Class::C,
    },
    Plant {
        name: "received_image_keeps_log",
        twin: "seed 22549",
        does: "A member that is fed by images keeps all of its log.",
        file: "core/src/node/ready.rs",
        expected: Expected::Test {
            target: "historic::durability::kvorum_22549_a_member_that_is_fed_by_images_lets_go_of_its_log",
            because: "needs a member that is sent image after image before one of its own is due",
        },
        class: Class::C,
    },
    Plant {
        name: "older_image_forgets",
        twin: "seed 9071",
        does: "An older image stands in for a damaged one although the log ends before that.",
        file: "storage/src/file/mod.rs",
        expected: Expected::Test {
            target: "storage_rot::a_damaged_image_that_is_ahead_of_the_log_has_no_substitute",
            because: "needs rot in an image that came from the leader, and a kill before the log was reset",
        },
        class: Class::C,
    },
    Plant {
        name: "name_image_before_sync",
        twin: "D1",
        does: "An image gets its name before its content is synced.",
        file: "storage/src/file/sink.rs",
        expected: Expected::Checkers(&[Checker::Durability, Checker::Panic]),
        class: Class::B,
    },
    Plant {
        name: "log_without_bound",
        twin: "V3",
        does: "Segments that an image covers are never removed.",
        file: "core/src/node/upkeep.rs",
        expected: Expected::Checkers(&[Checker::Ceiling]),
        class: Class::B,
    },
    Plant {
        name: "send_before_sync",
        twin: "P1, etcd 12589",
        does: "What vouches for a write is sent before the write is durable.",
        file: "core/src/node/ready.rs",
        expected: Expected::Checkers(&[Checker::Durability]),
        class: Class::A,
    },
    Plant {
        name: "count_before_sync",
        twin: "P2, etcd 14370",
        does: "A node counts itself before its own write is durable.",
        file: "core/src/node/ready.rs",
        expected: Expected::Checkers(&[Checker::Durability]),
        class: Class::A,
    },
    Plant {
        name: "commit_without_quorum",
        twin: "P2",
        does: "A leader takes for agreed on what only its own disk has.",
        file: "core/src/node/ready.rs",
        expected: Expected::Checkers(&[Checker::Durability, Checker::Raft, Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "commit_earlier_terms",
        twin: "P26, R6, logcabin 44",
        does: "A new leader takes what it has of earlier terms for committed.",
        file: "core/src/node/mod.rs",
        expected: Expected::Checkers(&[Checker::Raft]),
        class: Class::A,
    },
    Plant {
        name: "vote_not_written",
        twin: "D4, raft-rs 128",
        does: "A vote is given and not written, so that it is forgotten at a restart.",
        file: "core/src/node/wire.rs",
        expected: Expected::Checkers(&[Checker::Durability, Checker::Raft]),
        class: Class::A,
    },
    Plant {
        name: "term_from_log",
        twin: "D4",
        does: "A restarted node is in the term of its last entry: it goes back, and may vote again.",
        file: "core/src/node/recover.rs",
        expected: Expected::Checkers(&[Checker::Durability, Checker::Raft, Checker::Agreement]),
        class: Class::A,
    },
    Plant {
        name: "restart_skips_entry",
        twin: "P5, etcd 13766",
        does: "A restarted node goes on one entry too late.",
        file: "core/src/node/recover.rs",
        expected: Expected::Checkers(&[Checker::Agreement]),
        class: Class::A,
    },
    Plant {
        name: "keep_log_under_image",
        twin: "R3",
        does: "The log on the disk is kept although the image superseded it.",
        file: "core/src/node/recover.rs",
        expected: Expected::Checkers(&[
            Checker::Durability,
            Checker::Raft,
            Checker::Liveness,
            Checker::Panic,
        ]),
        class: Class::B,
    },
    Plant {
        name: "no_check_quorum",
        twin: "V2, raft-rs 166",
        does: "A leader that nobody answers goes on leading.",
        file: "core/src/node/recover.rs",
        expected: Expected::Test {
            target: "scripts::the_cluster_says_what_it_said_when_somebody_read_it",
            because: "the answers after a healed one-way cut differ; safety does not",
        },
        class: Class::C,
    },
    Plant {
        name: "no_pre_vote",
        twin: "V2",
        does: "Whoever was cut off raises the term when it comes back.",
        file: "core/src/node/recover.rs",
        expected: Expected::Test {
            target: "scripts::the_cluster_says_what_it_said_when_somebody_read_it",
            because: "a leader is deposed without need; nothing is lost by it",
        },
        class: Class::C,
    },
    Plant {
        name: "read_without_index",
        twin: "P8, etcd 3879",
        does: "A read is answered without asking whether the state is current.",
        file: "core/src/node/mod.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "read_before_applied",
        twin: "L1",
        does: "A read is answered before the index that was proven is applied.",
        file: "core/src/node/read.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "read_before_first_commit",
        twin: "P10, etcd 7331",
        does: "A new leader answers reads before it has committed anything in its term.",
        file: "core/src/node/read.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::B,
    },
    Plant {
        name: "reuse_read_context",
        twin: "P9, etcd 20418",
        does: "A repeated question for a read index has the old one's context.",
        file: "core/src/node/read.rs",
        expected: Expected::Checkers(&[Checker::Liveness, Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "take_repeated_question",
        twin: "seed 13203",
        does: "A question for a read index that comes again is asked again, and old answers to it prove newer reads.",
        file: "core/src/node/guard.rs",
        expected: Expected::Test {
            target: "historic::reads::kvorum_13203_a_question_that_comes_again_proves_nothing",
            because: "needs a leader that nobody reaches but old packets, and a client that reads from it just then",
        },
        class: Class::C,
    },
    Plant {
        name: "lost_read_not_asked_again",
        twin: "V2, etcd 12762",
        does: "A question for a read index that was lost is not repeated.",
        file: "core/src/node/read.rs",
        expected: Expected::Checkers(&[Checker::Liveness]),
        class: Class::A,
    },
    Plant {
        name: "forget_readers",
        twin: "V1",
        does: "Who waits for a read is forgotten when the leader changes.",
        file: "core/src/node/read.rs",
        expected: Expected::Checkers(&[Checker::Liveness]),
        class: Class::A,
    },
    Plant {
        name: "resend_unsettled",
        twin: "P22, etcd 14890",
        does: "A write without a session is sent again as soon as the term changes: it may happen twice.",
        file: "core/src/node/mod.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "any_transport_will_do",
        twin: "a write that no message holds",
        does: "A node is started on a transport that cannot carry the largest write, which then stops all others.",
        file: "core/src/config.rs",
        expected: Expected::Test {
            target: "core::config::tests::a_transport_must_carry_the_largest_write",
            because: "made-up runs write little, and their network carries messages of any size",
        },
        class: Class::A,
    },
    Plant {
        name: "append_of_any_size",
        twin: "a follower that is far behind",
        does: "What raft joins for a follower that is far behind is sent as one message, larger than a transport carries.",
        file: "core/src/node/split.rs",
        expected: Expected::Test {
            target: "core::node::split::tests::a_long_append_is_cut_and_every_part_begins_where_the_one_before_ends",
            because: "made-up runs write little, and their network carries messages of any size",
        },
        class: Class::A,
    },
    Plant {
        name: "newest_entries_kept",
        twin: "a follower that is far behind",
        does: "A full queue to a follower loses the first entries that it lacks, and carries the rest in vain.",
        file: "transport/src/queue.rs",
        expected: Expected::Test {
            target: "transport::queue::tests::of_a_leaders_entries_the_newest_goes_and_small_talk_pushes_none_out",
            because: "made-up runs have a network of their own",
        },
        class: Class::A,
    },
    Plant {
        name: "take_repeated_forward",
        twin: "C1",
        does: "A leader proposes a forwarded write as often as the network repeats it.",
        file: "core/src/node/propose.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "lost_forward_is_old",
        twin: "a write that is lost on its way",
        does: "A forwarded write that was lost is taken for an old one when it comes again behind 16,384 newer ones.",
        file: "core/src/node/propose.rs",
        expected: Expected::Test {
            target: "core::node::propose::tests::one_that_was_lost_is_new_behind_all_that_a_member_may_send_meanwhile",
            because: "made-up runs have not so many writes under way",
        },
        class: Class::A,
    },
    Plant {
        name: "session_repeat_dropped",
        twin: "seed 43411",
        does: "A session's write that a member sends again, because an image skipped its log, is dropped as a repetition.",
        file: "core/src/node/propose.rs",
        expected: Expected::Test {
            target: "historic::clients::kvorum_43411_a_session_tells_what_an_image_skipped",
            because: "needs a session's write whose entry its member is never sent; and nobody is promised an answer",
        },
        class: Class::C,
    },
    Plant {
        name: "take_forward_in_later_term",
        twin: "C1",
        does: "A leader proposes what was forwarded to the leader of an earlier term.",
        file: "core/src/node/propose.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::C,
    },
    Plant {
        name: "answer_for_earlier_start",
        twin: "C1",
        does: "A request is answered with what an earlier start's request of that number came to.",
        file: "core/src/node/apply.rs",
        expected: Expected::Checkers(&[Checker::History, Checker::App]),
        class: Class::A,
    },
    Plant {
        name: "call_timeout_refusal",
        twin: "C2",
        does: "A write that was sent, and may still happen, is called refused when its time is over.",
        file: "core/src/node/pending.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "believe_late_refusal",
        twin: "C2",
        does: "The refusal of an earlier term's leader ends a write that was sent to the next one.",
        file: "core/src/node/pending.rs",
        expected: Expected::Test {
            target: "core::node::pending::tests::a_late_refusal_does_not_end_what_was_sent_to_the_next_leader",
            because: "a refusal must overtake a change of leader and find the write under way again",
        },
        class: Class::C,
    },
    Plant {
        name: "forget_it_was_sent",
        twin: "C2",
        does: "After an image, a write with a session that was sent counts as never sent.",
        file: "core/src/node/pending.rs",
        expected: Expected::Test {
            target: "core::node::pending::tests::what_a_session_is_to_tell_is_unknown_until_it_does",
            because: "a write must be sent, be skipped by an image and run out of time on one node, before its session ends",
        },
        class: Class::C,
    },
    Plant {
        name: "pending_without_bound",
        twin: "V3",
        does: "Requests are taken in without a limit.",
        file: "core/src/node/mod.rs",
        expected: Expected::Test {
            target: "defences::who_waits_is_bounded",
            because: "clients wait for their answers, so that few requests are under way",
        },
        class: Class::B,
    },
    Plant {
        name: "uncommitted_without_bound",
        twin: "V3",
        does: "A leader proposes without a limit while nothing is agreed on.",
        file: "core/src/node/propose.rs",
        expected: Expected::Test {
            target: "defences::defence_7_what_is_not_agreed_on_is_bounded_by_bytes_of_everything",
            because: "clients wait for their answers, so that little is under way",
        },
        class: Class::B,
    },
    Plant {
        name: "believe_wiped_member",
        twin: "P23",
        does: "A member that lost its disk may go on voting.",
        file: "core/src/node/guard.rs",
        expected: Expected::Checkers(&[Checker::Durability, Checker::Raft]),
        class: Class::C,
    },
    Plant {
        name: "believe_earlier_start",
        twin: "R4, etcd 17078",
        does: "What an earlier start of a member said is taken for its word of now.",
        file: "core/src/node/guard.rs",
        expected: Expected::Test {
            target: "defences::defence_9_what_an_earlier_start_said_is_dropped",
            because: "an earlier start's words do harm only to one whose disk went back",
        },
        class: Class::C,
    },
    Plant {
        name: "lost_log_unnoticed",
        twin: "tikv 7353",
        does: "A node whose disk lost acknowledged entries goes on.",
        file: "core/src/node/guard.rs",
        expected: Expected::Test {
            target: "defences::a_node_whose_disk_lost_what_it_had_acknowledged_halts",
            because: "needs a disk that goes back, which is outside what the product promises to survive",
        },
        class: Class::C,
    },
    Plant {
        name: "difference_unnoticed",
        twin: "H",
        does: "A member that holds something else than the others is not told.",
        file: "core/src/node/health.rs",
        expected: Expected::Test {
            target: "defences::a_node_whose_state_differs_from_the_majoritys_halts",
            because: "hurts only beside another bug or a rotten disk",
        },
        class: Class::C,
    },
    Plant {
        name: "no_answer_is_equal",
        twin: "P27, etcd's postmortem",
        does: "A member that has not been heard counts as one that agrees.",
        file: "core/src/node/health.rs",
        expected: Expected::Test {
            target: "historic::apply::etcd_postmortem_a_member_that_is_silent_agrees_with_nobody",
            because: "hurts only beside another bug, which a script plays",
        },
        class: Class::C,
    },
    Plant {
        name: "keep_old_clock",
        twin: "P16, etcd 15247",
        does: "A leader that leads again goes on by the clock of its first time, whatever others renewed since.",
        file: "core/src/node/expiry.rs",
        expected: Expected::Checkers(&[Checker::Lease]),
        class: Class::B,
    },
    Plant {
        name: "ignore_checkpoint",
        twin: "P15, etcd 9888",
        does: "A new leader begins every lease's time anew, whatever is noted.",
        file: "core/src/node/expiry.rs",
        expected: Expected::Test {
            target: "historic::leases::etcd_9888_a_lease_ends_although_leaders_change",
            because: "what remains is noted once a minute, which is how long a run lasts",
        },
        class: Class::B,
    },
    Plant {
        name: "checkpoint_once",
        twin: "P15, etcd 17132",
        does: "What remains of a lease is noted once, and never again.",
        file: "core/src/node/expiry.rs",
        expected: Expected::Test {
            target: "historic::leases::etcd_17132_what_remains_never_goes_up_with_a_new_leader",
            because: "what remains is noted once a minute, which is how long a run lasts",
        },
        class: Class::B,
    },
    Plant {
        name: "expire_ignores_term",
        twin: "P16, etcd 16822",
        does: "An expiry counts in any term.",
        file: "core/src/state/apply.rs",
        expected: Expected::Test {
            target: "core::state::tests::lease::etcd_16822_a_deposed_leader_ends_no_lease",
            because: "no leader here proposes an expiry in another term than its own, so only a forged entry shows it",
        },
        class: Class::C,
    },
    Plant {
        name: "expire_in_another_term",
        twin: "P16, E5",
        does: "Ends of leases are proposed in the name of another term, and counted all the same.",
        file: "core/src/node/leases.rs",
        expected: Expected::Checkers(&[Checker::Lease]),
        class: Class::A,
    },
    Plant {
        name: "renew_without_proof",
        twin: "P17, etcd 15247",
        does: "A renewal is acknowledged without proof of leadership.",
        file: "core/src/node/leases.rs",
        expected: Expected::Checkers(&[Checker::Lease]),
        class: Class::C,
    },
    Plant {
        name: "renew_while_ending",
        twin: "E1",
        does: "A renewal is acknowledged although the lease's end is proposed already.",
        file: "core/src/node/leases.rs",
        expected: Expected::Checkers(&[Checker::Lease]),
        class: Class::B,
    },
    Plant {
        name: "earlier_leases_whole_believed",
        twin: "E1",
        does: "What the log says of an earlier lease's whole time is taken for that of one granted since under its id.",
        file: "core/src/node/expiry.rs",
        expected: Expected::Test {
            target: "core::node::expiry::tests::what_takes_back_an_earlier_leases_note_is_a_note_itself",
            because: "made-up runs do not grant ids again within milliseconds of a renewal",
        },
        class: Class::A,
    },
    Plant {
        name: "renewed_behind_its_end",
        twin: "E1",
        does: "A renewal that waited for its entry is acknowledged although the lease's end was proposed meanwhile.",
        file: "core/src/node/leases.rs",
        expected: Expected::Test {
            target: "historic::leases::kvorum_a_renewal_whose_entry_is_late_is_not_told_that_the_lease_goes_on",
            because: "what remains is noted once a minute, which is how long a run lasts",
        },
        class: Class::A,
    },
    Plant {
        name: "note_taken_back_for_each",
        twin: "V1",
        does: "Every renewal of a lease, and every repetition of one, puts an entry into the log while one is under way.",
        file: "core/src/node/leases.rs",
        expected: Expected::Test {
            target: "historic::leases::kvorum_a_renewal_whose_entry_is_late_is_not_told_that_the_lease_goes_on",
            because: "what remains is noted once a minute, which is how long a run lasts",
        },
        class: Class::A,
    },
    Plant {
        name: "note_overtakes_renewal",
        twin: "E1",
        does: "What remains of a lease is noted behind the entry that takes the last note back for a renewal.",
        file: "core/src/node/expiry.rs",
        expected: Expected::Test {
            target: "core::node::expiry::tests::no_note_follows_the_entry_that_takes_one_back",
            because: "the minute's note has to fall into the milliseconds of a renewal, and a leader to fall right behind it",
        },
        class: Class::A,
    },
    Plant {
        name: "renewals_wait_for_the_disk",
        twin: "V1",
        does: "A renewal that waits for an entry is not answered as long as the disk hangs.",
        file: "core/src/node/leases.rs",
        expected: Expected::Test {
            target: "historic::leases::kvorum_a_renewal_is_answered_in_time_though_a_disk_hangs",
            because: "needs a lease of minutes, or one at its very end, and a disk that hangs for longer than is waited",
        },
        class: Class::A,
    },
    Plant {
        name: "lowest_leases_noted",
        twin: "etcd 13508",
        does: "Of very many leases, what remains is noted of those with the lowest ids only.",
        file: "core/src/node/expiry.rs",
        expected: Expected::Test {
            target: "core::node::expiry::tests::however_many_leases_there_are_each_is_noted_in_its_turn",
            because: "made-up runs have few leases",
        },
        class: Class::A,
    },
    Plant {
        name: "question_passed_on_waits_anew",
        twin: "V1",
        does: "A question about a lease waits anew for its whole time whenever it is passed on.",
        file: "core/src/node/leases.rs",
        expected: Expected::Test {
            target: "historic::leases::kvorum_a_renewal_that_is_handed_on_does_not_wait_anew",
            because: "made-up runs do not look how soon a client is told",
        },
        class: Class::A,
    },
    Plant {
        name: "renew_leaves_note",
        twin: "E1",
        does: "A renewal is acknowledged while the log says that less remains.",
        file: "core/src/node/leases.rs",
        expected: Expected::Test {
            target: "historic::leases::etcd_13508_what_remains_is_noted_by_every_leader_and_survives_a_restart",
            because: "what remains is noted once a minute, which is how long a run lasts",
        },
        class: Class::B,
    },
    Plant {
        name: "lease_id_from_local",
        twin: "P20",
        does: "A lease's id is drawn from something that differs from member to member.",
        file: "core/src/state/apply.rs",
        expected: Expected::Checkers(&[Checker::Agreement]),
        class: Class::A,
    },
    Plant {
        name: "keys_outlive_lease",
        twin: "E6",
        does: "A lease ends and its keys stay.",
        file: "core/src/state/apply.rs",
        expected: Expected::Checkers(&[Checker::Lease, Checker::History, Checker::Panic, Checker::Liveness]),
        class: Class::A,
    },
    Plant {
        name: "old_lease_keeps_key",
        twin: "E6",
        does: "A key that was put under another lease, or none, still goes with its first.",
        file: "core/src/state/apply.rs",
        expected: Expected::Checkers(&[Checker::History, Checker::Lease, Checker::Agreement]),
        class: Class::A,
    },
    Plant {
        name: "keeper_counts_from_answer",
        twin: "F1",
        does: "A lease's holder believes in it from when the renewal was answered, not from when it was asked.",
        file: "core/src/driver.rs",
        expected: Expected::Test {
            target: "historic::clients::f1_a_holder_stops_believing_before_its_lease_has_ended",
            because: "a renewal must be answered so late that it is as good as lost",
        },
        class: Class::B,
    },
    Plant {
        name: "keeper_begins_with_answer",
        twin: "E8",
        does: "A lease's holder counts its time from when the grant was answered.",
        file: "core/src/client.rs",
        expected: Expected::Test {
            target: "historic::clients::f1_a_holder_that_hears_late_of_its_lease_does_not_believe_in_it_longer",
            because: "the grant must be heard of late, and the first renewal too: one seed in some thousands (2512)",
        },
        class: Class::C,
    },
    Plant {
        name: "late_grant_is_believed",
        twin: "seed 6852",
        does: "A lease whose grant was answered after its time was over is believed in until the driver's next turn.",
        file: "core/src/lease.rs",
        expected: Expected::Test {
            target: "core::lease::tests::a_lease_whose_grant_is_answered_too_late_is_lost_at_once",
            because: "needs a grant that is under way for longer than its lease lives, and a look in between two turns",
        },
        class: Class::C,
    },
    Plant {
        name: "waiters_for_a_loss_are_kept",
        twin: "V3",
        does: "A lease's handle remembers everybody who ever waited for its loss.",
        file: "core/src/lease.rs",
        expected: Expected::Test {
            target: "core::lease::tests::who_waits_for_a_loss_no_longer_is_forgotten",
            because: "costs memory, and nothing else",
        },
        class: Class::A,
    },
    Plant {
        name: "keeper_never_over",
        twin: "E8",
        does: "A lease's holder believes in it until a renewal is refused.",
        file: "core/src/lease.rs",
        expected: Expected::Checkers(&[Checker::Lease]),
        class: Class::B,
    },
    Plant {
        name: "image_loses_lease_keys",
        twin: "E6",
        does: "A state from an image does not know which keys hang on which lease.",
        file: "core/src/state/load.rs",
        expected: Expected::Checkers(&[Checker::Agreement]),
        class: Class::A,
    },
    Plant {
        name: "image_loses_checkpoints",
        twin: "E2, etcd 13508",
        does: "An image does not say what remains of a lease.",
        file: "core/src/state/image.rs",
        expected: Expected::Test {
            target: "historic::leases::etcd_13508_what_remains_is_noted_by_every_leader_and_survives_a_restart",
            because: "what remains is noted once a minute, which is how long a run lasts",
        },
        class: Class::B,
    },
    Plant {
        name: "image_loses_answers",
        twin: "C1",
        does: "An image does not hold the sessions' answers: a repeated write is done again.",
        file: "core/src/state/image.rs",
        expected: Expected::Checkers(&[Checker::Agreement, Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "image_loses_attributes",
        twin: "H1",
        does: "An image does not hold what the members said of themselves.",
        file: "core/src/state/image.rs",
        expected: Expected::Checkers(&[Checker::Agreement]),
        class: Class::B,
    },
    Plant {
        name: "attributes_stay_the_first",
        twin: "H1",
        does: "What a member says of itself again, after a restart, is not taken in.",
        file: "core/src/state/apply.rs",
        expected: Expected::Checkers(&[Checker::Agreement]),
        class: Class::A,
    },
    Plant {
        name: "attributes_of_another",
        twin: "H1",
        does: "A leader takes from a member what it says of another one.",
        file: "core/src/node/propose.rs",
        expected: Expected::Test {
            target: "core::node::propose::tests::a_member_asks_in_its_own_name_and_only_what_a_client_may",
            because: "members of a run say nothing of others",
        },
        class: Class::A,
    },
    Plant {
        name: "answer_of_another_number",
        twin: "C1",
        does: "A repeated write is answered with its session's oldest answer.",
        file: "core/src/state/session.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "sessions_without_bound",
        twin: "V3",
        does: "Sessions are never closed to make room.",
        file: "core/src/state/session.rs",
        expected: Expected::Test {
            target: "core::state::tests::session::the_session_used_longest_ago_goes_first",
            because: "clients open few sessions, and the model of the state is the state itself",
        },
        class: Class::B,
    },
    Plant {
        name: "quota_counts_watches",
        twin: "P19, etcd 16106",
        does: "Whether there is space is decided from something that differs from member to member.",
        file: "core/src/state/apply.rs",
        expected: Expected::Checkers(&[Checker::Agreement]),
        class: Class::A,
    },
    Plant {
        name: "hash_skips_answers",
        twin: "H1, etcd 18667",
        does: "The hash chain does not cover answers.",
        file: "core/src/state/apply.rs",
        expected: Expected::Test {
            target: "core::state::tests::kv::etcd_18667_the_hash_covers_answers_too",
            because: "hurts only beside another bug",
        },
        class: Class::C,
    },
    Plant {
        name: "delete_nothing_bumps",
        twin: "P28, Xline 6b627c4",
        does: "Deleting nothing takes a revision.",
        file: "core/src/state/store.rs",
        expected: Expected::Checkers(&[Checker::History, Checker::Agreement, Checker::Watch]),
        class: Class::A,
    },
    Plant {
        name: "create_not_reset",
        twin: "L1",
        does: "A key that is created again does not say when.",
        file: "core/src/state/store.rs",
        expected: Expected::Checkers(&[Checker::History, Checker::Watch, Checker::Panic]),
        class: Class::A,
    },
    Plant {
        name: "prev_kv_from_after",
        twin: "L1",
        does: "The pair before a put is the one after it.",
        file: "core/src/state/apply.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "range_includes_end",
        twin: "L1",
        does: "A range includes its end.",
        file: "core/src/state/key.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "long_read_moves_on",
        twin: "L1",
        does: "A read in slices goes on with what is newest.",
        file: "core/src/state/long.rs",
        expected: Expected::Test {
            target: "core::state::tests::long::a_long_read_is_of_the_moment_it_was_begun",
            because: FEW_KEYS,
        },
        class: Class::A,
    },
    Plant {
        name: "sweep_begins_anew",
        twin: "a revision of a million keys",
        does: "Every compaction looks at the oldest revision's changes from the first one on: a very large one is never freed.",
        file: "core/src/state/compact.rs",
        expected: Expected::Test {
            target: "core::state::tests::compact::a_revision_with_many_changes_is_freed_while_compactions_go_on",
            because: "no seed has so many changes in one revision that a tick does not free them all",
        },
        class: Class::A,
    },
    Plant {
        name: "garbage_under_long_read",
        twin: "L1",
        does: "Garbage is collected while a long read needs it.",
        file: "core/src/state/readers.rs",
        expected: Expected::Test {
            target: "core::state::tests::long::a_long_read_is_of_the_moment_it_was_begun",
            because: FEW_KEYS,
        },
        class: Class::A,
    },
    Plant {
        name: "piece_without_end",
        twin: "KV/RangeStream",
        does: "A piece of a range passes over keys that are gone under one lock, however many.",
        file: "core/src/state/range.rs",
        expected: Expected::Test {
            target: "core::state::tests::kv::a_piece_looks_at_no_more_keys_than_it_may",
            because: FEW_KEYS,
        },
        class: Class::A,
    },
    Plant {
        name: "empty_pairs_weigh_nothing",
        twin: "KV/RangeStream",
        does: "A million pairs with nothing in them are one piece of a range.",
        file: "core/src/state/range.rs",
        expected: Expected::Test {
            target: "core::state::tests::kv::an_empty_pair_counts_in_a_piece",
            because: FEW_KEYS,
        },
        class: Class::A,
    },
    Plant {
        name: "lease_keys_at_once",
        twin: "LeaseTimeToLive",
        does: "The keys of a lease are told under one lock, however many there are.",
        file: "core/src/read.rs",
        expected: Expected::Test {
            target: "gateway::lease::tests::the_keys_of_a_lease_are_told_in_slices",
            because: FEW_KEYS,
        },
        class: Class::A,
    },
    Plant {
        name: "readers_never_part",
        twin: "L1",
        does: "Long reads that overlap keep everything that is compacted.",
        file: "core/src/state/readers.rs",
        expected: Expected::Test {
            target: "core::state::tests::long::reads_without_a_pause_between_them_keep_no_more_than_they_need",
            because: FEW_KEYS,
        },
        class: Class::A,
    },
    Plant {
        name: "limit_hides_more",
        twin: "L1",
        does: "A read with a limit does not say that there is more.",
        file: "core/src/state/gather.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "count_ends_at_limit",
        twin: "L1",
        does: "A read with a limit counts what it shows.",
        file: "core/src/state/gather.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "swap_branches",
        twin: "L1",
        does: "A transaction does what it was to do otherwise.",
        file: "core/src/state/txn.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "txn_sees_own_writes",
        twin: "L1",
        does: "A transaction inside another compares with what the outer one has just written.",
        file: "core/src/state/txn.rs",
        expected: Expected::Checkers(&[Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "swap_changes_of_revision",
        twin: "W1",
        does: "The changes of one revision are told in the wrong order.",
        file: "core/src/state/store.rs",
        expected: Expected::Checkers(&[Checker::Watch, Checker::History]),
        class: Class::A,
    },
    Plant {
        name: "compact_the_newest",
        twin: "L1",
        does: "A compaction removes keys that were not changed since.",
        file: "core/src/state/record.rs",
        expected: Expected::Checkers(&[Checker::History, Checker::Watch, Checker::Panic]),
        class: Class::A,
    },
    Plant {
        name: "compact_what_is_readable",
        twin: "L1",
        does: "A compaction removes what its own revision still shows.",
        file: "core/src/state/record.rs",
        expected: Expected::Checkers(&[Checker::History, Checker::Panic, Checker::Liveness]),
        class: Class::B,
    },
    Plant {
        name: "drop_event_at_compaction",
        twin: "P11, etcd 18089",
        does: "A compaction removes the events of its own revision, which a watch may still need.",
        file: "core/src/state/compact.rs",
        expected: Expected::Checkers(&[Checker::Watch]),
        class: Class::B,
    },
    Plant {
        name: "revision_from_live_keys",
        twin: "P18, etcd 17780",
        does: "The revision of a loaded image is that of the newest key that exists.",
        file: "core/src/state/load.rs",
        expected: Expected::Checkers(&[Checker::History, Checker::Agreement]),
        class: Class::B,
    },
    Plant {
        name: "cut_misses_last_revision",
        twin: "P25, tikv 4716",
        does: "An image lacks the last revision before it.",
        file: "core/src/state/image.rs",
        expected: Expected::Checkers(&[Checker::Panic, Checker::Liveness]),
        class: Class::B,
    },
    Plant {
        name: "old_keys_survive_image",
        twin: "H1",
        does: "Keys that an image does not have outlive it.",
        file: "core/src/state/mod.rs",
        expected: Expected::Checkers(&[Checker::History, Checker::Agreement, Checker::Liveness]),
        class: Class::B,
    },
    Plant {
        name: "image_passes_watches_by",
        twin: "W10, etcd 8411",
        does: "An image replaces the state and no watch is told.",
        file: "core/src/state/mod.rs",
        expected: Expected::Checkers(&[Checker::Watch]),
        class: Class::B,
    },
    Plant {
        name: "replay_after_image",
        twin: "P13, etcd 15271",
        does: "After an image, watches are told everything again.",
        file: "core/src/state/mod.rs",
        expected: Expected::Checkers(&[Checker::Watch]),
        class: Class::B,
    },
    Plant {
        name: "watch_skips_compacted",
        twin: "P14, etcd 17529",
        does: "A watch that fell behind a compaction goes on behind it without a word.",
        file: "core/src/state/watch.rs",
        expected: Expected::Checkers(&[Checker::Watch]),
        class: Class::A,
    },
    Plant {
        name: "watch_ends_silently",
        twin: "P14, W9",
        does: "A watch ends without saying why.",
        file: "core/src/watch.rs",
        expected: Expected::Checkers(&[Checker::Watch]),
        class: Class::A,
    },
    Plant {
        name: "watch_not_woken",
        twin: "W10",
        does: "A watch is not woken when its keys change.",
        file: "core/src/driver.rs",
        expected: Expected::Checkers(&[Checker::Watch, Checker::Liveness]),
        class: Class::A,
    },
    Plant {
        name: "slow_watch_delays_others",
        twin: "W11",
        does: "Watches are woken up to the first whose owner has not come to look since it was last woken.",
        file: "core/src/watch.rs",
        expected: Expected::Checkers(&[Checker::Watch]),
        class: Class::A,
    },
    Plant {
        name: "watch_without_a_pause",
        twin: "W11",
        does: "A watch that is resumed from far back looks through all of it without letting others have their turn.",
        file: "core/src/watch.rs",
        expected: Expected::Test {
            target: "gateway::watch::tests::a_watch_that_looks_far_back_lets_others_have_their_turn",
            because: "made-up runs have no history as long as that",
        },
        class: Class::A,
    },
    Plant {
        name: "watch_shows_itself_before",
        twin: "W7",
        does: "The pair before an event is the one after it.",
        file: "core/src/state/watch.rs",
        expected: Expected::Checkers(&[Checker::Watch]),
        class: Class::A,
    },
    Plant {
        name: "filter_forgotten",
        twin: "W7",
        does: "A watch that wants no deletes is told of them.",
        file: "core/src/state/watch.rs",
        expected: Expected::Checkers(&[Checker::Watch]),
        class: Class::A,
    },
    Plant {
        name: "split_revision",
        twin: "W3",
        does: "A watch splits a revision when it has enough.",
        file: "core/src/state/watch.rs",
        expected: Expected::Test {
            target: "core::state::tests::watch::a_revision_is_never_split",
            because: "needs a watch that is a thousand events behind",
        },
        class: Class::C,
    },
    Plant {
        name: "progress_overtakes_events",
        twin: "P12, etcd 15220",
        does: "A watch that is asked how far it is names a revision that it has not handed out.",
        file: "core/src/watch.rs",
        expected: Expected::Checkers(&[Checker::Watch]),
        class: Class::B,
    },
    Plant {
        name: "lock_without_waiting",
        twin: "F1",
        does: "A lock is given without waiting for those before.",
        file: "core/src/lock.rs",
        expected: Expected::Checkers(&[Checker::Fence]),
        class: Class::A,
    },
    Plant {
        name: "lock_not_looked_at_again",
        twin: "F1, etcd 11456",
        does: "A lock is given without looking whether its lease has ended meanwhile.",
        file: "core/src/lock.rs",
        expected: Expected::Checkers(&[Checker::Fence]),
        class: Class::B,
    },
    Plant {
        name: "lock_without_lease",
        twin: "F1",
        does: "A lock's key does not hang on its holder's lease, and outlives it.",
        file: "core/src/lock.rs",
        expected: Expected::Checkers(&[Checker::Fence, Checker::Liveness]),
        class: Class::A,
    },
    Plant {
        name: "place_left_while_it_is_taken",
        twin: "F1",
        does: "A place that is given up while it is being taken is deleted at once, perhaps before it is there.",
        file: "core/src/mail.rs",
        expected: Expected::Test {
            target: "historic::clients::f1_a_place_that_is_given_up_while_it_is_taken_is_left",
            because: "in made-up runs, leases are not kept alive for as long as somebody else waits",
        },
        class: Class::A,
    },
    Plant {
        name: "left_place_not_tried_again",
        twin: "F1",
        does: "A place that could not be given up, because nobody led, is kept for as long as its lease is.",
        file: "core/src/driver.rs",
        expected: Expected::Test {
            target: "historic::clients::f1_a_place_that_is_given_up_without_a_majority_is_left_later",
            because: "in made-up runs, leases are not kept alive for as long as somebody else waits",
        },
        class: Class::A,
    },
    Plant {
        name: "leader_read_locally",
        twin: "F1",
        does: "An election's leader is read from a state that may be old.",
        file: "core/src/election.rs",
        expected: Expected::Test {
            target: "historic::clients::f1_who_is_cut_off_names_no_leader_of_yesterday",
            because: "an observer that is behind shows leaders in order all the same",
        },
        class: Class::B,
    },
    Plant {
        name: "snapshot_without_deletions",
        twin: "etcd's snapshots",
        does: "A snapshot leaves the deletions out: what was deleted is in it, and revisions have holes.",
        file: "gateway/src/backup/file.rs",
        expected: Expected::Test {
            target: "gateway_snapshot::three_members_import_what_one_saved",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "import_any_hash",
        twin: "etcdutl's check of the hash",
        does: "A damaged snapshot is imported: the hash behind it is not looked at.",
        file: "gateway/src/backup/import.rs",
        expected: Expected::Test {
            target: "gateway_snapshot::a_damaged_snapshot_is_refused_and_leaves_nothing_behind",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "start_on_half_import",
        twin: "kvorumd import",
        does: "Where an import did not come to its end, a server starts with nothing in it.",
        file: "gateway/src/bin/kvorumd/directory.rs",
        expected: Expected::Test {
            target: "gateway_kvorumd::refusals::a_wrong_directory_is_the_reason_even_if_the_ports_are_taken",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "import_in_place",
        twin: "kvorumd import",
        does: "An import fills the member's directory itself, and killed leaves what a server starts on.",
        file: "gateway/src/bin/kvorumd/staging.rs",
        expected: Expected::Test {
            target: "gateway_snapshot::killed::an_import_that_is_killed_is_not_started_on_and_can_be_run_again",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "import_by_flags_alone",
        twin: "kvorumd import",
        does: "What the environment or the configuration file says is ignored, and the data lies where nobody looks for it.",
        file: "gateway/src/bin/kvorumd/import.rs",
        expected: Expected::Test {
            target: "gateway_snapshot::variables_and_the_configuration_file_say_where_as_at_a_start",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "import_in_no_id",
        twin: "kvorumd import",
        does: "A cluster's id says nothing of what was imported: members with and without it talk to each other.",
        file: "gateway/src/bin/kvorumd/cluster.rs",
        expected: Expected::Test {
            target: "gateway_snapshot::some::a_member_that_alone_was_imported_says_so_and_ends",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "import_forgets_writes",
        twin: "kvorumd import",
        does: "An imported member that was written to since is told to throw that away, and ends.",
        file: "gateway/src/bin/kvorumd/kin.rs",
        expected: Expected::Test {
            target: "gateway_snapshot::some::a_member_that_was_written_to_since_its_import_waits_for_those_that_lost_theirs",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "import_looks_once",
        twin: "kvorumd import",
        does: "An import that comes too late leaves its mark beside a member, and neither goes on.",
        file: "gateway/src/bin/kvorumd/staging.rs",
        expected: Expected::Test {
            target: "kvorumd::staging::tests::an_import_that_comes_too_late_sees_it_and_leaves_nothing",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "etcds_inner_directory",
        twin: "kvorumd leaves etcd's files alone",
        does: "What lies inside an etcd's data directory is taken for a directory of kvorum's.",
        file: "gateway/src/bin/kvorumd/etcds.rs",
        expected: Expected::Test {
            target: "kvorumd::etcds::tests::every_level_of_an_etcds_directory_is_refused_and_the_etcd_named",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "looks_wait_for_a_majority",
        twin: "etcd's metrics URLs",
        does: "A kvorumd that waits for a majority answers nobody who looks at it.",
        file: "gateway/src/bin/kvorumd/run.rs",
        expected: Expected::Test {
            target: "gateway_kvorumd::looks::a_member_that_waits_for_a_majority_answers_those_who_look_at_it",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "hangup_writes_on",
        twin: "logrotate",
        does: "At a SIGHUP, kvorumd says that it opened its log's files anew, and writes on to those that were moved away.",
        file: "gateway/src/bin/kvorumd/outputs.rs",
        expected: Expected::Test {
            target: "gateway_kvorumd::starts::a_hangup_opens_the_logs_files_anew_and_ends_nothing",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "disk_fails_silently",
        twin: "etcd's log",
        does: "kvorumd does not say that the disk failed before it sees that the node has halted.",
        file: "gateway/src/bin/kvorumd/disk.rs",
        expected: Expected::Test {
            target: "gateway_kvorumd::disks::a_disk_that_fails_is_told_at_once_and_also_to_whoever_asks_the_server_to_end",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "stalled_snapshot_is_kept",
        twin: "DIFFERENCES.md: snapshots that nobody reads",
        does: "A snapshot that nobody reads holds what compactions free, for ever.",
        file: "gateway/src/taken.rs",
        expected: Expected::Test {
            target: "gateway_snapshot::stalled::a_client_that_stands_still_is_let_go_of",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "snapshots_uncounted",
        twin: "Connections::snapshots",
        does: "As many snapshots may be open at once as are asked for, and each takes memory.",
        file: "gateway/src/snapshot.rs",
        expected: Expected::Test {
            target: "gateway_snapshot::stalled::no_more_are_open_at_once_than_there_are_places",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "pieces_without_a_pause",
        twin: "KV/RangeStream",
        does: "A range in pieces passes over keys that are gone without letting others have their turn.",
        file: "gateway/src/pieces.rs",
        expected: Expected::Test {
            target: "gateway::pieces::tests::keys_that_are_gone_are_passed_over_in_turns_and_without_a_word",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "watch_stream_without_a_pause",
        twin: "W11",
        does: "A stream of watches looks for something to say for as long as it finds nothing, and nobody else has a turn.",
        file: "gateway/src/watch/stream.rs",
        expected: Expected::Test {
            target: "gateway::watch::tests::requests_that_need_no_answer_let_other_streams_have_their_turn",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "requests_before_events",
        twin: "W11",
        does: "A client that asks without a pause on its stream of watches is told of no changes.",
        file: "gateway/src/watch/stream.rs",
        expected: Expected::Test {
            target: "gateway::watch::tests::who_asks_without_a_pause_is_told_of_changes_meanwhile",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "refused_watch_searches_an_id",
        twin: "etcd's watch ids",
        does: "A watch that is refused searches for an id first, past all those that the client has chosen itself.",
        file: "gateway/src/watch/stream.rs",
        expected: Expected::Test {
            target: "gateway::watch::tests::what_is_refused_looks_for_no_id",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "members_are_not_listened_to",
        twin: "etcd's member list",
        does: "Members are listed as the options have them, whatever they have said of themselves.",
        file: "gateway/src/cluster.rs",
        expected: Expected::Test {
            target: "gateway_services::whoever_is_asked_for_members_knows_what_each_has_said_of_itself",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "ready_without_a_leader",
        twin: "etcd's /readyz",
        does: "A member without a leader says that it is ready.",
        file: "gateway/src/health.rs",
        expected: Expected::Test {
            target: "gateway_web::health::without_a_leader_a_member_is_live_but_not_ready",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "health_overlooks_alarms",
        twin: "etcd's /health",
        does: "A cluster that has no space left says that it is well.",
        file: "gateway/src/web/health.rs",
        expected: Expected::Test {
            target: "gateway_web::odd::odd_requests_get_etcds_answers",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "given_up_calls_uncounted",
        twin: "etcd's grpc_server_handled_total",
        does: "A call that its client gives up never ends, as far as the metrics know.",
        file: "gateway/src/metrics/rpc.rs",
        expected: Expected::Test {
            target: "gateway_web::metrics::a_call_that_its_client_gives_up_is_counted_as_canceled",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "metrics_port_serves_all",
        twin: "etcd's --listen-metrics-urls",
        does: "Whoever reaches the port for metrics can read and write keys.",
        file: "gateway/src/door.rs",
        expected: Expected::Test {
            target: "gateway_web::metrics::a_listener_for_metrics_answers_nothing_else",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_last_one_wins",
        twin: "etcd's JSON",
        does: "A field may stand in a request twice, and the last one counts.",
        file: "gateway/src/web/json/read.rs",
        expected: Expected::Test {
            target: "gateway_web::odd::odd_requests_get_etcds_answers",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_null_is_a_value",
        twin: "etcd's JSON",
        does: "A field that is null is refused, where it should be as if it were not there.",
        file: "gateway/src/web/json/read.rs",
        expected: Expected::Test {
            target: "gateway_web::odd::odd_requests_get_etcds_answers",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_forgets_the_rest",
        twin: "etcd's streams in JSON",
        does: "Requests that come in one piece with the first one of their stream are forgotten.",
        file: "gateway/src/web/json/cut.rs",
        expected: Expected::Test {
            target: "gateway_web::watch::watches_say_what_etcd_says",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_timeout_ignored",
        twin: "etcd's grpc-timeout",
        does: "A request in JSON is done however little time its client gave it.",
        file: "gateway/src/web/routes.rs",
        expected: Expected::Test {
            target: "gateway_web::odd::odd_requests_get_etcds_answers",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_body_without_bound",
        twin: "etcd's --max-request-bytes",
        does: "A request in JSON is held however large it is.",
        file: "gateway/src/web/body.rs",
        expected: Expected::Test {
            target: "gateway_web::limits::more_than_a_request_may_be_is_refused_before_it_is_all_there",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "everybody_walks_at_once",
        twin: "H1",
        does: "As many snapshots as are asked for go through the store at the same time.",
        file: "gateway/src/walks.rs",
        expected: Expected::Test {
            target: "gateway::walks::tests::no_more_walk_at_once_than_there_are_places",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_spaces_uncounted",
        twin: "DIFFERENCES.md: spaces before a value",
        does: "A request in JSON may begin with spaces for ever.",
        file: "gateway/src/web/body.rs",
        expected: Expected::Test {
            target: "gateway_web::limits::more_spaces_than_a_request_may_be_are_refused",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "stop_by_the_runtimes_clock",
        twin: "Server::stop: not longer than the limit",
        does: "A server that is to stop looks at a clock that stands still while every worker is inside a long read.",
        file: "gateway/src/clock.rs",
        expected: Expected::Test {
            target: "gateway_server::stopping_takes_no_longer_than_said_when_the_runtime_stands_still",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "watch_keys_uncounted",
        twin: "Connections::body_bytes",
        does: "What the keys of open watches take, all together, has no limit.",
        file: "gateway/src/watch/stream.rs",
        expected: Expected::Test {
            target: "gateway::watch::tests::long_keys_of_watches_that_are_open_take_no_more_than_their_room",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "long_messages_uncounted",
        twin: "Connections::body_bytes",
        does: "What gRPC streams keep of their longest messages, all together, has no limit.",
        file: "gateway/src/arriving.rs",
        expected: Expected::Test {
            target: "gateway_messages::long_messages_on_streams_that_last_take_no_more_than_their_room",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "grpc_messages_uncounted",
        twin: "Connections::body_bytes",
        does: "What all half messages over gRPC hold together has no limit.",
        file: "gateway/src/arriving.rs",
        expected: Expected::Test {
            target: "gateway_messages::half_messages_of_many_take_no_more_than_their_room",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "grpc_message_without_clock",
        twin: "Connections::header_timeout",
        does: "A message over gRPC may take for ever to come.",
        file: "gateway/src/arriving.rs",
        expected: Expected::Test {
            target: "gateway_messages::half_a_message_is_not_waited_for_for_ever_and_a_silent_stream_is",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "untaken_answers_uncounted",
        twin: "Connections::answer_bytes",
        does: "What answers hold that their clients do not take has no limit.",
        file: "gateway/src/leaving.rs",
        expected: Expected::Test {
            target: "gateway_messages::answers_that_nobody_takes_are_bounded_and_others_write_meanwhile",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "small_messages_cut_the_connection",
        twin: "Connections::connection_window",
        does: "Some thousands of small messages that lie on a connection cut it.",
        file: "gateway/src/serve.rs",
        expected: Expected::Test {
            target: "gateway_messages::tens_of_thousands_of_renewals_may_be_asked_for_ahead",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "abandoned_place_stays",
        twin: "etcd's Mutex.Unlock when the context is done",
        does: "Who gives up a lock or a campaign while its place is being taken is waited for until its lease ends.",
        file: "gateway/src/queue.rs",
        expected: Expected::Test {
            target: "gateway::queue::tests::a_place_is_left_whose_call_ends_while_it_is_taken",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "found_place_goes",
        twin: "F1",
        does: "A campaign that ends early gives up the place that an earlier one of its lease leads with.",
        file: "gateway/src/queue.rs",
        expected: Expected::Test {
            target: "gateway::queue::tests::a_call_that_ends_does_not_take_away_what_an_earlier_one_has",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "found_place_left",
        twin: "etcd: a lease has one place",
        does: "A call that is given up before it has heard of its place takes the place from another call of its lease.",
        file: "gateway/src/queue.rs",
        expected: Expected::Test {
            target: "gateway::queue::tests::a_place_of_a_call_that_has_ended_stays_if_another_may_have_it",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "first_place_left",
        twin: "etcd: a lease has one place",
        does: "A client that asks again with its lease is told that it has the lock, and its first call, given up, takes it.",
        file: "gateway/src/queue.rs",
        expected: Expected::Test {
            target: "gateway::queue::tests::a_place_of_a_call_that_has_ended_stays_if_another_may_have_it",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "campaign_not_looked_at_again",
        twin: "etcd 11456, for elections",
        does: "A campaign is told that it leads without looking whether its lease has ended meanwhile.",
        file: "gateway/src/election.rs",
        expected: Expected::Test {
            target: "gateway_services::who_waits_to_lead_with_a_lease_that_ends_does_not_lead",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "leases_need_a_majority",
        twin: "etcd's LeaseLeases",
        does: "A member that is cut off does not list the leases that it knows of.",
        file: "gateway/src/lease.rs",
        expected: Expected::Test {
            target: "gateway_services::without_a_majority_only_local_answers_come",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "half_closed_page_unanswered",
        twin: "etcd answers who half-closed",
        does: "A page that is asked for with a body is not answered to a client that has closed its side.",
        file: "gateway/src/web/rest.rs",
        expected: Expected::Test {
            target: "gateway_web::half_closed::a_page_that_takes_its_time_is_answered_all_the_same",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "half_closed_unanswered",
        twin: "etcd answers who half-closed",
        does: "A client that has closed its side of an HTTP/1 connection gets no answer to what is done for it.",
        file: "gateway/src/half_closed.rs",
        expected: Expected::Test {
            target: "gateway_web::half_closed::whoever_has_nothing_more_to_say_gets_an_answer",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_bodies_uncounted",
        twin: "Connections::body_bytes",
        does: "What all requests in JSON hold together has no limit.",
        file: "gateway/src/web/body.rs",
        expected: Expected::Test {
            target: "gateway_web::limits::half_bodies_of_many_take_no_more_than_their_room",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_body_without_clock",
        twin: "Connections::header_timeout",
        does: "A request in JSON may take for ever to come.",
        file: "gateway/src/web/ask.rs",
        expected: Expected::Test {
            target: "gateway_web::limits::a_body_that_trickles_is_cut",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_value_without_clock",
        twin: "Connections::header_timeout",
        does: "A value in JSON that was begun on a stream may take for ever to come.",
        file: "gateway/src/web/body.rs",
        expected: Expected::Test {
            target: "gateway_web::room::half_a_value_is_not_waited_for_for_ever_and_the_next_one_is",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_room_is_not_given_back",
        twin: "Connections::body_bytes",
        does: "What was once said in JSON on a stream takes room for as long as the stream is there.",
        file: "gateway/src/web/body.rs",
        expected: Expected::Test {
            target: "gateway_web::room::what_was_said_on_a_stream_takes_no_room_when_it_was_heard",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_keeps_the_longest",
        twin: "Connections::body_bytes",
        does: "The memory of the longest value in JSON of a stream lies there for as long as the stream.",
        file: "gateway/src/web/json/cut.rs",
        expected: Expected::Test {
            target: "gateway::web::json::cut::tests::what_is_cut_off_takes_its_memory_with_it",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_waits_with_all_of_its_body",
        twin: "Connections::body_bytes",
        does: "Whoever waits for a lock over JSON takes as much room as was said.",
        file: "gateway/src/web/ask.rs",
        expected: Expected::Test {
            target: "gateway_web::room::whoever_waits_for_a_turn_takes_no_more_room_than_a_name",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "unread_stream_keeps_its_half",
        twin: "Connections::header_timeout",
        does: "Half a message on a stream whose answers nobody takes lies there for ever.",
        file: "gateway/src/begun.rs",
        expected: Expected::Test {
            target: "gateway_messages::half_of_something_is_let_go_of_also_while_nobody_takes_the_answers",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "grpc_heads_make_room",
        twin: "Connections::body_bytes",
        does: "The head of a message over gRPC makes room for all of it, which may never come.",
        file: "gateway/src/arriving.rs",
        expected: Expected::Test {
            target: "gateway::arriving::tests::nothing_is_handed_on_before_it_is_whole_however_it_is_cut",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_rest_not_read",
        twin: "etcd reads what it refuses",
        does: "What is refused early is cut off before its client, which is still writing, looks for the answer.",
        file: "gateway/src/web/rest.rs",
        expected: Expected::Test {
            target: "gateway_web::rest::whoever_writes_all_of_it_first_gets_the_answer",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
    Plant {
        name: "json_rest_without_bound",
        twin: "DIFFERENCES.md: a body that is refused",
        does: "The rest of what was refused is read for ever.",
        file: "gateway/src/web/rest.rs",
        expected: Expected::Test {
            target: "gateway_web::rest::whoever_never_comes_to_an_end_is_cut",
            because: NO_GATEWAY,
        },
        class: Class::A,
    },
];
