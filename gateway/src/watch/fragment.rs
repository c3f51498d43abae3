//! Large answers in parts, for clients that want it so.

use std::collections::VecDeque;

use prost::Message as _;

use crate::pb::etcdserverpb::WatchResponse;

/// Splits an answer so that each part is smaller than `limit` bytes, as far as single events are. All parts but the
/// last say that they are one.
pub(super) fn split(mut whole: WatchResponse, limit: usize, into: &mut VecDeque<WatchResponse>) {
    if whole.events.len() < 2 || whole.encoded_len() < limit {
        into.push_back(whole);
        return;
    }
    let events = std::mem::take(&mut whole.events);
    whole.fragment = true;
    let empty = whole.encoded_len();
    let (mut part, mut size) = (whole.clone(), empty);
    for event in events {
        // An event costs its tag and its length, too.
        let bytes = event.encoded_len() + prost::length_delimiter_len(event.encoded_len()) + 1;
        if !part.events.is_empty() && size + bytes >= limit {
            into.push_back(std::mem::replace(&mut part, whole.clone()));
            size = empty;
        }
        size += bytes;
        part.events.push(event);
    }
    part.fragment = false;
    into.push_back(part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::mvccpb::{Event, KeyValue};

    fn answer(sizes: &[usize]) -> WatchResponse {
        let event = |size: &usize| {
            let kv = KeyValue { value: vec![7; *size].into(), ..KeyValue::default() };
            Event { kv: Some(kv), ..Event::default() }
        };
        WatchResponse { watch_id: 3, events: sizes.iter().map(event).collect(), ..WatchResponse::default() }
    }

    fn parts(sizes: &[usize], limit: usize) -> Vec<(usize, bool)> {
        let mut parts = VecDeque::new();
        split(answer(sizes), limit, &mut parts);
        assert!(parts.iter().all(|part| part.watch_id == 3));
        assert!(parts.iter().all(|part| part.events.len() < 2 || part.encoded_len() < limit));
        parts.iter().map(|part| (part.events.len(), part.fragment)).collect()
    }

    #[test]
    fn only_what_is_too_large_is_split() {
        assert_eq!(parts(&[10, 10], 1000), [(2, false)]);
        assert_eq!(parts(&[2000], 1000), [(1, false)], "an event is never split");
        assert_eq!(parts(&[], 0), [(0, false)]);
    }

    #[test]
    fn every_part_but_the_last_says_that_it_is_one() {
        assert_eq!(parts(&[400, 400, 400, 400], 1000), [(2, true), (2, false)]);
        assert_eq!(parts(&[1200, 10, 1200], 1000), [(1, true), (1, true), (1, false)]);
    }
}
