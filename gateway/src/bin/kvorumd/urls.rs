//! URLs as etcd's flags take them: a scheme, a host and a port, and nothing else; with etcd's words for the rest.
//!
//! What it will never know: what is served at them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

/// How to speak at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scheme {
    Http,
    Https,
    Unix,
    Unixs,
}

/// One address of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Url {
    pub(crate) scheme: Scheme,
    /// The host: a name, or an address without brackets. For a socket file its path.
    pub(crate) host: String,
    /// 0 for a socket file.
    pub(crate) port: u16,
}

impl Url {
    /// Reads one.
    pub(crate) fn parse(text: &str) -> Result<Url, String> {
        let text = text.trim();
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(format!("parse {}: net/url: invalid control character in URL", quoted(text)));
        }
        let (scheme, rest) = split_scheme(text)?;
        if matches!(scheme, Scheme::Unix | Scheme::Unixs) {
            return Ok(Url { scheme, host: rest.to_string(), port: 0 });
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let Some((host, port)) = split_host(authority) else {
            return Err(format!("URL address does not have the form \"host:port\": {text}"));
        };
        let Ok(port) = port.parse() else {
            return Err(format!("parse {text:?}: invalid port {:?} after host", format!(":{port}")));
        };
        if !path.is_empty() {
            return Err(format!("URL must not contain a path: {text}"));
        }
        Ok(Url { scheme, host: host.to_string(), port })
    }

    /// `host:port`, an IPv6 address in brackets.
    pub(crate) fn address(&self) -> String {
        match self.scheme {
            Scheme::Unix | Scheme::Unixs => self.host.clone(),
            _ if self.host.contains(':') => format!("[{}]:{}", self.host, self.port),
            _ => format!("{}:{}", self.host, self.port),
        }
    }

    /// Where to listen. Names are refused as etcd refuses them: what they resolve to may change. `localhost` is
    /// 127.0.0.1, as in Go, wherever the system's own list of hosts begins.
    pub(crate) fn bind_address(&self) -> Result<SocketAddr, String> {
        if self.host == "localhost" {
            return Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.port));
        }
        match self.host.parse::<IpAddr>() {
            Ok(ip) => Ok(SocketAddr::new(ip, self.port)),
            Err(_) => Err(format!("expected IP in URL for binding ({self})")),
        }
    }

    /// The same with its host resolved, as far as it can be; IPv4 first. `localhost` stays, as in etcd.
    pub(crate) fn resolved(&self) -> Url {
        if self.host == "localhost" {
            return self.clone();
        }
        let found: Vec<SocketAddr> = match (self.host.as_str(), self.port).to_socket_addrs() {
            Ok(found) => found.collect(),
            Err(_) => Vec::new(),
        };
        match found.iter().find(|a| a.is_ipv4()).or(found.first()) {
            Some(address) => Url { host: address.ip().to_string(), ..self.clone() },
            None => self.clone(),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Unix => "unix",
            Scheme::Unixs => "unixs",
        };
        write!(f, "{scheme}://{}", self.address())
    }
}

/// Reads a list with commas, sorted, each once; empty for an empty text.
pub(crate) fn parse_list(text: &str) -> Result<Vec<Url>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut urls = text.split(',').map(Url::parse).collect::<Result<Vec<_>, _>>()?;
    urls.sort_by_cached_key(Url::to_string);
    urls.dedup();
    Ok(urls)
}

/// They as a list with commas.
pub(crate) fn join(urls: &[Url]) -> String {
    urls.iter().map(Url::to_string).collect::<Vec<_>>().join(",")
}

fn split_scheme(text: &str) -> Result<(Scheme, &str), String> {
    let unknown = || format!("URL scheme must be http, https, unix, or unixs: {text}");
    let segment = text.split('/').next().unwrap_or_default();
    if segment.contains(':') && !segment.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(format!("parse {text:?}: first path segment in URL cannot contain colon"));
    }
    let (scheme, rest) = text.split_once("://").ok_or_else(unknown)?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "unix" => Scheme::Unix,
        "unixs" => Scheme::Unixs,
        _ => return Err(unknown()),
    };
    Ok((scheme, rest))
}

/// `host:port` or `[host]:port`, in parts.
fn split_host(authority: &str) -> Option<(&str, &str)> {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once("]:");
    }
    authority.split_once(':').filter(|(_, port)| !port.contains(':'))
}

/// A text with control characters, as Go shows it.
fn quoted(text: &str) -> String {
    let shown = text.chars().map(|c| match c {
        '\x07' => "\\a".into(),
        '\x08' => "\\b".into(),
        '\x0b' => "\\v".into(),
        '\x0c' => "\\f".into(),
        '\n' | '\r' | '\t' | '"' | '\\' => c.escape_default().to_string(),
        c if c.is_ascii_control() => format!("\\x{:02x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", shown.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_shown_again() {
        for text in
            ["http://127.0.0.1:2379", "https://[::1]:1", "http://localhost:65535", "unix:///run/k.sock"]
        {
            assert_eq!(Url::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(join(&parse_list("http://b:2, http://a:1,http://b:2").unwrap()), "http://a:1,http://b:2");
        assert!(parse_list("").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_url_gets_etcds_words() {
        for (text, words) in [
            ("ftp://127.0.0.1:1", "URL scheme must be http, https, unix, or unixs: ftp://127.0.0.1:1"),
            ("localhost:1", "URL scheme must be http, https, unix, or unixs: localhost:1"),
            ("", "URL scheme must be http, https, unix, or unixs: "),
            ("127.0.0.1:1", "parse \"127.0.0.1:1\": first path segment in URL cannot contain colon"),
            ("http://127.0.0.1", "URL address does not have the form \"host:port\": http://127.0.0.1"),
            ("http://::1:1", "URL address does not have the form \"host:port\": http://::1:1"),
            ("http://a:1/path", "URL must not contain a path: http://a:1/path"),
            ("http://a\x01:1", r#"parse "http://a\x01:1": net/url: invalid control character in URL"#),
            ("unix://a\n\x07\x7f", r#"parse "unix://a\n\a\x7f": net/url: invalid control character in URL"#),
            ("http://a:b", "parse \"http://a:b\": invalid port \":b\" after host"),
        ] {
            assert_eq!(Url::parse(text).unwrap_err(), words);
        }
    }

    #[test]
    fn one_listens_at_addresses_and_at_localhost_and_not_at_names() {
        let bind = |text: &str| Url::parse(text).unwrap().bind_address().map(|a| a.to_string());
        assert_eq!(bind("http://localhost:1").unwrap(), "127.0.0.1:1");
        assert_eq!(bind("http://0.0.0.0:1").unwrap(), "0.0.0.0:1");
        assert_eq!(bind("http://[::1]:1").unwrap(), "[::1]:1");
        let words = "expected IP in URL for binding (http://example.com:1)";
        assert_eq!(bind("http://example.com:1").unwrap_err(), words);
        assert!(bind("http://:1").is_err());
    }
}
