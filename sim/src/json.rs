//! JSON, as little of it as a line per seed and a page's data need: written, never read.
//!
//! What it writes may stand inside a `<script>` as it is: no `<`, `>` or `&` is left in it.

use std::fmt::Write;

/// A string with its quotes.
pub(crate) fn text(words: &str) -> String {
    let mut out = String::with_capacity(words.len() + 2);
    out.push('"');
    for c in words.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            // The separators end a line of JavaScript, and the brackets a script.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => _ = write!(out, "\\u{:04x}", c as u32),
            c if c.is_control() => _ = write!(out, "\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A text, or nothing.
pub(crate) fn maybe(words: Option<&str>) -> String {
    words.map_or_else(|| "null".into(), text)
}

/// A list of what is JSON already.
pub(crate) fn list(parts: impl IntoIterator<Item = String>) -> String {
    let parts: Vec<String> = parts.into_iter().collect();
    format!("[{}]", parts.join(","))
}

/// An object: names, and what is JSON already.
pub(crate) fn object<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let fields: Vec<String> =
        fields.into_iter().map(|(name, value)| format!("{}:{value}", text(name))).collect();
    format!("{{{}}}", fields.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_a_string() {
        let nasty = "</script>\"\\\n\r\u{0}\u{2028}ü";
        assert_eq!(text(nasty), r#""\u003c/script\u003e\"\\\n\u000d\u0000\u2028ü""#);
    }

    #[test]
    fn objects_and_lists() {
        let inner = list([1, 2].map(|n: i32| n.to_string()));
        assert_eq!(object([("a", inner), ("b", maybe(None))]), r#"{"a":[1,2],"b":null}"#);
    }
}
