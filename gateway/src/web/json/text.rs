//! The tokens of a JSON text, and where they stand. What it will never know: messages.

/// A text that is known to be whole JSON; so there is always a token where one has to be, and if not, an empty one.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    json: &'a [u8],
    at: usize,
}

/// A token: a bracket, a string with its quotes, a number or a word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) at: usize,
    pub(crate) raw: &'a [u8],
}

impl<'a> Text<'a> {
    pub(crate) fn new(json: &'a [u8]) -> Text<'a> {
        Text { json, at: 0 }
    }

    /// The next token; commas and colons are none.
    pub(crate) fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at = token.at + token.raw.len();
        token
    }

    pub(crate) fn peek(&self) -> Token<'a> {
        let is_between = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':');
        let rest = self.json.get(self.at..).unwrap_or_default();
        let at = self.at + rest.iter().take_while(|byte| is_between(byte)).count();
        let rest = self.json.get(at..).unwrap_or_default();
        let size = match rest.first() {
            None => 0,
            Some(b'{' | b'}' | b'[' | b']') => 1,
            Some(b'"') => string_size(rest),
            Some(_) => rest
                .iter()
                .take_while(|byte| !is_between(byte) && !matches!(byte, b'{' | b'}' | b'[' | b']' | b'"'))
                .count(),
        };
        Token { at, raw: &rest[..size] }
    }

    /// Passes over a value.
    pub(crate) fn skip(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.next().first() {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                0 => return,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Where a byte stands, as people count: line and column, from 1.
    pub(crate) fn place(&self, at: usize) -> String {
        let before = self.json.get(..at).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let begins = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[begins..]).chars().count() + 1;
        format!("line {line}:{column}")
    }
}

impl<'a> Token<'a> {
    /// What kind it is of; 0 at the end.
    pub(crate) fn first(self) -> u8 {
        self.raw.first().copied().unwrap_or_default()
    }

    pub(crate) fn is_string(self) -> bool {
        self.first() == b'"'
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self.first(), b'-' | b'0'..=b'9')
    }

    /// As it stands there.
    pub(crate) fn shown(self) -> String {
        String::from_utf8_lossy(self.raw).into_owned()
    }

    /// What a string says; `None` if it is none, or no text.
    pub(crate) fn said(self) -> Option<std::borrow::Cow<'a, str>> {
        let inner = self.raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        if inner.contains(&b'\\') {
            return serde_json::from_slice::<String>(self.raw).ok().map(Into::into);
        }
        std::str::from_utf8(inner).ok().map(Into::into)
    }
}

/// How long the string is that `rest` begins with, with both quotes.
fn string_size(rest: &[u8]) -> usize {
    let mut is_escaped = false;
    for (at, byte) in rest.iter().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}
