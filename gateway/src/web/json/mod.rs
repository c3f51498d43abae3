//! Requests out of JSON, answers into it. Reading follows protobuf's mapping to Go's letter, and says what is wrong in
//! Go's words, as etcd does: that takes tables of all messages (`shapes`), a scanner that finds where a value ends
//! (`scan`; `cut` cuts there) and a reader (`read`) that turns it into the bytes that gRPC would have brought. Writing
//! is left to the mapping that the build made. What it will never know: routes and connections.

mod cut;
mod number;
mod read;
mod scan;
mod shapes;
mod text;

use prost::{Message, Name};
use serde::Serialize;
use tonic::Status;

pub(crate) use cut::Cut;

/// Reads one message from JSON of which [`Cut`] has seen that it is whole.
///
/// # Errors
///
/// What is wrong with it, as etcd would say it.
pub(crate) fn read<T: Message + Name + Default>(json: &[u8]) -> Result<T, Status> {
    let shape = shapes::of(T::PACKAGE, T::NAME);
    let bytes = read::message(json, shape).map_err(Status::invalid_argument)?;
    // What it cannot be, beyond what was looked at, is nested too deep.
    T::decode(&bytes[..]).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// Writes a message.
pub(crate) fn write<T: Serialize>(message: &T) -> Result<Vec<u8>, Status> {
    serde_json::to_vec(message).map_err(|error| Status::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::pb::etcdserverpb::{LeaseGrantRequest, RangeRequest, TxnRequest, WatchRequest};

    /// Numbers that look like chance, and are the same every time.
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, most: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % most as u64) as usize
        }
    }

    const SEEDS: [&str; 4] = [
        r#"{"compare":[{"key":"Zg==","target":"MOD","result":"EQUAL","mod_revision":"7"}],"success":[{"request_put":
           {"key":"Zm9v","value":"YmFy","lease":-3,"prev_kv":true}},{"request_txn":{"failure":[{"request_range":{}}]}}]}"#,
        r#"{"key":"Zg==","range_end":"AA==","limit":12,"revision":"0","sort_order":"DESCEND","serializable":false}"#,
        r#"{"create_request":{"key":"Zg==","start_revision":"9","filters":["NOPUT","NODELETE"],"watch_id":-1}}"#,
        r#" {"ID":1.0,"TTL":"60","x":[1,2.5e-7,"\u00e9\n",null,{"y":[[]]}]} "#,
    ];

    const PIECES: [&str; 18] = [
        "{", "}", "[", "]", "\"", ",", ":", "null", "true", "-", "0", "1e3", "\"a\"", "\\", " ", "\n", "é",
        "\u{1}",
    ];

    /// A text that was valid, with pieces put in and taken out.
    fn mutated(chance: &mut Chance) -> String {
        let mut text: Vec<char> = SEEDS[chance.below(SEEDS.len())].chars().collect();
        for _ in 0..chance.below(4) {
            let at = chance.below(text.len());
            let until = (at + chance.below(6)).min(text.len());
            let piece = PIECES[chance.below(PIECES.len())];
            text.splice(at..until, piece.chars());
            if text.is_empty() {
                text.push('5');
            }
        }
        text.into_iter().collect()
    }

    /// The first value in a text, if there is one.
    fn first(text: &str) -> Option<Bytes> {
        let mut cut = Cut::default();
        cut.push(text.as_bytes());
        cut.next().ok()?.or_else(|| cut.end().ok()?)
    }

    /// What the build's own mapping reads, ours reads too, and the same.
    fn agrees<T>(json: &[u8])
    where
        T: Message + Name + Default + PartialEq + std::fmt::Debug + for<'a> serde::Deserialize<'a>,
    {
        let ours = read::<T>(json);
        if let Ok(theirs) = serde_json::from_slice::<T>(json) {
            assert_eq!(ours.ok(), Some(theirs), "{}", String::from_utf8_lossy(json));
        }
    }

    #[test]
    fn what_is_json_to_others_is_json_to_us_and_means_the_same() {
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
        let mut valid = 0;
        for _ in 0..20_000 {
            let text = mutated(&mut chance);
            let theirs =
                serde_json::Deserializer::from_str(&text).into_iter::<serde::de::IgnoredAny>().next();
            let ours = first(&text);
            // What may stand right behind a word or a number, serde sees otherwise; neither is a message.
            if !text.trim_start().starts_with('{') {
                continue;
            }
            assert_eq!(ours.is_some(), matches!(theirs, Some(Ok(_))), "{text}");
            let Some(json) = ours else { continue };
            valid += 1;
            agrees::<TxnRequest>(&json);
            agrees::<RangeRequest>(&json);
            agrees::<WatchRequest>(&json);
            agrees::<LeaseGrantRequest>(&json);
        }
        assert!(valid > 5_000, "{valid}");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let request: TxnRequest = read(SEEDS[0].as_bytes()).unwrap();
        assert_eq!(request.success.len(), 2);
        assert_eq!(read::<TxnRequest>(&write(&request).unwrap()).unwrap(), request);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        for json in [&b"{\"\xff\":1}"[..], b"{\"key\":\"\xff\"}"] {
            assert!(read::<RangeRequest>(json).is_err());
        }
    }
}
