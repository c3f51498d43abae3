//! A plain HTTP/1 client: one request a connection, everything visible.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::common::soon;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| &value[..])
    }
}

/// Asks, and waits for the whole answer.
pub(crate) async fn ask(to: SocketAddr, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut stream = Lines::open(to, line, headers, body, true).await;
    soon(line, stream.rest()).await
}

pub(crate) async fn get(to: SocketAddr, path: &str) -> Answer {
    ask(to, &format!("GET {path}"), &[], "").await
}

/// Posts JSON; its status and body.
pub(crate) async fn post(to: SocketAddr, path: &str, body: &str) -> (u16, String) {
    let answer = ask(to, &format!("POST /v3{path}"), &[], body).await;
    (answer.status, answer.body.trim_end().to_string())
}

/// An answer that comes line by line.
pub(crate) struct Lines {
    stream: BufReader<TcpStream>,
    head: Option<(u16, Vec<(String, String)>)>,
    left: usize,
}

impl Lines {
    pub(crate) async fn open(
        to: SocketAddr,
        line: &str,
        headers: &[(&str, &str)],
        body: &str,
        close: bool,
    ) -> Lines {
        let mut head = format!("{line} HTTP/1.1\r\nhost: {to}\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if close {
            head += "connection: close\r\n";
        }
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        Lines { stream: BufReader::new(stream), head: None, left: 0 }
    }

    /// The next line of the body, if one comes in time.
    pub(crate) async fn next(&mut self, within: Duration) -> Option<String> {
        tokio::time::timeout(within, self.read()).await.ok().flatten()
    }

    async fn read(&mut self) -> Option<String> {
        self.head().await;
        let mut line = String::new();
        while !line.ends_with('\n') {
            if self.left == 0 {
                self.left = self.chunk().await?;
            }
            let mut part = Vec::new();
            let limit = self.left as u64;
            let size = (&mut self.stream).take(limit).read_until(b'\n', &mut part).await.ok()?;
            self.left -= size;
            line += &String::from_utf8_lossy(&part);
        }
        Some(line.trim_end().to_string())
    }

    /// How large the next chunk is.
    async fn chunk(&mut self) -> Option<usize> {
        let mut size = self.line().await;
        if size.is_empty() {
            size = self.line().await;
        }
        usize::from_str_radix(&size, 16).ok().filter(|size| *size > 0)
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let _ = self.stream.read_line(&mut line).await;
        line.trim_end().to_string()
    }

    pub(crate) async fn head(&mut self) -> (u16, Vec<(String, String)>) {
        if self.head.is_none() {
            let status = self.line().await.split(' ').nth(1).and_then(|code| code.parse().ok());
            let mut headers = Vec::new();
            while let Some((name, value)) = self.line().await.split_once(": ") {
                headers.push((name.to_lowercase(), value.to_string()));
            }
            self.head = Some((status.unwrap_or_default(), headers));
        }
        self.head.clone().unwrap()
    }

    async fn rest(&mut self) -> Answer {
        let (status, headers) = self.head().await;
        let mut body = String::new();
        if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
            while let Some(line) = self.read().await {
                body += &(line + "\n");
            }
        } else {
            let mut bytes = Vec::new();
            let _ = self.stream.read_to_end(&mut bytes).await;
            body = String::from_utf8_lossy(&bytes).into_owned();
        }
        Answer { status, headers, body }
    }
}
