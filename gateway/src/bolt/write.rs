//! Writing a file from its fourth page to its last, with no more in memory than a page and the first key of each page.
//!
//! What it will never know: where the pages go. The first three come last, because they say where the trees begin: who
//! writes in order writes twice, and throws the first time away.

use super::PAGE;
use super::page::{self, BRANCH, ENTRY, HEAD, IS_BUCKET, LEAF};

/// The pages before the first tree.
const FIRST: u64 = 3;

/// What the first three pages have to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Where the tree of buckets begins.
    pub(crate) root: u64,
    /// How many pages there are.
    pub(crate) pages: u64,
}

impl Shape {
    /// The first three pages.
    pub(crate) fn first_pages(self) -> Vec<u8> {
        page::first_pages(self)
    }

    /// The length of the file in bytes.
    pub(crate) fn bytes(self) -> u64 {
        self.pages * PAGE as u64
    }
}

/// A file being written: buckets in the order of their names, and in each the pairs in the order of their keys, none
/// twice.
#[derive(Debug)]
pub(crate) struct Writer {
    next: u64,
    out: Vec<u8>,
    leaf: Leaf,
    /// The pages of the bucket under way, each with its first key.
    pages: Vec<(Vec<u8>, u64)>,
    /// The buckets that are done: name and root.
    buckets: Vec<(Vec<u8>, u64)>,
    name: Option<Vec<u8>>,
}

/// A leaf being filled.
#[derive(Debug, Default)]
struct Leaf {
    /// What each entry is, and how long its key and value are.
    entries: Vec<(u32, u32, u32)>,
    data: Vec<u8>,
}

impl Writer {
    pub(crate) fn new() -> Writer {
        let (pages, buckets, name) = (Vec::new(), Vec::new(), None);
        Writer { next: FIRST, out: Vec::new(), leaf: Leaf::default(), pages, buckets, name }
    }

    /// Begins the next bucket.
    pub(crate) fn bucket(&mut self, name: &[u8]) {
        self.end_bucket();
        debug_assert!(self.buckets.last().is_none_or(|(last, _)| last.as_slice() < name), "in order");
        self.name = Some(name.to_vec());
    }

    /// Adds a pair to the bucket. A key has 32,768 bytes at most, a value less than 2 GiB.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) {
        self.add(0, key, value);
    }

    /// The bytes that are ready: whole pages.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// How many bytes are ready.
    pub(crate) fn ready(&self) -> usize {
        self.out.len()
    }

    /// Ends the file; its last pages can be taken then.
    pub(crate) fn finish(&mut self) -> Shape {
        self.end_bucket();
        for (name, root) in std::mem::take(&mut self.buckets) {
            // With a sequence, which etcd does not use.
            let value = [root.to_le_bytes(), [0; 8]].concat();
            self.add(IS_BUCKET, &name, &value);
        }
        let root = self.end_tree();
        Shape { root, pages: self.next }
    }

    fn add(&mut self, kind: u32, key: &[u8], value: &[u8]) {
        let size = self.leaf.size() + ENTRY + key.len() + value.len();
        if size > PAGE && !self.leaf.entries.is_empty() {
            self.end_leaf();
        }
        if self.leaf.entries.is_empty() {
            self.pages.push((key.to_vec(), self.next));
        }
        self.leaf.entries.push((kind, key.len() as u32, value.len() as u32));
        self.leaf.data.extend_from_slice(key);
        self.leaf.data.extend_from_slice(value);
    }

    fn end_bucket(&mut self) {
        if let Some(name) = self.name.take() {
            let root = self.end_tree();
            self.buckets.push((name, root));
        }
    }

    /// Ends a tree; answers where it begins.
    fn end_tree(&mut self) -> u64 {
        if self.pages.is_empty() {
            self.pages.push((Vec::new(), self.next));
        }
        self.end_leaf();
        let mut level = std::mem::take(&mut self.pages);
        while level.len() > 1 {
            level = self.branches(&level);
        }
        level.first().map_or(0, |(_, root)| *root)
    }

    fn end_leaf(&mut self) {
        let Leaf { entries, data } = std::mem::take(&mut self.leaf);
        let mut heads = Vec::with_capacity(entries.len() * ENTRY);
        let mut at = 0;
        for (i, (kind, key, value)) in entries.iter().enumerate() {
            let place = (entries.len() - i) * ENTRY + at;
            for number in [*kind, place as u32, *key, *value] {
                heads.extend_from_slice(&number.to_le_bytes());
            }
            at += (key + value) as usize;
        }
        self.page(LEAF, entries.len(), &heads, &data);
    }

    /// Writes the branches above these pages.
    fn branches(&mut self, level: &[(Vec<u8>, u64)]) -> Vec<(Vec<u8>, u64)> {
        let mut above = Vec::new();
        let mut rest = level;
        while !rest.is_empty() {
            let mut size = HEAD;
            let fits = rest.iter().take_while(|(key, _)| {
                size += ENTRY + key.len();
                size <= PAGE
            });
            // One that has a single page below it would make a tree without end of large keys.
            let (now, later) = rest.split_at(fits.count().max(2).min(rest.len()));
            above.push((now[0].0.clone(), self.next));
            self.branch(now);
            rest = later;
        }
        above
    }

    fn branch(&mut self, below: &[(Vec<u8>, u64)]) {
        let (mut heads, mut data) = (Vec::new(), Vec::new());
        for (i, (key, id)) in below.iter().enumerate() {
            let place = (below.len() - i) * ENTRY + data.len();
            heads.extend_from_slice(&(place as u32).to_le_bytes());
            heads.extend_from_slice(&(key.len() as u32).to_le_bytes());
            heads.extend_from_slice(&id.to_le_bytes());
            data.extend_from_slice(key);
        }
        self.page(BRANCH, below.len(), &heads, &data);
    }

    /// Writes a page, with as many behind it as it runs on over.
    fn page(&mut self, kind: u16, count: usize, heads: &[u8], data: &[u8]) {
        let size = HEAD + heads.len() + data.len();
        let pages = size.div_ceil(PAGE);
        let end = self.out.len() + pages * PAGE;
        // A page has 4096 bytes, or one entry: the count is small.
        self.out.extend_from_slice(&page::head(self.next, kind, count as u16, pages as u32 - 1));
        self.out.extend_from_slice(heads);
        self.out.extend_from_slice(data);
        self.out.resize(end, 0);
        self.next += pages as u64;
    }
}

impl Leaf {
    fn size(&self) -> usize {
        HEAD + self.entries.len() * ENTRY + self.data.len()
    }
}
