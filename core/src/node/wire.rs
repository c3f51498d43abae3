//! Raft's types turned into ours and back, by moving their fields: nothing that came over the wire or from
//! disk is ever parsed by raft's own, old protobuf.

use bytes::Bytes;
use raft::eraftpb::{Entry, EntryType, HardState as RaftHardState, Message, MessageType, Snapshot};

use crate::storage::{EntryKind, HardState, ImageMeta, LogEntry, LogPosition};
use crate::transport::{RaftMessage, WireEntry, WireImageMeta};

pub(super) fn log_entry(entry: &Entry) -> LogEntry {
    let kind = match entry.entry_type {
        EntryType::EntryNormal => EntryKind::Command,
        EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => EntryKind::Membership,
    };
    LogEntry { index: entry.index, term: entry.term, kind, data: entry.data.clone() }
}

pub(super) fn raft_entry(entry: LogEntry) -> Entry {
    Entry {
        entry_type: match entry.kind {
            EntryKind::Command => EntryType::EntryNormal,
            EntryKind::Membership => EntryType::EntryConfChangeV2,
        },
        index: entry.index,
        term: entry.term,
        data: entry.data,
        ..Entry::default()
    }
}

pub(super) fn hard_state(hard: &RaftHardState) -> HardState {
    let vote = if planted!("vote_not_written") { 0 } else { hard.vote };
    HardState { term: hard.term, vote, commit: hard.commit }
}

/// A message of raft's, ready to travel. `image` is the one that a snapshot message speaks of.
pub(super) fn outgoing(message: Message, image: Option<&ImageMeta>) -> RaftMessage {
    let entries = message.entries.into_iter().map(|entry| WireEntry {
        index: entry.index,
        term: entry.term,
        kind: u32::from(entry.entry_type != EntryType::EntryNormal),
        data: entry.data,
    });
    RaftMessage {
        kind: message.msg_type as i32,
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        entries: entries.collect(),
        commit: message.commit,
        commit_term: message.commit_term,
        reject: message.reject,
        reject_hint: message.reject_hint,
        request_snapshot: message.request_snapshot,
        context: message.context,
        priority: message.priority,
        image: image.map(wire_image),
        applied: None,
    }
}

/// A message from a peer as raft wants it. `None`: its kind is none that travels.
pub(super) fn incoming(from: u64, to: u64, message: RaftMessage) -> Option<Message> {
    let kind = travelling_kind(message.kind)?;
    let mut out = Message::default();
    out.set_msg_type(kind);
    out.from = from;
    out.to = to;
    out.term = message.term;
    out.log_term = message.log_term;
    out.index = message.index;
    out.commit = message.commit;
    out.commit_term = message.commit_term;
    out.reject = message.reject;
    out.reject_hint = message.reject_hint;
    out.request_snapshot = message.request_snapshot;
    out.context = message.context;
    out.priority = message.priority;
    out.entries = message.entries.into_iter().map(wire_entry).collect::<Vec<_>>().into();
    if let Some(image) = message.image {
        out.set_snapshot(snapshot(&image));
    }
    Some(out)
}

/// The kinds that one member may send another. The rest are a node's notes to itself.
pub(super) fn travelling_kind(kind: i32) -> Option<MessageType> {
    use MessageType::*;
    let kinds = [
        MsgAppend,
        MsgAppendResponse,
        MsgRequestVote,
        MsgRequestVoteResponse,
        MsgSnapshot,
        MsgHeartbeat,
        MsgHeartbeatResponse,
        MsgTimeoutNow,
        MsgReadIndex,
        MsgReadIndexResp,
        MsgRequestPreVote,
        MsgRequestPreVoteResponse,
    ];
    kinds.into_iter().find(|known| *known as i32 == kind)
}

fn wire_entry(entry: WireEntry) -> Entry {
    Entry { index: entry.index, term: entry.term, data: entry.data, ..Entry::default() }
}

fn snapshot(image: &WireImageMeta) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let meta = snapshot.mut_metadata();
    meta.index = image.index;
    meta.term = image.term;
    meta.mut_conf_state().set_voters(image.voters.clone());
    meta.mut_conf_state().set_learners(image.learners.clone());
    snapshot
}

pub(super) fn wire_image(image: &ImageMeta) -> WireImageMeta {
    WireImageMeta {
        index: image.position.index,
        term: image.position.term,
        voters: image.voters.clone(),
        learners: image.learners.clone(),
        hash: Bytes::copy_from_slice(&image.hash),
    }
}

/// What an image is said to be of; `None` if what is said is malformed.
pub fn image_meta(image: &WireImageMeta) -> Option<ImageMeta> {
    Some(ImageMeta {
        position: LogPosition { index: image.index, term: image.term },
        voters: image.voters.clone(),
        learners: image.learners.clone(),
        hash: image.hash.as_ref().try_into().ok()?,
    })
}
