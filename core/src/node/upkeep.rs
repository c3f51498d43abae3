//! What is done without being asked: images and the log behind them, garbage, and on a leader the end of
//! leases, automatic compaction and what all members must agree on.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Node, Output};
use crate::command::{MemberSeen, Op, Settings};
use crate::config::AutoCompaction;
use crate::ids::{Index, Revision};
use crate::request::CompactionRequest;
use crate::storage::{ImageMeta, LogEntry};
use crate::time::Time;

/// How often a leader looks whether something is to be agreed on.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Superseded versions freed at a tick, for each millisecond between two: 250,000 a second whatever the heartbeat.
const GARBAGE_PER_MILLI: u128 = 250;

/// And so many at once. Some ten milliseconds' worth at most.
const MOST_GARBAGE: u128 = 50_000;

/// How many samples of the revision are kept over the age that is kept.
const SAMPLES: u32 = 10;

#[derive(Default)]
pub(super) struct Upkeep {
    looked: Option<Time>,
    /// The revision at some times, oldest first.
    samples: VecDeque<(Time, Revision)>,
    /// The image that is being written ends here.
    saving: Option<Index>,
    /// When raft last wanted an image for a peer and had none.
    wanted: Option<Time>,
    /// Bytes of the newest image.
    image_size: u64,
    /// Bytes that the log has been given since the newest image.
    pub(super) log_bytes: u64,
}

impl Upkeep {
    /// Goes on with a log that has these entries behind the newest image, and takes so many bytes in all. What the
    /// entries take on the disk is not known; written one by one, they take what they take here. Of all bytes, no
    /// more than `enough` lie before the newest image: the rest was written since, terms and votes and starts among
    /// it. A node that is started again and again, and never lives to write enough, would not see it otherwise.
    pub(super) fn resume(entries: &[LogEntry], all_bytes: u64, enough: u64) -> Upkeep {
        let of_one = |entry: &LogEntry| (entry.data.len() as u64 + 64).next_multiple_of(512);
        let of_entries = entries.iter().map(of_one).sum();
        let log_bytes = all_bytes.saturating_sub(enough).max(of_entries);
        Upkeep {
            log_bytes: if planted!("starts_not_counted") { of_entries } else { log_bytes },
            ..Upkeep::default()
        }
    }
}

impl Node {
    pub(super) fn upkeep(&mut self) {
        let garbage = self.timing.every().as_millis() * GARBAGE_PER_MILLI;
        self.collect_garbage(garbage.clamp(GARBAGE_PER_MILLI, MOST_GARBAGE) as usize);
        self.save_image_if_due();
        self.trim_window();
        if !self.leases.is_leading() {
            return;
        }
        self.end_leases();
        if self.upkeep.looked.is_none_or(|looked| self.now.since(looked) >= LOOK_EVERY) {
            self.upkeep.looked = Some(self.now);
            self.note_leases();
            self.agree_on_settings();
            self.agree_on_members();
            self.compact_if_due();
        }
    }

    /// The first entry of this leader's term is applied.
    pub(super) fn start_leading(&mut self) {
        self.upkeep.looked = None;
        self.upkeep.samples.clear();
        self.start_counting();
        self.agree_on_settings();
    }

    pub(super) fn stop_leading(&mut self) {
        self.applied.stop_counting();
        self.stop_counting();
    }

    fn agree_on_settings(&mut self) {
        let wanted =
            Settings { quota_bytes: self.config.quota_bytes, max_sessions: self.config.max_sessions };
        let settings = self.state.read().settings();
        if settings != wanted {
            self.propose_own(Op::Settings(wanted));
        }
    }

    /// Writes down which directory each member was first seen with, so that one that lost its disk is
    /// recognized by everybody, for ever.
    fn agree_on_members(&mut self) {
        let me = (self.identity.node, self.identity.directory);
        let seen: Vec<_> = self.guard.directories().chain([me]).collect();
        for (node, directory) in seen {
            if self.state.read().member_directory(node).is_none() {
                self.propose_own(Op::MemberSeen(MemberSeen { node, directory }));
            }
        }
    }

