//! Watches that go from node to node, and must see everything once.

use kvorum_core::ids::Revision;
use kvorum_core::request::{Event, WatchRequest};
use kvorum_core::{ErrorKind, Watch, WatchItem};

use crate::poll::poll_watch;
use crate::rng::{Purpose, Rng, Stream};
use crate::world::World;

struct Watcher {
    draw: Stream,
    watch: Option<Watch>,
    /// Everything below was handed out.
    resume: Revision,
    prefix: &'static str,
}

pub(super) struct Watchers {
    all: Vec<Watcher>,
    pub(super) events: u64,
    pub(super) compacted: u64,
}

impl Watchers {
    pub(super) fn new(rng: &Rng) -> Watchers {
        let prefixes = ["", "key", "key3"];
        let watcher = |(i, prefix): (usize, &&'static str)| Watcher {
            draw: rng.stream(Purpose::Client, 1000 + i as u64),
            watch: None,
            resume: 1,
            prefix,
        };
        Watchers { all: prefixes.iter().enumerate().map(watcher).collect(), events: 0, compacted: 0 }
    }

    pub(super) fn act(&mut self, world: &mut World) {
        for watcher in &mut self.all {
            watcher.act(world, &mut self.events, &mut self.compacted);
        }
    }

    pub(super) fn check_at_end(&self, world: &World) {
        for watcher in &self.all {
            let newest = world.judge().newest();
            assert_eq!(watcher.resume, newest + 1, "the watch of {:?} is behind", watcher.prefix);
        }
    }
}

impl Watcher {
    fn act(&mut self, world: &mut World, events: &mut u64, compacted: &mut u64) {
        // A slow one looks seldom, so that a compaction may overtake it.
        if self.prefix == "key" && !(world.now().as_nanos() / 1_000_000_000).is_multiple_of(3) {
            return;
        }
        let Some(watch) = &mut self.watch else { return self.open(world) };
        while let Some(item) = poll_watch(watch) {
            match item {
                Some(Ok(WatchItem::Events(found))) => {
                    *events += found.len() as u64;
                    check(world, self.prefix, self.resume, watch.resume_revision(), &found);
                    self.resume = watch.resume_revision();
                }
                Some(Ok(WatchItem::Progress(_))) => {}
                Some(Err(error)) => {
                    if let ErrorKind::Compacted { compacted: oldest, .. } = error.kind() {
                        assert!(*oldest > self.resume, "ended at {}, for {oldest}", self.resume);
                        self.resume = *oldest;
                        *compacted += 1;
                    }
                    self.watch = None;
                    return;
                }
                None => {
                    self.watch = None;
                    return;
                }
            }
        }
        let reached = watch.resume_revision();
        if reached > self.resume {
            check(world, self.prefix, self.resume, reached, &[]);
            self.resume = reached;
        }
    }

    fn open(&mut self, world: &World) {
        let node = self.draw.pick(&world.ids());
        let Some(client) = world.client(node) else { return };
        let mut request = WatchRequest { start_revision: self.resume, ..crate::host::everything() };
        if !self.prefix.is_empty() {
            request.key = self.prefix.into();
            request.range_end = kvorum_core::prefix_end(self.prefix);
        }
        self.watch = client.watch(request).ok();
    }
}

fn check(world: &World, prefix: &str, from: Revision, to: Revision, found: &[Event]) {
    let matches = |event: &&Event| event.kv.as_ref().is_some_and(|kv| kv.key.starts_with(prefix.as_bytes()));
    let history = world.judge().history().range(from..to.max(from));
    let expected: Vec<&Event> = history.flat_map(|(_, events)| events.iter().filter(matches)).collect();
    let found: Vec<&Event> = found.iter().collect();
    assert_eq!(found, expected, "the watch of {prefix:?} from {from} to {to}");
}
