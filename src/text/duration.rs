//! Durations: how options and thresholds write them, and how reports and messages show them.

/// A duration in microseconds.
pub type Micros = u64;

/// Units of durations, and their microseconds.
pub const UNITS: [(&str, Micros); 5] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
];

/// The text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid duration '{0}': expected for example 500ms, 1s or 1.5m")]
pub struct InvalidDuration(String);

/// Parses a duration and returns seconds: a non-negative number with a unit of [`UNITS`], by default seconds.
///
/// # Errors
/// [`InvalidDuration`].
pub fn parse(text: &str) -> Result<f64, InvalidDuration> {
    let error = || InvalidDuration(super::shortened(text));
    let trimmed = text.trim();
    let end = trimmed
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let is_number = number.ends_with(|c: char| c.is_ascii_digit());
    let number: f64 = number.parse().ok().filter(|_| is_number).ok_or_else(error)?;
    let unit = match unit.trim_start_matches(' ') {
        "" => "s",
        unit => unit,
    };
    let (_, micros) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?;
    #[expect(clippy::cast_precision_loss, reason = "the units are small")]
    let seconds = number * *micros as f64 / 1e6;
    Ok(seconds)
}

/// Formats a duration with three digits, from a minute on as on a clock: `95 us`, `4.21 ms`, `612 ms`, `1.23 s`, `59.9
/// s`, `1:23 min`, `1:02:03 h`.
#[must_use]
pub fn spoken(time: Micros) -> String {
    // What rounds to 1000 ms is shown as a second, and what rounds to 60.0 s as a minute.
    if time < 1_000 {
        format!("{time} us")
    } else if time < 999_500 {
        with_digits(seconds(time) * 1e3, "ms")
    } else if time < 59_950_000 {
        with_digits(seconds(time), "s")
    } else {
        let unit = if time < 3_599_500_000 { "min" } else { "h" };
        format!("{} {unit}", clock(time))
    }
}

/// Formats a duration in whole seconds as on a clock: `0:09`, `12:00`, `1:02:03`.
#[must_use]
pub fn clock(time: Micros) -> String {
    let whole = time.saturating_add(500_000) / 1_000_000;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// Formats a duration beside a `limit` that differs from it: with all digits if [`spoken`] would show both alike.
#[must_use]
pub fn apart(time: Micros, limit: Micros) -> String {
    let text = spoken(time);
    if time == limit || text != spoken(limit) {
        return text;
    }
    if time < 999_500 {
        format!("{} ms", seconds(time) * 1e3)
    } else {
        format!("{} s", seconds(time))
    }
}

/// Converts seconds to microseconds; NaN and negative values become 0.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of floats saturates, and NaN becomes 0"
)]
pub fn micros(seconds: f64) -> Micros {
    (seconds * 1e6).round() as Micros
}

/// Converts microseconds to seconds.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
pub fn seconds(time: Micros) -> f64 {
    time as f64 / 1e6
}

fn with_digits(value: f64, unit: &str) -> String {
    // What rounds to 10.0 or 100 gets one decimal less.
    let digits = if value < 9.995 {
        2
    } else {
        usize::from(value < 99.95)
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_digits_and_a_unit() {
        let times = [
            0,
            95,
            999,
            4_213,
            9_996,
            61_250,
            99_960,
            999_499,
            999_500,
            1_234_000,
            59_949_999,
            59_950_000,
            83_400_000,
            3_599_499_999,
            3_599_500_000,
            3_720_400_000,
        ];
        let texts = [
            "0 us",
            "95 us",
            "999 us",
            "4.21 ms",
            "10.0 ms",
            "61.2 ms",
            "100 ms",
            "999 ms",
            "1.00 s",
            "1.23 s",
            "59.9 s",
            "1:00 min",
            "1:23 min",
            "59:59 min",
            "1:00:00 h",
            "1:02:00 h",
        ];
        assert_eq!(times.map(spoken), texts);
    }

    #[test]
    fn a_duration_just_over_its_limit_shows_it() {
        assert_eq!(apart(612_000, 500_000), "612 ms");
        assert_eq!(apart(500_213, 500_000), "500.213 ms");
        assert_eq!(apart(2_000_001, 2_000_000), "2.000001 s");
        assert_eq!(apart(500_000, 500_000), "500 ms");
    }

    #[test]
    fn numbers_and_units_are_read() {
        for (text, seconds) in [
            ("1", 1.0),
            (" 1.5m ", 90.0),
            (".5 s", 0.5),
            ("500ms", 0.5),
            ("250us", 0.000_25),
            ("2h", 7200.0),
            ("0", 0.0),
        ] {
            let found = parse(text).unwrap();
            assert!((found - seconds).abs() < 1e-9, "{text}: {found}");
        }
    }

    #[test]
    fn an_invalid_duration_error_gives_examples() {
        for text in [
            "", "s", "1.", ".", "1..2", "-1", "1e3", "1 d", "1s2", "inf", "nan", "١", "1\ts",
        ] {
            let message = format!("invalid duration '{text}': expected for example 500ms, 1s or 1.5m");
            assert_eq!(parse(text).unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            if let Ok(seconds) = parse(&text) {
                prop_assert!(seconds >= 0.0);
            }
        }

        #[test]
        fn a_longer_duration_never_looks_shorter(time in 0..10_000_000_000u64, more in 0..1_000_000u64) {
            prop_assert!(clock(time).len() <= clock(time + more).len());
        }
    }
}
