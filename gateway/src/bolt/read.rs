//! Opening a file: which of its two metas counts, and which buckets it has.

use super::page::{HEAD, META_LEN, Meta, u64_at};
use super::tree::{Entry, Tree};
use super::{BoltError, Source};

/// A file that can be read.
#[derive(Debug)]
pub(crate) struct Db<S> {
    pub(super) source: S,
    pub(super) meta: Meta,
}

/// A bucket of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) name: Vec<u8>,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// The page that its tree begins with.
    Root(u64),
    /// It is so small that its only page lies in its parent.
    Inline(Vec<u8>),
}

impl<S: Source> Db<S> {
    /// Reads the metas; `size` is how many bytes of the source count.
    pub(crate) fn open(mut source: S, size: u64) -> Result<Db<S>, BoltError> {
        let mut metas: Vec<Meta> = meta_at(&mut source, size, 0)?.into_iter().collect();
        // The second page begins where the first one says; or, if that is damaged, who knows where.
        let seconds: Vec<u64> = match metas.first() {
            Some(first) => vec![u64::from(first.page_size)],
            None => (9..=16).map(|power| 1 << power).collect(),
        };
        for offset in seconds {
            let second = meta_at(&mut source, size, offset)?;
            metas.extend(second.filter(|meta| u64::from(meta.page_size) == offset));
        }
        let newest = metas.into_iter().max_by_key(|meta| meta.transaction);
        let meta = newest.ok_or(BoltError::NoMeta)?;
        let needs = meta.end.saturating_mul(u64::from(meta.page_size));
        if needs > size {
            return Err(BoltError::Cut { needs, has: size });
        }
        if meta.end < 3 {
            return Err(BoltError::Page { id: meta.end, reason: "is the end, and the file has another one" });
        }
        Ok(Db { source, meta })
    }

    /// All buckets, in the order of their names.
    pub(crate) fn buckets(&mut self) -> Result<Vec<Bucket>, BoltError> {
        let mut buckets = Vec::new();
        let id = self.meta.root;
        Tree::new(self).walk(id, |entry: Entry<'_>| {
            let wrong = |reason| Err(BoltError::Page { id, reason });
            if !entry.is_bucket {
                return wrong("has a pair among the buckets");
            }
            let place = match u64_at(entry.value, 0) {
                // Behind the root and a sequence.
                Some(0) => Place::Inline(entry.value.get(16..).unwrap_or_default().to_vec()),
                Some(root) if entry.value.len() == 16 => Place::Root(root),
                _ => return wrong("has a bucket that is none"),
            };
            buckets.push(Bucket { name: entry.key.to_vec(), place });
            Ok(())
        })?;
        Ok(buckets)
    }

    /// Shows every pair of a bucket, in order.
    pub(crate) fn each<E: From<BoltError>>(
        &mut self,
        bucket: &Bucket,
        mut show: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let show = |entry: Entry<'_>| match entry.is_bucket {
            true => {
                let reason = "has a bucket in a bucket, which etcd never makes";
                Err(BoltError::Page { id: 0, reason }.into())
            }
            false => show(entry.key, entry.value),
        };
        match &bucket.place {
            Place::Root(root) => Tree::new(self).walk(*root, show),
            Place::Inline(page) => super::tree::inline(page, show),
        }
    }
}

/// The meta of the page that begins there, if there is one.
fn meta_at(source: &mut impl Source, size: u64, offset: u64) -> Result<Option<Meta>, BoltError> {
    let mut bytes = [0; HEAD + META_LEN];
    if offset + bytes.len() as u64 > size {
        return Ok(None);
    }
    source.read_at(&mut bytes, offset)?;
    Ok(Meta::decode(&bytes[HEAD..]))
}
