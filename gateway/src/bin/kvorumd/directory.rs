//! The data directory: whose it is, and who began the cluster with it.
//!
//! ```text
//! <data-dir>/member/store/     the log and the images (storage/FORMAT.md); its lock guards all of `member`
//! <data-dir>/member/cluster    the members, written at the first start: see `roster`
//! <data-dir>/member/imported   if it was made from a snapshot: of which (see `imported`)
//! <data-dir>/importing/        what becomes `member` when an import is whole: see `staging`
//! ```
//!
//! What it will never know: what the log holds.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kvorum::ErrorKind;
use kvorum::storages::FileStorage;
use kvorum_core::planted;

use crate::advice;
use crate::cluster::Cluster;
use crate::etcds;
use crate::imported::Imported;
use crate::roster;

pub(crate) const MEMBER: &str = "member";
pub(crate) const IMPORTING: &str = "importing";

/// A data directory that is this process's alone, as long as the storage lives.
pub(crate) struct Directory {
    pub(crate) storage: FileStorage,
    /// The cluster that it belongs to; `None` before the first start has written it down.
    pub(crate) cluster: Option<Cluster>,
    /// What it was made from, if it was imported.
    pub(crate) imported: Option<Imported>,
    pub(crate) place: Place,
}

/// Where that is written down.
pub(crate) struct Place {
    member: PathBuf,
}

impl Directory {
    /// Opens and locks what there is; `None`: nothing is there, and nothing was made.
    pub(crate) fn find(data_dir: &Path) -> Result<Option<Directory>, String> {
        refuse_others(data_dir)?;
        refuse_import(data_dir)?;
        match data_dir.join(MEMBER).exists() {
            true => Directory::take(data_dir).map(Some),
            false => Ok(None),
        }
    }

    /// Locks what is there, and looks whether an import began in between. That one looks for a member behind its own mark:
    /// of two that come at once, at least one sees the other.
    fn take(data_dir: &Path) -> Result<Directory, String> {
        let (shown, member) = (data_dir.display(), data_dir.join(MEMBER));
        let store = member.join("store");
        let is_new = !is_there(&store);
        let has_begun =
            fs::read_dir(&store).is_ok_and(|files| files.flatten().any(|file| file.file_name() != "lock"));
        let storage = FileStorage::open(&store).map_err(|error| match error.kind() {
            ErrorKind::DirectoryInUse { .. } => {
                format!("{shown} is in use by a running node: another kvorumd runs on it")
            }
            _ => advice::refused(&error),
        })?;
        let place = Place::at(member);
        let (cluster, imported) =
            (place.read("cluster", roster::read)?, place.read("imported", Imported::read)?);
        // The members are written down when the store has begun: it is lost, or its disk is not mounted.
        let is_lost = cluster.is_some() && !has_begun && !planted!("lost_store_begins_anew");
        let whole = if is_lost { Err(advice::lost_store(&place.member)) } else { Ok(()) };
        if let Err(reason) = refuse_import(data_dir).and(whole) {
            if is_new {
                // Nothing is in it but the lock; no import would go on beside it.
                let _ = fs::remove_dir_all(&store);
            }
            return Err(reason);
        }
        Ok(Directory { storage, cluster, imported, place })
    }

    /// Opens and locks the data directory, making it if need be.
    pub(crate) fn open(data_dir: &Path) -> Result<Directory, String> {
        if let Some(found) = Directory::find(data_dir)? {
            return Ok(found);
        }
        let member = data_dir.join(MEMBER);
        make_private(&std::path::absolute(&member).map_err(|e| cannot("finding", &member, &e))?)
            .map_err(|e| cannot("making", &member, &e))?;
        Directory::find(data_dir)?.ok_or_else(|| format!("{} was removed", member.display()))
    }
}

impl Place {
    pub(crate) fn at(member: PathBuf) -> Place {
        Place { member }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.member
    }

    /// Writes down whose directory this is.
    pub(crate) fn begin(&self, cluster: &Cluster) -> Result<(), String> {
        self.write("cluster", &roster::write(cluster))
    }

    /// Writes down what it was made from.
    pub(crate) fn note(&self, imported: &Imported) -> Result<(), String> {
        self.write("imported", &imported.write())
    }

    /// Writes a file durably: it is there whole, or not at all.
    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let (path, aside) = (self.member.join(name), self.member.join(format!("{name}.tmp")));
        let write = || -> io::Result<()> {
            let mut file = File::create(&aside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&aside, &path)?;
            sync_directory(&self.member)
        };
        write().map_err(|error| cannot("writing", &path, &error))
    }

    fn read<T>(&self, name: &str, read: fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
        let path = self.member.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => read(&text).map(Some).map_err(|reason| format!("{}: {reason}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot("reading", &path, &error)),
        }
    }
}

/// Refuses what is no data directory of kvorum's, and cannot become one.
pub(crate) fn refuse_others(data_dir: &Path) -> Result<(), String> {
    if data_dir.exists() && !data_dir.is_dir() {
        return Err(format!("--data-dir {} is a file, and no directory", data_dir.display()));
    }
    etcds::refuse(data_dir)
}

/// Whether a member has begun here.
pub(crate) fn has_member(data_dir: &Path) -> bool {
    data_dir.join(MEMBER).join("cluster").exists()
}

/// Nobody starts on half an import. One beside a member is no more than what an import left that came too late.
fn refuse_import(data_dir: &Path) -> Result<(), String> {
    if has_member(data_dir) || !is_there(&data_dir.join(IMPORTING)) || planted!("start_on_half_import") {
        return Ok(());
    }
    let shown = data_dir.display();
    Err(format!(
        "an import into {shown} did not come to its end, or is still under way: run 'kvorumd import' again"
    ))
}

