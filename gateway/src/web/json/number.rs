//! Whole numbers as JSON may write them: `100`, `1e2`, `100.0`, and all of these as strings. What it will never know:
//! fields.

/// The number that a JSON number stands for: is it below zero, and how far from it? `None` if it is not whole, or too
/// large.
pub(crate) fn whole(text: &str) -> Option<(bool, u64)> {
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (units, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_long = units.len() > 1 && units.starts_with('0');
    let is_number = [units, fraction].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    if units.is_empty() || is_long || !is_number || (fraction.is_empty() && mantissa.contains('.')) {
        return None;
    }
    let digits = format!("{units}{fraction}");
    let digits = digits.trim_start_matches('0');
    let point = i64::from(exponent) - fraction.len() as i64;
    Some((is_negative, shifted(digits, point)?))
}

/// These digits, times ten to the power of `by`.
fn shifted(digits: &str, by: i64) -> Option<u64> {
    if digits.is_empty() {
        return Some(0);
    }
    if by >= 0 {
        let zeros = u32::try_from(by).ok().filter(|zeros| *zeros < 20)?;
        return digits.parse::<u64>().ok()?.checked_mul(10_u64.checked_pow(zeros)?);
    }
    let cut = digits.len().checked_sub(usize::try_from(-by).ok()?)?;
    let (whole, rest) = digits.split_at(cut);
    if rest.bytes().any(|byte| byte != b'0') {
        return None;
    }
    if whole.is_empty() { Some(0) } else { whole.parse().ok() }
}

/// As a signed number between `least` and `most`.
pub(crate) fn signed(text: &str, least: i64, most: i64) -> Option<i64> {
    let (is_negative, size) = whole(text)?;
    let number = if is_negative { 0_i64.checked_sub_unsigned(size) } else { i64::try_from(size).ok() }?;
    (least..=most).contains(&number).then_some(number)
}

/// As an unsigned number up to `most`.
pub(crate) fn unsigned(text: &str, most: u64) -> Option<u64> {
    let (is_negative, size) = whole(text)?;
    (size <= most && (!is_negative || size == 0)).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_in_every_spelling() {
        for (text, number) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("7.0", Some(7)),
            ("1e2", Some(100)),
            ("1.25E2", Some(125)),
            ("1200e-2", Some(12)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1.5", None),
            ("12e-2", None),
            ("1e30", None),
            ("1e-99999999999", None),
            ("0e99", Some(0)),
            ("007", None),
            ("", None),
            ("-", None),
            (" 7", None),
            ("+7", None),
            ("0x1", None),
            ("1.", None),
        ] {
            assert_eq!(signed(text, i64::MIN, i64::MAX), number, "{text}");
        }
        assert_eq!(unsigned("18446744073709551615", u64::MAX), Some(u64::MAX));
        assert_eq!(unsigned("-1", u64::MAX), None);
        assert_eq!(signed("2147483648", i32::MIN.into(), i32::MAX.into()), None);
    }
}
