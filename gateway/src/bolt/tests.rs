//! What is written is read; what is damaged is read as something or refused, without a panic and without an end that
//! never comes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;
type Buckets = BTreeMap<Vec<u8>, Pairs>;

fn written(buckets: &Buckets) -> Vec<u8> {
    let mut writer = Writer::new();
    let mut pages = Vec::new();
    for (name, pairs) in buckets {
        writer.bucket(name);
        for (key, value) in pairs {
            writer.put(key, value);
            pages.extend(writer.take());
        }
    }
    let shape = writer.finish();
    pages.extend(writer.take());
    let file = [shape.first_pages(), pages].concat();
    assert_eq!(file.len() as u64, shape.bytes());
    file
}

fn read(file: &[u8]) -> Result<Buckets, BoltError> {
    let mut db = Db::open(file, file.len() as u64)?;
    let mut all = Buckets::new();
    for bucket in db.buckets()? {
        let pairs = all.entry(bucket.name.clone()).or_default();
        db.each(&bucket, |key, value| {
            pairs.insert(key.to_vec(), value.to_vec());
            Ok::<(), BoltError>(())
        })?;
    }
    Ok(all)
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    // Mostly short; some run on over pages.
    prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 1..max.min(40)),
        1 => (any::<u8>(), 1..max).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn buckets() -> impl Strategy<Value = Buckets> {
    let pairs = proptest::collection::btree_map(bytes(9000), bytes(20_000), 0..300);
    proptest::collection::btree_map(bytes(40), pairs, 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_written_is_read(buckets in buckets()) {
        prop_assert_eq!(read(&written(&buckets)), Ok(buckets));
    }

    #[test]
    fn damage_never_panics(buckets in buckets(), hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..60)) {
        let good = written(&buckets);
        for (at, byte) in &hits {
            let mut file = good.clone();
            // Heads and entries are where damage tells most.
            let at = at.index(good.len() * 2) % good.len();
            let at = if byte % 2 == 0 { at / PAGE * PAGE + at % 200 } else { at };
            file[at] = file[at].wrapping_add(*byte);
            let _ = read(&file);
            let _ = read(&good[..at]);
        }
    }

    #[test]
    fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..9000)) {
        let mut file = written(&Buckets::new());
        file.extend(&noise);
        let shape = Shape { root: 4, pages: (file.len() / PAGE) as u64 };
        file[..3 * PAGE].copy_from_slice(&shape.first_pages());
        let _ = read(&noise);
        let _ = read(&file);
    }
}

fn one(pairs: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Buckets {
    Buckets::from([(b"key".to_vec(), pairs.into_iter().collect())])
}

#[test]
fn many_pairs_make_a_tree_of_several_levels() {
    let pairs = (0..40_000u64).map(|i| (i.to_be_bytes().to_vec(), vec![i as u8; 100]));
    let buckets = one(pairs);
    let file = written(&buckets);
    assert_eq!(read(&file), Ok(buckets));
    assert!(file.len() < 5_500_000, "{} bytes for 4.3 MB", file.len());
}

#[test]
fn the_newer_meta_counts_and_the_older_one_stands_in() {
    let buckets = one([(b"k".to_vec(), b"v".to_vec())]);
    let good = written(&buckets);
    for page in 0..2 {
        let mut file = good.clone();
        file[page * PAGE + 40] ^= 1;
        assert_eq!(read(&file).as_ref(), Ok(&buckets), "without meta {page}");
        file[(1 - page) * PAGE + 40] ^= 1;
        assert_eq!(read(&file), Err(BoltError::NoMeta));
    }
    assert_eq!(Db::open(&good[..], good.len() as u64).unwrap().meta.transaction, 2);
}

#[test]
fn a_tree_that_bites_its_tail_is_refused() {
    let pairs = (0..1000u64).map(|i| (i.to_be_bytes().to_vec(), vec![0; 50]));
    let good = written(&one(pairs));
    let is_branch = |page: &[u8]| page[8] == 1;
    let branch = good.chunks(PAGE).position(is_branch).unwrap();
    let id = u64::from_le_bytes(good[branch * PAGE..][..8].try_into().unwrap());
    let mut file = good.clone();
    file[branch * PAGE + 16 + 8..][..8].copy_from_slice(&id.to_le_bytes());
    assert_eq!(read(&file), Err(BoltError::Page { id, reason: "is met twice" }));
}

#[test]
fn a_file_that_is_cut_off_is_refused() {
    let good = written(&one([(vec![1], vec![2; 10_000])]));
    for end in 0..good.len() / PAGE {
        assert!(read(&good[..end * PAGE]).is_err(), "{end} pages");
    }
}

/// A bucket of a few pairs lies in its parent, in files of bbolt's own.
#[test]
fn a_bucket_in_its_parent_is_read() {
    let mut inline = vec![0; 16];
    inline.extend_from_slice(&super::page::head(0, super::page::LEAF, 1, 0));
    for number in [0u32, 16, 1, 2] {
        inline.extend_from_slice(&number.to_le_bytes());
    }
    inline.extend_from_slice(b"kvw");
    // A page of buckets is a leaf whose entries are said to be buckets.
    let mut file = written(&one([(b"inner".to_vec(), inline)]));
    let leaf = 3 * PAGE;
    file[leaf + 16] = 1;
    let shape = Shape { root: 3, pages: (file.len() / PAGE) as u64 };
    file[..3 * PAGE].copy_from_slice(&shape.first_pages());
    let expected = Buckets::from([(b"inner".to_vec(), Pairs::from([(b"k".to_vec(), b"vw".to_vec())]))]);
    assert_eq!(read(&file), Ok(expected));
}
