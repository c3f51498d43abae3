//! A state out of etcd's file. Nothing in it is believed.
//!
//! What it will never know: where the state goes.

use std::fmt;

use kvorum_core::planted;
use kvorum_core::state::{Foreign, Rebuild, Rebuilt};
use prost::Message;
use sha2::{Digest, Sha256};

use super::rows::{Lease, read_revision_key, read_version};
use super::{ALARM, AUTH, BoltError, FINISHED, KEY, LEASE, META, SCHEDULED, Source};
use crate::bolt::{Bucket, Db};
use crate::pb::etcdserverpb::{AlarmMember, AlarmType};

/// The length of the hash behind a snapshot.
const HASH: u64 = 32;

/// How much is hashed at once.
const CHUNK: u64 = 1 << 20;

/// What is asked of the hash behind the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trailer {
    /// It must be there, and be right: the file is a snapshot.
    Checked,
    /// It is passed over, or is not there: the file was copied out of a data directory.
    Skipped,
}

/// Why a file is not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportError {
    /// There is no hash behind the database, and it was asked for.
    NoHash,
    /// The hash behind the database is another one than the database has.
    WrongHash {
        /// The one behind it, in hexadecimal digits.
        expected: String,
        /// The one that it has.
        found: String,
    },
    /// It cannot be read as a database.
    Bolt(BoltError),
    /// A bucket of etcd's is not there.
    NoBucket {
        /// Which.
        name: &'static str,
    },
    /// A row is not one that etcd writes.
    Row {
        /// The bucket that it is in.
        bucket: &'static str,
        /// Its key, with what is no letter escaped.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The rows are well formed, and contradict each other.
    History {
        /// What is wrong with which.
        reason: String,
    },
    /// Users and their permissions count in it, which kvorum does not have: its data would be everybody's.
    Auth,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::NoHash => f.write_str("snapshot missing hash but --skip-hash-check=false"),
            ImportError::WrongHash { expected, found } => write!(f, "expected sha256 {expected}, got {found}"),
            ImportError::Bolt(BoltError::NoMeta) => write!(f, "it is no snapshot of etcd's: {}", BoltError::NoMeta),
            ImportError::Bolt(error) => error.fmt(f),
            ImportError::NoBucket { name } => write!(f, "it has no bucket \"{name}\": it is no etcd's"),
            ImportError::Row { bucket, key, reason } => {
                write!(f, "the row \"{key}\" of the bucket \"{bucket}\" {reason}")
            }
            ImportError::History { reason } => f.write_str(reason),
            ImportError::Auth => f.write_str(
                "authentication is enabled in it, and kvorum has no users yet: all of it would be everybody's; disable it \
                 first ('etcdctl auth disable')",
            ),
        }
    }
}

impl std::error::Error for ImportError {}

impl From<BoltError> for ImportError {
    fn from(error: BoltError) -> ImportError {
        ImportError::Bolt(error)
    }
}

impl From<std::io::Error> for ImportError {
    fn from(error: std::io::Error) -> ImportError {
        ImportError::Bolt(error.into())
    }
}

/// Reads etcd's snapshot, or its database.
///
/// # Errors
///
/// [`ImportError`], which names what is wrong.
pub fn import(mut source: impl Source, trailer: Trailer) -> Result<Rebuilt, ImportError> {
    let size = glance(&mut source, trailer)?;
    check_hash(&mut source, size, trailer)?;
    let mut db = Db::open(source, size)?;
    let buckets = db.buckets()?;
    let find = |name: &'static [u8]| buckets.iter().find(|bucket| bucket.name == name);
    let needed = |name| find(name).ok_or(ImportError::NoBucket { name: named(name) });
    let (key, meta) = (needed(KEY)?, needed(META)?);
    if let Some(auth) = find(AUTH) {
        refuse_auth(&mut db, auth)?;
    }
    let compacted = compacted(&mut db, meta)?;
    let mut rebuild = Rebuild::new(compacted);
    if let Some(alarm) = find(ALARM) {
        alarms(&mut db, alarm, &mut rebuild)?;
    }
    if let Some(lease) = find(LEASE) {
        leases(&mut db, lease, &mut rebuild)?;
    }
    db.each(key, |key, value| version(key, value, compacted.unwrap_or(0), &mut rebuild))?;
    rebuild.finish().map_err(history)
}

/// Looks at as little of a file as tells what it is: how it begins, and whether it is as long as that says. Answers how
/// many bytes of it are the database.
///
/// # Errors
///
/// [`ImportError`]: it is no database, is cut off, or has no hash behind it.
pub fn glance(source: &mut impl Source, trailer: Trailer) -> Result<u64, ImportError> {
    let size = source.size()?;
    // Pages have a multiple of 512 bytes.
    let has_hash = size % 512 == HASH;
    let end = if has_hash { size - HASH } else { size };
    // First: a hash is not what is missing where there is no database, or not all of it.
    Db::open(&mut *source, end)?;
    match has_hash || trailer == Trailer::Skipped {
        true => Ok(end),
        false => Err(ImportError::NoHash),
    }
}

