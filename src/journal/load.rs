//! The events of load tests.

use super::Micros;
use super::event::Test;
use serde::{Deserialize, Serialize};

/// One second of one metric of a load test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadSecond {
    /// The test.
    pub t: Test,
    /// When the second ended, counted as the times of other events.
    pub at: Micros,
    /// Which second of the load test, from 1.
    pub s: u32,
    /// The metric; none for the iterations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Its kind.
    #[serde(default, skip_serializing_if = "is_time")]
    pub kind: MetricKind,
    /// How many values.
    pub n: u64,
    /// How many failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// The 50th, 95th and 99th percentile, and the maximum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<[Micros; 4]>,
    /// The sum of a counter in this second, the last value of a gauge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Of the iterations only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadLevel>,
}

/// How much load there was in a second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadLevel {
    /// Users that took part at the end of the second; of the open model, iterations that were running.
    pub users: u32,
    /// Users, or iterations per second, that were asked for at that time.
    pub target: f64,
    /// Iterations that have started in this second.
    pub started: u64,
    /// Iterations that were due when no user was free.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// The 95th percentile of the time between intended and actual start.
    #[serde(default)]
    pub lag: Micros,
    /// The greatest part of a CPU that one of the processes has used, in per cent.
    #[serde(default)]
    pub cpu: f64,
}

/// How a load test ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoadEnd {
    /// As planned.
    #[default]
    Complete,
    /// The condition for aborting it held.
    Aborted,
    /// A test has called `load.stop()`.
    Stopped,
    /// The run was interrupted.
    Interrupted,
    /// One of the processes was lost.
    Lost,
    /// It has not begun.
    Cancelled,
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// Durations.
    #[default]
    Time,
    /// Numbers.
    Trend,
    /// A sum.
    Counter,
    /// The last number.
    Gauge,
    /// True or false.
    Rate,
    /// The same, from `load.check`.
    Check,
}

impl MetricKind {
    /// Its name in journals and exports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Trend => "trend",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Rate => "rate",
            Self::Check => "check",
        }
    }
}

/// The distribution of a metric; durations in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// The mean.
    pub avg: f64,
    /// The least value.
    pub min: f64,
    /// The median.
    pub med: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The greatest value.
    pub max: f64,
}

/// A metric of a load test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadMetric {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: MetricKind,
    /// How many values.
    pub count: u64,
    /// How many were true, of a rate or check; how many failed, of iterations and steps.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub part: u64,
    /// The sum of a counter, the last value of a gauge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The distribution of durations or numbers; of durations, counted from the actual start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Distribution>,
    /// The distribution of durations that are counted from the intended start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intended: Option<Distribution>,
}

/// A limit of a load test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadThreshold {
    /// The limit.
    pub text: String,
    /// What was measured.
    pub value: String,
    /// Whether it is exceeded; none if that was not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<bool>,
}

/// What a load test has measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadResult {
    /// The test.
    pub t: Test,
    /// When it ended, counted as the times of other events.
    pub at: Micros,
    /// When it began.
    pub began: Micros,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How long it was planned to take, in seconds.
    pub planned: f64,
    /// How it ended.
    pub end: LoadEnd,
    /// Why, if not as planned.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// `closed` or `open`.
    pub model: String,
    /// What was asked for, in words.
    pub load: String,
    /// The highest number of users.
    pub users: u32,
    /// The number of processes.
    pub generators: usize,
    /// Iterations that have started.
    pub started: u64,
    /// Iterations that have ended.
    pub iterations: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Iterations that were due when no user was free.
    pub dropped: u64,
    /// Iterations that were interrupted at the end.
    pub interrupted: u64,
    /// Why the processes could not keep up; empty if they could.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub saturated: String,
    /// A remark about what this model cannot see.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remark: String,
    /// Its metrics; the first is the iterations.
    pub metrics: Vec<LoadMetric>,
    /// Its limits.
    pub thresholds: Vec<LoadThreshold>,
    /// Why it has failed; empty if it has passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_time(kind: &MetricKind) -> bool {
    *kind == MetricKind::Time
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
