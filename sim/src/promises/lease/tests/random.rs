//! A small cluster with leases, played by chance: drifting clocks, changes of leaders, clocks that stand, calls
//! that overlap and get lost. The one without fault is never blamed; each faulty one is, in the end.

use super::*;
use crate::rng::{Purpose, Rng, Stream};

/// What the store does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// A lease ends when four fifths of its time are over.
    Early,
    /// What has passed is forgotten with each leader, and nothing of it was written down.
    NoCheckpoints,
    /// Renewals are acknowledged, and have no effect.
    NotRenewed,
    /// Renewals of what has ended are acknowledged.
    Undead,
    /// A leader whose clock stands counts on.
    CountsOn,
    /// Twice of what is left is told.
    Boasts,
    /// A key stays.
    Forgets,
}

const STEP: f64 = 0.1;

/// A call on its way.
struct Flight {
    renews: bool,
    sent: f64,
    arrives: f64,
    returns: f64,
    /// When it was processed, and what was left then; `None`: there was no lease.
    result: Option<(f64, Option<f64>)>,
}

struct Model<'a> {
    draw: &'a mut Stream,
    fault: Fault,
    judge: LeaseJudge,
    now: f64,
    /// By the leader's clock; `None`: the lease has ended.
    left: Option<f64>,
    noted: f64,
    counted: f64,
    pace: f64,
    stands_until: f64,
    leader_from: f64,
    next_change: f64,
    longest_reign: u64,
    changes_until: f64,
    flights: Vec<Flight>,
}

impl Model<'_> {
    fn step(&mut self) -> Result<(), Broken> {
        self.now += STEP;
        if self.now < self.changes_until && self.now > self.next_change {
            self.next_change = self.now + self.draw.between(1000, self.longest_reign) as f64 / 1000.0;
            self.judge.leader_changed(at(self.now));
            self.leader_from = self.now + self.draw.below(900) as f64 / 1000.0;
            self.pace = self.draw.between(900, 1100) as f64 / 1000.0;
            (self.stands_until, self.counted) = (0.0, 0.0);
            let restart = if self.fault == Fault::NoCheckpoints { 10.0 } else { self.noted };
            self.left = self.left.map(|_| restart);
        }
        if self.now >= self.leader_from {
            self.count();
            self.process();
            self.expire()?;
        }
        self.answer()?;
        let is_busy = self.now < 15.0 || (45.0..50.0).contains(&self.now);
        if is_busy && self.draw.chance(60) {
            let mut delay = || self.draw.below(1500) as f64 / 1000.0;
            let arrives = self.now + delay();
            let flight =
                Flight { renews: false, sent: self.now, arrives, returns: arrives + delay(), result: None };
            self.flights.push(Flight { renews: self.draw.chance(700), ..flight });
        }
        Ok(())
    }

    fn count(&mut self) {
        if self.draw.chance(8) {
            self.stands_until = self.now + self.draw.below(3000) as f64 / 1000.0;
        }
        let stands = self.now <= self.stands_until;
        if stands {
            self.judge.clock_stood(at(self.now - STEP), at(self.now));
        }
        if !stands || self.fault == Fault::CountsOn {
            self.left = self.left.map(|left| left - STEP * self.pace);
            self.counted += STEP * self.pace;
        }
        if self.counted >= 1.0 {
            self.counted = 0.0;
            self.noted = self.left.unwrap_or(0.0);
        }
    }

    fn process(&mut self) {
        for flight in &mut self.flights {
            // What finds no leader is lost: nobody sends it again.
            let is_here =
                flight.arrives <= self.now && flight.result.is_none() && flight.arrives >= self.leader_from;
            if !is_here {
                continue;
            }
            let lease = if self.fault == Fault::Undead { Some(self.left.unwrap_or(10.0)) } else { self.left };
            flight.result =
                Some((self.now, lease.map(|left| if flight.renews { 10.0 } else { left.max(0.0) })));
            if flight.renews && self.left.is_some() && self.fault != Fault::NotRenewed {
                (self.left, self.noted, self.counted) = (Some(10.0), 10.0, 0.0);
            }
        }
    }

    fn expire(&mut self) -> Result<(), Broken> {
        let least = if self.fault == Fault::Early { 2.0 } else { 0.0 };
        if self.left.is_none_or(|left| left > least) {
            return Ok(());
        }
        self.left = None;
        let keys = if self.fault == Fault::Forgets { &["k"][..] } else { &["k", "l"] };
        let changes: Vec<Change> = keys.iter().map(|key| delete(key)).collect();
        self.judge.revision(3, at(self.now), &changes, Cause::Lease)
    }

    fn answer(&mut self) -> Result<(), Broken> {
        let (back, flying): (Vec<Flight>, Vec<Flight>) =
            std::mem::take(&mut self.flights).into_iter().partition(|flight| flight.returns <= self.now);
        self.flights = flying;
        for flight in back {
            let mut call = call(flight.sent, self.now);
            let Some((processed, left)) = flight.result else { continue };
            if self.draw.chance(200) {
                self.judge.may_be_renewed(7, call.sent, call.answered);
                continue;
            }
            if self.draw.chance(300) {
                call = seen_at(processed, call);
            }
            let more = if self.fault == Fault::Boasts { 2.0 } else { 1.0 };
            match left.map(|left| Duration::from_secs_f64(left * more)) {
                None => self.judge.gone(7, call)?,
                Some(left) if flight.renews => self.judge.renewed(7, left, call)?,
                Some(left) => self.judge.told(7, left, call)?,
            }
        }
        Ok(())
    }
}

