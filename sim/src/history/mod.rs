//! Whether what clients were told can be true. Nothing in here knows kvorum: any store that speaks etcd's
//! language can be judged, simulated or real.
//!
//! Write down every request with its call and its return ([`Op`]), write down what the store says has
//! happened ([`EventLog`]), and [`check()`] the one against the other. The log is a witness that is not
//! believed: a wrong one is found out, and cannot excuse a wrong answer.
//!
//! | file | topic |
//! | --- | --- |
//! | `log` | what happened, by revision |
//! | `op` | what was asked and answered, by client |
//! | `check` | the question, and the way to its answer |
//! | `place` | where each request stands among the revisions, and by when each revision existed |
//! | `replay` | every change explained by a request, every answer by the log |
//! | `store`, `answer` | what a request does, and what is the right answer to it |
//! | `matching` | requests of unknown outcome, one for each change that nobody claims |
//! | `realtime` | no order against the clock |
//! | `oracle` | the same question, answered by trying everything: for small histories |
//! | `random`, `mutate` | small true histories, and lies about them |
//! | `compare` | the judge against the oracle |
//! | `broken`, `blame`, `words` | the verdict, said so that people understand it |

mod answer;
mod blame;
mod broken;
mod check;
mod compare;
mod log;
mod matching;
mod mutate;
mod op;
pub mod oracle;
mod place;
mod random;
mod realtime;
mod replay;
mod store;
mod words;

pub use broken::{Broken, Rule, Summary};
pub use check::{check, check_with_lease_ends};
pub use compare::{Tally, compare};
pub use log::{Change, EventLog, Revision};
pub use op::{
    Compare, Delete, KeyValue, Op, Operand, Order, Outcome, Put, Range, Relation, Request, Response, Span,
    Target, Txn,
};
