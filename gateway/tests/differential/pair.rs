//! A real etcd and a gateway, asked the same. What it will never know: how the requests come about.

use std::collections::BTreeMap;

use kvorum_gateway::pb::etcdserverpb as pb;
use pb::watch_request::RequestUnion;
use tonic::transport::Channel;

use crate::ask::{Answer, Ask};
use crate::common::soon;
use crate::follow::{Follow, Said};
use crate::masks::Own;

/// The longest text that is shown of a request or an answer.
const SHOWN: usize = 1500;

/// One of the two.
struct Side {
    channel: Channel,
    own: Own,
    follow: Follow,
}

impl Side {
    async fn new(channel: Channel) -> Side {
        let follow = Follow::open(channel.clone()).await;
        let status = match Ask::Status.of(channel.clone()).await {
            Answer::Status(status) => status,
            other => panic!("a status was asked for: {other:?}"),
        };
        let own = Own::of(status.header.expect("a header").member_id);
        Side { channel, own, follow }
    }

    /// Asks all of these at once. What changes something comes alone.
    async fn ask(&mut self, asks: &[Ask]) -> Vec<Answer> {
        let answers = asks.iter().map(|ask| {
            let mut ask = ask.clone();
            self.own.in_ask(&mut ask);
            ask.of(self.channel.clone())
        });
        let mut answers = soon("answers", futures_util::future::join_all(answers)).await;
        for (ask, answer) in asks.iter().zip(&mut answers) {
            self.own.mask(ask, answer);
        }
        answers
    }
}

/// Both.
pub(crate) struct Pair {
    etcd: Side,
    ours: Side,
}

impl Pair {
    pub(crate) async fn new(etcd: Channel, ours: Channel) -> Pair {
        Pair { etcd: Side::new(etcd).await, ours: Side::new(ours).await }
    }

    /// Asks both, and hands out what they agree on; or says how they differ.
    pub(crate) async fn ask(&mut self, asks: &[Ask]) -> Result<Vec<Answer>, String> {
        let (etcds, ours) = tokio::join!(self.etcd.ask(asks), self.ours.ask(asks));
        for ((ask, etcds), ours) in asks.iter().zip(&etcds).zip(&ours) {
            differ(&format!("{ask:?}"), etcds, ours)?;
        }
        Ok(etcds)
    }

    /// Opens or ends a watch on both.
    pub(crate) async fn watch(&mut self, what: RequestUnion) {
        let (etcd, ours) = (&mut self.etcd, &mut self.ours);
        tokio::join!(etcd.follow.change(what.clone(), &etcd.own), ours.follow.change(what, &ours.own));
    }

    /// What all watches said up to a revision to which both stores have just come.
    pub(crate) async fn drain(&mut self, revision: i64) -> Result<BTreeMap<i64, Vec<Said>>, String> {
        let (etcd, ours) = (&mut self.etcd, &mut self.ours);
        let (etcds, ours) =
            tokio::join!(etcd.follow.drain(revision, &etcd.own), ours.follow.drain(revision, &ours.own));
        let (etcds, mut ours) = match (etcds, ours) {
            (Ok(etcds), Ok(ours)) => (etcds, ours),
            (etcds, ours) => return Err(format!("watches\n  etcd: {etcds:?}\n  ours: {ours:?}")),
        };
        for (id, etcds) in &etcds {
            let ours = ours.remove(id).unwrap_or_default();
            let at = etcds.iter().zip(&ours).position(|(etcds, ours)| etcds != ours);
            let at = at.unwrap_or(etcds.len().min(ours.len()));
            let what = format!("watch {id} up to revision {revision}, from item {at} on");
            differ(&what, &etcds[at..], &ours[at..])?;
        }
        differ(&format!("watches up to revision {revision}"), &BTreeMap::new(), &ours)?;
        Ok(etcds)
    }
}

fn differ<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, etcds: &T, ours: &T) -> Result<(), String> {
    if etcds == ours {
        return Ok(());
    }
    let show = |text: String| text.chars().take(SHOWN).collect::<String>();
    let (what, etcds, ours) = (show(what.into()), show(format!("{etcds:?}")), show(format!("{ours:?}")));
    Err(format!("{what}\n  etcd: {etcds}\n  ours: {ours}"))
}
