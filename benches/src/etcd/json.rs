//! What asks both in JSON: HTTP/1, one request at a time on a connection that is kept.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::servers::Servers;

/// As many as requests are under way: HTTP/1 answers one after the other.
pub(crate) const CONNECTIONS: usize = 64;

/// A connection.
#[derive(Clone)]
pub(crate) struct Json(Arc<Mutex<BufReader<TcpStream>>>);

/// Connections, spread over the members.
pub(crate) async fn connect(servers: &Servers) -> Vec<Json> {
    let mut clients = Vec::new();
    for i in 0..CONNECTIONS {
        let endpoint = &servers.endpoints[i % servers.endpoints.len()];
        let stream = TcpStream::connect(endpoint.trim_start_matches("http://")).await;
        let stream = stream.expect("a member that took a write");
        stream.set_nodelay(true).expect("a connection");
        clients.push(Json(Arc::new(Mutex::new(BufReader::new(stream)))));
    }
    clients
}

impl Json {
    pub(crate) async fn put(&self, key: &[u8], value: &[u8]) {
        let [key, value] = [key, value].map(|bytes| BASE64_STANDARD.encode(bytes));
        self.post("put", &format!(r#"{{"key":"{key}","value":"{value}"}}"#)).await;
    }

    pub(crate) async fn range(&self, key: &[u8]) {
        let key = BASE64_STANDARD.encode(key);
        let answer = self.post("range", &format!(r#"{{"key":"{key}"}}"#)).await;
        assert!(answer.ends_with(br#""count":"1"}"#), "the key is there");
    }

    async fn post(&self, path: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        let head = format!("POST /v3/kv/{path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
        let mut stream = self.0.lock().await;
        stream.get_mut().write_all((head + body).as_bytes()).await.expect("a connection that stays");
        answer(&mut stream).await.expect("a connection that stays")
    }
}

/// The body of the next answer. Small ones say how long they are.
async fn answer(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let (mut line, mut length) = (String::new(), 0);
    stream.read_line(&mut line).await?;
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).await?;
        let header = line.trim_end().split_once(": ");
        if let Some((_, said)) = header.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            length = said.parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(body)
}