fn play(seed: u64, fault: Fault) -> Result<(), Broken> {
    let draw = &mut Rng::new(seed).stream(Purpose::Client, 2);
    let mut judge = granted();
    judge.bounds.checkpoint = Duration::from_secs(1);
    judge.revision(2, at(1.6), &[put("l", 7)], Cause::Other)?;
    let granted = draw.below(1000) as f64 / 1000.0;
    let pace = draw.between(900, 1100) as f64 / 1000.0;
    let left = Some(10.0 - (1.6 - granted) * pace);
    let changes_until = draw.between(0, 60) as f64;
    let (next_change, longest_reign) = (draw.between(2, 12) as f64, draw.between(2000, 20_000));
    let mut model = Model {
        draw,
        fault,
        judge,
        now: 1.6,
        left,
        noted: 10.0,
        counted: 1.0,
        pace,
        stands_until: 0.0,
        leader_from: 0.0,
        next_change,
        longest_reign,
        changes_until,
        flights: Vec::new(),
    };
    while model.now < 90.0 {
        model.step()?;
    }
    model.judge.finish(at(model.now))
}

#[test]
fn e_chance_finds_no_false_alarm() {
    for seed in 0..200 {
        assert_eq!(play(seed, Fault::None), Ok(()), "seed {seed}");
    }
}

#[test]
fn e_chance_finds_every_fault() {
    let expected = [
        (Fault::Early, &[Rule::E1, Rule::E7][..]),
        (Fault::NoCheckpoints, &[Rule::E2]),
        (Fault::NotRenewed, &[Rule::E1, Rule::E3, Rule::E7]),
        (Fault::Undead, &[Rule::E3, Rule::E1, Rule::E7]),
        (Fault::CountsOn, &[Rule::E7, Rule::E1]),
        (Fault::Boasts, &[Rule::E4]),
        (Fault::Forgets, &[Rule::E6]),
    ];
    for (fault, rules) in expected {
        let found: Vec<Broken> = (0..200).filter_map(|seed| play(seed, fault).err()).collect();
        assert!(found.len() >= 10, "{fault:?} was found {} times", found.len());
        assert!(found.iter().all(|broken| rules.contains(&broken.rule)), "{fault:?}: {found:#?}");
    }
}
