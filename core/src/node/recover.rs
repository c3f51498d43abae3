//! From what survived on the disk to a node.
//!
//! An image and the log behind it were written at different moments; a crash may have come between. The
//! rule: the image is committed and whole, so it stands; the log is kept if it is seen to go on from the
//! image (it has the image's entry with the image's term, or begins right behind it), and forgotten
//! otherwise: whatever it holds below was superseded, and what it holds above was never vouched for in a log
//! that contained the image's entry.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::RwLock;
use raft::RawNode;

use super::window::Window;
use super::{Node, apply, guard, health, leases, pending, propose, read, ready, timing, upkeep, wire};
use crate::config::{Config, JOINED_BYTES};
use crate::error::{ErrorKind, Result};
use crate::ids::Index;
use crate::state::State;
use crate::storage::{HardState, Identity, ImageMeta, LogEntry, LogPosition, Recovered};
use crate::time::Time;

/// Append messages on their way to one peer.
const INFLIGHT: usize = 256;

/// The entry whose image an import makes, of another store's content: it has no log.
const IMPORTED: Index = 1;

/// Bytes of entries applied under one lock.
const APPLY_BYTES: u64 = 4 << 20;

/// Everything that a node starts from.
#[derive(Debug)]
pub struct Start {
    /// How it is set up.
    pub config: Config,
    /// Whose data this is, the current start counted.
    pub identity: Identity,
    /// What the storage gave back.
    pub recovered: Recovered,
    /// What the newest image is of, and its content; `None`: there is none, the state is empty.
    pub image: Option<(ImageMeta, State)>,
    /// The time.
    pub now: Time,
}

impl Node {
    /// A node that goes on from what survived.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a configuration that makes no sense, [`ErrorKind::Corrupt`] if log and image
    /// do not fit together.
    pub fn start(start: Start) -> Result<Node> {
        let Start { config, identity, recovered, image, now } = start;
        config.check()?;
        let (image, state) = match image {
            Some((meta, state)) => (Some(meta), state),
            None => (None, State::new(identity.cluster)),
        };
        let covered = image.as_ref().map_or(0, |image| image.position.index);
        let behind = recovered.entries.partition_point(|entry| entry.index <= covered);
        let upkeep =
            upkeep::Upkeep::resume(&recovered.entries[behind..], recovered.log_bytes, config.image_log_bytes);
        let window = rebuild(&config, recovered, image)?;
        let raft = raft_node(&config, window, state.applied())?;
        let applied = apply::Progress::new(state.applied(), state.hash());
        let retry = config.election_timeout / 2;
        let (node, incarnation) = (identity.node, identity.incarnation);
        let mut node = Node {
            timing: timing::Timing::new(&config, now),
            guard: guard::Guard::new(identity.cluster, node, config.voters.clone()),
            pending: pending::Pending::new(config.request_timeout),
            reads: read::Reads::new(node, incarnation, config.request_timeout, retry),
            held: ready::Held::default(),
            forwarded: propose::Forwarded::default(),
            leases: leases::Leases::default(),
            upkeep,
            health: health::Health::default(),
            state: Arc::new(RwLock::new(state)),
            outputs: VecDeque::new(),
            is_dirty: true,
            halted: None,
            failed: 0,
            received: None,
            unsent_images: Vec::new(),
            led: super::Led::default(),
            dropped: 0,
            raft,
            applied,
            config,
            identity,
            now,
        };
        node.after_step();
        if node.is_alone() && node.raft.raft.promotable() {
            // There is nobody whose leadership it would have to wait out.
            let _ = node.raft.campaign();
            node.after_step();
        }
        Ok(node)
    }
}

fn rebuild(config: &Config, recovered: Recovered, image: Option<ImageMeta>) -> Result<Window> {
    let Recovered { mut hard_state, base, entries, .. } = recovered;
    check_consecutive(base, &entries)?;
    let start = image.as_ref().map_or(LogPosition::default(), |image| image.position);
    let keeps_log = goes_on(base, &entries, start) || planted!("keep_log_under_image");
    let last_logged = base.index + entries.len() as u64;
    let is_short = last_logged < start.index && start.index > IMPORTED;
    if config.voters.len() == 1 && is_short && !planted!("lost_log_passed_over") {
        // Nobody can have sent it an image: it wrote this one itself, of what the log had.
        return Err(misfit(format!(
            "the log ends at entry {last_logged}, and the newest image at {}: a part of the log is lost, and what was \
             acknowledged behind the image with it",
            start.index
        )));
    }
    if !keeps_log && base.index > start.index {
        return Err(misfit(format!(
            "the log begins behind entry {}, the newest image ends at {}",
            base.index, start.index
        )));
    }
    let (base, entries) = if keeps_log { (base, entries) } else { (start, Vec::new()) };
    let last = entries.last().map_or(base, |entry| LogPosition { index: entry.index, term: entry.term });
    hard_state = mend(hard_state, start, last)?;
    let mut window = Window::new(base, hard_state, config.voters.clone());
    if !keeps_log {
        window.owe_reset();
    }
    window.append(&entries.into_iter().map(wire::raft_entry).collect::<Vec<_>>());
    if let Some(image) = image {
        window.set_image(image);
    }
    Ok(window)
}

