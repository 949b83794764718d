//! A duration as the history stores it: whole microseconds, in memory and in the file.
//!
//! The hazard it handles: a history must be unchanged after it was written and read, and a clock or a plugin may report
//! anything, `nan` included. Whole numbers are ordered, compare exactly and round-trip.

use serde::{Deserialize, Serialize};

/// A year in microseconds: longer durations are measurement errors. The limit also keeps the conversion to seconds
/// exact.
const LONGEST: u64 = 366 * 24 * 60 * 60 * 1_000_000;

/// Weight of a new value in an average, in tenths. With 3, an outlier decays to 3 % after ten runs, and after three
/// runs the average has followed two thirds of a lasting change.
const TENTHS: i64 = 3;

/// A duration in whole microseconds, from zero to a year.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Seconds(u64);

impl Seconds {
    /// Converts seconds; `None` for invalid durations: `nan`, negative values, more than a year.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked"
    )]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a year of microseconds is exact in f64"
    )]
    pub fn new(seconds: f64) -> Option<Self> {
        let micros = (seconds * 1e6).round();
        (0.0..=LONGEST as f64)
            .contains(&micros)
            .then_some(Self(micros as u64))
    }

    /// The duration in seconds.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a year of microseconds is exact in f64"
    )]
    pub fn get(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The decaying average after one more value. It lies between the two.
    #[must_use]
    pub fn towards(self, value: Self) -> Self {
        let way = value.0.cast_signed() - self.0.cast_signed();
        // Rounded away from zero, so that the average reaches a constant value.
        let step = (way * TENTHS + way.signum() * 9) / 10;
        Self(self.0.saturating_add_signed(step))
    }

    /// The mean of `count` durations with this total.
    #[must_use]
    pub fn shared_by(self, count: u32) -> Self {
        Self(self.0 / u64::from(count.max(1)))
    }

    /// The sum, at most a year.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self((self.0 + other.0).min(LONGEST))
    }

    /// The difference, at least zero.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl From<Seconds> for u64 {
    fn from(seconds: Seconds) -> Self {
        seconds.0
    }
}

/// The number of microseconds exceeds the maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} microseconds are more than a year")]
pub struct TooLong(u64);

impl TryFrom<u64> for Seconds {
    type Error = TooLong;

    fn try_from(micros: u64) -> Result<Self, TooLong> {
        if micros <= LONGEST {
            Ok(Self(micros))
        } else {
            Err(TooLong(micros))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_average_stays_between_the_least_and_the_most(values in prop::collection::vec(0.0..1e4f64, 1..50)) {
            let values: Vec<Seconds> = values.into_iter().filter_map(Seconds::new).collect();
            let average = values.iter().copied().reduce(Seconds::towards).unwrap();
            prop_assert!(values.iter().min().unwrap() <= &average);
            prop_assert!(values.iter().max().unwrap() >= &average);
        }

        #[test]
        fn the_average_reaches_a_constant_value(from in 0.0..1e4f64, to in 0.0..1e4f64) {
            let (from, to) = (Seconds::new(from).unwrap(), Seconds::new(to).unwrap());
            let average = std::iter::repeat_n(to, 100).fold(from, Seconds::towards);
            prop_assert_eq!(average, to);
        }

        #[test]
        fn every_number_is_a_duration_or_is_refused(number: f64) {
            if let Some(seconds) = Seconds::new(number) {
                prop_assert!((seconds.get() - number).abs() <= 0.5e-6 + number * 1e-15);
                prop_assert_eq!(Seconds::new(seconds.get()), Some(seconds));
            }
        }
    }

    #[test]
    fn invalid_durations_are_refused() {
        for number in [f64::NAN, f64::INFINITY, -1.0, 1e12] {
            assert_eq!(Seconds::new(number), None);
        }
    }
}
