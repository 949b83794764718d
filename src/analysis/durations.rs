//! Distribution of test durations: an HDR histogram for percentiles, and exact extremes and mean.
//!
//! Percentiles are those of `HdrHistogram` with three digits: at most a thousandth above the true value.

use super::counted;
use crate::journal::Micros;
use crate::journal::merged::Merged;
use hdrhistogram::Histogram;

/// Number of exact digits of a percentile.
const DIGITS: u8 = 3;

/// A week: percentiles are capped at this value. It makes a histogram of 240 KiB.
const LONGEST: Micros = 7 * 24 * 60 * 60 * 1_000_000;

/// A collection of durations.
#[derive(Debug, Clone)]
pub struct Spread {
    histogram: Histogram<u64>,
    sum: u128,
    least: Micros,
    most: Micros,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            histogram: Histogram::new_with_max(LONGEST, DIGITS).expect("bounds and digits that are possible"),
            sum: 0,
            least: Micros::MAX,
            most: 0,
        }
    }
}

impl Spread {
    /// Adds a duration.
    pub fn add(&mut self, time: Micros) {
        self.histogram.saturating_record(time);
        self.sum += u128::from(time);
        self.least = self.least.min(time);
        self.most = self.most.max(time);
    }

    /// Number of durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The shortest duration not exceeded by `percent` of all, to a thousandth; `None` if empty.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<Micros> {
        let value = self.histogram.value_at_quantile(percent / 100.0);
        self.known(value.clamp(self.least.min(self.most), self.most))
    }

    /// The mean, rounded down; `None` if empty.
    #[must_use]
    pub fn mean(&self) -> Option<Micros> {
        let mean = self.sum.checked_div(u128::from(self.count()))?;
        Micros::try_from(mean).ok()
    }

    /// The shortest duration; `None` if empty.
    #[must_use]
    pub fn least(&self) -> Option<Micros> {
        self.known(self.least)
    }

    /// The longest duration; `None` if empty.
    #[must_use]
    pub fn most(&self) -> Option<Micros> {
        self.known(self.most)
    }

    fn known(&self, time: Micros) -> Option<Micros> {
        (!self.histogram.is_empty()).then_some(time)
    }
}

/// Durations of tests, in total and by phase.
#[derive(Debug, Clone, Default)]
pub struct Durations {
    /// Of whole tests.
    pub whole: Spread,
    /// Of setups, calls and teardowns.
    pub phases: [Spread; 3],
}

impl Durations {
    /// The durations of the attempts that count. A crashed attempt has no known duration.
    #[must_use]
    pub fn new(merged: &Merged) -> Self {
        let mut durations = Self::default();
        let attempts = counted(merged).map(|counted| counted.attempt);
        for attempt in attempts.filter(|attempt| !attempt.crashed) {
            durations.whole.add(attempt.took());
            for (spread, phase) in durations.phases.iter_mut().zip(attempt.phases) {
                if let Some(phase) = phase {
                    spread.add(phase.took);
                }
            }
        }
        durations
    }
}
