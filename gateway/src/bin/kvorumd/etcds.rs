//! What is etcd's on a disk: it is never touched, and kvorum's own files never lie in it or beside it.
//!
//! What it will never know: what kvorum's files are.

use std::fs;
use std::path::{Path, PathBuf};

use kvorum_core::planted;

/// Refuses a data directory that is etcd's, or that lies in one, or that was cut out of one.
pub(crate) fn refuse(data_dir: &Path) -> Result<(), String> {
    let Some(what) = what(data_dir) else { return Ok(()) };
    Err(format!(
        "{} is {what}, which kvorumd does not touch: take a snapshot of it with 'etcdctl snapshot save FILE', make a \
         kvorum directory of that with 'kvorumd import FILE --data-dir DIR', and start kvorumd with --data-dir DIR",
        data_dir.display()
    ))
}

/// What of etcd's it is.
fn what(data_dir: &Path) -> Option<String> {
    if has_member(data_dir) || data_dir.join("proxy").exists() {
        return Some("a data directory of etcd".into());
    }
    if planted!("etcds_inner_directory") {
        return None;
    }
    let real = resolved(data_dir);
    if let Some(whole) = real.ancestors().skip(1).find(|above| has_member(above)) {
        return Some(format!("inside {}, a data directory of etcd", whole.display()));
    }
    is_part(&real).then(|| "a part of a data directory of etcd".into())
}

fn has_member(dir: &Path) -> bool {
    dir.join("member/snap").exists() || dir.join("member/wal").exists()
}

/// Whether it looks like etcd's `member`, or one of the two in that, wherever it was moved to. A directory that just
/// has a `snap` in it may be anybody's.
fn is_part(dir: &Path) -> bool {
    let is_member = dir.join("snap/db").exists() || dir.join("snap").is_dir() && dir.join("wal").is_dir();
    let is_snap = dir.file_name().is_some_and(|name| name == "snap") && dir.join("db").exists();
    let names = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
    is_member || is_snap || names.into_iter().any(|name| is_numbered(&name.to_string_lossy()))
}

/// Whether etcd names its log or its snapshots so: two numbers of 16 hexadecimal digits.
fn is_numbered(name: &str) -> bool {
    let stem = name.strip_suffix(".wal").or_else(|| name.strip_suffix(".snap"));
    let is_number = |part: &str| part.len() == 16 && part.bytes().all(|b| b.is_ascii_hexdigit());
    stem.and_then(|stem| stem.split_once('-')).is_some_and(|(one, other)| is_number(one) && is_number(other))
}

/// Where the path leads, links followed as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let real = path.ancestors().find_map(|above| {
        let rest = path.strip_prefix(above).ok()?;
        above.canonicalize().ok().map(|above| above.join(rest))
    });
    real.unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::tests::Scratch;

    fn etcd(name: &str) -> Scratch {
        let scratch = Scratch::new(name);
        fs::create_dir_all(scratch.0.join("default.etcd/member/snap")).unwrap();
        fs::create_dir_all(scratch.0.join("default.etcd/member/wal")).unwrap();
        fs::write(scratch.0.join("default.etcd/member/snap/db"), "bolt").unwrap();
        fs::write(scratch.0.join("default.etcd/member/wal/0000000000000000-0000000000000000.wal"), "")
            .unwrap();
        scratch
    }

    #[test]
    fn every_level_of_an_etcds_directory_is_refused_and_the_etcd_named() {
        let scratch = etcd("levels");
        let whole = scratch.0.join("default.etcd");
        let said = refuse(&whole).unwrap_err();
        assert!(said.contains("default.etcd is a data directory of etcd"), "{said}");
        for inner in ["member", "member/snap", "member/wal", "member/new", "new/deep", "member/snap/"] {
            let said = refuse(&whole.join(inner)).unwrap_err();
            assert!(said.contains("default.etcd, a data directory of etcd"), "{inner}: {said}");
        }
        #[cfg(unix)]
        {
            let link = scratch.0.join("link");
            std::os::unix::fs::symlink(whole.join("member"), &link).unwrap();
            assert!(refuse(&link).unwrap_err().contains("inside"));
        }
        refuse(&scratch.0).unwrap();
        refuse(&scratch.0.join("new")).unwrap();
    }

    #[test]
    fn a_part_of_it_that_was_moved_is_refused_and_what_only_has_such_a_name_is_not() {
        let scratch = etcd("moved");
        fs::create_dir_all(scratch.0.join("apart")).unwrap();
        for (part, name) in [("member/snap", "snap"), ("member/wal", "log"), ("member", "copy")] {
            let to = scratch.0.join("apart").join(name);
            fs::rename(scratch.0.join("default.etcd").join(part), &to).unwrap();
            assert!(refuse(&to).unwrap_err().contains("a part of"), "{part}");
            fs::rename(&to, scratch.0.join("default.etcd").join(part)).unwrap();
        }
        for others in ["home/snap/firefox", "wal"] {
            fs::create_dir_all(scratch.0.join(others)).unwrap();
        }
        for others in ["home", "home/snap", "wal"] {
            refuse(&scratch.0.join(others)).unwrap();
        }
    }
}