/// Compares the hash behind the database with the one that it has.
fn check_hash(source: &mut impl Source, end: u64, trailer: Trailer) -> Result<(), ImportError> {
    if trailer == Trailer::Checked {
        let mut expected = [0; HASH as usize];
        source.read_at(&mut expected, end)?;
        let found = hash(source, end)?;
        if found != expected && !planted!("import_any_hash") {
            let [expected, found] = [expected, found].map(|hash| hexadecimal(&hash));
            return Err(ImportError::WrongHash { expected, found });
        }
    }
    Ok(())
}

fn hash(source: &mut impl Source, end: u64) -> Result<[u8; HASH as usize], ImportError> {
    let mut hash = Sha256::new();
    let mut at = 0;
    let mut buffer = vec![0; CHUNK.min(end) as usize];
    while at < end {
        let length = CHUNK.min(end - at);
        let chunk = &mut buffer[..length as usize];
        source.read_at(chunk, at)?;
        hash.update(&*chunk);
        at += length;
    }
    Ok(hash.finalize().into())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn refuse_auth(db: &mut Db<impl Source>, bucket: &Bucket) -> Result<(), ImportError> {
    db.each(bucket, |key, value| match (key, value) {
        (b"authEnabled", [1]) => Err(ImportError::Auth),
        _ => Ok(()),
    })
}

/// The last compaction: a planned one counts, finished or not.
fn compacted(db: &mut Db<impl Source>, meta: &Bucket) -> Result<Option<i64>, ImportError> {
    let mut compacted = None;
    db.each(meta, |key, value| {
        if key == SCHEDULED || key == FINISHED {
            let (main, _, _) = read_revision_key(value).ok_or_else(|| wrong(META, key, "is no revision"))?;
            compacted = compacted.max(Some(main));
        }
        Ok::<(), ImportError>(())
    })?;
    Ok(compacted)
}

fn alarms(db: &mut Db<impl Source>, bucket: &Bucket, rebuild: &mut Rebuild) -> Result<(), ImportError> {
    db.each(bucket, |key, _| {
        let alarm = AlarmMember::decode(key).map_err(|_| wrong(ALARM, key, "is no alarm"))?;
        match AlarmType::try_from(alarm.alarm) {
            Ok(AlarmType::Nospace) => rebuild.no_space(),
            Ok(AlarmType::Corrupt) => {
                return Err(wrong(
                    ALARM,
                    key,
                    "says that the cluster's members differ: its data cannot be trusted",
                ));
            }
            _ => {}
        }
        Ok(())
    })
}

fn leases(db: &mut Db<impl Source>, bucket: &Bucket, rebuild: &mut Rebuild) -> Result<(), ImportError> {
    db.each(bucket, |key, value| {
        let lease = Lease::decode(value).map_err(|_| wrong(LEASE, key, "is no lease"))?;
        if key != lease.id.to_be_bytes() {
            return Err(wrong(LEASE, key, "is of another lease"));
        }
        let left = u64::try_from(lease.remaining).ok().filter(|seconds| *seconds > 0);
        let left = left.map(|seconds| seconds.saturating_mul(1000));
        rebuild.lease(lease.id, lease.ttl, left).map_err(history)
    })
}

fn version(key: &[u8], value: &[u8], compacted: i64, rebuild: &mut Rebuild) -> Result<(), ImportError> {
    let wrong = |reason| Err(wrong(KEY, key, reason));
    let Some((main, sub, is_tombstone)) = read_revision_key(key) else { return wrong("is no revision") };
    let Some(kv) = read_version(value) else { return wrong("has no key and value") };
    if kv.key.is_empty() && main <= compacted {
        // etcdutl writes it to begin at a higher revision (`--bump-revision`).
        return Ok(());
    }
    let foreign = match is_tombstone {
        true => Foreign { key: &kv.key, mod_revision: main, sub_revision: sub, ..Foreign::default() },
        false if kv.mod_revision != main => return wrong("is of another revision than it says"),
        false if kv.version <= 0 => return wrong("has no version"),
        false => Foreign {
            key: &kv.key,
            value: &kv.value,
            create_revision: kv.create_revision,
            mod_revision: main,
            sub_revision: sub,
            version: kv.version,
            lease: kv.lease,
        },
    };
    rebuild.version(&foreign).map_err(history)
}

fn history(error: kvorum_core::Error) -> ImportError {
    let reason = match error.kind() {
        kvorum_core::ErrorKind::Corrupt { reason, .. } => reason.clone(),
        _ => error.to_string(),
    };
    ImportError::History { reason }
}

fn wrong(bucket: &'static [u8], key: &[u8], reason: &'static str) -> ImportError {
    ImportError::Row { bucket: named(bucket), key: key.escape_ascii().to_string(), reason }
}

/// Our own names are letters.
fn named(bucket: &'static [u8]) -> &'static str {
    std::str::from_utf8(bucket).unwrap_or_default()
}
