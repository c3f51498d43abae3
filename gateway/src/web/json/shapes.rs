//! What each message looks like: tables that the build makes. What it will never know: JSON.

/// A message.
#[derive(Debug)]
pub(crate) struct Shape {
    /// In full, with its package.
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [Field],
}

/// A field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// Its other name in JSON.
    pub(crate) json: &'static str,
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) is_list: bool,
    /// Which of several fields it is one of, if it is; in full.
    pub(crate) oneof: Option<&'static str>,
}

/// What is in a field.
#[derive(Debug)]
pub(crate) enum Kind {
    Int64,
    Uint32,
    Uint64,
    Bool,
    String,
    Bytes,
    /// Names and their numbers.
    Enum(&'static [(&'static str, i32)]),
    /// Where its shape stands in the table.
    Message(usize),
}

include!(concat!(env!("OUT_DIR"), "/shapes.rs"));

/// Of a message that is not in the table: it has no fields. There is none: both come from the same files.
static UNKNOWN: Shape = Shape { name: "", fields: &[] };

/// The shape of a message.
pub(crate) fn of(package: &str, name: &str) -> &'static Shape {
    let is_it = |full: &str| {
        full.strip_prefix(package).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| rest == name)
    };
    SHAPES.iter().find(|shape| is_it(shape.name)).unwrap_or(&UNKNOWN)
}

impl Shape {
    /// The field of that name, in either spelling.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.json == name || field.name == name)
    }
}

impl Kind {
    /// As Go calls it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Kind::Int64 => "int64",
            Kind::Uint32 => "uint32",
            Kind::Uint64 => "uint64",
            Kind::Bool => "bool",
            Kind::String => "string",
            Kind::Bytes => "bytes",
            Kind::Enum(_) => "enum",
            Kind::Message(_) => "message",
        }
    }
}
