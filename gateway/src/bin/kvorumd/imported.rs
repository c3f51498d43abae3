//! The file `imported`: that a data directory was made from a snapshot, and of which content. Its members can be
//! compared by it, by eye or by the log.
//!
//! ```text
//! kvorum import 1                the format and its version
//! content 9f86d081884c7d65…      the hash of all that was imported, 64 hexadecimal digits
//! revision 42                    the revision that it stood at
//! ```

const HEAD: &str = "kvorum import 1";

/// What was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Imported {
    /// The same on every member that imports the same.
    pub(crate) content: [u8; 32],
    pub(crate) revision: i64,
}

impl Imported {
    /// The first digits of the content's hash, enough to compare by eye.
    pub(crate) fn content(&self) -> String {
        hexadecimal(&self.content[..8])
    }

    /// As it lies in the file.
    pub(crate) fn write(&self) -> String {
        format!("{HEAD}\ncontent {}\nrevision {}\n", hexadecimal(&self.content), self.revision)
    }

    /// Reads it back; the error says what is wrong.
    pub(crate) fn read(text: &str) -> Result<Imported, String> {
        let lines: Vec<&str> = text.lines().collect();
        let [HEAD, content, revision] = lines[..] else {
            return Err(format!("it is not {HEAD:?}, a content and a revision"));
        };
        let content = content.strip_prefix("content ").and_then(bytes);
        let revision = revision.strip_prefix("revision ").and_then(|digits| digits.parse().ok());
        match (content, revision) {
            (Some(content), Some(revision)) => Ok(Imported { content, revision }),
            _ => Err("its content has not 64 hexadecimal digits, or its revision is no number".into()),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(digits: &str) -> Option<[u8; 32]> {
    if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_refused() {
        let imported = Imported { content: std::array::from_fn(|at| at as u8 * 8), revision: 42 };
        let text = imported.write();
        assert_eq!(Imported::read(&text), Ok(imported.clone()));
        assert_eq!(imported.content(), "0008101820283038");
        for end in 0..text.len() - 2 {
            assert!(Imported::read(&text[..end]).is_err(), "{end}");
        }
        assert!(Imported::read(&text.replace("import 1", "import 2")).is_err());
        assert!(Imported::read(&text.replace("0008", "+008")).is_err());
    }
}
