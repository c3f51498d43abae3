//! A service that takes over new configuration while it runs.
//!
//! The configuration lies under a prefix of the store. The service reads all of it once, then follows a watch
//! from the very next revision on: so it misses no change and sees none twice. If it ever falls so far behind
//! that the history it needs has been compacted, its watch ends with an error that says so, and it starts over
//! by reading everything.
//!
//! Look for: 'reloaded' once at the start; a line for each change as it happens, of which one is atomic for two
//! settings; and 'reloaded' once more after the service was held up while history was compacted.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use kvorum::request::{Event, EventKind, PutRequest, RangeRequest, TxnRequest, WatchRequest};
use kvorum::{Client, ErrorKind, Node, Watch, WatchItem};

const PREFIX: &str = "config/";

/// What the service runs by.
type Settings = BTreeMap<String, String>;

/// Settings that follow the store.
struct Config {
    store: Client,
    settings: Settings,
    watch: Watch,
}

impl Config {
    /// Reads everything, and watches from there on.
    fn load(store: Client) -> kvorum::Result<Config> {
        let all = store.range(RangeRequest::prefix(PREFIX)).wait()?;
        let revision = all.header.map_or(0, |header| header.revision);
        let watch = store.watch(WatchRequest::prefix(PREFIX).from(revision + 1))?;
        let settings = all.kvs.iter().map(|kv| (name(&kv.key), text(&kv.value))).collect();
        Ok(Config { store, settings, watch })
    }

    /// Waits for the next change and takes it over; answers what to log about it.
    fn next(&mut self) -> kvorum::Result<String> {
        loop {
            match self.watch.next_wait() {
                // What was changed together comes together.
                Some(Ok(WatchItem::Events(events))) => {
                    let changes: Vec<String> = events.iter().filter_map(|event| self.take(event)).collect();
                    return Ok(changes.join(", "));
                }
                Some(Ok(WatchItem::Progress(_))) => {}
                Some(Err(error)) => match error.kind() {
                    // Too slow: what happened meanwhile is forgotten, but not what came of it.
                    ErrorKind::Compacted { .. } => {
                        *self = Config::load(self.store.clone())?;
                        return Ok(format!("reloaded, because {error}"));
                    }
                    _ => return Err(error),
                },
                None => return Err(ErrorKind::Stopped.into()),
            }
        }
    }

    fn take(&mut self, event: &Event) -> Option<String> {
        let kv = event.kv.as_ref()?;
        let (name, value) = (name(&kv.key), text(&kv.value));
        if event.kind == EventKind::Delete as i32 {
            self.settings.remove(&name);
            return Some(format!("{name} is gone"));
        }
        self.settings.insert(name.clone(), value.clone());
        Some(format!("{name} = {value}"))
    }
}

fn name(key: &[u8]) -> String {
    text(key.strip_prefix(PREFIX.as_bytes()).unwrap_or(key))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The service: tells what it runs by after every change. It looks at the store only when it is let, so that
/// this example can hold it up.
fn serve(store: Client, go: &Receiver<()>, told: &Sender<Settings>) -> kvorum::Result<()> {
    let mut config = Config::load(store)?;
    println!("service: reloaded, {:?}", config.settings);
    while told.send(config.settings.clone()).is_ok() && go.recv().is_ok() {
        println!("service: {}", config.next()?);
    }
    Ok(())
}

fn main() -> kvorum::Result<()> {
    let node = Node::builder().start()?;
    let store = node.client();
    let set = |name: &str, value: &str| PutRequest::new(format!("{PREFIX}{name}"), value);
    store.put_request(set("log", "info")).wait()?;
    store.put_request(set("workers", "4")).wait()?;

    let ((go, may_go), (told, telling)) = (channel(), channel());
    let client = node.client();
    let service = thread::spawn(move || serve(client, &may_go, &told));
    let next = || telling.recv_timeout(Duration::from_secs(10)).expect("the service goes on");
    let go = || go.send(()).expect("the service goes on");
    assert_eq!(next()["workers"], "4");

    println!("operator: log at debug level");
    store.put_request(set("log", "debug")).wait()?;
    go();
    assert_eq!(next()["log"], "debug");

    println!("operator: the cache off and more workers, both or neither");
    store.txn(TxnRequest::new().then(set("cache", "off")).then(set("workers", "8"))).wait()?;
    go();
    let settings = next();
    assert_eq!((&settings["cache"][..], &settings["workers"][..]), ("off", "8"));

    println!("operator: the cache's setting removed");
    store.delete(format!("{PREFIX}cache")).wait()?;
    go();
    assert!(!next().contains_key("cache"));

    println!("operator: a hundred changes and a compaction, while the service is held up");
    let mut newest = 0;
    for workers in 1..=100 {
        let put = store.put_request(set("workers", &workers.to_string())).wait()?;
        newest = put.header.map_or(0, |header| header.revision);
    }
    store.compact(newest).wait()?;
    go();
    let settings = next();
    assert_eq!((&settings["workers"][..], &settings["log"][..]), ("100", "debug"));

    println!("operator: and one more, to see that it follows again");
    store.put_request(set("log", "warn")).wait()?;
    go();
    assert_eq!(next()["log"], "warn");
    drop(node);
    go();
    let end = service.join().expect("it does not panic");
    println!("service: ends with the node: {}", end.expect_err("the node is gone"));
    Ok(())
}
