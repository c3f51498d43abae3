//! A service of one's own under madsim, as a user would write it: turns that are counted in the store. Built by
//! `tests/mad.rs` with `--cfg madsim`; without it, there is nothing here.
#![cfg(madsim)]

use std::time::Duration;

use kvorum_core::ids::NodeId;
use kvorum_core::request::{Compare, CompareResult, PutRequest, TxnRequest};
use kvorum_core::{Client, Result};
use kvorum_sim::history::{Change, EventLog};
use kvorum_sim::mad::madsim::net::Endpoint;
use kvorum_sim::mad::madsim::time::{sleep, timeout};
use kvorum_sim::mad::{Place, Service, rehearse_service};
use kvorum_sim::{RunOptions, Task, Violation};

const PORT: u16 = 70;
const ASK: u64 = 0;

/// Gives out turns: every one is given to one client.
struct Turns {
    /// Its author's mistake: what was read is written without a look at whether it is still so.
    is_careless: bool,
}

/// Which client asks, and the tag of the answer.
type Letter = (u64, u64);

async fn take_a_turn(client: &Client, who: u64, is_careless: bool) -> Result<Option<i64>> {
    let last = client.get("turn").await?;
    let number = last.as_ref().map_or(1, |last| last.version + 1);
    let is_as_seen =
        Compare::mod_revision("turn", CompareResult::Equal, last.map_or(0, |last| last.mod_revision));
    let put = PutRequest::new("turn", format!("{number} of {who}"));
    let txn =
        if is_careless { TxnRequest::new().then(put) } else { TxnRequest::new().when(is_as_seen).then(put) };
    Ok(client.txn(txn).await?.succeeded.then_some(number))
}

impl Service for Turns {
    fn node(&self, place: Place, client: Client) -> Task {
        let is_careless = self.is_careless;
        Box::pin(async move {
            let Ok(endpoint) = Endpoint::bind(place.address(PORT)).await else { return };
            let endpoint = std::rc::Rc::new(endpoint);
            while let Ok((payload, from)) = endpoint.recv_from_raw(ASK).await {
                let Ok(letter) = payload.downcast::<Letter>() else { continue };
                let (client, endpoint, scene) = (client.clone(), endpoint.clone(), place.scene().clone());
                place.spawn(async move {
                    if let Ok(Some(turn)) = take_a_turn(&client, letter.0, is_careless).await {
                        scene.count("turns taken");
                        let _ = endpoint.send_to_raw(from, letter.1, Box::new(turn)).await;
                    }
                });
            }
        })
    }

    fn clients(&self) -> u64 {
        3
    }

    fn client(&self, place: Place) -> Task {
        Box::pin(async move {
            let Ok(endpoint) = Endpoint::bind(place.address(1)).await else { return };
            let mut draw = place.scene().chance(place.number());
            for letter in 1.. {
                if place.scene().is_resting() {
                    return;
                }
                sleep(Duration::from_millis(draw.between(1, 100))).await;
                let node: NodeId = 1 + draw.below(place.scene().node_count());
                let to = place.node_address(node, PORT);
                let sent = endpoint.send_to_raw(to, ASK, Box::new((place.number(), letter))).await;
                if sent.is_ok()
                    && timeout(Duration::from_secs(1), endpoint.recv_from_raw(letter)).await.is_ok()
                {
                    place.scene().count("turns heard of");
                }
            }
        })
    }

    fn judge(&self, log: &EventLog) -> std::result::Result<(), Violation> {
        let puts = log.since(2).flat_map(|(_, changes)| changes).filter_map(|change| match change {
            Change::Put { value, .. } => Some(value),
            Change::Delete { .. } => None,
        });
        for (at, value) in puts.enumerate() {
            let turn = format!("{} of ", at + 1);
            if !value.starts_with(turn.as_bytes()) {
                let seen = format!("the turn behind {at} is \"{}\"", value.escape_ascii());
                return Err(Violation::of_app("every turn is given to one", seen));
            }
        }
        Ok(())
    }
}

fn options() -> RunOptions {
    RunOptions { duration: Duration::from_secs(5), ..RunOptions::default() }
}

#[test]
fn a_service_of_ones_own_is_rehearsed() {
    let mut turns = 0;
    for seed in 0..5 {
        let run = rehearse_service(seed, &options(), || Box::new(Turns { is_careless: false }));
        assert!(run.violation.is_none(), "seed {seed}: {run}");
        turns += run.counts.get("turns heard of").copied().unwrap_or(0);
    }
    assert!(turns > 100, "{turns} turns are hardly any use");
}

#[test]
fn its_authors_mistake_is_found() {
    let found = (0..20).find_map(|seed| {
        let run = rehearse_service(seed, &options(), || Box::new(Turns { is_careless: true }));
        run.violation
    });
    let found = found.expect("two clients that ask at the same time get the same turn");
    assert!(found.to_string().contains("every turn is given to one"), "{found}");
}