    fn compact_if_due(&mut self) {
        let (revision, compacted) = {
            let state = self.state.read();
            (state.revision(), state.compacted())
        };
        let target = match self.config.compaction {
            AutoCompaction::Off => return,
            // A tenth more than is to be kept, so that there is something to do each time.
            AutoCompaction::Revisions(keep) => {
                let keep = i64::try_from(keep).unwrap_or(i64::MAX);
                if revision.saturating_sub(compacted) <= keep.saturating_add(keep / 10) {
                    return;
                }
                revision.saturating_sub(keep)
            }
            AutoCompaction::Age(keep) => match self.revision_before(keep, revision) {
                Some(target) => target,
                None => return,
            },
        };
        if target > compacted.max(1) {
            self.propose_own(Op::Compact(CompactionRequest { revision: target, physical: false }));
        }
    }

    /// The newest sampled revision that is at least `age` old.
    fn revision_before(&mut self, age: Duration, revision: Revision) -> Option<Revision> {
        let samples = &mut self.upkeep.samples;
        let is_due = samples.back().is_none_or(|(at, _)| self.now.since(*at) >= age / SAMPLES);
        if is_due {
            samples.push_back((self.now, revision));
        }
        let mut found = None;
        while samples.front().is_some_and(|(at, _)| self.now.since(*at) >= age) {
            found = samples.pop_front().map(|(_, revision)| revision);
        }
        found
    }

    /// An image is due when the log since the last one is larger than it (and than a minimum): what is
    /// written stays near twice what is stored, and so does what a restart reads.
    fn save_image_if_due(&mut self) {
        let wanted = self.raft.store().take_image_wanted();
        if wanted {
            self.upkeep.wanted = Some(self.now);
        }
        let enough = self.config.image_log_bytes.max(self.upkeep.image_size);
        let is_lost = self.raft.store().is_image_lost();
        let is_due = wanted || is_lost || (self.upkeep.log_bytes >= enough && !self.config.is_volatile);
        let has_news =
            self.applied.position().index > self.raft.store().image().map_or(0, |image| image.position.index);
        if self.upkeep.saving.is_some() || !(has_news || is_lost) || !is_due {
            return;
        }
        self.upkeep.saving = Some(self.applied.position().index);
        self.upkeep.log_bytes = 0;
        if planted!("drop_log_before_image") {
            self.outputs.push_back(Output::DropLog(self.applied.position().index));
        }
        self.outputs.push_back(Output::SaveImage { voters: self.config.voters.clone() });
    }

    pub(super) fn on_image_saved(&mut self, meta: ImageMeta, size: u64) {
        self.upkeep.saving = None;
        self.upkeep.image_size = size;
        let window = self.raft.store();
        let oldest = meta.position.index + u64::from(window.is_image_lost());
        let is_newer = window.image().is_none_or(|newest| newest.position.index < oldest);
        if !is_newer {
            return;
        }
        // The entry at the image is kept: it shows that the log goes on from there.
        if !planted!("log_without_bound") {
            self.outputs.push_back(Output::DropLog(meta.position.index.saturating_sub(1)));
        }
        self.raft.mut_store().set_image(meta);
    }

    /// Lets go of the memory of old entries. A peer that is behind is worth keeping more for: an image costs
    /// it, and this node, far more; and while one is on its way, the entries behind it must not go, or it
    /// will have been in vain.
    fn trim_window(&mut self) {
        let applied = self.applied.position().index;
        let window = self.raft.store();
        let bytes = window.bytes();
        let needed = self.slowest_peer().filter(|(_, cap)| bytes <= *cap).map(|(index, _)| index);
        let covered = needed.map_or(applied, |index| index.min(applied));
        let keep = self.config.keep_bytes;
        self.raft.mut_store().trim(covered, keep);
    }

    /// How far the peer is that is furthest behind, and how many bytes may be kept for it.
    fn slowest_peer(&self) -> Option<(Index, u64)> {
        if !self.is_leader() {
            return None;
        }
        let patience = self.config.election_timeout * 10;
        if self.upkeep.wanted.is_some_and(|wanted| self.now.since(wanted) < patience) {
            // The image that a peer waits for is being written, or about to be sent.
            let newest = self.raft.store().image().map(|image| image.position.index);
            let coming = self.upkeep.saving.or(newest)?;
            return Some((coming, self.config.catch_up_bytes.saturating_mul(4)));
        }
        let me = self.identity.node;
        let others = self.raft.raft.prs().iter().filter(|(id, _)| **id != me);
        let behind = others.map(|(_, peer)| match peer.state {
            raft::ProgressState::Snapshot => {
                (peer.pending_snapshot, self.config.catch_up_bytes.saturating_mul(4))
            }
            raft::ProgressState::Probe | raft::ProgressState::Replicate => {
                (peer.matched, self.config.catch_up_bytes)
            }
        });
        behind.min()
    }
}
