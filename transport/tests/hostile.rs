//! Strangers, liars, the broken and the dead. After each of them a good member is served as before.

mod common;

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::raw::{self, Hello};
use common::*;
use kvorum_core::transport::{Envelope, Incoming};
use kvorum_transport::TcpOptions;

/// A member that is attacked, and a good one that talks to it. Member 3 is whom attackers claim to be.
struct Scene {
    target: Member,
    friend: Member,
    count: u64,
}

impl Scene {
    fn new() -> Scene {
        let target = Member::start(1, &[(3, NOWHERE)], quick());
        let friend = Member::start(2, &[(1, &target.address)], quick());
        target.handle.set_peer(2, &friend.address).unwrap();
        let mut scene = Scene { target, friend, count: 0 };
        scene.still_works();
        scene
    }

    /// The friend is heard, both ways, and nothing came from the attacker meanwhile.
    fn still_works(&mut self) {
        self.count += 1;
        self.friend.say(1, self.count);
        let heard = self.target.hear();
        assert_eq!((heard.from, number(&heard)), (2, self.count));
        self.target.say(2, self.count);
        assert_eq!(number(&self.friend.hear()), self.count);
    }

    fn admitted(&self) -> TcpStream {
        raw::admitted(&self.target.address, &raw::good(3, 1))
    }

    fn foul(&self) -> u64 {
        self.target.handle.peers_status()[&3].foul
    }
}

