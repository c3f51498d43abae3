//! Values as Go's `flag` package reads them, with its words for those it does not take.
//!
//! What it will never know: which flag asks.

use std::time::Duration;

/// Go's words for what it cannot read.
const PARSE: &str = "parse error";

/// A boolean: `1`, `t`, `true`, `0`, `f`, `false`, in the spellings that Go takes.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(PARSE.into()),
    }
}

/// An unsigned number, decimal, or with `0x`, `0o` or `0b` before it.
pub(crate) fn unsigned(text: &str) -> Result<u64, String> {
    let (digits, radix) = match text.get(..2) {
        Some("0x" | "0X") => (&text[2..], 16),
        Some("0o" | "0O") => (&text[2..], 8),
        Some("0b" | "0B") => (&text[2..], 2),
        _ => (text, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(PARSE.into());
    }
    u64::from_str_radix(digits, radix).map_err(|_| "value out of range".into())
}

/// A signed number.
pub(crate) fn signed(text: &str) -> Result<i64, String> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let size = i128::from(unsigned(digits)?);
    i64::try_from(if is_negative { -size } else { size }).map_err(|_| "value out of range".into())
}

/// A duration: `1h30m`, `500ms`, `1.5s`, `0`. Negative ones, which Go takes, make no sense for any flag here.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let invalid = || format!("time: invalid duration {text:?}");
    let mut rest = text;
    let mut nanos = 0.0_f64;
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().map_err(|_| invalid())?;
        let after = &rest[end..];
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let unit = unit(&after[..end]).ok_or_else(|| match &after[..end] {
            "" => format!("time: missing unit in duration {text:?}"),
            unit => format!("time: unknown unit {unit:?} in duration {text:?}"),
        })?;
        nanos += number * unit;
        rest = &after[end..];
    }
    // Go keeps nanoseconds in 63 bits, some 292 years.
    if nanos >= i64::MAX as f64 { Err(invalid()) } else { Ok(Duration::from_nanos(nanos as u64)) }
}

/// Nanoseconds of a unit.
fn unit(name: &str) -> Option<f64> {
    Some(match name {
        "ns" => 1.0,
        // The micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3600e9,
        _ => return None,
    })
}

/// A duration in Go's spelling: `1h0m0s`, `1.5s`, `100ms`, `0s`.
pub(crate) fn spell(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let (divisor, name) = match nanos {
        0 => return "0s".into(),
        1..1_000 => (1, "ns"),
        1_000..1_000_000 => (1_000, "\u{b5}s"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => return spell_seconds(duration),
    };
    format!("{}{name}", decimal(nanos / divisor, nanos % divisor, divisor))
}

fn spell_seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    let (hours, minutes) = (whole / 3600, whole / 60 % 60);
    let seconds = decimal((whole % 60).into(), duration.subsec_nanos().into(), 1_000_000_000);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// `whole` and the fraction `part / of` (a power of ten), without zeros at the end.
fn decimal(whole: u128, part: u128, of: u128) -> String {
    let digits = of.ilog10() as usize;
    let fraction = format!("{part:0digits$}");
    match fraction.trim_end_matches('0') {
        "" => whole.to_string(),
        fraction => format!("{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_spelled_as_go_does() {
        for (text, millis, spelled) in [
            ("1h30m", 5_400_000, "1h30m0s"),
            ("5m", 300_000, "5m0s"),
            ("1.5s", 1_500, "1.5s"),
            ("100ms", 100, "100ms"),
            ("2s500ms", 2_500, "2.5s"),
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("100h", 360_000_000, "100h0m0s"),
        ] {
            let read = duration(text).unwrap();
            assert_eq!((read, spell(read).as_str()), (Duration::from_millis(millis), spelled), "{text}");
        }
        assert_eq!(duration("3\u{b5}s").unwrap(), Duration::from_micros(3));
        assert_eq!(spell(Duration::from_nanos(1_500)), "1.5\u{b5}s");
    }

    #[test]
    fn what_is_no_duration_gets_gos_words() {
        for (text, words) in [
            ("", "time: invalid duration \"\""),
            ("abc", "time: invalid duration \"abc\""),
            ("5", "time: missing unit in duration \"5\""),
            ("5d", "time: unknown unit \"d\" in duration \"5d\""),
            ("-1h", "time: invalid duration \"-1h\""),
            ("1.2.3s", "time: invalid duration \"1.2.3s\""),
            ("9999999999h", "time: invalid duration \"9999999999h\""),
        ] {
            assert_eq!(duration(text).unwrap_err(), words);
        }
    }

    #[test]
    fn numbers_and_booleans_are_read_as_go_does() {
        assert_eq!(unsigned("0x10"), Ok(16));
        assert_eq!(unsigned("18446744073709551615"), Ok(u64::MAX));
        for wrong in ["", "-1", "+1", "1e3", "0x", "zzz", "\u{e9}"] {
            assert_eq!(unsigned(wrong), Err("parse error".into()), "{wrong}");
        }
        assert_eq!(unsigned("18446744073709551616"), Err("value out of range".into()));
        assert_eq!((signed("-5"), signed("+5")), (Ok(-5), Ok(5)));
        assert_eq!(signed("-9223372036854775808"), Ok(i64::MIN));
        assert!(signed("9223372036854775808").is_err());
        assert_eq!((boolean("T"), boolean("0")), (Ok(true), Ok(false)));
        assert!(boolean("yes").is_err());
    }
}