fn misfit(reason: String) -> crate::Error {
    ErrorKind::Corrupt { path: "the log".into(), offset: 0, reason }.into()
}

fn check_consecutive(base: LogPosition, entries: &[LogEntry]) -> Result<()> {
    let mut before = base;
    for entry in entries {
        if entry.index != before.index + 1 || entry.term < before.term || entry.term == 0 {
            return Err(misfit(format!("entry {} follows entry {}", entry.index, before.index)));
        }
        before = LogPosition { index: entry.index, term: entry.term };
    }
    Ok(())
}

/// Whether the log is seen to go on from `image`.
fn goes_on(base: LogPosition, entries: &[LogEntry], image: LogPosition) -> bool {
    if base.index == image.index {
        return base.term == image.term;
    }
    let at = image.index.checked_sub(base.index + 1).and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| entries.get(at)).is_some_and(|entry| entry.term == image.term)
}

/// What a crash may have left behind of the hard state, relative to the rest.
fn mend(mut hard: HardState, image: LogPosition, last: LogPosition) -> Result<HardState> {
    // The image is committed by its nature.
    hard.commit = hard.commit.max(image.index);
    if hard.commit > last.index {
        return Err(misfit(format!("entry {} is committed, the last one is {}", hard.commit, last.index)));
    }
    // Entries may have become durable without the term that was written along with them. Nothing was
    // promised in that term, or it would be here.
    if hard.term < last.term || planted!("term_from_log") {
        hard.term = last.term;
        hard.vote = 0;
    }
    Ok(hard)
}

fn raft_node(config: &Config, window: Window, applied: LogPosition) -> Result<RawNode<Window>> {
    let ticks = timing::Timing::new(config, Time::ZERO).election_ticks();
    let skipped = u64::from(planted!("restart_skips_entry"));
    let raft = raft::Config {
        id: config.node,
        election_tick: ticks,
        heartbeat_tick: timing::HEARTBEAT_TICKS,
        applied: (applied.index + skipped).min(window.hard_state().commit),
        max_size_per_msg: JOINED_BYTES as u64,
        max_inflight_msgs: INFLIGHT,
        check_quorum: !planted!("no_check_quorum"),
        pre_vote: !planted!("no_pre_vote"),
        read_only_option: raft::ReadOnlyOption::Safe,
        batch_append: true,
        max_committed_size_per_ready: APPLY_BYTES,
        ..raft::Config::default()
    };
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    RawNode::new(&raft, window, &logger)
        .map_err(|error| ErrorKind::Config { reason: error.to_string() }.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::EntryKind;
    use bytes::Bytes;

    fn at(index: u64, term: u64) -> LogPosition {
        LogPosition { index, term }
    }

    fn log(from: u64, terms: &[u64]) -> Vec<LogEntry> {
        let entry = |(i, &term): (usize, &u64)| LogEntry {
            index: from + i as u64,
            term,
            kind: EntryKind::Command,
            data: Bytes::new(),
        };
        terms.iter().enumerate().map(entry).collect()
    }

    #[test]
    fn a_log_is_kept_only_if_it_goes_on_from_the_image() {
        assert!(goes_on(at(0, 0), &log(1, &[1, 1, 2]), at(2, 1)));
        assert!(goes_on(at(5, 3), &log(6, &[3]), at(5, 3)));
        assert!(!goes_on(at(0, 0), &log(1, &[1, 1, 2]), at(2, 2)), "it has another entry there");
        assert!(!goes_on(at(0, 0), &log(1, &[1]), at(9, 2)), "it ends before");
        assert!(!goes_on(at(7, 3), &log(8, &[3]), at(5, 3)), "it begins later");
    }

    #[test]
    fn restart_raises_the_commit_to_the_image() {
        let mended = mend(HardState { term: 3, vote: 2, commit: 4 }, at(9, 3), at(12, 3)).unwrap();
        assert_eq!(mended, HardState { term: 3, vote: 2, commit: 9 });
        assert!(mend(HardState { term: 3, vote: 2, commit: 13 }, at(9, 3), at(12, 3)).is_err());
    }

    #[test]
    fn nobody_sends_an_image_to_a_node_that_is_alone() {
        let recovered = |last| Recovered { entries: log(1, &vec![1; last]), ..Recovered::default() };
        let image = |index| Some(ImageMeta { position: at(index, 1), ..ImageMeta::default() });
        let (alone, three) = (Config::new(1, [1]), Config::new(1, [1, 2, 3]));
        assert!(rebuild(&alone, recovered(5), image(5)).is_ok());
        assert!(rebuild(&alone, Recovered::default(), image(1)).is_ok(), "it was imported");
        assert!(rebuild(&three, recovered(4), image(5)).is_ok(), "it came from the leader");
        let lost = rebuild(&alone, recovered(4), image(5)).map(|_| ()).unwrap_err();
        assert!(lost.to_string().contains("a part of the log is lost"), "{lost}");
    }
}
