//! The values of one metric: histograms of durations and numbers, sums of counters.
//!
//! Durations are in nanoseconds, so that iterations of some microseconds are exact. Histograms have three digits: a
//! percentile is at most a thousandth above the true value.

use crate::journal::Micros;
use crate::journal::load::{Distribution, LoadMetric, MetricKind};
use hdrhistogram::Histogram;

/// Number of exact digits.
const DIGITS: u8 = 3;

/// Numbers are counted in thousandths.
const PER_NUMBER: f64 = 1000.0;

/// Values are counted as at most this: two weeks in nanoseconds. A histogram up to an hour takes 270 KiB.
const MOST: u64 = 1 << 50;

/// A value of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Nanoseconds, those between intended and actual start, and whether it failed.
    Time(u64, u64, bool),
    /// A number, of trends, counters and gauges.
    Number(f64),
    /// True or false.
    Truth(bool),
}

/// A distribution.
#[derive(Debug)]
pub struct Spread {
    histogram: Histogram<u64>,
    sum: f64,
    least: f64,
    most: f64,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            histogram: Histogram::new(DIGITS).expect("digits that are possible"),
            sum: 0.0,
            least: f64::INFINITY,
            most: 0.0,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "values are below 2^53, and a conversion of floats saturates"
)]
impl Spread {
    fn add(&mut self, value: u64) {
        // It grows to the greatest value; above the limit there are no more digits.
        let _recorded = self.histogram.record(value.min(MOST));
        self.sum += value as f64;
        self.least = self.least.min(value as f64);
        self.most = self.most.max(value as f64);
    }

    fn add_number(&mut self, number: f64) {
        self.add((number * PER_NUMBER).round() as u64);
    }

    fn clear(&mut self) {
        self.histogram.clear();
        (self.sum, self.least, self.most) = (0.0, f64::INFINITY, 0.0);
    }

    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The value not exceeded by so many per cent; 0 if empty.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> f64 {
        let value = self.histogram.value_at_quantile(percent / 100.0) as f64;
        if self.count() == 0 {
            0.0
        } else {
            value.clamp(self.least, self.most)
        }
    }

    /// The mean; 0 if empty.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.count() == 0 {
            0.0
        } else {
            self.sum / self.count() as f64
        }
    }

    /// The least value; 0 if empty.
    #[must_use]
    pub fn least(&self) -> f64 {
        if self.count() == 0 { 0.0 } else { self.least }
    }

    /// The greatest value; 0 if empty.
    #[must_use]
    pub fn most(&self) -> f64 {
        self.most
    }

    fn distribution(&self, divisor: f64) -> Distribution {
        Distribution {
            avg: self.mean() / divisor,
            min: self.least() / divisor,
            med: self.percentile(50.0) / divisor,
            p90: self.percentile(90.0) / divisor,
            p95: self.percentile(95.0) / divisor,
            p99: self.percentile(99.0) / divisor,
            max: self.most() / divisor,
        }
    }
}

/// A metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: MetricKind,
    /// How many values.
    pub count: u64,
    /// How many were true; of durations, how many failed.
    pub part: u64,
    /// The sum of a counter, the last value of a gauge.
    pub number: f64,
    /// Values from the actual start.
    pub values: Spread,
    /// Durations from the intended start.
    pub intended: Spread,
    /// The values of the present second.
    recent: Spread,
    recent_failed: u64,
    recent_count: u64,
    recent_sum: f64,
}

impl Metric {
    /// A metric without values.
    #[must_use]
    pub fn new(name: String, kind: MetricKind) -> Self {
        Self {
            name,
            kind,
            count: 0,
            part: 0,
            number: 0.0,
            values: Spread::default(),
            intended: Spread::default(),
            recent: Spread::default(),
            recent_failed: 0,
            recent_count: 0,
            recent_sum: 0.0,
        }
    }

    /// Adds a value; one of another kind is ignored.
    pub fn add(&mut self, value: Value) {
        match (self.kind, value) {
            (MetricKind::Time, Value::Time(nanos, lag, failed)) => {
                self.values.add(nanos);
                self.intended.add(nanos.saturating_add(lag));
                self.recent.add(nanos);
                self.part += u64::from(failed);
                self.recent_failed += u64::from(failed);
            }
            (MetricKind::Trend, Value::Number(number)) => {
                self.values.add_number(number);
                self.recent.add_number(number);
            }
            (MetricKind::Counter, Value::Number(number)) => {
                self.number += number;
                self.recent_sum += number;
            }
            (MetricKind::Gauge, Value::Number(number)) => self.number = number,
            (MetricKind::Rate | MetricKind::Check, Value::Truth(truth)) => {
                self.part += u64::from(truth);
                self.recent_failed += u64::from(!truth);
            }
            _ => return,
        }
        self.count += 1;
        self.recent_count += 1;
    }

    /// What a value of its distribution is divided by: durations become microseconds.
    #[must_use]
    pub fn divisor(&self) -> f64 {
        if self.kind == MetricKind::Trend {
            PER_NUMBER
        } else {
            1000.0
        }
    }

