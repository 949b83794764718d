//! Load tests for other programs: everything that was measured as JSON, its seconds as CSV.
//!
//! The formats are those of this file, and not the journal's, so that the journal can change. Durations of metrics are in
//! microseconds, and named so.

use crate::journal::Micros;
use crate::journal::event::Test;
use crate::journal::load::{
    Distribution, LoadEnd, LoadMetric, LoadResult, LoadSecond, LoadThreshold, MetricKind,
};
use crate::journal::merged::Merged;
use crate::journal::run::Run;
use crate::text::csv::quoted;
use serde::Serialize;
use std::fmt::{Display, Write as _};

/// The name of the JSON format.
const FORMAT: &str = "rustpar-load";

/// Its version, which is increased when a field is removed or has another meaning, and not when one is added.
const VERSION: u32 = 1;

/// The name of the metric of whole iterations.
const ITERATIONS: &str = "iteration";

/// The columns of the CSV format.
const COLUMNS: &str = "test,second,metric,kind,count,failed,p50_us,p95_us,p99_us,max_us,value,\
                       users,target,started,dropped,run\n";

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    version: u32,
    load_tests: Vec<LoadTest<'a>>,
}

#[derive(Serialize)]
struct LoadTest<'a> {
    /// Its node id.
    test: &'a str,
    /// The id of the run.
    run: &'a str,
    /// None if the load test has not ended.
    result: Option<Outcome<'a>>,
    seconds: Vec<Second<'a>>,
}

#[derive(Serialize)]
struct Outcome<'a> {
    passed: bool,
    problems: &'a [String],
    /// What was asked for, in words.
    load: &'a str,
    model: &'a str,
    end: LoadEnd,
    #[serde(skip_serializing_if = "str::is_empty")]
    why: &'a str,
    seconds: f64,
    planned_seconds: f64,
    users: u32,
    processes: usize,
    started: u64,
    iterations: u64,
    failed: u64,
    dropped: u64,
    interrupted: u64,
    /// Why the processes could not keep up.
    #[serde(skip_serializing_if = "str::is_empty")]
    saturated: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    remark: &'a str,
    metrics: Vec<Total<'a>>,
    thresholds: Vec<Limit<'a>>,
}

#[derive(Serialize)]
struct Total<'a> {
    metric: &'a str,
    kind: MetricKind,
    count: u64,
    /// Of durations, rates and checks: how many failed, or were false.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<u64>,
    /// The sum of a counter, the last value of a gauge.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    /// The distribution of a trend.
    #[serde(skip_serializing_if = "Option::is_none")]
    numbers: Option<Distribution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    durations_us: Option<Distribution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_intended_start_us: Option<Distribution>,
}

#[derive(Serialize)]
struct Limit<'a> {
    threshold: &'a str,
    value: &'a str,
    /// None if it was not judged.
    passed: Option<bool>,
}

#[derive(Serialize)]
struct Second<'a> {
    /// Which one, from 1.
    #[serde(rename = "second")]
    number: u32,
    #[serde(flatten)]
    level: Option<Level>,
    metrics: Vec<Values<'a>>,
}

#[derive(Serialize)]
struct Level {
    users: u32,
    target: f64,
    started: u64,
    dropped: u64,
    lag_p95_us: Micros,
    cpu_percent: f64,
}

#[derive(Serialize)]
struct Values<'a> {
    metric: &'a str,
    kind: MetricKind,
    count: u64,
    failed: u64,
    #[serde(flatten)]
    durations: Option<Percentiles>,
    /// The sum of a counter in this second, the last value of a gauge.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "names of the format, with their unit")]
struct Percentiles {
    p50_us: Micros,
    p95_us: Micros,
    p99_us: Micros,
    max_us: Micros,
}

/// All load tests of the runs.
///
/// # Errors
/// None are possible for texts and numbers.
pub fn json(merged: &Merged) -> serde_json::Result<Vec<u8>> {
    let runs = merged.parts.iter().map(|part| &part.run);
    let load_tests = runs.flat_map(|run| tests(run).into_iter().map(|test| load_test(run, test)));
    serde_json::to_vec(&Document {
        format: FORMAT,
        version: VERSION,
        load_tests: load_tests.collect(),
    })
}

