//! A data directory in the making: all of it lies in `<data-dir>/importing`, whose last act is to become
//! `<data-dir>/member`. Whoever is killed before leaves `importing`, which nobody starts on and the next import goes on
//! in; so it is made before anything else is, and before the snapshot is read.
//!
//! What it will never know: what is put into it.

use std::fs;
use std::path::{Path, PathBuf};

use kvorum::ErrorKind;
use kvorum::storages::FileStorage;
use kvorum_core::planted;

use crate::cluster::Cluster;
use crate::directory::{IMPORTING, MEMBER, Place, cannot, make_private, sync_directory};
use crate::etcds;
use crate::imported::Imported;

/// What becomes a data directory.
pub(crate) struct Staging {
    /// This process's alone, as long as it lives.
    pub(crate) storage: FileStorage,
    data_dir: PathBuf,
    place: Place,
    /// The directories that were not there before, the outermost first.
    made: Vec<PathBuf>,
}

impl Staging {
    /// Begins, unless there is something already that is not an import's.
    pub(crate) fn begin(data_dir: &Path) -> Result<Staging, String> {
        etcds::refuse(data_dir)?;
        let data_dir = std::path::absolute(data_dir).map_err(|e| cannot("finding", data_dir, &e))?;
        refuse_members(&data_dir)?;
        let path = data_dir.join(if planted!("import_in_place") { MEMBER } else { IMPORTING });
        let made = make_private(&path).map_err(|e| cannot("making", &path, &e))?;
        // Whoever has the lock goes on with what is there, even if it was made here.
        let storage = FileStorage::open(path.join("store")).map_err(|error| match error.kind() {
            ErrorKind::DirectoryInUse { .. } => {
                format!("{} is in use: another 'kvorumd import' into it is under way", data_dir.display())
            }
            _ => error.to_string(),
        })?;
        Ok(Staging { storage, data_dir, place: Place::at(path), made })
    }

    /// It is whole: it becomes the data directory of this member.
    pub(crate) fn finish(self, cluster: &Cluster, imported: &Imported) -> Result<(), String> {
        let Staging { storage, data_dir, place, .. } = self;
        place.note(imported)?;
        place.begin(cluster)?;
        // Not everywhere can a directory be renamed while a file in it is open.
        drop(storage);
        let member = data_dir.join(MEMBER);
        let named = fs::rename(place.path(), &member).and_then(|()| sync_directory(&data_dir));
        named.map_err(|error| cannot("making", &member, &error))
    }

    /// It will not become one: what was made here is removed. What an earlier import left stays, and with it the mark.
    pub(crate) fn give_up(self) {
        let Staging { storage, place, made, .. } = self;
        drop(storage);
        if made.iter().any(|path| path == place.path()) {
            // What cannot be removed stays as a killed import's does.
            let _ = fs::remove_dir_all(place.path());
            made.iter().rev().skip(1).for_each(|path| _ = fs::remove_dir(path));
        }
    }
}

/// A member's data is never imported over. An empty directory of that name is nobody's.
fn refuse_members(data_dir: &Path) -> Result<(), String> {
    let member = data_dir.join(MEMBER);
    if member.join("cluster").exists() {
        return Err(format!("{} has a member's data already", data_dir.display()));
    }
    match fs::read_dir(&member).is_ok_and(|mut entries| entries.next().is_some()) {
        true => Err(format!(
            "{} is there already, of a member whose first start did not come to its end: if it is not running, remove \
             it, and import again",
            member.display()
        )),
        false => Ok(()),
    }
}
