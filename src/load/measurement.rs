//! What the samples of all processes of a load test add up to, second by second and at the end.

use super::figures::{count, fits, in_unit, nanos, percent_true, spoken_value};
use super::metric::{Metric, Value};
use super::plan::{Model, Plan};
use super::saturation::Saturation;
use super::threshold::{Figure, Threshold};
use crate::journal::Micros;
use crate::journal::load::{LoadEnd, LoadLevel, LoadResult, LoadSecond, LoadThreshold, MetricKind};
use crate::text::duration::spoken;
use std::collections::HashMap;

/// The name of the metric of whole iterations.
pub const ITERATIONS: &str = "iteration";

/// The most metrics; further ones of a kind are counted as one, with a line that says so. Each takes up to 0.8 MiB.
pub const MOST_METRICS: usize = 300;

/// The name of those.
const OTHERS: &str = "(others)";

/// Nanoseconds from which an iteration that takes ten times the median is taken for one that has met a stall.
const STALL: f64 = 100e6;

/// A metric, by the process that has named it and the number it has given it.
pub type Key = (u32, u16);

/// What is known at the end of a second, besides the samples.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    /// Users that take part.
    pub users: u32,
    /// Iterations that have started until now.
    pub started: u64,
    /// Iterations that were dropped until now.
    pub dropped: u64,
    /// The greatest part of a CPU that one of the processes has used in this second.
    pub cpu: f64,
}

/// The present state, for the live display.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadStatus {
    /// Users that take part.
    pub users: u32,
    /// Iterations that have ended in the last second.
    pub per_second: u64,
    /// The 50th, 95th and 99th percentile of the last second.
    pub took: Option<[Micros; 3]>,
    /// Iterations that have failed.
    pub failed: u64,
    /// Iterations that have ended.
    pub iterations: u64,
    /// The stage, from 1, and how many there are.
    pub stage: (usize, usize),
    /// Seconds that are left.
    pub left: f64,
}

/// The measurement of a load test.
#[derive(Debug)]
pub struct Measurement {
    plan: Plan,
    metrics: Vec<Metric>,
    names: HashMap<(MetricKind, String), usize>,
    numbers: HashMap<Key, usize>,
    lag: Metric,
    saturation: Saturation,
    seconds: u32,
    before: Moment,
    /// For how many seconds the condition for aborting has held.
    held: f64,
    unnamed: bool,
    status: LoadStatus,
}

