//! Paths as Go's server reads them: percent signs stand for bytes, and what is empty or dotted is taken out. What it will
//! never know: what is at a path.

use http::Uri;
use http::uri::PathAndQuery;

/// The same with what is written with percent signs, if there is any. What cannot be written otherwise stays: no path
/// of ours has it.
pub(crate) fn decoded(uri: &Uri) -> Option<Uri> {
    let path = Some(uri.path()).filter(|path| path.contains('%'))?;
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [byte, behind @ ..] = rest {
        rest = match (byte, behind) {
            (b'%', [high, low, behind @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                bytes.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
                behind
            }
            _ => {
                bytes.push(*byte);
                behind
            }
        };
    }
    let mut path = String::from_utf8(bytes).ok().filter(|path| !path.contains(['?', '#', '%']))?;
    if let Some(query) = uri.query() {
        path = [&path, query].join("?");
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

/// A path without empty and dotted parts, if it has any: Go's server sends clients there.
pub(crate) fn cleaned(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    let mut clean = format!("/{}", parts.join("/"));
    if path.ends_with('/') && clean.len() > 1 {
        clean.push('/');
    }
    (clean != path).then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_stand_for_bytes() {
        for (path, read) in [
            ("/v3/k%76/range", Some("/v3/kv/range")),
            ("/v3%2Fkv%2frange?a=%41", Some("/v3/kv/range?a=%41")),
            ("/health", None),
            ("/%zz", None),
            ("/%", None),
            ("/a%23b", None),
            ("/a%20b", None),
            ("/a%ff", None),
        ] {
            assert_eq!(decoded(&path.parse().unwrap()), read.map(|read| read.parse().unwrap()), "{path}");
        }
    }

    #[test]
    fn paths_are_cleaned_as_go_cleans_them() {
        for (path, clean) in [("/", None), ("/v3/kv/range", None), ("/v3/kv/range/", None)] {
            assert_eq!(cleaned(path), clean, "{path}");
        }
        for (path, clean) in
            [("/v3//kv", "/v3/kv"), ("/a/../b", "/b"), ("/..", "/"), ("//", "/"), ("/a//", "/a/")]
        {
            assert_eq!(cleaned(path).as_deref(), Some(clean), "{path}");
        }
    }
}
