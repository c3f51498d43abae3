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
use crate::directory::{
    IMPORTING, MEMBER, Place, cannot, has_member, make_private, refuse_others, sync_directory,
};
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
    /// Whether one could begin: there is nothing that is not an import's. Nothing is made.
    pub(crate) fn look(data_dir: &Path) -> Result<(), String> {
        refuse_others(data_dir)?;
        refuse_members(data_dir)
    }

    /// Begins where [`Staging::look`] found nothing, and looks once more behind the mark: a member may have begun
    /// in between, whose start looks for the mark behind its own lock.
    pub(crate) fn begin(data_dir: &Path) -> Result<Staging, String> {
        let data_dir = std::path::absolute(data_dir).map_err(|e| cannot("finding", data_dir, &e))?;
        let is_in_place = planted!("import_in_place");
        let path = data_dir.join(if is_in_place { MEMBER } else { IMPORTING });
        let made = make_private(&path).map_err(|e| cannot("making", &path, &e))?;
        // Whoever has the lock goes on with what is there, even if it was made here.
        let storage = FileStorage::open(path.join("store")).map_err(|error| {
            // What another import uses is not empty, and stays.
            let _ = fs::remove_dir(path.join("store"));
            made.iter().rev().for_each(|path| _ = fs::remove_dir(path));
            match error.kind() {
                ErrorKind::DirectoryInUse { .. } => {
                    format!("{} is in use: another 'kvorumd import' into it is under way", data_dir.display())
                }
                kind => kind.to_string(),
            }
        })?;
        let staging = Staging { storage, data_dir, place: Place::at(path), made };
        if !is_in_place
            && !planted!("import_looks_once")
            && let Err(reason) = refuse_members(&staging.data_dir)
        {
            staging.give_up();
            return Err(reason);
        }
        Ok(staging)
    }

    /// It is whole: it becomes the data directory of this member; or nothing of it is left.
    pub(crate) fn finish(self, cluster: &Cluster, imported: &Imported) -> Result<(), String> {
        let Staging { storage, data_dir, place, made } = self;
        let noted = place.note(imported).and_then(|()| place.begin(cluster));
        // Not everywhere can a directory be renamed while a file in it is open; where it can, nobody gets in between.
        let held = cfg!(unix).then_some(storage);
        let member = data_dir.join(MEMBER);
        let cannot = |error| cannot("making", &member, &error);
        if let Err(reason) = noted.and_then(|()| fs::rename(place.path(), &member).map_err(cannot)) {
            remove(&place, &made);
            return Err(reason);
        }
        drop(held);
        sync_directory(&data_dir).map_err(cannot)
    }

    /// It will not become one: what was made here is removed. What an earlier import left stays, and with it the mark.
    pub(crate) fn give_up(self) {
        let Staging { storage, place, made, .. } = self;
        // As for a renaming.
        let held = cfg!(unix).then_some(storage);
        remove(&place, &made);
        drop(held);
    }
}

fn remove(place: &Place, made: &[PathBuf]) {
    if made.iter().any(|path| path == place.path()) {
        // What cannot be removed stays as a killed import's does.
        let _ = fs::remove_dir_all(place.path());
        made.iter().rev().skip(1).for_each(|path| _ = fs::remove_dir(path));
    }
}

/// A member's data is never imported over. An empty directory of that name is nobody's; what is none (a file, or a link,
/// wherever it leads) is somebody's, and cannot become one.
fn refuse_members(data_dir: &Path) -> Result<(), String> {
    if has_member(data_dir) {
        return Err(format!("{} has a member's data already", data_dir.display()));
    }
    let member = data_dir.join(MEMBER);
    for path in [&member, &data_dir.join(IMPORTING)] {
        if fs::symlink_metadata(path).is_ok_and(|it| !it.is_dir()) {
            return Err(format!(
                "{} is a file or a link, and an import makes a directory of that name: move it away, and import again",
                path.display()
            ));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Member;
    use crate::directory::tests::Scratch;
    use crate::urls::Url;

    fn finish(staging: Staging) -> Result<(), String> {
        let peer_url = Url::parse("http://127.0.0.1:1").unwrap();
        let cluster = Cluster { id: 7, me: 9, members: vec![Member { id: 9, name: "a".into(), peer_url }] };
        staging.finish(&cluster, &Imported { content: [1; 32], revision: 1 })
    }

    fn refused(staging: Result<Staging, String>) -> String {
        staging.err().expect("it is refused")
    }

    /// Another import, or a first start, came between the first look and the mark.
    #[test]
    fn an_import_that_comes_too_late_sees_it_and_leaves_nothing() {
        let scratch = Scratch::new("late");
        Staging::look(&scratch.0).unwrap();
        finish(Staging::begin(&scratch.0).unwrap()).unwrap();
        let reason = refused(Staging::begin(&scratch.0));
        assert!(reason.contains("has a member's data already"), "{reason}");
        assert!(!scratch.0.join(IMPORTING).exists() && scratch.0.join("member/cluster").exists());
        let started = scratch.0.join("started");
        fs::create_dir_all(started.join("member/store")).unwrap();
        let reason = refused(Staging::begin(&started));
        assert!(reason.contains("whose first start did not come to its end"), "{reason}");
        assert_eq!(fs::read_dir(&started).unwrap().count(), 1);
    }

    #[test]
    fn an_import_that_cannot_be_finished_leaves_nothing() {
        let scratch = Scratch::new("unfinished");
        let staging = Staging::begin(&scratch.0.join("deep")).unwrap();
        fs::create_dir_all(scratch.0.join("deep/member/mine")).unwrap();
        let reason = finish(staging).unwrap_err();
        assert!(reason.contains("member: "), "{reason}");
        assert!(!scratch.0.join("deep/importing").exists() && scratch.0.join("deep/member/mine").exists());
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_become_a_directory_is_refused_before_anything_is_made() {
        let scratch = Scratch::new("nodirectory");
        fs::create_dir_all(scratch.0.join("empty")).unwrap();
        for (name, target) in [
            ("member", None),
            ("member", Some("/nowhere")),
            ("member", Some("../empty")),
            ("importing", Some("/nowhere")),
        ] {
            let data_dir = scratch.0.join("dir");
            fs::create_dir(&data_dir).unwrap();
            match target {
                Some(target) => std::os::unix::fs::symlink(target, data_dir.join(name)).unwrap(),
                None => fs::write(data_dir.join(name), "").unwrap(),
            }
            let reason = Staging::look(&data_dir).unwrap_err();
            assert!(reason.contains(&format!("{name} is a file or a link")), "{target:?}: {reason}");
            fs::remove_dir_all(&data_dir).unwrap();
        }
        fs::write(scratch.0.join("file"), "").unwrap();
        assert!(Staging::look(&scratch.0.join("file")).unwrap_err().contains("is a file, and no directory"));
    }
}