/// What else is in the directory, that is not kvorum's: their names in order, a few of them if there are many.
pub(crate) fn strangers(data_dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(data_dir).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> =
        names.filter(|name| ![MEMBER, IMPORTING, "lost+found"].contains(&name.as_str())).collect();
    names.sort_unstable();
    names.truncate(8);
    names
}

/// Whether something has this name, be it a link that leads nowhere.
pub(crate) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Makes a directory and those above it, for its owner only, and sees that their names survive a crash. Answers which
/// were made, the outermost first.
pub(crate) fn make_private(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.is_dir() {
        return Ok(Vec::new());
    }
    let mut all = path.parent().map_or(Ok(Vec::new()), make_private)?;
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(all),
        made => made.and_then(|()| path.parent().map_or(Ok(()), sync_directory))?,
    }
    all.push(path.to_path_buf());
    Ok(all)
}

#[cfg(unix)]
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere a directory cannot be opened as a file.
#[cfg(not(unix))]
pub(crate) fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn cannot(doing: &str, path: &Path, error: &io::Error) -> String {
    format!("{doing} {}: {error}", path.display())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cluster::Member;
    use crate::urls::Url;

    pub(crate) struct Scratch(pub(crate) PathBuf);

    impl Scratch {
        pub(crate) fn new(name: &str) -> Scratch {
            Scratch(std::env::temp_dir().join(format!("kvorumd-{name}-{}", std::process::id())))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn refused(path: &Path) -> String {
        Directory::open(path).err().expect("it is refused")
    }

    #[test]
    fn whose_it_is_survives_and_the_directory_is_its_owners_alone() {
        let scratch = Scratch::new("survives");
        let peer_url = Url::parse("http://127.0.0.1:1").unwrap();
        let cluster = Cluster { id: 7, me: 9, members: vec![Member { id: 9, name: "a b".into(), peer_url }] };
        let first = Directory::open(&scratch.0.join("deep/down")).unwrap();
        assert_eq!(first.cluster, None);
        first.place.begin(&cluster).unwrap();
        fs::write(first.place.path().join("store/identity"), "as a start leaves it").unwrap();
        let again = refused(&scratch.0.join("deep/down"));
        assert!(again.contains("in use by a running node: another kvorumd runs on it"), "{again}");
        drop(first);
        assert_eq!(Directory::open(&scratch.0.join("deep/down")).unwrap().cluster, Some(cluster));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(scratch.0.join("deep")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
    }

    #[test]
    fn what_is_not_there_is_not_made_by_looking() {
        let scratch = Scratch::new("looking");
        assert!(Directory::find(&scratch.0.join("deep")).unwrap().is_none());
        assert!(!scratch.0.exists());
    }

    #[test]
    fn an_import_that_begins_while_a_start_looks_is_seen_and_is_not_in_the_way_of_a_member() {
        let scratch = Scratch::new("between");
        let (importing, member) = (scratch.0.join(IMPORTING), scratch.0.join(MEMBER));
        fs::create_dir_all(&importing).unwrap();
        fs::create_dir_all(&member).unwrap();
        let reason = Directory::take(&scratch.0).err().expect("it is refused");
        assert!(reason.contains("did not come to its end"), "{reason}");
        assert_eq!(fs::read_dir(&member).unwrap().count(), 0, "the import can go on");
        fs::write(member.join("cluster"), "kvorum").unwrap();
        let reason = refused(&scratch.0);
        assert!(reason.contains("member/cluster"), "it is looked at: {reason}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_a_mark_and_a_file_is_no_directory() {
        let scratch = Scratch::new("links");
        fs::create_dir_all(&scratch.0).unwrap();
        std::os::unix::fs::symlink("/nowhere", scratch.0.join(IMPORTING)).unwrap();
        assert!(refused(&scratch.0).contains("did not come to its end"));
        fs::write(scratch.0.join("file"), "").unwrap();
        assert!(refused(&scratch.0.join("file")).contains("is a file, and no directory"));
        assert_eq!(strangers(&scratch.0), ["file"]);
    }

    #[test]
    fn a_directory_of_etcds_is_refused_untouched() {
        let scratch = Scratch::new("etcds");
        fs::create_dir_all(scratch.0.join("member/snap")).unwrap();
        let reason = refused(&scratch.0);
        assert!(reason.contains("kvorumd import"), "{reason}");
        let names: Vec<_> =
            fs::read_dir(scratch.0.join("member")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["snap"]);
    }

    #[test]
    fn a_member_whose_store_is_gone_does_not_begin_anew() {
        let scratch = Scratch::new("lost");
        let member = scratch.0.join("member");
        fs::create_dir_all(&member).unwrap();
        let roster = "kvorum cluster 1\ncluster 00000000000000aa\nmember 0000000000000001\n\
                      peer 0000000000000001 http://a:1 one\n";
        fs::write(member.join("cluster"), roster).unwrap();
        for _ in 0..2 {
            let reason = refused(&scratch.0);
            assert!(reason.contains("is its disk mounted") && reason.contains("A lost disk"), "{reason}");
            assert!(!member.join("store").exists());
        }
        // An empty directory, where a disk is mounted else.
        fs::create_dir(member.join("store")).unwrap();
        assert!(refused(&scratch.0).contains("is its disk mounted"));
    }

    #[test]
    fn a_roster_that_is_damaged_is_refused_with_its_path() {
        let scratch = Scratch::new("damaged");
        fs::create_dir_all(scratch.0.join("member")).unwrap();
        fs::write(scratch.0.join("member/cluster"), "kvorum").unwrap();
        let reason = refused(&scratch.0);
        assert!(reason.contains("member/cluster"), "{reason}");
    }
}
