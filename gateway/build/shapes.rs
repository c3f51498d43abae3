//! Tables of what each message looks like, for the JSON reader (`src/web/json`): names, numbers and kinds of fields.
//! What it will never know: JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// All messages and enums, by their full names.
#[derive(Default)]
struct Known<'a> {
    messages: BTreeMap<String, &'a DescriptorProto>,
    enums: BTreeMap<String, &'a EnumDescriptorProto>,
}

/// The tables, as Rust.
pub(crate) fn of(descriptors: &FileDescriptorSet) -> String {
    let mut known = Known::default();
    for file in &descriptors.file {
        known.take(file.package(), &file.message_type, &file.enum_type);
    }
    let names: Vec<&String> = known.messages.keys().collect();
    let mut out = "pub(crate) static SHAPES: &[Shape] = &[\n".to_string();
    for (name, message) in &known.messages {
        let _ = writeln!(out, "    Shape {{ name: {name:?}, fields: &[");
        for field in &message.field {
            let kind = kind(field, &known, &names);
            let oneof = field.oneof_index.map(|at| message.oneof_decl[at as usize].name());
            let oneof = oneof.map(|oneof| format!("{name}.{oneof}"));
            let _ = writeln!(
                out,
                "        Field {{ name: {:?}, json: {:?}, number: {}, kind: {kind}, is_list: {}, oneof: {oneof:?} }},",
                field.name(),
                field.json_name(),
                field.number(),
                field.label == Some(3),
            );
        }
        out += "    ] },\n";
    }
    out + "];\n"
}

/// All calls, by their paths, as Rust.
pub(crate) fn rpcs(descriptors: &FileDescriptorSet) -> String {
    let mut rpcs = BTreeMap::new();
    for file in &descriptors.file {
        for service in &file.service {
            let name = format!("{}.{}", file.package(), service.name());
            for method in &service.method {
                let kind = match (method.client_streaming(), method.server_streaming()) {
                    (false, false) => "unary",
                    (false, true) => "server_stream",
                    (true, false) => "client_stream",
                    (true, true) => "bidi_stream",
                };
                rpcs.insert(format!("{name}/{}", method.name()), (name.clone(), method.name(), kind));
            }
        }
    }
    let mut out = "static RPCS: &[Rpc] = &[\n".to_string();
    for (path, (service, method, kind)) in rpcs {
        let _ = writeln!(
            out,
            "    Rpc {{ path: {path:?}, service: {service:?}, method: {method:?}, kind: {kind:?} }},"
        );
    }
    out + "];\n"
}

impl<'a> Known<'a> {
    fn take(&mut self, path: &str, messages: &'a [DescriptorProto], enums: &'a [EnumDescriptorProto]) {
        for it in enums {
            self.enums.insert(format!("{path}.{}", it.name()), it);
        }
        for message in messages {
            let path = format!("{path}.{}", message.name());
            self.take(&path, &message.nested_type, &message.enum_type);
            self.messages.insert(path, message);
        }
    }
}

fn kind(field: &FieldDescriptorProto, known: &Known<'_>, names: &[&String]) -> String {
    let named = field.type_name().trim_start_matches('.');
    match format!("{:?}", field.r#type()).as_str() {
        "Message" => {
            let at = names.iter().position(|name| *name == named);
            format!("Kind::Message({})", at.expect("a field is of a message that is there"))
        }
        "Enum" => {
            let values = known.enums[named].value.iter();
            let values: Vec<(&str, i32)> = values.map(|value| (value.name(), value.number())).collect();
            format!("Kind::Enum(&{values:?})")
        }
        kind @ ("Int64" | "Uint32" | "Uint64" | "Bool" | "String" | "Bytes") => format!("Kind::{kind}"),
        kind => panic!("{}: the JSON reader knows no {kind}", field.name()),
    }
}
