//! Mutual exclusion that survives a pause: a lock with a fencing token.
//!
//! A lock that hangs on a lease is not enough: a holder may be paused (by its scheduler, a debugger, a laptop
//! lid), lose its lease, and wake up believing that it still holds the lock. So each lock comes with a token, a
//! number that is higher for every later holder, and what the lock protects refuses tokens lower than the
//! highest it has seen.
//!
//! Look for: ann takes the lock and is paused; bob gets it once ann's lease has run out, with a higher token,
//! and writes; ann wakes up, writes, and is refused.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use kvorum::request::{PutRequest, TxnRequest};
use kvorum::{Node, Wait, lock};

/// What the lock protects: something outside the store, a disk or a printer, that remembers the highest token.
#[derive(Default)]
struct Resource(Mutex<(i64, Vec<&'static str>)>);

impl Resource {
    fn write(&self, token: i64, text: &'static str) -> Result<(), String> {
        let mut state = self.0.lock().expect("nobody panics with it");
        if token < state.0 {
            return Err(format!("token {token} is stale, {} was here", state.0));
        }
        state.0 = token;
        state.1.push(text);
        Ok(())
    }
}

fn main() -> kvorum::Result<()> {
    let node = Node::builder().start()?;
    let (ann, bob) = (node.client(), node.client());
    let resource = Resource::default();

    // Ann takes the lock, under a lease that she herself has to keep alive.
    let granted = ann.grant(Duration::from_secs(1)).wait()?;
    let ttl = Duration::from_secs(granted.ttl.unsigned_abs());
    let lease = ann.keep(granted.id, ttl);
    let of_ann = lock::lock(&ann, "printer", &lease).wait()?;
    println!("ann has the lock, with token {}", of_ann.token());
    resource.write(of_ann.token(), "ann's first page").expect("she holds the lock");

    // Then she is paused. A paused process renews nothing: here, by letting go of what keeps the lease alive.
    drop(lease);
    println!("ann is paused; her lease of {ttl:?} runs out");

    // Bob waits for the lock.
    let since = Instant::now();
    let lease = bob.lease(Duration::from_secs(10)).wait()?;
    assert!(lock::try_lock(&bob, "printer", &lease).wait()?.is_none(), "ann still has it");
    let of_bob = lock::lock(&bob, "printer", &lease).wait()?;
    println!("bob has the lock after {:.1} s, with token {}", since.elapsed().as_secs_f64(), of_bob.token());
    assert!(of_bob.token() > of_ann.token(), "later holders have higher tokens");
    resource.write(of_bob.token(), "bob's page").expect("he holds the lock");

    // Ann wakes up in the middle of her work and does not know yet.
    let refused = resource.write(of_ann.token(), "ann's second page").expect_err("she must be refused");
    println!("ann wakes up and writes: refused, {refused}");

    // In the store itself no token is needed: the condition that the lock is still held does the same.
    let write = TxnRequest::new().when(of_ann.still_held()).then(PutRequest::new("printed-by", "ann"));
    assert!(!ann.txn(write).wait()?.succeeded);
    let write = TxnRequest::new().when(of_bob.still_held()).then(PutRequest::new("printed-by", "bob"));
    assert!(bob.txn(write).wait()?.succeeded);
    println!("in the store, only bob's write took effect");

    // Had she asked, she would have known.
    assert!(!of_ann.is_held().wait()?);
    of_bob.unlock().wait()?;
    let pages = resource.0.into_inner().expect("nobody panicked").1;
    assert_eq!(pages, ["ann's first page", "bob's page"]);
    println!("printed: {pages:?}");
    Ok(())
}
