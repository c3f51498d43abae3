//! What the judge is shown of a node after each of its turns.

use std::time::Duration;

use kvorum_core::Status;
use kvorum_core::ids::NodeId;
use kvorum_core::request::WatchRequest;

use super::World;
use crate::host::everything;

impl World {
    pub(super) fn judge_node(&mut self, node: NodeId, status: &Status) {
        let now = self.now;
        if self.is_unjudged {
            return;
        }
        let host = self.hosts.get_mut(&node).and_then(|host| host.process.as_mut());
        let Some(process) = host else { return };
        let found = self.judge.status(status).and_then(|()| {
            if !self.judge.pull(now, node, &mut process.watch)? {
                let start_revision = status.compacted.max(1);
                self.judge.excuse(start_revision);
                let again = WatchRequest { start_revision, ..everything() };
                process.watch = process.client.watch(again).map_err(|error| error.to_string())?;
                self.judge.pull(now, node, &mut process.watch)?;
            }
            Ok(())
        });
        if let Err(wrong) = found {
            panic!("at {:?}: {wrong}", Duration::from_nanos(now.as_nanos()));
        }
    }
}