impl Measurement {
    /// Nothing measured yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let status = LoadStatus {
            stage: (1, plan.curve.segments.len()),
            left: plan.seconds(),
            ..LoadStatus::default()
        };
        Self {
            plan,
            metrics: vec![Metric::new(ITERATIONS.to_owned(), MetricKind::Time)],
            names: HashMap::new(),
            numbers: HashMap::new(),
            lag: Metric::new("lag".to_owned(), MetricKind::Time),
            saturation: Saturation::default(),
            seconds: 0,
            before: Moment::default(),
            held: 0.0,
            unnamed: false,
            status,
        }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The state at the end of the last second.
    #[must_use]
    pub fn status(&self) -> &LoadStatus {
        &self.status
    }

    /// Names a metric of a process.
    pub fn name(&mut self, key: Key, kind: MetricKind, name: &str) {
        // Each is shown in a line.
        let name = &name.replace(char::is_control, " ");
        let known = self.names.get(&(kind, name.to_owned())).copied();
        let index = match known {
            Some(index) => index,
            None if self.metrics.len() >= MOST_METRICS && name != OTHERS => {
                // So that a threshold on all checks counts them.
                self.unnamed = true;
                self.name(key, kind, OTHERS);
                return;
            }
            None => {
                self.metrics.push(Metric::new(name.to_owned(), kind));
                self.names.insert((kind, name.to_owned()), self.metrics.len() - 1);
                self.metrics.len() - 1
            }
        };
        self.numbers.insert(key, index);
    }

    /// Adds an iteration: nanoseconds, those between its intended and its actual start, and whether it failed.
    pub fn iteration(&mut self, nanos: u64, lag: u64, failed: bool) {
        self.metrics[0].add(Value::Time(nanos, lag, failed));
        self.lag.add(Value::Time(lag, 0, false));
    }

    /// Adds a value of a metric that was named.
    pub fn add(&mut self, key: Key, value: Value) {
        if let Some(index) = self.numbers.get(&key) {
            self.metrics[*index].add(value);
        }
    }

    /// Ends a second, at this time of the run. Returns one event for each metric that has values, that of the iterations
    /// first, and whether the load test is to be aborted.
    pub fn end_second(&mut self, test: u32, at: Micros, now: Moment) -> (Vec<LoadSecond>, bool) {
        self.seconds += 1;
        let time = f64::from(self.seconds);
        let should_abort = self.should_abort();
        let lag = self.lag.end_second().2.map_or(0, |took| took[1]);
        let mut events = Vec::new();
        for (index, metric) in self.metrics.iter_mut().enumerate() {
            let (n, failed, took) = metric.end_second();
            if n == 0 && index > 0 {
                continue;
            }
            let level = (index == 0).then(|| LoadLevel {
                users: now.users,
                target: target(&self.plan, time),
                started: now.started - self.before.started,
                dropped: now.dropped - self.before.dropped,
                lag,
                cpu: now.cpu * 100.0,
            });
            events.push(LoadSecond {
                t: test,
                at,
                s: self.seconds,
                step: (index > 0).then(|| metric.name.clone()),
                kind: metric.kind,
                n,
                failed,
                took,
                value: metric.take_number(),
                load: level,
            });
        }
        let first = &events[0];
        self.status = LoadStatus {
            users: now.users,
            per_second: first.n,
            took: first.took.map(|[p50, p95, p99, _]| [p50, p95, p99]),
            failed: self.metrics[0].part,
            iterations: self.metrics[0].count,
            stage: (self.plan.curve.segment(time) + 1, self.plan.curve.segments.len()),
            left: (self.plan.seconds() - time).max(0.0),
        };
        let median = first.took.map_or(0, |took| took[0]);
        let seconds = crate::text::duration::seconds;
        self.saturation.add(now.cpu, seconds(lag), seconds(median));
        self.before = now;
        (events, should_abort)
    }

    /// Whether the condition has held long enough, the present second included.
    fn should_abort(&mut self) -> bool {
        let Some(abort) = self.plan.abort.clone() else {
            return false;
        };
        // Of the present second only.
        let holds = self.recent_holds(&abort.condition);
        self.held = if holds { self.held + 1.0 } else { 0.0 };
        self.held >= abort.seconds
    }

    /// The metric of a threshold. A step and a check may have the same name.
    fn metric_of(&self, threshold: &Threshold) -> Option<&Metric> {
        let Some(name) = &threshold.metric else {
            return Some(&self.metrics[0]);
        };
        let mut named = self.metrics.iter().skip(1).filter(|metric| metric.name == *name);
        named.find(|metric| fits(metric.kind, threshold.figure, threshold.limit))
    }

    fn recent_holds(&self, condition: &Threshold) -> bool {
        let metric = self.metric_of(condition);
        let checks = || {
            let all = self
                .metrics
                .iter()
                .filter(|metric| metric.kind == MetricKind::Check);
            all.fold((0, 0), |(count, failed), metric| {
                let (n, bad) = metric.recent_counts();
                (count + n, failed + bad)
            })
        };
        metric.is_some_and(|metric| {
            let value = match condition.figure {
                Figure::Checks => percent_true(checks()),
                figure => metric.recent(figure),
            };
            value.is_some_and(|value| {
                condition
                    .comparison
                    .holds(value, in_unit(metric, condition.limit))
            })
        })
    }

    /// The result. `at` and `began` are times of the run, `seconds` how long it has taken.
    #[must_use]
    pub fn result(&self, test: u32, began: Micros, at: Micros, totals: Totals) -> LoadResult {
        let all = &self.metrics[0];
        let seconds = crate::text::duration::seconds(at - began);
        let saturated = self.saturation.reason();
        let thresholds: Vec<LoadThreshold> = self
            .plan
            .thresholds
            .0
            .iter()
            .map(|threshold| self.judge(threshold, seconds, totals.dropped, saturated.is_empty()))
            .collect();
        let mut result = LoadResult {
            t: test,
            at,
            began,
            seconds,
            planned: self.plan.seconds(),
            end: totals.end,
            why: totals.why,
            model: match self.plan.model {
                Model::Closed => "closed".to_owned(),
                Model::Open => "open".to_owned(),
            },
            load: self.plan.words(),
            users: self.plan.users,
            generators: totals.generators,
            started: totals.started,
            iterations: all.count,
            failed: all.part,
            dropped: totals.dropped,
            interrupted: totals.interrupted,
            saturated,
            remark: self.remarks(),
            metrics: self.metrics.iter().map(Metric::result).collect(),
            thresholds,
            problems: Vec::new(),
        };
        result.problems = self.problems(&result);
        result
    }

    fn problems(&self, result: &LoadResult) -> Vec<String> {
        let mut problems = Vec::new();
        match result.end {
            LoadEnd::Complete | LoadEnd::Stopped | LoadEnd::Interrupted => {}
            LoadEnd::Aborted | LoadEnd::Lost | LoadEnd::Cancelled => problems.push(result.why.clone()),
        }
        let broken = result.thresholds.iter().filter(|one| one.broken == Some(true));
        problems.extend(broken.map(|one| format!("{} is exceeded: {}", one.text, one.value)));
        let count = result
            .thresholds
            .iter()
            .filter(|one| one.broken.is_none())
            .count();
        if count > 0 {
            problems.push(format!(
                "generator saturated, so the thresholds are not judged: {}; use more processes, or less load",
                result.saturated
            ));
        }
        let about_errors = self
            .plan
            .thresholds
            .0
            .iter()
            .any(|one| matches!(one.figure, Figure::ErrorRate | Figure::ErrorCount));
        if result.failed > 0 && !about_errors {
            let of = result.iterations;
            problems.push(format!(
                "{} of {of} iterations failed; to allow some, write thresholds=\"error_rate<1%\"",
                result.failed
            ));
        }
        let should_have_run = matches!(result.end, LoadEnd::Complete | LoadEnd::Stopped);
        if result.iterations == 0 && problems.is_empty() && should_have_run {
            problems.push("no iteration has ended".to_owned());
        }
        problems
    }

    fn remarks(&self) -> String {
        let unnamed = if self.unnamed {
            format!("more than {MOST_METRICS} names of metrics: further ones count as {OTHERS}")
        } else {
            String::new()
        };
        let remarks = [self.remark(), unnamed].into_iter();
        remarks
            .filter(|remark| !remark.is_empty())
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn remark(&self) -> String {
        let all = &self.metrics[0];
        let (median, most) = (all.values.percentile(50.0), all.values.most());
        let is_stall = most >= (10.0 * median).max(STALL);
        if self.plan.model == Model::Open || all.count == 0 || !is_stall {
            return String::new();
        }
        let slow = spoken(nanos(most));
        format!(
            "closed model: while an iteration took {slow}, its user started no others, so the percentiles do not show \
             what these would have waited; rate=... does"
        )
    }

    fn judge(&self, threshold: &Threshold, seconds: f64, dropped: u64, is_judged: bool) -> LoadThreshold {
        let missing = |value: &str| LoadThreshold {
            text: threshold.text.clone(),
            value: value.to_owned(),
            broken: is_judged.then_some(true),
        };
        let Some(metric) = self.metric_of(threshold) else {
            return missing("nothing was measured under this name");
        };
        let value = match threshold.figure {
            Figure::Dropped => Some(count(dropped)),
            Figure::Checks => {
                let checks = self.metrics.iter().filter(|one| one.kind == MetricKind::Check);
                percent_true(checks.fold((0, 0), |(all, failed), one| {
                    (all + one.count, failed + one.count - one.part)
                }))
            }
            figure => metric.total(figure, seconds),
        };
        let Some(value) = value else {
            return missing("no values");
        };
        let limit = in_unit(metric, threshold.limit);
        let kept = threshold.comparison.holds(value, limit);
        LoadThreshold {
            text: threshold.text.clone(),
            value: spoken_value(value, threshold.limit, metric, kept),
            broken: is_judged.then_some(!kept),
        }
    }
}

/// The users that are asked for at the end of a second, or the rate in it.
fn target(plan: &Plan, end: f64) -> f64 {
    match plan.model {
        Model::Closed => plan.curve.value(end.min(plan.seconds())),
        Model::Open => plan.curve.area(end) - plan.curve.area(end - 1.0),
    }
}

/// What a load test adds up to beside the samples.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// How it ended.
    pub end: LoadEnd,
    /// Why, if not as planned.
    pub why: String,
    /// The number of processes.
    pub generators: usize,
    /// Iterations that have started.
    pub started: u64,
    /// Iterations that were due when no user was free.
    pub dropped: u64,
    /// Iterations that were interrupted.
    pub interrupted: u64,
}

#[cfg(test)]
mod tests;