    /// Values, failures and durations of the present second, which ends.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "durations are positive, and a conversion of floats saturates"
    )]
    pub fn end_second(&mut self) -> (u64, u64, Option<[Micros; 4]>) {
        let recent = &self.recent;
        let is_spread = matches!(self.kind, MetricKind::Time | MetricKind::Trend) && recent.count() > 0;
        let took = is_spread.then(|| {
            let values = [50.0, 95.0, 99.0, 100.0].map(|percent| recent.percentile(percent));
            values.map(|value| (value / self.divisor()).round() as Micros)
        });
        let ended = (self.recent_count, self.recent_failed, took);
        if self.recent_count > 0 {
            self.recent.clear();
            (self.recent_count, self.recent_failed) = (0, 0);
        }
        ended
    }

    /// The sum of a counter in the present second, which ends; the last value of a gauge.
    pub fn take_number(&mut self) -> Option<f64> {
        match self.kind {
            MetricKind::Counter => Some(std::mem::take(&mut self.recent_sum)),
            MetricKind::Gauge => Some(self.number),
            _ => None,
        }
    }

    /// Values and failures of the present second.
    #[must_use]
    pub fn recent_counts(&self) -> (u64, u64) {
        (self.recent_count, self.recent_failed)
    }

    /// Durations or numbers of the present second.
    #[must_use]
    pub fn recent_spread(&self) -> &Spread {
        &self.recent
    }

    /// Its values for the journal.
    #[must_use]
    pub fn result(&self) -> LoadMetric {
        let is_time = self.kind == MetricKind::Time;
        let has_values = is_time || self.kind == MetricKind::Trend;
        LoadMetric {
            name: self.name.clone(),
            kind: self.kind,
            count: self.count,
            part: self.part,
            value: matches!(self.kind, MetricKind::Counter | MetricKind::Gauge).then_some(self.number),
            values: has_values.then(|| self.values.distribution(self.divisor())),
            intended: is_time.then(|| self.intended.distribution(self.divisor())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn percentiles_are_exact_to_a_thousandth(mut times in prop::collection::vec(1u64..10_000_000_000, 1..400)) {
            let mut metric = Metric::new("x".to_owned(), MetricKind::Time);
            for time in &times {
                metric.add(Value::Time(*time, 0, false));
            }
            times.sort_unstable();
            for percent in [50usize, 90, 95, 99, 100] {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let (truth, given) = (
                    times[(times.len() * percent).div_ceil(100) - 1] as f64,
                    metric.values.percentile(percent as f64),
                );
                prop_assert!((given - truth).abs() <= truth / 1000.0 + 1.0, "{percent} {given} {truth}");
            }
        }
    }

    #[test]
    fn the_intended_start_includes_the_lag() {
        let mut metric = Metric::new("x".to_owned(), MetricKind::Time);
        metric.add(Value::Time(10_000_000, 90_000_000, false));
        let result = metric.result();
        assert!((result.values.expect("values").max - 10_000.0).abs() < 1e-6);
        assert!((result.intended.expect("values").max - 100_000.0).abs() < 1e-6);
    }

    #[test]
    fn a_second_has_its_own_values() {
        let mut metric = Metric::new("x".to_owned(), MetricKind::Time);
        metric.add(Value::Time(5_000_000, 0, true));
        assert_eq!(metric.end_second(), (1, 1, Some([5_000; 4])));
        assert_eq!(metric.end_second(), (0, 0, None));
        metric.add(Value::Time(7_000_000, 0, false));
        assert_eq!(metric.end_second(), (1, 0, Some([7_000; 4])));
        assert_eq!((metric.count, metric.part), (2, 1));
    }

    #[test]
    fn each_kind_counts_its_own_values() {
        let mut counter = Metric::new("x".to_owned(), MetricKind::Counter);
        counter.add(Value::Number(2.5));
        counter.add(Value::Number(2.0));
        counter.add(Value::Truth(true));
        assert_eq!((counter.count, counter.result().value), (2, Some(4.5)));
        assert_eq!(counter.take_number(), Some(4.5));
        counter.add(Value::Number(0.5));
        assert_eq!(
            (counter.take_number(), counter.result().value),
            (Some(0.5), Some(5.0))
        );
        let mut gauge = Metric::new("x".to_owned(), MetricKind::Gauge);
        gauge.add(Value::Number(2.5));
        gauge.add(Value::Number(2.0));
        assert_eq!(gauge.result().value, Some(2.0));
        assert_eq!((gauge.take_number(), gauge.take_number()), (Some(2.0), Some(2.0)));
        let mut check = Metric::new("x".to_owned(), MetricKind::Check);
        check.add(Value::Truth(true));
        check.add(Value::Truth(false));
        assert_eq!((check.count, check.part), (2, 1));
        let mut trend = Metric::new("x".to_owned(), MetricKind::Trend);
        trend.add(Value::Number(0.5));
        assert!((trend.result().values.expect("values").max - 0.5).abs() < 1e-9);
    }
}
