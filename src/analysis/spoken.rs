//! Durations as text: three digits and a unit, such as `612 ms`.

use crate::journal::{Micros, seconds};

/// A duration with three digits: `95 us`, `4.21 ms`, `612 ms`, `1.23 s`, `83.4 s`, `3720 s`.
#[must_use]
pub fn spoken(time: Micros) -> String {
    // What rounds to 1000 ms is a second.
    if time < 1000 {
        format!("{time} us")
    } else if time < 999_500 {
        with_digits(seconds(time) * 1e3, "ms")
    } else {
        with_digits(seconds(time), "s")
    }
}

/// A duration beside a `limit` from which it differs: with all its digits where three would not show that.
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

/// A part of all in per cent, such as `0.50 %`.
#[must_use]
pub fn percent(rate: f64) -> String {
    format!("{rate:.2} %")
}

/// A part of all beside a `limit` from which it differs: with as many digits as it takes to show that.
#[must_use]
pub fn percent_apart(rate: f64, limit: f64) -> String {
    let told = |digits: usize| (format!("{rate:.digits$} %"), format!("{limit:.digits$} %"));
    let apart = (2..9).map(told).find(|(rate, limit)| rate != limit);
    apart.map_or_else(|| percent(rate), |(rate, _)| rate)
}

fn with_digits(value: f64, unit: &str) -> String {
    // What rounds to 10.0 or 100 has a digit less behind the point.
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
            83_400_000,
            3_720_400_000,
        ];
        let texts = [
            "0 us", "95 us", "999 us", "4.21 ms", "10.0 ms", "61.2 ms", "100 ms", "999 ms", "1.00 s",
            "1.23 s", "83.4 s", "3720 s",
        ];
        assert_eq!(times.map(spoken), texts);
    }

    #[test]
    fn what_is_just_over_a_limit_does_not_look_like_it() {
        assert_eq!(apart(612_000, 500_000), "612 ms");
        assert_eq!(apart(500_213, 500_000), "500.213 ms");
        assert_eq!(apart(2_000_001, 2_000_000), "2.000001 s");
        assert_eq!(apart(500_000, 500_000), "500 ms");
        assert_eq!(percent_apart(12.5, 10.0), "12.50 %");
        assert_eq!(percent_apart(100.0 / 30_001.0, 0.0), "0.003 %");
        assert_eq!(percent_apart(1.0, 1.0), "1.00 %");
    }
}
