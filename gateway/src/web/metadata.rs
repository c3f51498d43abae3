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

/// How long the client waits, if it says so.
pub(crate) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let said = String::from_utf8_lossy(value.as_bytes());
    let wrong = || Status::invalid_argument(format!("invalid grpc-timeout: {said}"));
    duration(&said).map(Some).ok_or_else(wrong)
}

/// A number and a letter.
fn duration(said: &str) -> Option<Duration> {
    let unit = said.chars().last().filter(char::is_ascii)?;
    let number = said[..said.len() - 1].parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(u64::checked_mul(number, 3600)?)),
        'M' => Some(Duration::from_secs(u64::checked_mul(number, 60)?)),
        'S' => Some(Duration::from_secs(number)),
        'm' => Some(Duration::from_millis(number)),
        'u' => Some(Duration::from_micros(number)),
        'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_a_number_and_a_unit() {
        assert_eq!(duration("3H"), Some(Duration::from_secs(10_800)));
        assert_eq!(duration("7m"), Some(Duration::from_millis(7)));
        for wrong in ["", "S", "5", "-1S", "1x", "1é", "99999999999999999999S", "18446744073709551615H"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}
