//! Reading a tree of pages in order. Each page is read once: one that is met again ends the reading, so that no damage can
//! make it endless.

use super::page::{BRANCH, ENTRY, HEAD, IS_BUCKET, LEAF, u16_at, u32_at, u64_at};
use super::read::Db;
use super::{BoltError, Source};

/// No page is longer, those that it runs on over included: a request of etcd's has a few MiB.
const LARGEST: u64 = 1 << 30;

/// A pair.
pub(super) struct Entry<'a> {
    pub(super) is_bucket: bool,
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

/// A tree being read.
pub(super) struct Tree<'a, S> {
    db: &'a mut Db<S>,
    /// Which pages have been read, a bit each.
    seen: Vec<u64>,
    /// The last key.
    last: Option<Vec<u8>>,
}

impl<'a, S: Source> Tree<'a, S> {
    pub(super) fn new(db: &'a mut Db<S>) -> Tree<'a, S> {
        Tree { db, seen: Vec::new(), last: None }
    }

    /// Shows every pair of the tree that begins there.
    pub(super) fn walk<E: From<BoltError>>(
        &mut self,
        root: u64,
        mut show: impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut next = vec![root];
        while let Some(id) = next.pop() {
            let bytes = self.page(id)?;
            let page = Page { id, bytes: &bytes };
            match u16_at(&bytes, 8) {
                Some(LEAF) => page.leaf(&mut self.last, &mut show)?,
                Some(BRANCH) => {
                    let below = page.branch()?;
                    next.extend(below.into_iter().rev());
                }
                _ => return Err(page.wrong("is neither leaf nor branch").into()),
            }
        }
        Ok(())
    }

    /// Reads a page with those that it runs on over.
    fn page(&mut self, id: u64) -> Result<Vec<u8>, BoltError> {
        let (end, size) = (self.db.meta.end, u64::from(self.db.meta.page_size));
        let wrong = |reason| BoltError::Page { id, reason };
        if id < 2 || id >= end {
            return Err(wrong("is not there"));
        }
        self.visit(id).map_err(wrong)?;
        let mut head = [0; HEAD];
        // Within the file: the end was compared with its size.
        self.db.source.read_at(&mut head, id * size)?;
        let pages = u64::from(u32_at(&head, 12).unwrap_or_default()) + 1;
        if u64_at(&head, 0) != Some(id) {
            return Err(wrong("has another page's number"));
        }
        if pages > end - id || pages * size > LARGEST {
            return Err(wrong("runs on too far"));
        }
        let mut bytes = vec![0; (pages * size) as usize];
        self.db.source.read_at(&mut bytes, id * size)?;
        Ok(bytes)
    }

    /// Notes that a page is read.
    fn visit(&mut self, id: u64) -> Result<(), &'static str> {
        let (word, bit) = ((id / 64) as usize, 1 << (id % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit != 0 {
            return Err("is met twice");
        }
        self.seen[word] |= bit;
        Ok(())
    }
}

/// Shows every pair of a page that lies in its parent.
pub(super) fn inline<E: From<BoltError>>(
    bytes: &[u8],
    mut show: impl FnMut(Entry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let page = Page { id: 0, bytes };
    if u16_at(bytes, 8) != Some(LEAF) {
        return Err(page.wrong("of a bucket in its parent is no leaf").into());
    }
    page.leaf(&mut None, &mut show)
}

struct Page<'a> {
    id: u64,
    bytes: &'a [u8],
}

impl Page<'_> {
    fn wrong(&self, reason: &'static str) -> BoltError {
        BoltError::Page { id: self.id, reason }
    }

    /// Where each entry begins.
    fn entries(&self) -> impl Iterator<Item = usize> + use<> {
        let count = usize::from(u16_at(self.bytes, 10).unwrap_or_default());
        (0..count).map(|i| HEAD + i * ENTRY)
    }

    fn leaf<E: From<BoltError>>(
        &self,
        last: &mut Option<Vec<u8>>,
        show: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for at in self.entries() {
            let entry = self.entry(at).ok_or_else(|| self.wrong("has a pair that leaves it"))?;
            if last.as_deref().is_some_and(|last| last >= entry.key) {
                return Err(self.wrong("has a key out of order").into());
            }
            let kept = last.get_or_insert_default();
            kept.clear();
            kept.extend_from_slice(entry.key);
            show(entry)?;
        }
        Ok(())
    }

    fn entry(&self, at: usize) -> Option<Entry<'_>> {
        let number = |i| u32_at(self.bytes, at + i).map(|number| number as usize);
        let (kind, place) = (u32_at(self.bytes, at)?, at.checked_add(number(4)?)?);
        let middle = place.checked_add(number(8)?)?;
        let key = self.bytes.get(place..middle)?;
        let value = self.bytes.get(middle..middle.checked_add(number(12)?)?)?;
        Some(Entry { is_bucket: kind & IS_BUCKET != 0, key, value })
    }

    /// The pages below.
    fn branch(&self) -> Result<Vec<u64>, BoltError> {
        let below: Option<Vec<u64>> = self.entries().map(|at| u64_at(self.bytes, at + 8)).collect();
        match below {
            Some(below) if !below.is_empty() => Ok(below),
            _ => Err(self.wrong("has no page below it, or one that leaves it")),
        }
    }
}