#[test]
fn garbage_is_not_answered() {
    let mut scene = Scene::new();
    let noise: Vec<u8> = (0..10_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for bytes in [&noise[..], b"GET / HTTP/1.1\r\nHost: kvorum\r\nUser-Agent: a browser\r\n\r\n", &[0; 52]] {
        let before = scene.target.handle.refused();
        let mut stream = raw::connect(&scene.target.address);
        let _ = stream.write_all(bytes);
        assert_eq!(raw::hung_up(stream), b"");
        until("counted", || scene.target.handle.refused() > before);
        scene.still_works();
    }
}

#[test]
fn hellos_that_do_not_fit_are_refused_with_the_reason() {
    let mut scene = Scene::new();
    let good = || raw::good(3, 1);
    let cases = [
        (1, Hello { version: 2, ..good() }),
        (1, Hello { version: 0, ..good() }),
        (3, Hello { cluster: CLUSTER + 1, ..good() }),
        (4, Hello { to: 2, ..good() }),
        (5, Hello { from: 9, ..good() }),
        (5, Hello { from: 1, ..good() }),
        (5, Hello { from: 0, ..good() }),
        (6, Hello { purpose: 3, ..good() }),
    ];
    for (code, hello) in cases {
        let mut stream = raw::connect(&scene.target.address);
        assert_eq!(raw::ask(&mut stream, &hello.bytes()), Some(code));
        assert_eq!(raw::hung_up(stream), b"");
        scene.still_works();
    }
    let mut damaged = good().bytes();
    damaged[30] ^= 4;
    assert_eq!(raw::ask(&mut raw::connect(&scene.target.address), &damaged), Some(2));
    scene.still_works();
}

#[test]
fn bad_frames_close_the_connection_and_reach_nobody() {
    let mut scene = Scene::new();
    let ok = message(3, 1, 666, Bytes::from_static(b"evil"));
    let mut flipped_payload = raw::message_frame(&ok);
    *flipped_payload.last_mut().unwrap() ^= 1;
    let mut flipped_length = raw::message_frame(&ok);
    flipped_length[2] ^= 1;
    let as_other = |envelope: Envelope| raw::message_frame(&envelope);
    let cases = [
        flipped_payload,
        flipped_length,
        raw::header(u32::MAX, 1, 0),
        raw::header((64 << 20) + 1, 1, 0),
        raw::frame(1, &[]),
        raw::frame(1, &[0xFF; 100]),
        raw::frame(0, &[]),
        raw::frame(77, &[]),
        raw::frame(2, b"a ping with a payload"),
        raw::frame(3, &[]),
        raw::frame(4, b"a chunk"),
        as_other(Envelope { from: 2, ..ok.clone() }),
        as_other(Envelope { to: 2, ..ok.clone() }),
        as_other(Envelope { cluster: CLUSTER + 1, ..ok.clone() }),
    ];
    for (n, bytes) in cases.iter().enumerate() {
        let mut stream = scene.admitted();
        stream.write_all(bytes).unwrap();
        raw::hung_up(stream);
        until("counted as foul", || scene.foul() == n as u64 + 1);
        scene.still_works();
    }
}

#[test]
fn what_stands_before_a_bad_frame_is_heard_and_nothing_behind_it() {
    let scene = Scene::new();
    let mut stream = scene.admitted();
    let mut bytes = raw::message_frame(&message(3, 1, 1, Bytes::new()));
    bytes.extend(raw::frame(9, &[]));
    bytes.extend(raw::message_frame(&message(3, 1, 2, Bytes::new())));
    stream.write_all(&bytes).unwrap();
    assert_eq!(number(&scene.target.hear()), 1);
    raw::hung_up(stream);
    assert!(!scene.target.inbox.try_iter().any(|i| matches!(i, Incoming::Message(_))));
}

#[test]
fn a_frame_that_is_cut_off_anywhere_is_no_frame() {
    let mut scene = Scene::new();
    let whole = raw::message_frame(&message(3, 1, 666, Bytes::from_static(b"evil")));
    for n in (0..whole.len()).step_by(5) {
        let mut stream = scene.admitted();
        stream.write_all(&whole[..n]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        raw::hung_up(stream);
    }
    scene.still_works();
}

#[test]
fn those_who_say_nothing_are_hung_up_on() {
    let mut scene = Scene::new();
    let silent = raw::connect(&scene.target.address);
    let mut half = raw::connect(&scene.target.address);
    half.write_all(&raw::good(3, 1).bytes()[..20]).unwrap();
    let known = scene.admitted();
    let mut mid_frame = raw::admitted(&scene.target.address, &Hello { purpose: 2, ..raw::good(3, 1) });
    mid_frame.write_all(&raw::header(60 << 20, 1, 0)).unwrap();
    let start = Instant::now();
    for stream in [silent, half, known, mid_frame] {
        raw::hung_up(stream);
    }
    assert!(start.elapsed() < Duration::from_secs(5));
    scene.still_works();
}

#[test]
fn a_hello_drop_by_drop_is_not_waited_for() {
    let mut scene = Scene::new();
    let mut stream = raw::connect(&scene.target.address);
    let start = Instant::now();
    for byte in raw::good(3, 1).bytes() {
        if stream.write_all(&[byte]).is_err() {
            break;
        }
        raw::pass(Duration::from_millis(20));
    }
    raw::hung_up(stream);
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(scene.target.handle.peers_status()[&3].foul, 0);
    scene.still_works();
}

#[test]
fn two_hundred_idle_strangers_keep_nobody_out() {
    let mut scene = Scene::new();
    let strangers: Vec<TcpStream> = (0..200).map(|_| raw::connect(&scene.target.address)).collect();
    scene.still_works();
    // A member that comes now is let in, too.
    let mut late = scene.admitted();
    late.write_all(&raw::message_frame(&message(3, 1, 5, Bytes::new()))).unwrap();
    let heard = scene.target.hear();
    assert_eq!((heard.from, number(&heard)), (3, 5));
    strangers.into_iter().for_each(|stream| _ = raw::hung_up(stream));
    scene.still_works();
}

#[test]
fn a_newer_connection_of_a_member_replaces_the_older() {
    // With the usual 5 s of patience, so that the older one does not just end of its silence.
    let target = Member::start(1, &[(3, NOWHERE)], TcpOptions::default());
    let older = raw::admitted(&target.address, &raw::good(3, 1));
    let start = Instant::now();
    let mut newer = raw::admitted(&target.address, &raw::good(3, 1));
    assert_eq!(raw::hung_up(older), b"");
    assert!(start.elapsed() < Duration::from_secs(4));
    newer.write_all(&raw::frame(2, &[])).unwrap();
    assert_eq!(raw::kind(&mut newer), 3, "a pong for the ping");
}

#[test]
fn an_image_whose_connection_drops_in_the_middle_is_forgotten() {
    let mut scene = Scene::new();
    let hello = Hello { purpose: 2, ..raw::good(3, 1) };
    let intro = raw::message_frame(&message(3, 1, 4, Bytes::new()));
    let chunk = raw::frame(4, &[7; 1000]);
    let end = |chunks: u64, bytes: u64| raw::frame(5, &[chunks.to_le_bytes(), bytes.to_le_bytes()].concat());
    let mut bad_chunk = chunk.clone();
    bad_chunk[500] ^= 1;
    let endings = [vec![], chunk[..700].to_vec(), bad_chunk, end(2, 1000), end(1, 999), raw::frame(4, &[])];
    for ending in endings {
        let mut stream = raw::admitted(&scene.target.address, &hello);
        stream.write_all(&intro).unwrap();
        let (taker, ended) = receiver(None, false);
        assert!(scene.target.image_offer().1.send(taker).is_ok());
        assert_eq!(raw::kind(&mut stream), 6, "go");
        stream.write_all(&chunk).unwrap();
        stream.write_all(&ending).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(raw::kind(&mut stream), 8, "failed");
        assert_eq!(fate(&ended), Fate::Dropped);
        raw::hung_up(stream);
        scene.still_works();
    }
    // And one that is well, by the letter of the document.
    let mut stream = raw::admitted(&scene.target.address, &hello);
    stream.write_all(&intro).unwrap();
    let (taker, ended) = receiver(None, false);
    assert!(scene.target.image_offer().1.send(taker).is_ok());
    stream.write_all(&[chunk.clone(), chunk, end(2, 2000)].concat()).unwrap();
    assert_eq!((raw::kind(&mut stream), raw::kind(&mut stream)), (6, 7));
    assert_eq!(fate(&ended), Fate::Finished);
}

/// A listener that is dialed as member 3.
fn trap(scene: &Scene) -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    scene.target.handle.set_peer(3, listener.local_addr().unwrap()).unwrap();
    listener
}

fn last_error(scene: &Scene) -> String {
    scene.target.handle.peers_status()[&3].last_error.clone().unwrap_or_default()
}

fn answer(code: u32) -> Vec<u8> {
    let mut out = b"kvorum<\n".to_vec();
    out.extend(1u32.to_le_bytes());
    out.extend(code.to_le_bytes());
    out.extend(1u64.to_le_bytes());
    out.extend(crc32c::crc32c(&out).to_le_bytes());
    out
}

#[test]
fn a_listener_that_answers_nothing_or_nonsense_is_tried_again() {
    let mut scene = Scene::new();
    let listener = trap(&scene);
    let (silent, _) = listener.accept().unwrap();
    until("silence noticed", || last_error(&scene).contains("silent"));
    drop(silent);
    let (mut rude, _) = listener.accept().unwrap();
    rude.write_all(b"220 mail.example.org ESMTP ready and waiting\r\n").unwrap();
    until("nonsense noticed", || last_error(&scene).contains("not kvorum"));
    let (mut odd, _) = listener.accept().unwrap();
    odd.write_all(&answer(4711)).unwrap();
    until("code noticed", || last_error(&scene).contains("4711"));
    let (mut chatty, _) = listener.accept().unwrap();
    chatty.write_all(&[answer(0), raw::frame(1, b"said on the wrong side")].concat()).unwrap();
    until("chatter noticed", || last_error(&scene).contains("no place here"));
    scene.still_works();
}

#[test]
fn a_peer_that_went_dead_without_a_word_is_noticed_even_by_a_stuck_write() {
    let mut scene = Scene::new();
    let listener = trap(&scene);
    for full in [false, true] {
        let (mut dead, _) = listener.accept().unwrap();
        dead.write_all(&answer(0)).unwrap();
        until("connected", || scene.target.handle.peers_status()[&3].connected);
        if full {
            // More than the socket's buffers hold.
            let data = Bytes::from(vec![0; 1 << 20]);
            (0..40).for_each(|n| {
                use kvorum_core::transport::Transport;
                scene.target.transport.send(message(1, 3, n, data.clone()));
            });
        }
        wait_for(&scene.target.inbox, |i| matches!(i, Incoming::Unreachable(3)));
        scene.still_works();
    }
}
