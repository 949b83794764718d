//! Formatting of times and durations.

use crate::journal::{Micros, seconds};

const SECOND: u64 = 1_000_000;
const DAY: u64 = 24 * 60 * 60;

/// A time in microseconds since the epoch in RFC 3339 format: `2026-01-31T09:05:00.000123+00:00`.
#[must_use]
pub fn rfc3339(moment: Micros) -> String {
    let (in_seconds, micros) = (moment / SECOND, moment % SECOND);
    let (year, month, day) = date(in_seconds / DAY);
    let (hour, minute, second) = (in_seconds / 3600 % 24, in_seconds / 60 % 60, in_seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}+00:00")
}

/// A duration in seconds with two decimals: `1.25 s`.
#[must_use]
pub fn in_seconds(duration: Micros) -> String {
    format!("{:.2} s", seconds(duration))
}

/// Converts days since 1970-01-01 to year, month and day, by the algorithm `civil_from_days` of Howard Hinnant's
/// "chrono-Compatible Low-Level Date Algorithms". Years start in March, so that a leap day is the last day of a year.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}