/// The seconds of all load tests of the runs, with Unix line ends. Users, target and iterations that have started or were
/// dropped are in the rows of the iterations.
#[must_use]
pub fn csv(merged: &Merged) -> String {
    let mut text = COLUMNS.to_owned();
    for part in &merged.parts {
        let run = &part.run;
        for test in tests(run) {
            for second in of_test(run, test) {
                row(&mut text, run, second);
            }
        }
    }
    text
}

fn row(text: &mut String, run: &Run, second: &LoadSecond) {
    let [p50, p95, p99, most] = durations(second).map_or([None; 4], |took| took.map(Some));
    let level = second.load.as_ref();
    let cells = [
        quoted(run.id(second.t)).into_owned(),
        second.s.to_string(),
        quoted(second.step.as_deref().unwrap_or(ITERATIONS)).into_owned(),
        second.kind.name().to_owned(),
        second.n.to_string(),
        second.failed.to_string(),
        cell(p50),
        cell(p95),
        cell(p99),
        cell(most),
        cell(second.value),
        cell(level.map(|level| level.users)),
        cell(level.map(|level| level.target)),
        cell(level.map(|level| level.started)),
        cell(level.map(|level| level.dropped)),
        quoted(&run.head.id).into_owned(),
    ];
    let _ = writeln!(text, "{}", cells.join(","));
}

fn cell(value: Option<impl Display>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// The load tests of a run, in the order in which they began.
fn tests(run: &Run) -> Vec<Test> {
    let mut tests = Vec::new();
    let seconds = run.load_seconds.iter().map(|second| second.t);
    for test in seconds.chain(run.load_results.iter().map(|result| result.t)) {
        if !tests.contains(&test) {
            tests.push(test);
        }
    }
    tests
}

fn of_test(run: &Run, test: Test) -> impl Iterator<Item = &LoadSecond> {
    run.load_seconds.iter().filter(move |second| second.t == test)
}

fn load_test(run: &Run, test: Test) -> LoadTest<'_> {
    let result = run.load_results.iter().rev().find(|result| result.t == test);
    let mut seconds: Vec<Second<'_>> = Vec::new();
    for one in of_test(run, test) {
        if seconds.last().is_none_or(|last| last.number != one.s) {
            seconds.push(Second {
                number: one.s,
                level: None,
                metrics: Vec::new(),
            });
        }
        if let Some(second) = seconds.last_mut() {
            second.metrics.push(values(one));
            if let Some(level) = &one.load {
                second.level = Some(Level {
                    users: level.users,
                    target: level.target,
                    started: level.started,
                    dropped: level.dropped,
                    lag_p95_us: level.lag,
                    cpu_percent: level.cpu,
                });
            }
        }
    }
    LoadTest {
        test: run.id(test),
        run: &run.head.id,
        result: result.map(outcome),
        seconds,
    }
}

/// The percentiles of a second, of durations. Those of a trend are whole numbers in the journal, which would mislead.
fn durations(second: &LoadSecond) -> Option<[Micros; 4]> {
    second.took.filter(|_| second.kind == MetricKind::Time)
}

fn values(second: &LoadSecond) -> Values<'_> {
    Values {
        metric: second.step.as_deref().unwrap_or(ITERATIONS),
        kind: second.kind,
        count: second.n,
        failed: second.failed,
        durations: durations(second).map(|[p50_us, p95_us, p99_us, max_us]| Percentiles {
            p50_us,
            p95_us,
            p99_us,
            max_us,
        }),
        value: second.value,
    }
}

fn outcome(result: &LoadResult) -> Outcome<'_> {
    Outcome {
        passed: result.problems.is_empty(),
        problems: &result.problems,
        load: &result.load,
        model: &result.model,
        end: result.end,
        why: &result.why,
        seconds: result.seconds,
        planned_seconds: result.planned,
        users: result.users,
        processes: result.generators,
        started: result.started,
        iterations: result.iterations,
        failed: result.failed,
        dropped: result.dropped,
        interrupted: result.interrupted,
        saturated: &result.saturated,
        remark: &result.remark,
        metrics: result.metrics.iter().map(total).collect(),
        thresholds: result.thresholds.iter().map(limit).collect(),
    }
}

