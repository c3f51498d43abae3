//! The file, page by page. What it will never know: how the pages travel.
//!
//! Its beginning says how long it is and where its trees begin. So it is made twice, from the same versions: once to know
//! that, once to be sent. Between two pages the node goes on; what compactions free meanwhile is freed at the end.

use kvorum_core::state::{Step, Version};
use kvorum_core::{Client, Export, planted};

use super::{ALARM, AUTH, FINISHED, KEY, LEASE, META, SCHEDULED, rows};
use crate::bolt::{Shape, Writer};
use crate::pb::etcdserverpb::{self as pb, AlarmType};
use kvorum_core::state::Scope;
use prost::Message;

/// How many bytes are made at once, and one row more.
const READY: usize = 64 << 10;

/// The version of the cluster that the file tells: of those that read it, the oldest.
const CLUSTER_VERSION: &[u8] = b"3.5.0";

/// Whose file it is.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) node: u64,
    pub(crate) members: Vec<pb::Member>,
    pub(crate) voters: Vec<u64>,
}

/// An image of the leader's has replaced the state meanwhile.
#[derive(Debug)]
pub(crate) struct Replaced;

/// A file being made.
#[derive(Debug)]
pub(crate) struct File {
    export: Export,
    origin: Origin,
    writer: Writer,
    stage: Stage,
    /// Not written yet.
    versions: std::vec::IntoIter<Version>,
    row: (Vec<u8>, Vec<u8>),
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    FirstPages,
    Before,
    Versions,
    Behind,
    End,
}

impl File {
    /// Goes through everything once. It takes its time: not to be called where others wait.
    pub(crate) fn begin(client: &Client, origin: Origin) -> Result<File, Replaced> {
        // Of the newest revision, which is never refused.
        let export = client.export(Scope::Everything).map_err(|_| Replaced)?;
        let mut file = File {
            export,
            origin,
            writer: Writer::new(),
            stage: Stage::Before,
            versions: Vec::new().into_iter(),
            row: (Vec::new(), Vec::new()),
            shape: Shape { root: 0, pages: 0 },
        };
        while file.stage != Stage::End {
            file.go_on()?;
            file.writer.take();
        }
        file.export.rewind();
        (file.writer, file.stage) = (Writer::new(), Stage::FirstPages);
        Ok(file)
    }

    /// The length in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.shape.bytes()
    }

    /// The next bytes, some pages; `None` behind the last.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, Replaced> {
        while self.stage != Stage::End && self.writer.ready() < READY {
            if self.stage == Stage::FirstPages {
                self.stage = Stage::Before;
                return Ok(Some(self.shape.first_pages()));
            }
            self.go_on()?;
        }
        let pages = self.writer.take();
        Ok((!pages.is_empty()).then_some(pages))
    }

    /// Makes a little of it.
    fn go_on(&mut self) -> Result<(), Replaced> {
        match self.stage {
            Stage::FirstPages | Stage::End => {}
            Stage::Before => {
                self.before();
                self.stage = Stage::Versions;
            }
            Stage::Versions => self.some_versions()?,
            Stage::Behind => {
                self.behind();
                self.shape = self.writer.finish();
                self.stage = Stage::End;
            }
        }
        Ok(())
    }

    fn some_versions(&mut self) -> Result<(), Replaced> {
        for version in self.versions.by_ref() {
            if version.is_tombstone() && planted!("snapshot_without_deletions") {
                continue;
            }
            let (key, value) = &mut self.row;
            rows::version_row(&version, key, value);
            self.writer.put(key, value);
            if self.writer.ready() >= READY {
                return Ok(());
            }
        }
        match self.export.step() {
            Step::Versions(versions) => self.versions = versions.into_iter(),
            Step::End => self.stage = Stage::Behind,
            Step::Replaced => return Err(Replaced),
        }
        Ok(())
    }

    /// The buckets before that of the versions, in the order of their names.
    fn before(&mut self) {
        self.writer.bucket(ALARM);
        if self.export.facts().no_space {
            let alarm = pb::AlarmMember { member_id: self.origin.node, alarm: AlarmType::Nospace as i32 };
            self.writer.put(&alarm.encode_to_vec(), &[]);
        }
        for name in [AUTH, b"authRoles", b"authUsers"] {
            self.writer.bucket(name);
        }
        self.writer.bucket(b"cluster");
        self.writer.put(b"clusterVersion", CLUSTER_VERSION);
        self.writer.bucket(KEY);
    }

    /// The buckets behind it.
    fn behind(&mut self) {
        let facts = self.export.facts();
        self.writer.bucket(LEASE);
        let mut leases: Vec<_> = facts.leases.iter().map(rows::lease).collect();
        // Negative ids come last there.
        leases.sort();
        leases.iter().for_each(|(id, lease)| self.writer.put(id, lease));
        self.writer.bucket(b"members");
        let mut members: Vec<_> = self.origin.members.iter().map(rows::member).collect();
        members.sort();
        members.dedup_by(|a, b| a.0 == b.0);
        members.iter().for_each(|(id, member)| self.writer.put(id.as_bytes(), member.as_bytes()));
        self.writer.bucket(b"members_removed");
        self.writer.bucket(META);
        let voters: Vec<String> = self.origin.voters.iter().map(u64::to_string).collect();
        let state = format!("{{\"voters\":[{}],\"auto_leave\":false}}", voters.join(","));
        self.writer.put(b"confState", state.as_bytes());
        self.writer.put(b"consistent_index", &facts.applied.index.to_be_bytes());
        if let Some(compacted) = facts.compacted {
            let key = &mut self.row.0;
            rows::revision_key(compacted, 0, false, key);
            self.writer.put(FINISHED, key);
            self.writer.put(SCHEDULED, key);
        }
        self.writer.put(b"term", &facts.applied.term.to_be_bytes());
    }
}
