//! A stranger with a socket: speaks the protocol of FORMAT.md as well or as badly as a test wants. Written
//! from the document, not with the crate's own code.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use kvorum_core::transport::Envelope;
use prost::Message;

use super::{CLUSTER, PATIENCE};

pub struct Hello {
    pub magic: [u8; 8],
    pub version: u32,
    pub purpose: u32,
    pub cluster: u64,
    pub from: u64,
    pub to: u64,
}

/// What member `from` says to member `to` for messages.
pub fn good(from: u64, to: u64) -> Hello {
    Hello { magic: *b"kvorum>\n", version: 1, purpose: 1, cluster: CLUSTER, from, to }
}

impl Hello {
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.purpose.to_le_bytes());
        [self.cluster, self.from, self.to, 1].iter().for_each(|n| out.extend(n.to_le_bytes()));
        out.extend(crc32c::crc32c(&out).to_le_bytes());
        out
    }
}

pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = header(payload.len() as u32, kind, crc32c::crc32c(payload));
    out.extend(payload);
    out
}

pub fn header(length: u32, kind: u8, crc: u32) -> Vec<u8> {
    let mut out = length.to_le_bytes().to_vec();
    out.push(kind);
    out.extend(crc.to_le_bytes());
    out.extend(crc32c::crc32c(&out).to_le_bytes());
    out
}

pub fn message_frame(envelope: &Envelope) -> Vec<u8> {
    frame(1, &envelope.encode_to_vec())
}

pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("time-out");
    stream.set_write_timeout(Some(PATIENCE)).expect("time-out");
    stream
}

/// Says hello, and answers the code that comes back; `None`: none came.
pub fn ask(stream: &mut TcpStream, hello: &[u8]) -> Option<u32> {
    stream.write_all(hello).ok()?;
    let mut answer = [0; 28];
    stream.read_exact(&mut answer).ok()?;
    assert_eq!(&answer[..8], b"kvorum<\n");
    assert_eq!(crc32c::crc32c(&answer[..24]), u32::from_le_bytes(answer[24..].try_into().unwrap()));
    Some(u32::from_le_bytes(answer[12..16].try_into().unwrap()))
}

/// A connection whose hello was accepted.
pub fn admitted(address: &str, hello: &Hello) -> TcpStream {
    let mut stream = connect(address);
    assert_eq!(ask(&mut stream, &hello.bytes()), Some(0));
    stream
}

/// Waits until the other side hangs up, and gives back what it said before that.
pub fn hung_up(mut stream: TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => panic!("it did not hang up"),
        _ => said,
    }
}

/// The next frame's kind.
pub fn kind(stream: &mut TcpStream) -> u8 {
    let mut head = [0; 13];
    stream.read_exact(&mut head).expect("a frame");
    let length = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
    stream.read_exact(&mut vec![0; length]).expect("its payload");
    head[4]
}

/// Nothing but a wait for the clock, where the clock is what is tested.
pub fn pass(time: Duration) {
    std::thread::sleep(time);
}
