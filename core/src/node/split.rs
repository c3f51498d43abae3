//! Appends of a size that a transport can carry.
//!
//! Raft joins everything that it has for one peer in one turn into one message. For a peer that is far behind that is
//! its whole window, hundreds of megabytes: more than a transport carries, and what it does not carry is lost without a
//! word, every time anew. So a long one is cut into what raft would have sent had it not joined them.

use std::iter::once;

use raft::eraftpb::{Message, MessageType};

use crate::config::JOINED_BYTES;

/// `message`, in as many as it takes, in order. Nearly all stay as they are, and cost nothing.
pub(super) fn split(mut message: Message) -> impl Iterator<Item = Message> {
    let bytes: usize = message.entries.iter().map(|entry| entry.data.len()).sum();
    let is_append = message.get_msg_type() == MessageType::MsgAppend;
    let is_long = is_append && bytes > JOINED_BYTES && !planted!("append_of_any_size");
    let later = if is_long { cut(&mut message) } else { Vec::new() };
    once(message).chain(later)
}

/// Leaves in `message` what it may have, and answers with what comes behind it.
fn cut(message: &mut Message) -> Vec<Message> {
    let entries = std::mem::take(&mut message.entries);
    let empty = message.clone();
    let (mut later, mut size): (Vec<Message>, _) = (Vec::new(), 0);
    for entry in entries {
        let before = later.last().unwrap_or(message).entries.last();
        if let Some(before) = before.filter(|_| size + entry.data.len() > JOINED_BYTES) {
            let (index, log_term) = (before.index, before.term);
            later.push(Message { index, log_term, ..empty.clone() });
            size = 0;
        }
        size += entry.data.len();
        later.last_mut().unwrap_or(message).entries.push(entry);
    }
    later
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft::eraftpb::Entry;

    fn append(sizes: &[usize]) -> Message {
        let mut message = Message::default();
        message.set_msg_type(MessageType::MsgAppend);
        (message.to, message.term, message.index, message.log_term, message.commit) = (2, 9, 10, 1, 12);
        let entry = |(i, &size): (usize, &usize)| Entry {
            index: 11 + i as u64,
            term: 2 + i as u64,
            data: vec![0; size].into(),
            ..Entry::default()
        };
        message.entries = sizes.iter().enumerate().map(entry).collect::<Vec<_>>().into();
        message
    }

    #[test]
    fn a_long_append_is_cut_and_every_part_begins_where_the_one_before_ends() {
        let whole = append(&[JOINED_BYTES - 1, 1, 1, 3 * JOINED_BYTES, 0, 1]);
        let parts: Vec<_> = split(whole.clone()).collect();
        let counts: Vec<_> = parts.iter().map(|part| part.entries.len()).collect();
        assert_eq!(counts, [2, 1, 1, 2]);
        let mut end = (whole.index, whole.log_term);
        for part in &parts {
            assert_eq!((part.index, part.log_term), end);
            assert_eq!((part.to, part.term, part.commit), (2, 9, 12));
            end = part.entries.last().map(|last| (last.index, last.term)).unwrap();
        }
        let entries: Vec<_> = parts.into_iter().flat_map(|part| part.entries).collect();
        assert_eq!(entries, whole.entries.to_vec());
    }

    #[test]
    fn what_is_short_stays_whole() {
        for message in [append(&[]), append(&[1, 2]), append(&[2 * JOINED_BYTES]), Message::default()] {
            assert_eq!(split(message.clone()).collect::<Vec<_>>(), [message]);
        }
    }
}
