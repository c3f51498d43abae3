//! Where a JSON value ends, byte by byte, and what is wrong with it, in the words of Go's library. What it will never
//! know: what is in it.

/// How deeply objects and lists may be nested (Go's number). Each level costs a byte.
const DEPTH: usize = 10_000;

/// What a byte was to the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Space before it.
    Before,
    /// A part of it.
    Inside,
    /// Its last.
    Last,
    /// Not of it any more: it ended before (only a number does not know its end).
    Behind,
}

/// What of an object or list is open, and where in it we are.
#[derive(Clone, Copy, Debug)]
enum Open {
    Key,
    Value,
    List,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Value,
    ValueOrEndOfList,
    Key,
    KeyOrEndOfObject,
    /// Behind a key, a value or an element.
    Behind,
    String,
    Escape,
    /// So many digits are missing.
    Hex(u8),
    Minus,
    Zero,
    Digits,
    Dot,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
    /// In a word, of which so many bytes were seen.
    Word(&'static str, usize),
}

/// A value on its way in.
#[derive(Debug)]
pub(crate) struct Scan {
    open: Vec<Open>,
    at: At,
    has_begun: bool,
}

type Step = Result<Progress, String>;

impl Default for Scan {
    fn default() -> Scan {
        Scan { open: Vec::new(), at: At::Value, has_begun: false }
    }
}

impl Scan {
    /// Whether anything of the value was seen.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// There are no more bytes: whether the value is whole.
    pub(crate) fn is_whole(&self) -> bool {
        let is_number = matches!(self.at, At::Zero | At::Digits | At::Fraction | At::ExponentDigits);
        self.open.is_empty() && is_number
    }

    /// The next byte.
    pub(crate) fn step(&mut self, byte: u8) -> Step {
        if !self.has_begun {
            if is_space(byte) {
                return Ok(Progress::Before);
            }
            self.has_begun = true;
        }
        match self.at {
            At::Value => self.value(byte),
            At::ValueOrEndOfList if byte == b']' => self.close(),
            At::Key | At::KeyOrEndOfObject if byte == b'"' => self.go(At::String),
            At::KeyOrEndOfObject if byte == b'}' => self.close(),
            At::ValueOrEndOfList | At::Key | At::KeyOrEndOfObject | At::Behind if is_space(byte) => {
                Ok(Progress::Inside)
            }
            At::ValueOrEndOfList => self.value(byte),
            At::Key | At::KeyOrEndOfObject => wrong(byte, "looking for beginning of object key string"),
            At::Behind => self.behind(byte),
            At::String | At::Escape | At::Hex(_) => self.string(byte),
            At::Word(word, seen) => self.word(byte, word, seen),
            _ => self.number(byte),
        }
    }

    fn go(&mut self, at: At) -> Step {
        self.at = at;
        Ok(Progress::Inside)
    }

    fn value(&mut self, byte: u8) -> Step {
        match byte {
            _ if is_space(byte) => Ok(Progress::Inside),
            b'{' => self.enter(Open::Key, At::KeyOrEndOfObject),
            b'[' => self.enter(Open::List, At::ValueOrEndOfList),
            b'"' => self.go(At::String),
            b'-' => self.go(At::Minus),
            b'0' => self.go(At::Zero),
            b'1'..=b'9' => self.go(At::Digits),
            b't' => self.go(At::Word("true", 1)),
            b'f' => self.go(At::Word("false", 1)),
            b'n' => self.go(At::Word("null", 1)),
            _ => wrong(byte, "looking for beginning of value"),
        }
    }

    fn enter(&mut self, open: Open, at: At) -> Step {
        if self.open.len() >= DEPTH {
            return Err("exceeded max depth".into());
        }
        self.open.push(open);
        self.go(at)
    }

    fn close(&mut self) -> Step {
        self.open.pop();
        self.ended()
    }

    /// A value is at its end: the whole one, if nothing is open around it.
    fn ended(&mut self) -> Step {
        self.at = At::Behind;
        Ok(if self.open.is_empty() { Progress::Last } else { Progress::Inside })
    }

    fn behind(&mut self, byte: u8) -> Step {
        match (self.open.last_mut(), byte) {
            (None, _) => Ok(Progress::Behind),
            (Some(open @ Open::Key), b':') => {
                *open = Open::Value;
                self.go(At::Value)
            }
            (Some(open @ Open::Value), b',') => {
                *open = Open::Key;
                self.go(At::Key)
            }
            (Some(Open::List), b',') => self.go(At::Value),
            (Some(Open::Value), b'}') | (Some(Open::List), b']') => self.close(),
            (Some(Open::Key), _) => wrong(byte, "after object key"),
            (Some(Open::Value), _) => wrong(byte, "after object key:value pair"),
            (Some(Open::List), _) => wrong(byte, "after array element"),
        }
    }

