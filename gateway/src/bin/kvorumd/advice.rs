//! Where an operator reads on whose member ended by itself: behind the reason that the node or its storage gave.
//!
//! What it will never know: why the node ended. Of the disk's own words it tells only whether they are that.

use std::path::Path;

use kvorum::{Error, ErrorKind};

use crate::cluster::Cluster;

/// The section that has what to do when a member must not come back.
const LOST: &str = "see \"A lost disk\" in docs/KVORUMD.md";

/// What a node's reason begins with when the disk said no: what was acknowledged is there, and a start goes on from it.
const DISK_FAILED: &str = "the disk failed: ";

/// Why the server ends whose node halted itself.
pub(crate) fn halted(reason: &str, cluster: &Cluster) -> String {
    let reason = cluster.in_hex(reason);
    match reason.starts_with(DISK_FAILED) {
        true => format!(
            "the node halted itself: {reason}; with the disk mended or with space again, start it as before"
        ),
        false => format!("the node halted itself: {reason}; {LOST}"),
    }
}

/// Why a member does not start of whose store nothing is left.
pub(crate) fn lost_store(member: &Path) -> String {
    format!(
        "{}/cluster says that this member has begun, and there is nothing in {0}/store: is its disk mounted? If it is \
         lost, {LOST}",
        member.display()
    )
}

/// Why the node does not start. Of an outcome there is nothing to say: nothing was asked for yet.
pub(crate) fn refused(error: &Error) -> String {
    match error.kind() {
        kind @ ErrorKind::Corrupt { .. } => format!("{kind}; {LOST}"),
        kind => kind.to_string(),
    }
}
