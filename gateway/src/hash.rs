//! Hashes over what is stored, by etcd's rules. What it will never know: streams.
//!
//! `HashKV` is etcd's own number: whoever restores a snapshot of ours as an etcd gets the same from it. `Hash`, which in
//! etcd depends on what its file looks like, is over the same rows for keys and leases as a snapshot has: members with
//! the same content have the same.

use kvorum_core::Client;
use kvorum_core::ids::Revision;
use kvorum_core::state::{Scope, Step};
use tonic::Status;

use crate::backup::{KEY, Replaced, lease_row, version_row};
use crate::errors::status;
use crate::gateway::Gateway;
use crate::pb::etcdserverpb as pb;
use crate::snapshot::replaced;

/// What etcd says of a store that was never compacted.
const NEVER_COMPACTED: Revision = -1;

/// A hash over keys, and what it is of.
struct Hashed {
    hash: u32,
    /// Of the store, when it was hashed.
    revision: Revision,
    compacted: Revision,
    until: Revision,
}

impl Gateway {
    /// A hash over everything stored.
    pub(crate) async fn hash_all(&self) -> Result<pb::HashResponse, Status> {
        let hashed = self.hash_of(Scope::Everything).await?;
        let header = pb::ResponseHeader { revision: hashed.revision, ..self.header() };
        Ok(pb::HashResponse { header: Some(header), hash: hashed.hash })
    }

    /// A hash over keys and their history up to a revision. As in etcd, it is of this member as it is now.
    pub(crate) async fn hash_keys(&self, r: pb::HashKvRequest) -> Result<pb::HashKvResponse, Status> {
        let hashed = self.hash_of(Scope::Hashed(r.revision)).await?;
        let header = pb::ResponseHeader { revision: hashed.revision, ..self.header() };
        Ok(pb::HashKvResponse {
            header: Some(header),
            hash: hashed.hash,
            compact_revision: hashed.compacted,
            hash_revision: hashed.until,
        })
    }

    async fn hash_of(&self, scope: Scope) -> Result<Hashed, Status> {
        let client = self.client.clone();
        self.walkers.walk(move || walk(&client, scope)).await
    }
}

fn walk(client: &Client, scope: Scope) -> Result<Hashed, Status> {
    let mut export = client.export(scope).map_err(status)?;
    let mut hash = crc32c::crc32c(KEY);
    let (mut key, mut value) = (Vec::new(), Vec::new());
    loop {
        match export.step() {
            Step::End => break,
            Step::Replaced => return Err(replaced(Replaced)),
            Step::Versions(versions) => {
                for version in versions {
                    version_row(&version, &mut key, &mut value);
                    hash = crc32c::crc32c_append(crc32c::crc32c_append(hash, &key), &value);
                }
            }
        }
    }
    let facts = export.facts();
    if scope == Scope::Everything {
        for (id, lease) in facts.leases.iter().map(lease_row) {
            hash = crc32c::crc32c_append(crc32c::crc32c_append(hash, &id), &lease);
        }
        hash = crc32c::crc32c_append(hash, &[u8::from(facts.no_space)]);
    }
    let compacted = facts.compacted.unwrap_or(NEVER_COMPACTED);
    Ok(Hashed { hash, revision: facts.revision, compacted, until: export.until() })
}
