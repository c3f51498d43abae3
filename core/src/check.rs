//! What is refused before it is proposed.

use crate::command::Op;
use crate::config::Limits;
use crate::error::Result;
use crate::request::RangeRequest;

/// Whether an operation may be proposed.
#[allow(unused_variables)]
pub fn check(op: &Op, limits: &Limits) -> Result<()> {
    Ok(())
}

/// Whether a range may be read.
#[allow(unused_variables)]
pub fn check_range(r: &RangeRequest) -> Result<()> {
    Ok(())
}
