//! Many watches: those whose keys changed are woken, once until they are pulled, and no others.

#![allow(unreachable_pub, dead_code, reason = "the model's modules are shared; not all is used here")]

#[path = "model/mod.rs"]
mod reference;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kvorum_core::command::{Command, Op};
use kvorum_core::request::{DeleteRangeRequest, PutRequest, WatchRequest};
use kvorum_core::state::{State, WatchCursor, WatcherId};
use kvorum_core::storage::LogPosition;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use reference::{Model, random};

#[derive(Clone, Debug)]
enum Step {
    Open(WatchRequest),
    Close(usize),
    Put(PutRequest),
    Delete(DeleteRangeRequest),
    Pull(usize),
}

fn step() -> impl Strategy<Value = Step> {
    // More keys than elsewhere, so that ranges lie in all ways to each other.
    let key = || vec(0..4u8, 1..4).prop_map(Bytes::from);
    let end = prop_oneof![
        2 => Just(Bytes::new()),
        1 => Just(Bytes::from_static(b"\0")),
        4 => key(),
    ];
    let watch = (key(), end, random::watch()).prop_map(|(key, range_end, r)| WatchRequest {
        key,
        range_end,
        start_revision: 0,
        ..r
    });
    prop_oneof![
        6 => watch.prop_map(Step::Open),
        2 => any::<usize>().prop_map(Step::Close),
        4 => key().prop_map(|key| Step::Put(PutRequest { key, ..PutRequest::default() })),
        1 => (key(), key()).prop_map(|(key, range_end)|
            Step::Delete(DeleteRangeRequest { key, range_end, prev_kv: false })),
        6 => any::<usize>().prop_map(Step::Pull),
    ]
}

/// One watch: what it asked for, where it stands, and the first revision it was not sent.
struct Open {
    request: WatchRequest,
    cursor: WatchCursor,
    next: i64,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn those_and_only_those(steps in vec(step(), 50..400)) {
        let (mut state, mut model) = (State::new(1), Model::new());
        let mut open: BTreeMap<WatcherId, Open> = BTreeMap::new();
        let mut woken = BTreeSet::new();
        let mut index = 0;
        for step in steps {
            let pick = |n: usize| open.keys().nth(n.checked_rem(open.len())?).copied();
            let op = match step {
                Step::Open(request) => {
                    if let Ok(cursor) = state.open_watch(&request) {
                        let next = state.revision() + 1;
                        open.insert(cursor.id(), Open { request, cursor, next });
                    }
                    continue;
                }
                Step::Close(n) => {
                    if let Some(id) = pick(n) {
                        state.close_watch(id);
                        open.remove(&id);
                        woken.remove(&id);
                    }
                    continue;
                }
                Step::Pull(n) => {
                    if let Some(id) = pick(n) {
                        let one = open.get_mut(&id).expect("picked from it");
                        let pulled = state.pull(&mut one.cursor, 1000, 1 << 20).unwrap();
                        let want = model.events_between(&one.request, (one.next, model.revision()), -1);
                        prop_assert_eq!(pulled.events, want);
                        prop_assert!(!pulled.more);
                        one.next = model.revision() + 1;
                        woken.remove(&id);
                    }
                    continue;
                }
                Step::Put(r) => Op::Put(r),
                Step::Delete(r) => Op::DeleteRange(r),
            };
            index += 1;
            let (at, command) = (LogPosition { index, term: 1 }, Command { op: Some(op), ..Command::default() });
            let _ = state.apply(at, &command.encode_to_vec().into());
            let _ = model.apply(at, &command);
            let mut reported = Vec::new();
            state.take_woken(&mut reported);
            let got: BTreeSet<_> = reported.iter().copied().collect();
            prop_assert_eq!(got.len(), reported.len(), "reported twice");
            let has_events = |one: &Open| {
                !model.events_between(&one.request, (one.next, model.revision()), -1).is_empty()
            };
            let want = open.iter().filter(|(id, one)| !woken.contains(*id) && has_events(one));
            let want: BTreeSet<_> = want.map(|(id, _)| *id).collect();
            prop_assert_eq!(&got, &want);
            woken.extend(got);
        }
    }
}
