//! `kvorumd import FILE --data-dir DIR`: a new member's data directory out of an etcd snapshot.
//!
//! What it will never know: what is in a snapshot.

use std::path::Path;

use crate::cluster::Cluster;
use crate::directory::Directory;
use crate::flags::Given;
use crate::flags::parse::{Fault, parse};
use crate::settings::Settings;

/// What the command line asks for.
pub(crate) fn import(words: &[String]) -> Result<(), Fault> {
    let (file, given) = read(words)?;
    let wrong = Fault::Wrong;
    let settings = Settings::of(&given).map_err(wrong)?;
    let cluster = Cluster::begin(&settings).map_err(Fault::Wrong)?;
    let directory = Directory::open(&settings.data_dir).map_err(Fault::Wrong)?;
    if directory.cluster.is_some() {
        return Err(Fault::Wrong(format!("{} has a member's data already", settings.data_dir.display())));
    }
    restore(Path::new(&file), directory, &cluster).map_err(Fault::Wrong)
}

/// The file, and the flags before and behind it.
fn read(words: &[String]) -> Result<(String, Given), Fault> {
    let (_, rest) = parse(words)?;
    let Some(file) = rest.first() else {
        return Err(Fault::Wrong("import needs the FILE that a snapshot is in".into()));
    };
    let mut flags = words[..words.len() - rest.len()].to_vec();
    flags.extend_from_slice(&rest[1..]);
    match parse(&flags)? {
        (given, rest) if rest.is_empty() => Ok((file.clone(), given)),
        (_, rest) => Err(Fault::Wrong(format!("'{}' is not a valid flag", rest.join(" ")))),
    }
}

/// Fills the directory. To be joined with what reads snapshots.
fn restore(_file: &Path, _directory: Directory, _cluster: &Cluster) -> Result<(), String> {
    Err("import is not there yet".into())
}
