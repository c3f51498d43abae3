//! Watchers that go from node to node and must see everything once: of one key, of some, of all; with filters,
//! with what was before, asking how far they are; some of them slow, and some asleep for most of the run.

use std::time::Duration;

use kvorum_core::ids::Revision;
use kvorum_core::request::{Event, EventKind, KeyValue, WatchRequest};
use kvorum_core::{Error, ErrorKind, Watch, WatchItem};

use super::heard::{Ears, Heard};
use crate::promises::{End, Opened, Pair, Span, WatchEvent};
use crate::rng::Stream;
use crate::scene::Scene;

/// Milliseconds for which a watcher does not look, at most, who hardly looks at all.
const ASLEEP: u64 = 40_000;

pub(super) struct Watcher {
    pub(super) who: u64,
    pub(super) scene: Scene,
    pub(super) ears: Ears,
    pub(super) draw: Stream,
    request: WatchRequest,
    /// Where to go on; 0: from now.
    resume: Revision,
    /// Milliseconds between one look and the next; 0: it looks all the time.
    pause: u64,
    /// Of a thousand items, how many are followed by a move to another node.
    restless: u64,
}

fn pair(kv: &KeyValue) -> Pair {
    Pair {
        key: kv.key.clone(),
        create_revision: kv.create_revision,
        mod_revision: kv.mod_revision,
        version: kv.version,
        value: kv.value.clone(),
        lease: kv.lease,
    }
}

fn event(event: &Event) -> WatchEvent {
    WatchEvent {
        is_delete: event.kind == EventKind::Delete as i32,
        pair: event.kv.as_ref().map_or_else(|| pair(&KeyValue::default()), pair),
        before: event.prev_kv.as_ref().map(pair),
    }
}

impl Watcher {
    pub(super) fn new(who: u64, scene: &Scene, ears: &Ears) -> Watcher {
        let mut draw = scene.chance(who);
        let mut request = match draw.below(8) {
            0..3 => WatchRequest { key: "\0".into(), range_end: "\0".into(), ..WatchRequest::default() },
            3..6 => WatchRequest::prefix("key"),
            6 => WatchRequest::key(format!("key{}", draw.below(8))),
            _ => WatchRequest { key: "key2".into(), range_end: "key5".into(), ..WatchRequest::default() },
        };
        request.prev_kv = draw.chance(400);
        match draw.below(6) {
            0 => request.no_put = true,
            1 => request.no_delete = true,
            _ => {}
        }
        if draw.chance(300) {
            request.progress_interval = Some(Duration::from_millis(draw.between(200, 3000)));
        }
        Watcher {
            who,
            scene: scene.clone(),
            ears: ears.clone(),
            request,
            resume: draw.pick(&[1, 1, 0]),
            pause: draw.pick(&[0, 0, 5, 200, 3000, ASLEEP]),
            restless: draw.pick(&[0, 5, 50]),
            draw,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let node = 1 + self.draw.below(self.scene.node_count());
            let Some(watch) = self.open(node) else {
                self.scene.sleep(Duration::from_millis(100)).await;
                continue;
            };
            let end = self.follow(watch).await;
            if matches!(end, End::Compacted { .. }) {
                self.scene.count("watches ended by a compaction");
            }
            self.ears.hear(Heard::Ended(self.who, end));
            let pause = Duration::from_millis(self.draw.between(1, 100));
            self.scene.sleep(pause).await;
        }
    }

    fn open(&mut self, node: u64) -> Option<Watch> {
        let client = self.scene.client(node)?;
        self.request.start_revision = self.resume;
        // Now and then of what is yet to come: nothing before may be handed out.
        if self.resume == 0 && self.draw.chance(300) {
            self.request.start_revision = self.scene.newest() + 3;
        }
        let watch = client.watch(self.request.clone()).ok()?;
        self.resume = watch.resume_revision();
        let opened = Opened {
            span: Span::of(self.request.key.clone(), self.request.range_end.clone()),
            start: self.resume,
            no_put: self.request.no_put,
            no_delete: self.request.no_delete,
            prev_kv: self.request.prev_kv,
            fragment: false,
            member: node,
            incarnation: 0,
        };
        self.ears.hear(Heard::Opened(self.who, opened));
        if self.pause == 0 {
            self.ears.hear(Heard::Reads(self.who, node, self.scene.life(node), self.scene.now()));
        }
        Some(watch)
    }

    async fn follow(&mut self, mut watch: Watch) -> End {
        loop {
            if self.draw.chance(100) {
                watch.request_progress();
            }
            let item = watch.next().await;
            self.resume = watch.resume_revision();
            match item {
                Some(Ok(WatchItem::Events(events))) => {
                    self.scene.add("events watched", events.len() as u64);
                    let events = events.iter().map(event).collect();
                    self.ears.hear(Heard::Events(self.who, self.scene.now(), events, self.resume));
                }
                Some(Ok(WatchItem::Progress(revision))) => {
                    self.ears.hear(Heard::Progress(self.who, revision));
                }
                Some(Err(error)) => return self.ended(&error),
                None => return End::Silent,
            }
            if self.scene.is_resting() {
                continue;
            }
            if self.draw.chance(self.restless) {
                return End::Cancelled;
            }
            self.stop_reading().await;
        }
    }

    /// It does not read for a while, but no longer than the run goes on: what comes at rest is to be seen.
    async fn stop_reading(&mut self) {
        if self.pause == 0 {
            return;
        }
        let pause = Duration::from_millis(self.draw.below(self.pause) + 1);
        if self.pause == ASLEEP {
            self.scene.count("watches not read for long");
            self.scene.within(pause, self.scene.rest()).await;
        } else {
            self.scene.sleep(pause).await;
        }
    }

    fn ended(&mut self, error: &Error) -> End {
        match error.kind() {
            ErrorKind::Compacted { compacted, .. } => {
                self.resume = self.resume.max(*compacted);
                End::Compacted { compacted: *compacted }
            }
            ErrorKind::Stopped | ErrorKind::Halted { .. } => End::MemberGone,
            _ => End::Silent,
        }
    }
}
