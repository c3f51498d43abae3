//! Compares everything that can be seen of a state with the model.

use bytes::Bytes;
use kvorum_core::ErrorKind;
use kvorum_core::request::{RangeRequest, WatchRequest};
use kvorum_core::state::State;

use super::Model;
use super::same::{self, equal};

/// What is cheap enough to look at after every step.
pub fn summary(state: &State, model: &Model) -> Result<(), String> {
    equal("revision", state.revision(), model.revision())?;
    equal("compacted", state.compacted(), model.compacted.max(0))?;
    equal("NOSPACE", state.no_space(), model.no_space)?;
    let leases: Vec<_> = state.leases().map(|l| (l.id, l.ttl, l.remaining_millis)).collect();
    let want: Vec<_> = model.leases.iter().map(|(id, l)| (*id, l.ttl, l.remaining)).collect();
    equal("leases", leases, want)?;
    for id in model.leases.keys() {
        equal("lease's keys", state.lease_keys(*id), model.keys_of(*id))?;
        equal("lease", state.lease(*id).map(|l| l.id), Some(*id))?;
    }
    for (node, directory) in &model.members {
        equal("directory", state.member_directory(*node), Some(*directory))?;
    }
    equal("attributes", state.member_attributes().collect::<Vec<_>>(), model.attributes.values().collect())?;
    let (settings, sizes) = (state.settings(), state.sizes());
    equal("quota", (settings.quota_bytes, sizes.quota), (model.quota_bytes, model.quota_bytes))?;
    equal("most sessions", settings.max_sessions, model.max_sessions)?;
    equal("number of keys", sizes.keys, model.now().len() as u64)?;
    equal("number of leases", sizes.leases, model.leases.len() as u64)?;
    equal("number of sessions", sizes.sessions, model.sessions.len() as u64)?;
    equal("versions and bytes", (sizes.versions, sizes.bytes), model.versions_and_bytes())
}

/// Every read at every revision that is kept, and the refusals beyond.
pub fn history(state: &State, model: &Model) -> Result<(), String> {
    let (oldest, current) = (model.oldest(), model.revision());
    for revision in oldest..=current {
        let all = read(b"\0", b"\0", revision);
        let got = state.range(&all).map_err(|e| format!("{e:?} at {revision} of {current}"))?;
        let want: Vec<_> = model.at(revision).values().cloned().collect();
        equal(&format!("everything at {revision}"), &got.kvs, &want)?;
        for (key, end) in RANGES {
            one_read(state, model, &read(key, end, revision))?;
        }
    }
    for beyond in [current + 1, current + 100, model.compacted - 1, 1] {
        let r = read(b"\0", b"\0", beyond);
        if beyond > current || (beyond > 0 && beyond < model.compacted) {
            let want = if beyond > current {
                ErrorKind::FutureRevision { requested: beyond, current }
            } else {
                ErrorKind::Compacted { requested: beyond, compacted: model.compacted }
            };
            equal("refusal", state.range(&r).map_err(|e| e.kind().clone()), Err(want))?;
        }
    }
    Ok(())
}

/// One read, whatever it is.
pub fn one_read(state: &State, model: &Model, r: &RangeRequest) -> Result<(), String> {
    let got = state.range(r).map_err(|e| e.kind().clone());
    let same = match (&got, &model.range(r)) {
        (Ok(got), Ok(want)) => same::range(r, got, want),
        (got, want) => equal("range", got, want),
    };
    same.map_err(|e| format!("{r:?}: {e}"))
}

/// A watch from every revision that is kept: the events of all of history, in small portions.
pub fn watches(state: &mut State, model: &Model, max: (usize, usize), flags: u8) -> Result<(), String> {
    let top = model.revision();
    for start in model.oldest()..=top + 1 {
        let (key, end) = RANGES[(start as usize + flags as usize) % RANGES.len()];
        for (key, end) in [(key, end), (&b"\0"[..], &b"\0"[..])] {
            let request = WatchRequest {
                key: Bytes::from_static(key),
                range_end: Bytes::from_static(end),
                start_revision: start,
                prev_kv: flags & 1 == 1,
                no_put: flags & 6 == 2,
                no_delete: flags & 6 == 4,
                progress_interval: None,
            };
            let mut cursor = state.open_watch(&request).map_err(|e| format!("{request:?}: {e:?}"))?;
            let (mut events, mut pulls) = (Vec::new(), 0);
            loop {
                let pulled = state.pull(&mut cursor, max.0, max.1).map_err(|e| format!("{e:?}"))?;
                events.extend(pulled.events);
                pulls += 1;
                if !pulled.more {
                    break;
                }
                // Every pull that leaves something brings it a revision further.
                equal("endless pulling", pulls > top, false)?;
            }
            let want = model.events_between(&request, (start, top), model.compacted);
            equal(&format!("events of {request:?}"), events, want)?;
            state.close_watch(cursor.id());
        }
    }
    Ok(())
}

fn read(key: &'static [u8], end: &'static [u8], revision: i64) -> RangeRequest {
    let (key, range_end) = (Bytes::from_static(key), Bytes::from_static(end));
    RangeRequest { key, range_end, revision, ..RangeRequest::default() }
}

/// One key, a prefix, everything from a key on, an odd piece.
const RANGES: [(&[u8], &[u8]); 5] = [(b"a", b""), (b"a", b"b"), (b"ab", b"\0"), (b"a\0", b"ba"), (b"b", b"")];
