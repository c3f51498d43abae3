//! `kvorumd import FILE --data-dir DIR`: a new member's data directory out of an etcd snapshot.
//!
//! What it will never know: what is in a snapshot.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use kvorum::ErrorKind;
use kvorum::storage::{ImageMeta, Storage};
use kvorum::storages::FileStorage;
use kvorum_core::planted;
use kvorum_core::state::State;
use kvorum_gateway::backup::{self, Source, Trailer};

use crate::cluster::Cluster;
use crate::directory::strangers;
use crate::flags::Given;
use crate::flags::parse::{Fault, parse};
use crate::imported::Imported;
use crate::prepare;
use crate::settings::{self, Settings};
use crate::staging::Staging;

/// Why nothing was imported.
pub(crate) enum Failure {
    /// The command line is wrong, or asks for help.
    Line(Fault),
    /// What it asks for cannot be done.
    Work(String),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Line(fault)
    }
}

impl From<String> for Failure {
    fn from(reason: String) -> Failure {
        Failure::Work(reason)
    }
}

/// What the command line asks for. Answers what came of it, in a line.
pub(crate) fn import(words: &[String]) -> Result<String, Failure> {
    let (trailer, words) = trailer(words)?;
    let (file, given) = read(&words)?;
    let given = complete(given)?;
    let settings = Settings::of(&given)?;
    let cluster = Cluster::begin(&settings)?;
    let file = Path::new(&file);
    let source = match (look(file, trailer), Staging::look(&settings.data_dir)) {
        (Ok(source), Ok(())) => source,
        // Whoever has to change both is told so at once.
        (source, place) => {
            let reasons: Vec<String> = source.err().into_iter().chain(place.err()).collect();
            return Err(Failure::Work(reasons.join("; and ")));
        }
    };
    let strangers = strangers(&settings.data_dir);
    let mut staging = Staging::begin(&settings.data_dir)?;
    let restored = backup::import(source, trailer)
        .map_err(|error| format!("{}: {error}", file.display()))
        .and_then(|rebuilt| {
            let cluster = cluster.with_content(&rebuilt.hash());
            let saved = save(rebuilt.found(cluster.id), &mut staging.storage, &cluster);
            // Its outcome is none: what was begun is removed.
            Ok((saved.map_err(|error| error.kind().to_string())?, cluster))
        });
    let (Summary { imported, keys }, cluster) = match restored {
        Ok(restored) => restored,
        Err(reason) => {
            staging.give_up();
            return Err(Failure::Work(reason));
        }
    };
    staging.finish(&cluster, &imported)?;
    let (shown, content) = (settings.data_dir.display(), imported.content());
    let others = match strangers.is_empty() {
        true => String::new(),
        false => format!(
            "{shown} has also what is not kvorum's, and was left as it was: {}\n",
            strangers.join(", ")
        ),
    };
    Ok(format!(
        "imported {keys} keys at revision {} into {shown}; content {content}, the same on every member\n{others}",
        imported.revision
    ))
}

/// Opens the file, and looks at as much of it as tells what it is.
fn look(file: &Path, trailer: Trailer) -> Result<OnDisk, String> {
    let mut source = OnDisk::open(file)?;
    match backup::glance(&mut source, trailer) {
        Ok(_) => Ok(source),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
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

/// With what the environment or the configuration file says, as at a start; nothing is ignored silently here either.
fn complete(given: Given) -> Result<Given, String> {
    if planted!("import_by_flags_alone") {
        return Ok(given);
    }
    let mut notes = Vec::new();
    let given = prepare::complete(given, &mut notes)?;
    let refusals = settings::refusals(&given);
    if refusals.is_empty() { Ok(given) } else { Err(refusals.join("; and ")) }
}

/// Fills the storage: what is stored, as the image of the cluster's first entry.
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
    let imported = Imported { content: state.hash(), revision: state.revision() };
    Ok(Summary { imported, keys: state.sizes().keys })
}

/// What came of it.
struct Summary {
    imported: Imported,
    keys: u64,
}

/// A file, read in pieces.
struct OnDisk(File);

impl OnDisk {
    /// Refuses at once what cannot be a snapshot, so that nobody looks for what is wrong in it.
    fn open(path: &Path) -> Result<OnDisk, String> {
        let shown = path.display();
        let metadata = fs::metadata(path).map_err(|error| format!("opening {shown}: {error}"))?;
        let what = "'etcdctl snapshot save FILE' writes what can be imported";
        if metadata.is_dir() {
            return Err(format!("{shown} is a directory, and not a file: {what}"));
        }
        if !metadata.is_file() {
            return Err(format!("{shown} is not a plain file, in which an import has to go back and forth"));
        }
        if metadata.len() == 0 {
            return Err(format!("{shown} is empty: {what}"));
        }
        File::open(path).map(OnDisk).map_err(|error| format!("opening {shown}: {error}"))
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
