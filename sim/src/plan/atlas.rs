//! What the cluster still owes its users under a plan: the map of what may go wrong at once.
//!
//! | | promised inside the envelope | promised outside |
//! | --- | --- | --- |
//! | safety | everything: nothing acknowledged is lost, reads are current, all agree | no panic; nobody answers out of damaged bytes |
//! | leases | never early by more than the largest drift | nothing about when they end |
//! | halting | a node halts only if its own disk failed, was full, rotted or was lost | any node may |
//! | liveness | after the faults, all nodes but the lost ones agree and answer | nothing |
//!
//! A plan is outside when
//!
//! * more nodes than a minority, `(n - 1) / 2` over the whole run, lose something that they had acknowledged
//!   (by rot or a wipe), whoever else is down for good counted with them;
//! * any node gets an old disk put back: it forgets without knowing what it had acknowledged, and a leader may
//!   be elected without it. No consensus over crash faults survives that, not even of one node of three;
//! * a monotonic clock jumps, stands still, or drifts by more than [`LEASE_DRIFT_PPM`]. Then only leases are
//!   not judged: no other promise rests on a clock, and all others hold ([`Envelope::leases_hold`]).
//!
//! A wiped node is inside only because the others know it by its directory. They agree on directories through
//! the log, soon after they first meet; so a wipe waits until every other node runs and knows, and is left out
//! if that does not come ([`super::Injector`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kvorum_core::ids::NodeId;

use super::Plan;
use super::fault::{Act, Fault, Who};

/// The drift, in parts of a million, up to which leases keep what they promise.
pub const LEASE_DRIFT_PPM: u64 = 50_000;

/// What the cluster still owes its users under a plan. See the module's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Whether everything is promised (but for leases, see [`Envelope::leases_hold`]).
    pub is_inside: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// Whether leases end when they should: no clock does what none may do.
    pub leases_hold: bool,
    /// The largest drift of any clock at any time, in parts of a million.
    pub drift_ppm: u64,
    /// Nodes that may lose something they acknowledged, and may stay out for good.
    pub lost: BTreeSet<NodeId>,
    halts: BTreeMap<NodeId, &'static str>,
}

/// Whether what is done to a node may make it lose what it had acknowledged.
pub fn may_lose(act: &Act) -> bool {
    matches!(act, Act::Rot { .. } | Act::Wipe { .. } | Act::OldDisk { .. })
}

/// Why a node may halt after this, or refuse to start.
pub(super) fn reason_to_halt(act: &Act) -> Option<&'static str> {
    match act {
        Act::FailWrite { .. } => Some("its disk failed to write"),
        Act::FailRead { .. } => Some("its disk failed to read"),
        Act::FillDisk { .. } => Some("its disk was full"),
        Act::Rot { .. } => Some("its disk rotted"),
        Act::Wipe { .. } => Some("its disk was wiped"),
        Act::OldDisk { .. } => Some("an old disk was put back"),
        _ => None,
    }
}

impl Envelope {
    /// Of a plan.
    pub fn of(plan: &Plan) -> Envelope {
        let mut found = Envelope {
            is_inside: true,
            reasons: Vec::new(),
            leases_hold: true,
            drift_ppm: plan.drift_ppm.values().map(|ppm| ppm.unsigned_abs()).max().unwrap_or(0),
            lost: BTreeSet::new(),
            halts: BTreeMap::new(),
        };
        plan.faults.iter().for_each(|fault| found.add(plan, fault));
        found.leases_hold &= found.drift_ppm <= LEASE_DRIFT_PPM;
        let minority = (plan.nodes.saturating_sub(1) / 2) as usize;
        if found.lost.len() > minority {
            let lost = &found.lost;
            found.reasons.push(format!("{lost:?} may lose what they acknowledged, at most {minority} may"));
        }
        found.is_inside = found.reasons.is_empty();
        found
    }

    fn add(&mut self, plan: &Plan, fault: &Fault) {
        let nodes = match fault.who {
            Who::Node(node) => node..=node,
            _ => 1..=plan.nodes,
        };
        if let Some(reason) = reason_to_halt(&fault.what) {
            nodes.clone().for_each(|node| _ = self.halts.insert(node, reason));
        }
        if may_lose(&fault.what) {
            self.lost.extend(nodes);
        }
        match fault.what {
            Act::OldDisk { .. } => {
                self.reasons.push(format!("fault {} puts an old disk back", fault.number));
            }
            Act::Jump { .. } | Act::Freeze { .. } => self.leases_hold = false,
            Act::Drift { ppm } => self.drift_ppm = self.drift_ppm.max(ppm.unsigned_abs()),
            _ => {}
        }
    }

    /// Why a node may halt at some time of the run, or refuse to start; `None`: it must not. Whether it may
    /// already, the the injector knows.
    pub fn may_halt(&self, node: NodeId) -> Option<&'static str> {
        if self.is_inside { self.halts.get(&node).copied() } else { Some("the plan is outside the envelope") }
    }
}

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_inside {
            f.write_str("inside the envelope")?;
        } else {
            write!(f, "outside the envelope: {}", self.reasons.join("; "))?;
        }
        if !self.leases_hold {
            f.write_str("; clocks do what they may not: leases are not judged")?;
        }
        Ok(())
    }
}
