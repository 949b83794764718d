//! The curves of a load test: columns with a value for each second.

use crate::journal::Micros;
use crate::journal::load::{LoadMetric, LoadSecond, MetricKind};
use crate::journal::seconds;
use crate::load::measurement::ITERATIONS;
use crate::load::saturation;
use serde::Serialize;
use std::collections::HashMap;

/// The most points of a curve: the page is up to 1,920 pixels wide. Four hours with ten steps would be 8 MB otherwise.
const MOST_POINTS: usize = 1800;

/// Columns with a row for each point of time.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Curves {
    /// How many seconds make a point. Of several, numbers are added up, and of percentiles, lag and CPU the worst is
    /// taken.
    every: usize,
    /// When each ends, in seconds from the beginning of the load test.
    at: Vec<f64>,
    users: Vec<u32>,
    target: Vec<f64>,
    started: Vec<u64>,
    dropped: Vec<u64>,
    lag: Vec<f64>,
    cpu: Vec<f64>,
    /// Indices of the points in which the processes that generate the load could not keep up.
    saturated: Vec<usize>,
    /// The iterations, and the steps and trends.
    series: Vec<Series>,
}

/// The values of a metric over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Series {
    name: String,
    /// Whether its values are seconds; otherwise numbers.
    is_time: bool,
    n: Vec<u64>,
    failed: Vec<u64>,
    p50: Vec<Option<f64>>,
    p95: Vec<Option<f64>>,
    p99: Vec<Option<f64>>,
}

impl Curves {
    /// The curves of a load test that began at this time. `metrics` says what the values of each metric are.
    pub(super) fn new(began: Micros, of_seconds: &[&LoadSecond], metrics: &[LoadMetric]) -> Self {
        let last = of_seconds
            .iter()
            .map(|second| second.s as usize)
            .max()
            .unwrap_or(0);
        let every = last.div_ceil(MOST_POINTS).max(1);
        let points = last.div_ceil(every);
        let mut curves = Self::empty(every, points);
        let mut known: HashMap<Option<&str>, usize> = HashMap::new();
        for second in of_seconds.iter().filter(|second| second.s > 0) {
            let point = (second.s as usize - 1) / every;
            if second.step.is_none() {
                curves.add_level(point, seconds(second.at.saturating_sub(began)), second);
            } else if second.took.is_none() {
                continue;
            }
            let step = second.step.as_deref();
            let index = *known.entry(step).or_insert_with(|| {
                let name = step.unwrap_or(ITERATIONS).to_owned();
                curves
                    .series
                    .push(Series::empty(name, is_time(step, metrics), points));
                curves.series.len() - 1
            });
            curves.series[index].add(point, second);
        }
        curves.fill_missing();
        curves
    }

    fn empty(every: usize, points: usize) -> Self {
        Self {
            every,
            at: vec![0.0; points],
            users: vec![0; points],
            target: vec![0.0; points],
            started: vec![0; points],
            dropped: vec![0; points],
            lag: vec![0.0; points],
            cpu: vec![0.0; points],
            saturated: Vec::new(),
            series: Vec::new(),
        }
    }

    /// Adds a second of the iterations.
    fn add_level(&mut self, point: usize, at: f64, second: &LoadSecond) {
        let Some(level) = &second.load else {
            return;
        };
        self.at[point] = at;
        self.users[point] = level.users;
        self.target[point] = round(level.target, 1000.0);
        add(&mut self.started[point], level.started);
        add(&mut self.dropped[point], level.dropped);
        self.lag[point] = self.lag[point].max(seconds(level.lag));
        self.cpu[point] = self.cpu[point].max(round(level.cpu, 10.0));
        let median = second.took.map_or(0, |[median, ..]| median);
        let is_late = saturation::is_late(seconds(level.lag), seconds(median));
        if (is_late || saturation::is_busy(level.cpu / 100.0)) && self.saturated.last() != Some(&point) {
            self.saturated.push(point);
        }
    }

    /// Gives points of which the journal lost the seconds a time.
    fn fill_missing(&mut self) {
        let mut before = 0.0;
        for at in &mut self.at {
            if *at <= before {
                *at = before + seconds_of(self.every);
            }
            before = *at;
        }
    }
}

impl Series {
    fn empty(name: String, is_time: bool, points: usize) -> Self {
        Self {
            name,
            is_time,
            n: vec![0; points],
            failed: vec![0; points],
            p50: vec![None; points],
            p95: vec![None; points],
            p99: vec![None; points],
        }
    }

    fn add(&mut self, point: usize, second: &LoadSecond) {
        add(&mut self.n[point], second.n);
        add(&mut self.failed[point], second.failed);
        let Some([p50, p95, p99, _]) = second.took else {
            return;
        };
        for (column, value) in [(&mut self.p50, p50), (&mut self.p95, p95), (&mut self.p99, p99)] {
            let value = if self.is_time {
                seconds(value)
            } else {
                number(value)
            };
            column[point] = Some(column[point].map_or(value, |known| known.max(value)));
        }
    }
}

/// Whether the values of a metric are durations; those of the iterations are.
fn is_time(step: Option<&str>, metrics: &[LoadMetric]) -> bool {
    let Some(name) = step else {
        return true;
    };
    let named = metrics
        .iter()
        .skip(1)
        .find(|metric| metric.name == name && metric.values.is_some());
    named.is_none_or(|metric| metric.kind == MetricKind::Time)
}

/// Adds to a number, whatever a damaged journal has.
fn add(number: &mut u64, more: u64) {
    *number = number.saturating_add(more);
}

/// Rounds to a part of one.
fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

#[expect(clippy::cast_precision_loss, reason = "numbers below 2^53")]
fn number(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "a small number")]
fn seconds_of(every: usize) -> f64 {
    every as f64
}
