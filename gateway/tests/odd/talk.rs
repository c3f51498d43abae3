//! A conversation, written down so that what differs from run to run is left out.

use std::fmt::Debug;

use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::common::{KvClient, get, soon};

/// The longest line; what is cut off is large and not interesting.
const LONGEST: usize = 600;

pub(crate) struct Talk {
    pub(crate) channel: Channel,
    lines: Vec<String>,
    names: Vec<(String, String)>,
}

impl Talk {
    pub(crate) fn new(channel: Channel) -> Talk {
        Talk { channel, lines: Vec::new(), names: Vec::new() }
    }

    /// From now on a lease's number, which is made up by who is asked, goes by a name.
    pub(crate) fn name(&mut self, lease: i64, name: &str) {
        self.names.push((format!("{lease:x}"), format!("hex of {name}")));
        self.names.push((lease.to_string(), name.into()));
    }

    /// Asks, and writes the answer down.
    pub(crate) async fn say<T: Debug>(
        &mut self,
        what: &str,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Option<T> {
        let (text, message) = match soon(what, answer).await {
            Ok(answer) => {
                let message = answer.into_inner();
                (format!("{message:?}"), Some(message))
            }
            Err(status) => (format!("{:?}: {}", status.code(), status.message()), None),
        };
        self.note(what, &text);
        message
    }

    /// Waits until somebody else has written a key.
    pub(crate) async fn wait_for(&self, key: &str) {
        let mut kv = KvClient::new(self.channel.clone());
        let written = async { while kv.range(get(key)).await.unwrap().into_inner().count == 0 {} };
        soon(key, written).await;
    }

    pub(crate) fn note(&mut self, what: &str, text: &str) {
        let mut text = text.to_string();
        for field in ["cluster_id: ", "member_id: ", "raft_term: "] {
            text = without_numbers(&text, field);
        }
        for (number, name) in &self.names {
            text = text.replace(number, name);
        }
        let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
        self.lines.push(format!("{what} | {}", &text[..end]));
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}

/// Writes `_` for every number but zero that stands behind `field`.
fn without_numbers(text: &str, field: &str) -> String {
    let mut parts = text.split(field);
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number = if &part[..digits] == "0" { "0" } else { "_" };
        out += &format!("{field}{number}{}", &part[digits..]);
    }
    out
}
