//! The files that are loaded.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::nodes::Result;

/// A file, and the key it is stored under: its path below the tree's root, byte for byte.
pub(crate) struct File {
    pub key: Vec<u8>,
    pub path: PathBuf,
    pub content: Vec<u8>,
}

/// A tree's files, and why some were left out.
pub(crate) struct Tree {
    pub files: Vec<File>,
    pub skipped: Vec<String>,
}

impl Tree {
    /// Reads every regular file below `root` that is not larger than `limit`. Directories called `target`, and
    /// whatever is called `.git`, are not looked at; links are not followed.
    pub(crate) fn read(root: &Path, limit: u64) -> Result<Tree> {
        let mut tree = Tree { files: Vec::new(), skipped: Vec::new() };
        if !root.is_dir() {
            return Err(format!("{} is not a directory", root.display()));
        }
        let mut directories = vec![root.to_owned()];
        while let Some(directory) = directories.pop() {
            if let Err(error) = tree.read_directory(root, &directory, limit, &mut directories) {
                tree.skipped.push(format!("{}: {error}", directory.display()));
            }
        }
        tree.files.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(tree)
    }

    fn read_directory(
        &mut self,
        root: &Path,
        directory: &Path,
        limit: u64,
        directories: &mut Vec<PathBuf>,
    ) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let (kind, path, name) = (entry.file_type()?, entry.path(), entry.file_name());
            if name == OsStr::new(".git") || (kind.is_dir() && name == OsStr::new("target")) {
                continue;
            }
            if kind.is_dir() {
                directories.push(path);
            } else if kind.is_file() {
                self.read_file(root, path, limit);
            }
        }
        Ok(())
    }

    fn read_file(&mut self, root: &Path, path: PathBuf, limit: u64) {
        let size = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if size > limit {
            let why = format!("{}: {size} bytes are over the limit of {limit}", path.display());
            return self.skipped.push(why);
        }
        match fs::read(&path) {
            Ok(content) => {
                let below = path.strip_prefix(root).unwrap_or(&path);
                let key = below.as_os_str().as_encoded_bytes().to_vec();
                self.files.push(File { key, path, content });
            }
            Err(error) => self.skipped.push(format!("{}: {error}", path.display())),
        }
    }
}

impl File {
    /// Whether the file on disk is no longer what was read and loaded.
    pub(crate) fn was_edited(&self) -> bool {
        fs::read(&self.path).ok().as_ref() != Some(&self.content)
    }
}
