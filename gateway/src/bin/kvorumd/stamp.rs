//! The time of a line of the log, as etcd writes it: UTC with microseconds.

use std::time::{Duration, SystemTime};

/// `2026-11-27T20:36:39.746382Z`.
pub(crate) fn now() -> String {
    // A clock before 1970 is a clock that was never set.
    show(SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default())
}

fn show(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let micros = since_1970.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// The date so many days after 1970-01-01. Years are counted from March, so that the leap day comes last, in
/// eras of 400 years, which all have the same days.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, in_era) = (days / 146_097, days % 146_097);
    let year = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_the_date_and_time_in_utc() {
        for (seconds, micros, text) in [
            (0, 0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, 1, "2000-02-29T00:00:00.000001Z"),
            (951_868_799, 999_999, "2000-02-29T23:59:59.999999Z"),
            (951_868_800, 0, "2000-03-01T00:00:00.000000Z"),
            (1_795_811_799, 746_382, "2026-11-27T20:36:39.746382Z"),
            (4_107_542_399, 0, "2100-02-28T23:59:59.000000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000Z"),
        ] {
            let since = Duration::from_secs(seconds) + Duration::from_micros(micros);
            assert_eq!(show(since), text);
        }
    }
}
