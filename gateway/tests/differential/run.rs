//! One run: two fresh servers, and so many requests from a seed. What it will never know: how many runs there are.

use kvorum_gateway::pb::etcdserverpb as pb;

use crate::ask::{Answer, Ask};
use crate::dice::Dice;
use crate::follow::Said;
use crate::pair::Pair;
use crate::watches::{AHEAD, Watches};
use crate::world::{MADE_UP, World};
use crate::{common, etcd, requests};

/// How many reads at most are asked at once.
const AT_ONCE: usize = 12;
/// About how many requests there are between two looks at the watches.
const BETWEEN: u64 = 150;

/// What a run was.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) requests: u64,
    pub(crate) refused: u64,
    pub(crate) events: u64,
}

impl Count {
    pub(crate) fn add(&mut self, other: &Count) {
        self.requests += other.requests;
        self.refused += other.refused;
        self.events += other.events;
    }
}

struct Run {
    pair: Pair,
    world: World,
    watches: Watches,
    dice: Dice,
    count: Count,
}

/// Asks both servers. With how they differ, and at which request, if they do.
pub(crate) async fn run(etcd: &etcd::Etcd, seed: u64, requests: u64) -> (Count, Option<String>) {
    let gate = common::one().await;
    let mut dice = Dice::new(seed);
    let world = World { revision: 1, is_wide: dice.one_in(3), ..World::default() };
    let pair = Pair::new(etcd.channel.clone(), gate.channel.clone()).await;
    let mut run = Run { pair, world, watches: Watches::default(), dice, count: Count::default() };
    let done = run.all(requests).await;
    let at = run.count.requests;
    (run.count, done.err().map(|how| format!("seed {seed}, after {at} requests: {how}")))
}

impl Run {
    async fn all(&mut self, requests: u64) -> Result<(), String> {
        let mut reads = Vec::new();
        while self.count.requests < requests {
            let ask = requests::next(&self.world, &mut self.dice);
            if ask.is_read() {
                reads.push(ask);
                if reads.len() < AT_ONCE {
                    continue;
                }
                self.ask(std::mem::take(&mut reads)).await?;
                continue;
            }
            self.ask(std::mem::take(&mut reads)).await?;
            // Whatever is behind a compaction may see it or not: nothing is.
            if matches!(ask, Ask::Compact(_)) {
                self.look().await?;
            }
            self.ask(vec![ask]).await?;
            if self.dice.one_in(BETWEEN) {
                self.look().await?;
            }
        }
        self.look().await
    }

    async fn ask(&mut self, asks: Vec<Ask>) -> Result<(), String> {
        let answers = self.pair.ask(&asks).await?;
        self.count.requests += asks.len() as u64;
        for (ask, answer) in asks.iter().zip(&answers) {
            self.learn(ask, answer);
        }
        Ok(())
    }

    fn learn(&mut self, ask: &Ask, answer: &Answer) {
        let header = match answer {
            Answer::Put(r) => r.header,
            Answer::Delete(r) => r.header,
            Answer::Txn(r) => r.header,
            Answer::Revoke(r) => r.header,
            _ => None,
        };
        self.world.revision = header.map_or(self.world.revision, |header| header.revision);
        match (ask, answer) {
            (_, Answer::Error(..)) => self.count.refused += 1,
            (Ask::Compact(ask), _) => self.world.compacted = ask.revision,
            (Ask::Grant(ask), _) if ask.id == 0 => {
                self.world.leases.push(MADE_UP + self.world.made_up);
                self.world.made_up += 1;
            }
            (Ask::Grant(ask), _) => self.world.leases.push(ask.id),
            (Ask::Revoke(ask), _) => self.world.leases.retain(|lease| *lease != ask.id),
            (Ask::Alarm(ask), _) if ask.action == 1 => self.world.is_full = true,
            _ => {}
        }
    }

    /// Compares what the watches have said, and changes which ones there are.
    async fn look(&mut self) -> Result<(), String> {
        self.clear_alarms().await?;
        self.drain(1).await?;
        let changes = self.dice.below(4);
        for _ in 0..changes {
            let what = self.watches.next(&self.world, &mut self.dice);
            self.pair.watch(what).await;
        }
        // New ones have begun, and are at the end, before anything else happens.
        if changes > 0 { self.drain(1 + AHEAD).await } else { Ok(()) }
    }

    async fn clear_alarms(&mut self) -> Result<(), String> {
        if std::mem::take(&mut self.world.is_full) {
            let ask = pb::AlarmRequest { action: 2, member_id: requests::ITSELF, alarm: 1 };
            self.ask(vec![Ask::Alarm(ask)]).await?;
        }
        Ok(())
    }

    async fn drain(&mut self, writes: i64) -> Result<(), String> {
        // A revision of which nobody has spoken yet.
        for _ in 0..writes {
            self.ask(vec![Ask::Put(common::put("z", ""))]).await?;
        }
        let said = self.pair.drain(self.world.revision).await?;
        self.watches.looked_at();
        for (id, said) in said {
            for said in said {
                match said {
                    Said::Created { .. } => self.watches.opened(id),
                    Said::Event(_) => self.count.events += 1,
                    Said::Canceled { .. } => self.watches.ended(id),
                }
            }
        }
        Ok(())
    }
}
