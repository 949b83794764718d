//! Load tests on the timeline page: what each has measured, second by second and as a whole.
//!
//! The hazard it handles: a journal can end within a load test, and a test that was tried again has several.

use super::load_curves::Curves;
use super::load_earlier::{Before, Earlier};
use crate::journal::load::{
    Distribution, LoadEnd, LoadMetric, LoadResult, LoadSecond, LoadThreshold, MetricKind,
};
use crate::journal::merged::{Merged, Part};
use crate::journal::seconds;
use serde::Serialize;

/// Microseconds of a second, for durations that are not whole microseconds.
const MICROS: f64 = 1e6;

/// A load test as the page knows it.
#[derive(Serialize)]
pub(super) struct LoadTest<'a> {
    id: &'a str,
    /// What distinguishes it from others of the same node id; empty if it is the only run.
    run: &'a str,
    start: f64,
    /// `None` if the journal ends before the load test did.
    end: Option<LoadEnd>,
    why: &'a str,
    planned: Option<f64>,
    model: &'a str,
    plan: &'a str,
    interrupted: u64,
    saturated: &'a str,
    remark: &'a str,
    thresholds: &'a [LoadThreshold],
    problems: &'a [String],
    #[serde(flatten)]
    measured: Measured,
    before: Option<&'a Before>,
}

/// What is compared between a load test and the same one in an earlier run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Measured {
    seconds: f64,
    users: u32,
    generators: Option<usize>,
    iterations: u64,
    failed: u64,
    dropped: u64,
    metrics: Vec<Metric>,
    curves: Curves,
}

/// A metric; durations in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Metric {
    name: String,
    kind: MetricKind,
    count: u64,
    part: u64,
    value: Option<f64>,
    values: Option<[f64; 7]>,
    /// Only where it differs from `values`.
    intended: Option<[f64; 7]>,
}

/// The load tests of some runs, in the order in which they began; `labels` has a name for each run if there are several.
pub(super) fn load_tests<'a>(
    merged: &'a Merged,
    labels: &'a [String],
    earlier: &'a Earlier,
) -> Vec<LoadTest<'a>> {
    let mut found = Vec::new();
    for (part, label) in merged.parts.iter().zip(labels) {
        for (result, seconds) in measurements(part) {
            found.push(LoadTest::new(part, label.trim_end(), result, &seconds, earlier));
        }
    }
    found.sort_by(|one, other| one.start.total_cmp(&other.start));
    found
}

/// The last second ends with the load test, but both times are sums of rounded ones, in microseconds: they differ by a few.
const ROUNDING: u64 = 1_000;

/// The load tests of a run: result and seconds of each. Those without a result were running when the journal ended.
pub(super) fn measurements(part: &Part) -> Vec<(Option<&LoadResult>, Vec<&LoadSecond>)> {
    let run = &part.run;
    let is_within = |second: &LoadSecond, result: &LoadResult| {
        second.t == result.t && (result.began..=result.at.saturating_add(ROUNDING)).contains(&second.at)
    };
    let mut all: Vec<_> = run
        .load_results
        .iter()
        .map(|result| {
            let seconds = run.load_seconds.iter();
            let seconds = seconds.filter(|second| is_within(second, result)).collect();
            (Some(result), seconds)
        })
        .collect();
    let mut unfinished: Vec<Vec<&LoadSecond>> = Vec::new();
    for second in &run.load_seconds {
        if run.load_results.iter().any(|result| is_within(second, result)) {
            continue;
        }
        match unfinished.iter_mut().find(|seconds| seconds[0].t == second.t) {
            Some(seconds) => seconds.push(second),
            None => unfinished.push(vec![second]),
        }
    }
    all.extend(unfinished.into_iter().map(|seconds| (None, seconds)));
    all
}

impl<'a> LoadTest<'a> {
    fn new(
        part: &'a Part,
        run: &'a str,
        result: Option<&'a LoadResult>,
        of_seconds: &[&LoadSecond],
        earlier: &'a Earlier,
    ) -> Self {
        let test = result
            .map(|result| result.t)
            .or_else(|| Some(of_seconds.first()?.t));
        let id = test.map_or("?", |test| part.run.id(test));
        let words = |of: fn(&LoadResult) -> &str| result.map_or("", of);
        Self {
            id,
            run,
            start: seconds(part.offset.saturating_add(began(result, of_seconds))),
            end: result.map(|result| result.end),
            why: words(|result| &result.why),
            planned: result.map(|result| result.planned),
            model: words(|result| &result.model),
            plan: words(|result| &result.load),
            interrupted: result.map_or(0, |result| result.interrupted),
            saturated: words(|result| &result.saturated),
            remark: words(|result| &result.remark),
            thresholds: result.map_or(&[], |result| &result.thresholds),
            problems: result.map_or(&[], |result| &result.problems),
            measured: Measured::new(result, of_seconds),
            before: result.and_then(|result| earlier.of(id, &result.load)),
        }
    }
}

/// When a load test began. Without a result: its first known second has ended then.
fn began(result: Option<&LoadResult>, of_seconds: &[&LoadSecond]) -> u64 {
    let first = of_seconds.first().map_or(0, |second| {
        second.at.saturating_sub(u64::from(second.s) * 1_000_000)
    });
    result.map_or(first, |result| result.began)
}

/// A sum that survives a journal with any numbers.
fn sum(numbers: &mut dyn Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

impl Measured {
    /// Adds up the seconds of a load test.
    pub(super) fn new(result: Option<&LoadResult>, of_seconds: &[&LoadSecond]) -> Self {
        let iterations = || of_seconds.iter().filter(|second| second.step.is_none());
        let metrics = result.map_or(&[][..], |result| &result.metrics);
        let began = began(result, of_seconds);
        let last = of_seconds
            .last()
            .map_or(0.0, |second| seconds(second.at.saturating_sub(began)));
        let levels = || iterations().filter_map(|second| second.load.as_ref());
        Self {
            seconds: result.map_or(last, |result| result.seconds),
            users: levels().map(|level| level.users).max().unwrap_or(0),
            generators: result.map(|result| result.generators),
            iterations: result.map_or_else(
                || sum(&mut iterations().map(|one| one.n)),
                |result| result.iterations,
            ),
            failed: result.map_or_else(
                || sum(&mut iterations().map(|one| one.failed)),
                |result| result.failed,
            ),
            dropped: result.map_or_else(
                || sum(&mut levels().map(|one| one.dropped)),
                |result| result.dropped,
            ),
            metrics: metrics.iter().map(Metric::new).collect(),
            curves: Curves::new(began, of_seconds, metrics),
        }
    }
}

impl Metric {
    fn new(metric: &LoadMetric) -> Self {
        let unit = if metric.kind == MetricKind::Time {
            MICROS
        } else {
            1.0
        };
        let figures = |values: Distribution| {
            let Distribution {
                avg,
                min,
                med,
                p90,
                p95,
                p99,
                max,
            } = values;
            [avg, min, med, p90, p95, p99, max].map(|value| value / unit)
        };
        let has_values = metric.count > 0;
        let differs = |intended: &Distribution| {
            metric
                .values
                .is_some_and(|values| intended.p99 > values.p99 * 1.05)
        };
        Self {
            name: metric.name.clone(),
            kind: metric.kind,
            count: metric.count,
            part: metric.part,
            value: metric.value,
            values: metric.values.filter(|_| has_values).map(figures),
            intended: metric
                .intended
                .filter(|one| has_values && differs(one))
                .map(figures),
        }
    }
}

#[cfg(test)]
mod tests;
