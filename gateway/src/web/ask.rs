//! A request in JSON that was let in: its messages, as the services take them. What it will never know: answers.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use http::HeaderMap;
use kvorum_core::planted;
use prost::{Message, Name};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Status};

use super::body::{Values, too_large};
use super::json;
use crate::errors::LATE_BODY;
use crate::gateway::{Gateway, Permit};
use crate::held::Held;
use crate::leash::requires_leader;

pub(crate) struct Ask {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) metadata: HeaderMap,
    pub(crate) values: Values,
    /// What its message takes while it is looked after.
    pub(crate) room: Option<Held>,
    pub(crate) _permit: Permit,
}

impl Ask {
    /// The one message of a request; nothing stands for an empty one. What is behind it is not looked at.
    pub(crate) async fn one<T: Message + Name + Default>(&mut self) -> Result<Request<T>, Status> {
        self.values.refuse_early()?;
        let patience = match planted!("json_body_without_clock") {
            true => Duration::MAX,
            false => self.gateway.options.connections.header_timeout,
        };
        let whole = async {
            let first = self.values.next().await;
            if matches!(first, Some(Ok(_))) {
                self.values.drain().await;
            }
            first.transpose()
        };
        let late = |_| Status::from(LATE_BODY);
        let value = tokio::time::timeout(patience, whole).await.map_err(late)??;
        let message = value.as_ref().map(|value| read(&value.json, &self.gateway));
        let message: T = message.transpose()?.unwrap_or_default();
        self.room = value.map(|value| value.room);
        self.keep(message.encoded_len());
        let metadata = MetadataMap::from_headers(std::mem::take(&mut self.metadata));
        Ok(Request::from_parts(metadata, Extensions::default(), message))
    }

    /// So much of its message is still there.
    pub(crate) fn keep(&mut self, bytes: usize) {
        if let Some(room) = self.room.as_mut().filter(|_| !planted!("json_waits_with_all_of_its_body")) {
            room.shrink_to(bytes);
        }
    }

    /// The messages of a request, as they come.
    pub(crate) fn many<T: Message + Name + Default>(
        self,
    ) -> impl Stream<Item = Result<T, Status>> + Send + Unpin + 'static {
        let gateway = self.gateway;
        self.values.map(move |value| read(&value?.json, &gateway))
    }

    /// It may take for ever, and ends when its client has nothing more to say.
    pub(crate) fn ends_with_its_client(self) -> Ask {
        self.values.owe_nothing();
        self
    }

    /// Whether the client wants to be told when there is no leader.
    pub(crate) fn requires_leader(&self) -> bool {
        requires_leader(&self.metadata)
    }
}

fn read<T: Message + Name + Default>(json: &[u8], gateway: &Gateway) -> Result<T, Status> {
    let message: T = json::read(json)?;
    let (size, limit) = (message.encoded_len(), gateway.message_limit());
    if size > limit { Err(too_large(size, limit)) } else { Ok(message) }
}