    fn string(&mut self, byte: u8) -> Step {
        match (self.at, byte) {
            (At::Escape, b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"') => self.go(At::String),
            (At::Escape, b'u') => self.go(At::Hex(4)),
            (At::Escape, _) => wrong(byte, "in string escape code"),
            (At::Hex(missing), _) if byte.is_ascii_hexdigit() => {
                self.go(if missing > 1 { At::Hex(missing - 1) } else { At::String })
            }
            (At::Hex(_), _) => wrong(byte, "in \\u hexadecimal character escape"),
            (_, b'"') => self.ended(),
            (_, b'\\') => self.go(At::Escape),
            (_, 0..0x20) => wrong(byte, "in string literal"),
            _ => Ok(Progress::Inside),
        }
    }

    fn word(&mut self, byte: u8, word: &'static str, seen: usize) -> Step {
        let expected = word.as_bytes().get(seen).copied().unwrap_or_default();
        if byte != expected {
            return wrong(byte, &format!("in literal {word} (expecting {})", quoted(expected)));
        }
        if seen + 1 == word.len() { self.ended() } else { self.go(At::Word(word, seen + 1)) }
    }

    fn number(&mut self, byte: u8) -> Step {
        match (self.at, byte) {
            (At::Minus, b'0') => self.go(At::Zero),
            (At::Minus, b'1'..=b'9') | (At::Digits, b'0'..=b'9') => self.go(At::Digits),
            (At::Minus, _) => wrong(byte, "in numeric literal"),
            (At::Zero | At::Digits, b'.') => self.go(At::Dot),
            (At::Dot | At::Fraction, b'0'..=b'9') => self.go(At::Fraction),
            (At::Dot, _) => wrong(byte, "after decimal point in numeric literal"),
            (At::Zero | At::Digits | At::Fraction, b'e' | b'E') => self.go(At::Exponent),
            (At::Exponent, b'+' | b'-') => self.go(At::ExponentSign),
            (At::Exponent | At::ExponentSign | At::ExponentDigits, b'0'..=b'9') => {
                self.go(At::ExponentDigits)
            }
            (At::Exponent | At::ExponentSign, _) => wrong(byte, "in exponent of numeric literal"),
            _ => {
                self.at = At::Behind;
                if is_space(byte) && !self.open.is_empty() { Ok(Progress::Inside) } else { self.behind(byte) }
            }
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn wrong(byte: u8, where_: &str) -> Step {
    Err(format!("invalid character {} {where_}", quoted(byte)))
}

/// A byte as Go shows it.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".into(),
        b'"' => "'\"'".into(),
        b'\\' => r"'\\'".into(),
        b'\n' => r"'\n'".into(),
        b'\r' => r"'\r'".into(),
        b'\t' => r"'\t'".into(),
        0..0x20 | 0x7f => format!(r"'\x{byte:02x}'"),
        _ => format!("'{}'", char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Result<usize, String> {
        let mut scan = Scan::default();
        for (at, byte) in text.bytes().enumerate() {
            match scan.step(byte)? {
                Progress::Before | Progress::Inside => {}
                Progress::Last => return Ok(at + 1),
                Progress::Behind => return Ok(at),
            }
        }
        if scan.is_whole() { Ok(text.len()) } else { Err("unexpected EOF".into()) }
    }

    #[test]
    fn it_finds_the_end_of_a_value() {
        for (text, end) in [
            ("{}", 2),
            (" {\"a\" : [1, 2.5e-3 ,true, null,{}, []] }x", 40),
            ("\"a\\\"\\u00e9\" ", 11),
            ("12,", 2),
            ("-0", 2),
            ("null null", 4),
        ] {
            assert_eq!(scan(text), Ok(end), "{text}");
        }
    }

    #[test]
    fn it_says_what_go_says() {
        for (text, said) in [
            ("{", "unexpected EOF"),
            ("nope", "invalid character 'o' in literal null (expecting 'u')"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("{'key':1}", r"invalid character '\'' looking for beginning of object key string"),
            ("{\"key\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("{\"key\" \"v\"}", "invalid character '\"' after object key"),
            ("{\"limit\": 01}", "invalid character '1' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1ex", "invalid character 'x' in exponent of numeric literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("\"\\u00x\"", "invalid character 'x' in \\u hexadecimal character escape"),
            ("\"\n\"", r"invalid character '\n' in string literal"),
        ] {
            assert_eq!(scan(text), Err(said.into()), "{text}");
        }
        assert_eq!(scan(&"[".repeat(DEPTH + 1)), Err("exceeded max depth".into()));
    }
}
