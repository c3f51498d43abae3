//! The data directory: whose it is, and who began the cluster with it.
//!
//! ```text
//! <data-dir>/member/store/    the log and the images (storage/FORMAT.md); its lock guards all of `member`
//! <data-dir>/member/cluster   the members, written at the first start: see `roster`
//! <data-dir>/member/importing  there while an import is under way: whoever finds it may import again, and nothing else
//! ```
//!
//! What it will never know: what the log holds.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kvorum::storages::FileStorage;
use kvorum_core::planted;

use crate::cluster::Cluster;
use crate::roster;

/// A data directory that is this process's alone, as long as the storage lives.
pub(crate) struct Directory {
    pub(crate) storage: FileStorage,
    /// The cluster that it belongs to; `None` before the first start has written it down.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) place: Place,
}

/// Where that is written down.
pub(crate) struct Place {
    member: PathBuf,
}

impl Directory {
    /// Opens the data directory, making it if need be, and locks it.
    pub(crate) fn open(data_dir: &Path) -> Result<Directory, String> {
        refuse_etcds(data_dir)?;
        let member = data_dir.join("member");
        make_private(&std::path::absolute(&member).map_err(|e| cannot("finding", &member, &e))?)
            .map_err(|e| cannot("making", &member, &e))?;
        let storage = FileStorage::open(member.join("store")).map_err(|error| error.to_string())?;
        let path = member.join("cluster");
        let cluster = match fs::read_to_string(&path) {
            Ok(text) => Some(roster::read(&text).map_err(|reason| format!("{}: {reason}", path.display()))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(cannot("reading", &path, &error)),
        };
        Ok(Directory { storage, cluster, place: Place { member } })
    }
}

impl Place {
    /// Whether an import into this directory did not come to its end.
    pub(crate) fn is_half_imported(&self) -> bool {
        self.member.join("importing").exists() && !planted!("start_on_half_import")
    }

    /// Notes durably that an import begins.
    pub(crate) fn begin_import(&self) -> Result<(), String> {
        let path = self.member.join("importing");
        let write = || File::create(&path)?.sync_all().and_then(|()| sync_directory(&self.member));
        write().map_err(|error| cannot("writing", &path, &error))
    }

    /// Notes durably that it has ended.
    pub(crate) fn end_import(&self) -> Result<(), String> {
        let path = self.member.join("importing");
        let gone = fs::remove_file(&path).and_then(|()| sync_directory(&self.member));
        gone.map_err(|error| cannot("removing", &path, &error))
    }

    /// Writes down whose directory this is, durably: it is there whole, or not at all.
    pub(crate) fn begin(&self, cluster: &Cluster) -> Result<(), String> {
        let (path, aside) = (self.member.join("cluster"), self.member.join("cluster.tmp"));
        let write = || -> io::Result<()> {
            let mut file = File::create(&aside)?;
            file.write_all(roster::write(cluster).as_bytes())?;
            file.sync_all()?;
            fs::rename(&aside, &path)?;
            sync_directory(&self.member)
        };
        write().map_err(|error| cannot("writing", &path, &error))
    }
}

/// An etcd's directory is never touched, and kvorum's own files never lie beside etcd's.
fn refuse_etcds(data_dir: &Path) -> Result<(), String> {
    let has = |name: &str| data_dir.join(name).exists();
    if has("member/snap") || has("member/wal") || has("proxy") {
        return Err(format!(
            "{} is a data directory of etcd, which kvorumd does not touch: take a snapshot of it with 'etcdctl \
             snapshot save FILE', make a kvorum directory of that with 'kvorumd import FILE --data-dir DIR', and start \
             kvorumd with --data-dir DIR",
            data_dir.display()
        ));
    }
    Ok(())
}

/// Makes a directory and those above it, for its owner only, and sees that their names survive a crash.
fn make_private(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_private(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made.and_then(|()| path.parent().map_or(Ok(()), sync_directory)),
    }
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere a directory cannot be opened as a file.
#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn cannot(doing: &str, path: &Path, error: &io::Error) -> String {
    format!("{doing} {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Member;
    use crate::urls::Url;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
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
        let again = refused(&scratch.0.join("deep/down"));
        assert!(again.contains("in use"), "{again}");
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
    fn a_directory_of_etcds_is_refused_untouched() {
        let scratch = Scratch::new("etcds");
        fs::create_dir_all(scratch.0.join("member/snap")).unwrap();
        fs::write(scratch.0.join("member/snap/db"), "bolt").unwrap();
        let reason = refused(&scratch.0);
        assert!(reason.contains("kvorumd import"), "{reason}");
        let names: Vec<_> =
            fs::read_dir(scratch.0.join("member")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["snap"]);
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
