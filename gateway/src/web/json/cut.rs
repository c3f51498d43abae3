//! Bytes as they come in, cut into JSON values where each ends. Each byte is looked at once, and none is moved for what
//! stands before or behind it: a piece may be nothing but spaces, or thousands of values. What is cut off takes its
//! memory with it: a stream may last for ever, and what was said on it once is not to lie there as long. What it will
//! never know: where the bytes come from, and how many there may be.

use bytes::{Buf, Bytes, BytesMut};
use kvorum_core::planted;

use super::scan::{Progress, Scan};

/// A value on its way in, and what came in with it.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    scan: Scan,
    /// From the value's first byte on.
    bytes: BytesMut,
    /// How much of that was scanned.
    scanned: usize,
    /// How many spaces stood before the value; they are not kept.
    passed: usize,
    /// There was something before them in the same memory.
    was_cut: bool,
}

impl Cut {
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
    }

    /// How many bytes are kept.
    pub(crate) fn kept(&self) -> usize {
        self.bytes.len()
    }

    /// How many spaces came since the last value, and are forgotten.
    pub(crate) fn passed(&self) -> usize {
        self.passed
    }

    /// The next value, if it is whole.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in Go's words.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, String> {
        while let Some(byte) = self.bytes.get(self.scanned) {
            match self.scan.step(*byte)? {
                Progress::Before => {
                    self.bytes.advance(1);
                    self.passed += 1;
                    self.was_cut = true;
                }
                Progress::Inside => self.scanned += 1,
                Progress::Last => {
                    self.scanned += 1;
                    return Ok(Some(self.take()));
                }
                Progress::Behind => return Ok(Some(self.take())),
            }
        }
        if self.was_cut {
            self.move_out();
        }
        Ok(None)
    }

    /// The last value, if there is one: nothing more is to come.
    ///
    /// # Errors
    ///
    /// It is not whole.
    pub(crate) fn end(&mut self) -> Result<Option<Bytes>, String> {
        match () {
            () if !self.scan.has_begun() => Ok(None),
            () if self.scan.is_whole() => Ok(Some(self.take())),
            () => Err("unexpected EOF".into()),
        }
    }

    fn take(&mut self) -> Bytes {
        let value = self.bytes.split_to(self.scanned).freeze();
        (self.scan, self.scanned, self.passed, self.was_cut) = (Scan::default(), 0, 0, true);
        // A value that is as long pays for it; if there are shorter ones behind it, whoever comes to the last of them does.
        if self.bytes.len() <= value.len() {
            self.move_out();
        }
        if planted!("json_forgets_the_rest") {
            self.bytes.clear();
        }
        value
    }

    /// Keeps what is left in memory of its own.
    fn move_out(&mut self) {
        if !planted!("json_keeps_the_longest") {
            self.bytes = BytesMut::from(&self.bytes[..]);
        }
        self.was_cut = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&str]) -> Vec<String> {
        let (mut cut, mut values) = (Cut::default(), Vec::new());
        for piece in pieces {
            cut.push(piece.as_bytes());
            while let Some(value) = cut.next().unwrap() {
                values.push(String::from_utf8(value.to_vec()).unwrap());
            }
        }
        values.extend(cut.end().unwrap().map(|value| String::from_utf8(value.to_vec()).unwrap()));
        values
    }

    #[test]
    fn values_are_the_same_however_they_come() {
        let text = " {\"a\": 1}{} \n 12 null[ ]  -3";
        let whole = all(&[text]);
        assert_eq!(whole, ["{\"a\": 1}", "{}", "12", "null", "[ ]", "-3"]);
        for at in 0..text.len() {
            assert_eq!(all(&[&text[..at], &text[at..]]), whole, "cut at {at}");
        }
        assert_eq!(all(&text.split_inclusive(|_: char| true).collect::<Vec<_>>()), whole);
    }

    /// Whatever a value is cut off from stays where it is: moved for each, it would be moved thousands of times.
    #[test]
    fn nothing_is_moved_for_what_stands_before_or_behind_it() {
        let mut cut = Cut::default();
        cut.push(format!("{{}}{}", format!("{}{{}}", " ".repeat(30)).repeat(1000)).as_bytes());
        let first = cut.next().unwrap().unwrap();
        for at in 1..=1000 {
            let value = cut.next().unwrap().unwrap();
            assert_eq!(&value[..], b"{}");
            assert_eq!(value.as_ptr() as usize - first.as_ptr() as usize, at * 32);
        }
    }

    #[test]
    fn what_is_cut_off_takes_its_memory_with_it() {
        let long = format!("\"{}\"", "A".repeat(1 << 20));
        for before in [long, "{} ".repeat(10_000), " ".repeat(1 << 16)] {
            for behind in ["", " ", "{", " \n {\"a\":"] {
                let mut cut = Cut::default();
                cut.push(format!("{before}{behind}").as_bytes());
                let last = std::iter::from_fn(|| cut.next().unwrap()).last();
                assert!(last.is_none_or(|last| last.is_unique()), "{behind:?}");
                assert_eq!(cut.kept(), behind.trim_start().len());
                assert!(!cut.bytes.try_reclaim(1000), "{behind:?}");
            }
        }
        // Nobody has to ask for the next one.
        let mut cut = Cut::default();
        cut.push(b"{\"key\":\"YQ==\"} {}");
        assert!(cut.next().unwrap().unwrap().is_unique());
    }

    #[test]
    fn spaces_are_counted_since_the_last_value_and_not_kept() {
        let mut cut = Cut::default();
        for spaces in 1..=3 {
            cut.push(b" \n");
            assert_eq!(cut.next().unwrap(), None);
            assert_eq!((cut.passed(), cut.kept()), (spaces * 2, 0));
        }
        cut.push(b" {");
        assert_eq!(cut.next().unwrap(), None);
        assert_eq!((cut.passed(), cut.kept()), (7, 1));
        cut.push(b"}");
        assert!(cut.next().unwrap().is_some());
        assert_eq!((cut.passed(), cut.kept()), (0, 0));
    }
}