fn total(metric: &LoadMetric) -> Total<'_> {
    let is_time = metric.kind == MetricKind::Time;
    Total {
        metric: &metric.name,
        kind: metric.kind,
        count: metric.count,
        failed: match metric.kind {
            MetricKind::Time => Some(metric.part),
            MetricKind::Rate | MetricKind::Check => Some(metric.count.saturating_sub(metric.part)),
            _ => None,
        },
        value: metric.value,
        numbers: metric.values.filter(|_| !is_time),
        durations_us: metric.values.filter(|_| is_time),
        from_intended_start_us: metric.intended,
    }
}

fn limit(threshold: &LoadThreshold) -> Limit<'_> {
    Limit {
        threshold: &threshold.text,
        value: &threshold.value,
        passed: threshold.broken.map(|broken| !broken),
    }
}

#[cfg(test)]
mod snapshots {
    use super::*;
    use crate::journal::example::{journal, merged};
    use insta::assert_snapshot;

    /// Two load tests; the run was killed during the second one.
    const LOAD: &str = r#"
{"e":"collected","at":0,"ids":["a.py::test[\"one\", 2]","a.py::test_killed"]}
{"e":"loadsecond","t":0,"at":1000000,"s":1,"n":10,"failed":1,"took":[900,1500,2000,2100],"load":{"users":2,"target":2.0,"started":11,"lag":40,"cpu":12.5}}
{"e":"loadsecond","t":0,"at":1000000,"s":1,"step":"http_req_duration{name:GET /a,b}","n":10,"took":[800,1400,1900,2000]}
{"e":"loadsecond","t":0,"at":1000000,"s":1,"step":"data_sent","kind":"counter","n":10,"value":1234.0}
{"e":"loadsecond","t":0,"at":1000000,"s":1,"step":"size","kind":"trend","n":10,"took":[1,2,3,4]}
{"e":"loadsecond","t":0,"at":2000000,"s":2,"n":0,"load":{"users":1,"target":2.5,"started":0,"dropped":3}}
{"e":"loadresult","t":0,"at":2000000,"began":0,"seconds":2.0,"planned":2.0,"end":"complete","model":"closed","load":"2 users for 2.00 s","users":2,"generators":1,"started":11,"iterations":10,"failed":1,"dropped":3,"interrupted":1,"metrics":[{"name":"iteration","kind":"time","count":10,"part":1,"values":{"avg":950.5,"min":800.0,"med":900.0,"p90":1400.0,"p95":1500.0,"p99":2000.0,"max":2100.0}},{"name":"ok","kind":"check","count":10,"part":9},{"name":"data_sent","kind":"counter","count":10,"value":1234.0}],"thresholds":[{"text":"p(95)<1ms","value":"1.50 ms","broken":true},{"text":"max<1s","value":"2.10 ms"}],"problems":["p(95)<1ms is exceeded: 1.50 ms"]}
{"e":"loadsecond","t":1,"at":3000000,"s":1,"n":7,"took":[1,1,1,1],"load":{"users":1,"target":1.0,"started":7}}
"#;

    #[test]
    fn the_csv_has_a_row_for_each_second_and_metric() {
        assert_snapshot!(csv(&merged(&journal("one", 0, &[], LOAD))));
    }

    #[test]
    fn the_json_has_results_and_seconds() {
        let bytes = json(&merged(&journal("one", 0, &[], LOAD))).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
    }

    #[test]
    fn a_run_without_load_tests_has_none() {
        let run = merged(&journal("one", 0, &[], ""));
        assert_eq!(csv(&run), COLUMNS);
        let text = String::from_utf8(json(&run).unwrap()).unwrap();
        assert_eq!(text, r#"{"format":"rustpar-load","version":1,"load_tests":[]}"#);
    }
}
