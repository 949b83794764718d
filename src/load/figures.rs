//! The figures of metrics that thresholds name, and how they are compared and shown.

use super::metric::{Metric, Spread};
use super::threshold::{Figure, Limit};
use crate::journal::Micros;
use crate::journal::load::MetricKind;
use crate::text::duration::{apart, micros, spoken};

impl Metric {
    /// The value of a figure in the present second, in the unit of the metric; `None` if there is none.
    pub(super) fn recent(&self, figure: Figure) -> Option<f64> {
        let (n, failed) = self.recent_counts();
        self.of(figure, self.recent_spread(), n, failed, 1.0)
    }

    /// The value of a figure of the whole load test, which has taken so many seconds.
    pub(super) fn total(&self, figure: Figure, seconds: f64) -> Option<f64> {
        let failed = match self.kind {
            MetricKind::Rate | MetricKind::Check => self.count - self.part,
            _ => self.part,
        };
        self.of(figure, &self.values, self.count, failed, seconds)
    }

    fn of(&self, figure: Figure, values: &Spread, n: u64, failed: u64, seconds: f64) -> Option<f64> {
        let spread = (values.count() > 0).then_some(values);
        let is_number = matches!(self.kind, MetricKind::Counter | MetricKind::Gauge);
        match figure {
            Figure::Percentile(percent) => spread.map(|values| values.percentile(percent)),
            Figure::Average => spread.map(Spread::mean),
            Figure::Least => spread.map(Spread::least),
            Figure::Most => spread.map(Spread::most),
            Figure::Count if is_number => Some(self.number),
            Figure::Count => Some(count(n)),
            Figure::Rate => match self.kind {
                MetricKind::Rate | MetricKind::Check => percent_true((n, failed)),
                MetricKind::Counter => Some(self.number / seconds.max(1e-9)),
                _ => Some(count(n) / seconds.max(1e-9)),
            },
            Figure::Value => (n > 0).then_some(self.number),
            Figure::ErrorRate => (n > 0).then(|| count(failed) * 100.0 / count(n)),
            Figure::ErrorCount => Some(count(failed)),
            Figure::Dropped | Figure::Checks => None,
        }
    }
}

/// Whether a metric of this kind has such a figure, in the unit of the limit.
pub(super) fn fits(kind: MetricKind, figure: Figure, limit: Limit) -> bool {
    match figure {
        Figure::Percentile(_) | Figure::Average | Figure::Least | Figure::Most => match limit {
            Limit::Time(_) => kind == MetricKind::Time,
            _ => kind == MetricKind::Trend,
        },
        Figure::Rate => match limit {
            Limit::Percent(_) => matches!(kind, MetricKind::Rate | MetricKind::Check),
            _ => !matches!(kind, MetricKind::Rate | MetricKind::Check | MetricKind::Gauge),
        },
        Figure::Value => kind == MetricKind::Gauge,
        Figure::Count | Figure::ErrorRate | Figure::ErrorCount | Figure::Dropped | Figure::Checks => true,
    }
}

pub(super) fn percent_true((all, failed): (u64, u64)) -> Option<f64> {
    (all > 0).then(|| count(all - failed) * 100.0 / count(all))
}

/// A limit in the unit of a metric's values.
pub(super) fn in_unit(metric: &Metric, limit: Limit) -> f64 {
    match limit {
        Limit::Time(time) => count(time) * 1000.0,
        Limit::Number(number) if metric.kind == MetricKind::Trend => number * metric.divisor(),
        Limit::Percent(number) | Limit::PerSecond(number) | Limit::Number(number) => number,
    }
}

pub(super) fn spoken_value(value: f64, limit: Limit, metric: &Metric, kept: bool) -> String {
    match limit {
        Limit::Time(_) if kept => spoken(nanos(value)),
        Limit::Time(limit) => apart(nanos(value), limit),
        Limit::Percent(limit) if kept => crate::text::percent(value.min(limit.max(value))),
        Limit::Percent(limit) => crate::text::percent_apart(value, limit),
        Limit::PerSecond(_) => format!("{value:.1}/s"),
        Limit::Number(_) if metric.kind == MetricKind::Trend => format!("{}", value / metric.divisor()),
        Limit::Number(_) => format!("{value}"),
    }
}

/// Nanoseconds as microseconds.
pub(super) fn nanos(value: f64) -> Micros {
    micros(value / 1e9)
}

#[expect(clippy::cast_precision_loss, reason = "numbers below 2^53")]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}
