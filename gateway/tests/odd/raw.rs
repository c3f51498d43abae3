//! What no generated client would send.

use bytes::{Buf, BufMut, Bytes};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Response, Status};

use crate::common::{KvClient, get};
use crate::talk::Talk;

/// Bytes as they are.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

async fn call(talk: &Talk, path: &'static str, message: &'static [u8]) -> Result<Response<Bytes>, Status> {
    let mut client = tonic::client::Grpc::new(talk.channel.clone());
    client.ready().await.unwrap();
    let request = Request::new(Bytes::from_static(message));
    client.unary(request, http::uri::PathAndQuery::from_static(path), Raw).await
}

pub(crate) async fn talk(talk: &mut Talk) {
    for path in ["/etcdserverpb.KV/Nothing", "/nobody.Service/Nothing", "/etcdserverpb.KV", "/", "/a/b/c"] {
        let said = call(talk, path, b"").await;
        talk.say(&format!("raw: {path}"), async { said }).await;
    }
    // A field of a wrong kind; a length that is longer than what follows; a field that nobody knows.
    for (what, message) in [
        ("a number for a key", &b"\x08\x01"[..]),
        ("a key that is cut off", b"\x0a\x05ab"),
        ("an unknown field", b"\x0a\x03foo\xf8\x07\x01"),
        ("a field twice", b"\x0a\x01a\x0a\x03foo"),
    ] {
        let said = call(talk, "/etcdserverpb.KV/Range", message).await;
        // How a library finds a message unreadable is its own.
        let said = said.map_err(|status| Status::new(status.code(), ""));
        let said = said.map(|answer| answer.map(|_| "an answer"));
        talk.say(&format!("raw: {what}"), async { said }).await;
    }
    metadata(talk).await;
}

async fn metadata(talk: &mut Talk) {
    let mut kv = KvClient::new(talk.channel.clone());
    for (name, value) in [
        ("client-api-version", &b"3.5"[..]),
        ("client-api-version", b"\xc3\xa4"),
        ("hasleader", b"true"),
        ("hasleader", b"false"),
        ("token", b"nobody"),
        ("authorization", b"Bearer nobody"),
    ] {
        let mut request = Request::new(get("foo"));
        let value = http::HeaderValue::from_bytes(value).unwrap();
        request.metadata_mut().as_mut().insert(name, value.clone());
        talk.say(&format!("metadata: {name} {value:?}"), kv.range(request)).await;
    }
}
