//! What headers of plain HTTP say to a gRPC service: `Grpc-Metadata-…` without its beginning, and how long a client
//! waits. What it will never know: bodies.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tonic::Status;

/// What is handed on.
pub(crate) fn of(headers: &HeaderMap) -> HeaderMap {
    let mut metadata = HeaderMap::new();
    for (name, value) in headers {
        let name = name.as_str().strip_prefix("grpc-metadata-");
        if let Some(Ok(name)) = name.map(str::parse::<HeaderName>) {
            metadata.append(name, value.clone());
        }
    }
    metadata
}

/// How long the client waits, if it says so; 0 is for ever, and less has passed already, as in etcd.
pub(crate) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let said = String::from_utf8_lossy(value.as_bytes());
    let wrong = || Status::invalid_argument(format!("invalid grpc-timeout: {said}"));
    let nanos = nanos(&said).ok_or_else(wrong)?;
    Ok((nanos != 0).then(|| Duration::from_nanos(nanos.try_into().unwrap_or(0))))
}

/// A number and a letter, as nanoseconds. What is too much for those goes round, as it does in Go.
fn nanos(said: &str) -> Option<i64> {
    let unit = said.chars().last().filter(char::is_ascii)?;
    let number: i64 = said[..said.len() - 1].parse().ok()?;
    let times = match unit {
        'H' => 3_600_000_000_000,
        'M' => 60_000_000_000,
        'S' => 1_000_000_000,
        'm' => 1_000_000,
        'u' => 1000,
        'n' => 1,
        _ => return None,
    };
    Some(number.wrapping_mul(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_a_number_and_a_unit() {
        assert_eq!(nanos("3H"), Some(10_800_000_000_000));
        assert_eq!(nanos("7m"), Some(7_000_000));
        for wrong in ["", "S", "5", "1x", "1é", "99999999999999999999S"] {
            assert_eq!(nanos(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nothing_is_for_ever_and_less_or_far_too_much_is_over() {
        for (said, expected) in [
            ("0S", None),
            ("-1S", Some(Duration::ZERO)),
            ("99999999H", Some(Duration::ZERO)),
            ("5S", Some(Duration::from_secs(5))),
        ] {
            let headers = HeaderMap::from_iter([("grpc-timeout".parse().unwrap(), said.parse().unwrap())]);
            assert_eq!(timeout(&headers).unwrap(), expected, "{said}");
        }
    }
}
