//! `kvorumd import FILE --data-dir DIR`: a new member's data directory out of an etcd snapshot.
//!
//! What it will never know: what is in a snapshot.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use kvorum::ErrorKind;
use kvorum::storage::{ImageMeta, Storage};
use kvorum::storages::FileStorage;
use kvorum_core::state::State;
use kvorum_gateway::backup::{self, Source, Trailer};

use crate::cluster::Cluster;
use crate::directory::Directory;
use crate::flags::Given;
use crate::flags::parse::{Fault, parse};
use crate::settings::Settings;

/// What the command line asks for. Answers what came of it, in a line.
pub(crate) fn import(words: &[String]) -> Result<String, Fault> {
    let (trailer, words) = trailer(words)?;
    let (file, given) = read(&words)?;
    let wrong = Fault::Wrong;
    let settings = Settings::of(&given).map_err(wrong)?;
    let cluster = Cluster::begin(&settings).map_err(Fault::Wrong)?;
    let directory = Directory::open(&settings.data_dir).map_err(Fault::Wrong)?;
    if directory.cluster.is_some() && !directory.place.is_half_imported() {
        return Err(Fault::Wrong(format!("{} has a member's data already", settings.data_dir.display())));
    }
    let Summary { revision, keys, hash } =
        restore(Path::new(&file), trailer, directory, &cluster).map_err(Fault::Wrong)?;
    let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let dir = settings.data_dir.display();
    Ok(format!(
        "imported {keys} keys at revision {revision} into {dir}; content {hash}, the same on every member\n"
    ))
}

/// Whether the hash behind the database is to be looked at: etcdutl's flag, and no other of etcd's is like it.
fn trailer(words: &[String]) -> Result<(Trailer, Vec<String>), Fault> {
    let mut trailer = Trailer::Checked;
    let mut rest = Vec::new();
    for word in words {
        match word.trim_start_matches('-') {
            "skip-hash-check" | "skip-hash-check=true" => trailer = Trailer::Skipped,
            "skip-hash-check=false" => trailer = Trailer::Checked,
            other if other.starts_with("skip-hash-check=") => {
                return Err(Fault::Wrong(format!("invalid boolean value in '{word}': true or false")));
            }
            _ => rest.push(word.clone()),
        }
    }
    Ok((trailer, rest))
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

/// Fills the directory: first what is stored, as the image of the cluster's first entry, then whose it is. Whoever is
/// killed in between finds a directory in which nothing can be done but import again.
fn restore(
    file: &Path,
    trailer: Trailer,
    directory: Directory,
    cluster: &Cluster,
) -> Result<Summary, String> {
    let source = OnDisk::open(file).map_err(|error| format!("opening {}: {error}", file.display()))?;
    let state = backup::import(source, trailer).map_err(|error| format!("{}: {error}", file.display()))?;
    let Directory { mut storage, place, .. } = directory;
    place.begin_import()?;
    let saved = save(state.found(cluster.id), &mut storage, cluster);
    let summary = saved.map_err(|error| error.to_string())?;
    place.begin(cluster)?;
    place.end_import()?;
    Ok(summary)
}

fn save(mut state: State, storage: &mut FileStorage, cluster: &Cluster) -> kvorum::Result<Summary> {
    let found = storage.recover()?;
    if found.identity.is_some() || !found.entries.is_empty() {
        let reason = "a member has run in the directory already".into();
        return Err(ErrorKind::Config { reason }.into());
    }
    let mut voters: Vec<u64> = cluster.members.iter().map(|member| member.id).collect();
    voters.sort_unstable();
    let mut cut = state.cut_image();
    let meta = ImageMeta { position: cut.position(), voters, learners: Vec::new(), hash: cut.hash() };
    let mut sink = storage.create_image(&meta)?;
    while let Some(chunk) = cut.next_chunk(&state) {
        sink.write(&chunk)?;
    }
    sink.finish()?;
    let sizes = state.sizes();
    Ok(Summary { revision: state.revision(), keys: sizes.keys, hash: state.hash() })
}

/// What was imported.
struct Summary {
    revision: i64,
    keys: u64,
    /// The same on every member that imports the same file.
    hash: [u8; 32],
}

/// A file, read in pieces.
struct OnDisk(File);

impl OnDisk {
    fn open(path: &Path) -> io::Result<OnDisk> {
        File::open(path).map(OnDisk)
    }
}

impl Source for OnDisk {
    fn size(&mut self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(offset))?;
        self.0.read_exact(buffer)
    }
}
