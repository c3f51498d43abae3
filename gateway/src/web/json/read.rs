//! JSON into a message's bytes, by protobuf's mapping as Go's library reads it: names in both spellings, numbers as
//! numbers or strings, `null` for nothing, what is unknown passed over; and its words for what it refuses. What it will
//! never know: what a message means.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use kvorum_core::planted;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::number::{signed, unsigned};
use super::shapes::{Field, Kind, SHAPES, Shape};
use super::text::{Text, Token};
use crate::errors::TOO_DEEP;

/// How deeply messages may be nested: as deep as prost reads them.
const DEPTH: u32 = 100;

/// The bytes of the message that is written there.
///
/// # Errors
///
/// Go's words.
pub(crate) fn message(json: &[u8], shape: &'static Shape) -> Result<Vec<u8>, String> {
    let mut reader = Reader { text: Text::new(json), depth: 0 };
    let mut out = Vec::new();
    reader.message(shape, &mut out)?;
    Ok(out)
}

struct Reader<'a> {
    text: Text<'a>,
    depth: u32,
}

/// What was seen of a message so far.
#[derive(Default)]
struct Seen {
    fields: Vec<u32>,
    oneofs: Vec<&'static str>,
}

impl Reader<'_> {
    fn message(&mut self, shape: &'static Shape, out: &mut Vec<u8>) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(TOO_DEEP.into());
        }
        self.open(b'{')?;
        let mut seen = Seen::default();
        loop {
            let name = self.text.next();
            match name.first() {
                b'}' | 0 => break,
                _ => self.field(shape, name, &mut seen, out)?,
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn open(&mut self, bracket: u8) -> Result<(), String> {
        let token = self.text.next();
        if token.first() == bracket {
            return Ok(());
        }
        let place = self.text.place(token.at);
        Err(format!("proto: syntax error ({place}): unexpected token {}", token.shown()))
    }

    fn field(
        &mut self,
        shape: &'static Shape,
        name: Token<'_>,
        seen: &mut Seen,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let said = name.said().ok_or_else(|| {
            format!("proto: syntax error ({}): invalid UTF-8 in string", self.text.place(name.at))
        })?;
        let Some(field) = shape.field(&said) else {
            self.text.skip();
            return Ok(());
        };
        if seen.fields.contains(&field.number) && !planted!("json_last_one_wins") {
            return Err(self.wrong(name, &format!("duplicate field {}", name.shown())));
        }
        seen.fields.push(field.number);
        if self.text.peek().raw == b"null" && !planted!("json_null_is_a_value") {
            self.text.skip();
            return Ok(());
        }
        if field.is_list {
            return self.list(field, out);
        }
        if let Some(oneof) = field.oneof {
            if seen.oneofs.contains(&oneof) {
                let what = format!("error parsing {}, oneof {oneof} is already set", name.shown());
                return Err(self.wrong(name, &what));
            }
            seen.oneofs.push(oneof);
        }
        self.single(field, out)
    }

    fn list(&mut self, field: &'static Field, out: &mut Vec<u8>) -> Result<(), String> {
        self.open(b'[')?;
        while !matches!(self.text.peek().first(), b']' | 0) {
            self.single(field, out)?;
        }
        self.text.next();
        Ok(())
    }

    fn single(&mut self, field: &'static Field, out: &mut Vec<u8>) -> Result<(), String> {
        if let Kind::Message(at) = field.kind {
            let mut inner = Vec::new();
            self.message(&SHAPES[at], &mut inner)?;
            put_bytes(field.number, &inner, out);
            return Ok(());
        }
        let token = self.text.next();
        scalar(field, token, out).ok_or_else(|| {
            let what =
                format!("invalid value for {} field {}: {}", field.kind.name(), field.json, token.shown());
            self.wrong(token, &what)
        })
    }

    fn wrong(&self, token: Token<'_>, what: &str) -> String {
        format!("proto: ({}): {what}", self.text.place(token.at))
    }
}

/// Writes a value that is no message; `None` if it is not of the field's kind.
fn scalar(field: &Field, token: Token<'_>, out: &mut Vec<u8>) -> Option<()> {
    match field.kind {
        Kind::Int64 => {
            let number = signed(&digits(token)?, i64::MIN, i64::MAX)?;
            put_number(field.number, number.cast_unsigned(), out);
        }
        Kind::Uint32 => put_number(field.number, unsigned(&digits(token)?, u32::MAX.into())?, out),
        Kind::Uint64 => put_number(field.number, unsigned(&digits(token)?, u64::MAX)?, out),
        Kind::Bool => match token.raw {
            b"true" => put_number(field.number, 1, out),
            b"false" => put_number(field.number, 0, out),
            _ => return None,
        },
        Kind::String => put_bytes(field.number, token.said()?.as_bytes(), out),
        Kind::Bytes => put_bytes(field.number, &bytes(&token.said()?)?, out),
        Kind::Enum(values) if token.is_string() => {
            let said = token.said()?;
            // A name that is unknown is passed over like a field that is.
            if let Some((_, number)) = values.iter().find(|(name, _)| *name == said) {
                put_number(field.number, i64::from(*number).cast_unsigned(), out);
            }
        }
        Kind::Enum(_) => {
            let number =
                token.is_number().then(|| signed(&token.shown(), i32::MIN.into(), i32::MAX.into()))??;
            put_number(field.number, number.cast_unsigned(), out);
        }
        Kind::Message(_) => return None,
    }
    Some(())
}

/// A number, or a string with a number in it.
fn digits(token: Token<'_>) -> Option<String> {
    match token.is_number() {
        true => Some(token.shown()),
        false => token.said().map(Into::into),
    }
}

/// Base64, as Go's reader takes it: `-` or `_` say which alphabet it is, the length whether it is padded.
fn bytes(said: &str) -> Option<Vec<u8>> {
    const LAX: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    const PADDED: GeneralPurposeConfig = LAX.with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    const BARE: GeneralPurposeConfig = LAX.with_decode_padding_mode(DecodePaddingMode::RequireNone);
    let alphabet = if said.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let padding = if said.len().is_multiple_of(4) { PADDED } else { BARE };
    let said: Vec<u8> = said.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    GeneralPurpose::new(alphabet, padding).decode(said).ok()
}

fn put_number(field: u32, number: u64, out: &mut Vec<u8>) {
    encode_key(field, WireType::Varint, out);
    encode_varint(number, out);
}

fn put_bytes(field: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
