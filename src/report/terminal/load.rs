//! Load tests: a table for each, in the spirit of k6's end-of-test summary, and the line that is shown while one runs.

use super::Line;
use crate::journal::load::{Distribution, LoadEnd, LoadMetric, LoadResult, MetricKind};
use crate::load::measurement::LoadStatus;
use crate::text::duration::{clock, micros, spoken};
use crate::text::table::aligned;
use crate::text::{counted, percent};

/// Characters of a metric's name in a table.
const LONGEST_NAME: usize = 60;

/// Microseconds by which the 99th percentile must be later from the intended start, for both to be shown.
const LAG_SHOWN: f64 = 1000.0;

/// The percentiles of a table, besides mean, least and greatest value.
const HEADINGS: [&str; 7] = ["avg", "min", "med", "p(90)", "p(95)", "p(99)", "max"];

/// The line about a load test that is running.
#[must_use]
pub fn running(load: &LoadStatus) -> String {
    let mut parts = vec![
        counted(usize::try_from(load.users).unwrap_or(usize::MAX), "user"),
        format!("{}/s", load.per_second),
    ];
    if let Some([p50, p95, p99]) = load.took {
        let [p50, p95, p99] = [p50, p95, p99].map(spoken);
        parts.push(format!("p50 {p50}  p95 {p95}  p99 {p99}"));
    }
    if load.failed > 0 {
        parts.push(format!("errors {}", rate(load.failed, load.iterations)));
    }
    if load.stage.1 > 1 {
        parts.push(format!("stage {}/{}", load.stage.0, load.stage.1));
    }
    parts.push(format!("{} left", clock(micros(load.left))));
    parts.join("  ")
}

/// The lines of a load test, without a title.
#[must_use]
pub fn table(result: &LoadResult) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |text: String, is_highlighted: bool| lines.push(Line { text, is_highlighted });
    let processes = match result.generators {
        1 => "1 process".to_owned(),
        count => format!("{count} processes"),
    };
    add(format!("{}, {processes}", result.load), false);
    for line in distributions(result) {
        add(line, false);
    }
    for metric in &result.metrics {
        if is_of_request(&metric.name) {
            continue;
        }
        if let Some((text, is_bad)) = simple(metric, result.seconds) {
            add(text, is_bad);
        }
    }
    if result.dropped > 0 {
        let text = format!(
            "dropped iterations: {}, because no user was free when they were due",
            result.dropped
        );
        add(text, true);
    }
    if result.interrupted > 0 {
        add(format!("interrupted iterations: {}", result.interrupted), false);
    }
    for threshold in &result.thresholds {
        let (word, is_bad) = match threshold.broken {
            Some(true) => ("exceeded", true),
            Some(false) => ("kept", false),
            None => ("not judged", true),
        };
        add(
            format!("threshold {}: {word} ({})", threshold.text, threshold.value),
            is_bad,
        );
    }
    if !result.saturated.is_empty() {
        add(format!("generator saturated: {}", result.saturated), true);
    }
    if result.end != LoadEnd::Complete {
        let (took, of) = (spoken(micros(result.seconds)), spoken(micros(result.planned)));
        add(format!("ended after {took} of {of}: {}", result.why), true);
    }
    if !result.remark.is_empty() {
        add(result.remark.clone(), false);
    }
    lines
}

/// Whether a metric is a sum or rate of HTTP requests with one name, of which there can be many: the table has their
/// durations, and reports have everything.
fn is_of_request(name: &str) -> bool {
    let (metric, tags) = name.split_once("{name:").unwrap_or_default();
    let sums = ["http_reqs", "http_req_failed", "data_received", "data_sent"];
    !tags.is_empty() && sums.contains(&metric)
}

/// The text of a failed load test.
#[must_use]
pub fn details(result: &LoadResult) -> String {
    let mut lines: Vec<String> = result
        .problems
        .iter()
        .map(|problem| format!("load test failed: {problem}"))
        .collect();
    lines.push(String::new());
    lines.extend(table(result).into_iter().map(|line| line.text));
    lines.join("\n")
}

fn distributions(result: &LoadResult) -> Vec<String> {
    let mut headings = vec![
        String::new(),
        "count".to_owned(),
        "rate".to_owned(),
        "errors".to_owned(),
    ];
    headings.extend(HEADINGS.map(str::to_owned));
    let mut rows = vec![headings];
    for (place, metric) in result.metrics.iter().enumerate() {
        let Some(values) = metric.values.filter(|_| metric.count > 0) else {
            continue;
        };
        let is_time = metric.kind == MetricKind::Time;
        let mut row = vec![
            shown(&metric.name),
            metric.count.to_string(),
            per_second(metric.count, result.seconds),
            if is_time {
                rate(metric.part, metric.count)
            } else {
                String::new()
            },
        ];
        row.extend(cells(values, is_time));
        rows.push(row);
        let is_seen =
            |intended: &Distribution| intended.p99 > (values.p99 * 1.05).max(values.p99 + LAG_SHOWN);
        if let Some(intended) = metric.intended.filter(is_seen).filter(|_| place == 0) {
            let mut row = vec![
                "  from the intended start".to_owned(),
                String::new(),
                String::new(),
                String::new(),
            ];
            row.extend(cells(intended, true));
            rows.push(row);
        }
    }
    if rows.len() == 1 {
        return Vec::new();
    }
    aligned(&rows, &[0])
}

/// A name that leaves room for figures.
fn shown(name: &str) -> String {
    if name.chars().count() <= LONGEST_NAME {
        return name.to_owned();
    }
    let beginning: String = name.chars().take(LONGEST_NAME - 3).collect();
    format!("{beginning}...")
}

fn cells(values: Distribution, is_time: bool) -> Vec<String> {
    let Distribution {
        avg,
        min,
        med,
        p90,
        p95,
        p99,
        max,
    } = values;
    let shown = [avg, min, med, p90, p95, p99, max].map(|value| {
        if is_time {
            spoken(micros(value / 1e6))
        } else {
            number(value)
        }
    });
    shown.to_vec()
}

/// A line about a metric without a distribution, and whether it is highlighted.
fn simple(metric: &LoadMetric, seconds: f64) -> Option<(String, bool)> {
    let name = &shown(&metric.name);
    match metric.kind {
        MetricKind::Check | MetricKind::Rate => {
            let (part, count) = (metric.part, metric.count);
            let word = if metric.kind == MetricKind::Check {
                "check"
            } else {
                "rate"
            };
            let is_bad = metric.kind == MetricKind::Check && part < count;
            Some((
                format!("{word} {name}: {} ({part} of {count})", rate(part, count)),
                is_bad,
            ))
        }
        MetricKind::Counter => {
            let value = metric.value.unwrap_or_default();
            let rate = number(value / seconds.max(1e-9));
            Some((format!("counter {name}: {} ({rate}/s)", number(value)), false))
        }
        MetricKind::Gauge => Some((
            format!("gauge {name}: {}", number(metric.value.unwrap_or_default())),
            false,
        )),
        MetricKind::Time | MetricKind::Trend => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers below 2^53")]
fn rate(part: u64, all: u64) -> String {
    percent(part as f64 * 100.0 / all.max(1) as f64)
}

#[expect(clippy::cast_precision_loss, reason = "numbers below 2^53")]
fn per_second(count: u64, seconds: f64) -> String {
    format!("{:.1}/s", count as f64 / seconds.max(1e-9))
}

/// A number with at most three decimals.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::load::LoadThreshold;

    fn example() -> LoadResult {
        let values = Distribution {
            avg: 24_300.0,
            min: 9_800.0,
            med: 22_000.0,
            p90: 40_000.0,
            p95: 48_000.0,
            p99: 91_000.0,
            max: 310_000.0,
        };
        let metric = |name: &str, kind, count, part, value| LoadMetric {
            name: name.to_owned(),
            kind,
            count,
            part,
            value,
            values: None,
            intended: None,
        };
        LoadResult {
            seconds: 60.0,
            planned: 60.0,
            load: "50 users for 1:00 min".to_owned(),
            generators: 2,
            iterations: 12_345,
            failed: 12,
            dropped: 3,
            metrics: vec![
                LoadMetric {
                    values: Some(values),
                    intended: Some(Distribution {
                        p99: 200_000.0,
                        ..values
                    }),
                    ..metric("iteration", MetricKind::Time, 12_345, 12, None)
                },
                LoadMetric {
                    values: Some(values),
                    ..metric("size", MetricKind::Trend, 12_345, 0, None)
                },
                metric("status is 200", MetricKind::Check, 12_345, 12_333, None),
                metric("orders", MetricKind::Counter, 9, 0, Some(120.5)),
                metric("queue", MetricKind::Gauge, 9, 0, Some(7.0)),
                metric("data_sent", MetricKind::Counter, 9, 0, Some(700.0)),
                metric("data_sent{name:GET /}", MetricKind::Counter, 9, 0, Some(700.0)),
            ],
            thresholds: vec![
                LoadThreshold {
                    text: "p(95)<500ms".to_owned(),
                    value: "48.0 ms".to_owned(),
                    broken: Some(false),
                },
                LoadThreshold {
                    text: "error_rate<0.01%".to_owned(),
                    value: "0.10 %".to_owned(),
                    broken: Some(true),
                },
            ],
            problems: vec!["error_rate<0.01% is exceeded: 0.10 %".to_owned()],
            ..LoadResult::default()
        }
    }

    #[test]
    fn a_load_test_with_all_kinds_of_metrics() {
        insta::assert_snapshot!(details(&example()));
    }

    #[test]
    fn a_load_test_that_was_aborted_without_iterations() {
        let result = LoadResult {
            seconds: 12.0,
            end: LoadEnd::Aborted,
            why: "aborted: error_rate>50% for 10s".to_owned(),
            saturated: "a process used 99 % of a CPU in 5 of 5 seconds".to_owned(),
            iterations: 0,
            metrics: Vec::new(),
            thresholds: Vec::new(),
            dropped: 0,
            ..example()
        };
        let lines: Vec<String> = table(&result).into_iter().map(|line| line.text).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn the_line_of_a_running_load_test() {
        let load = LoadStatus {
            users: 50,
            per_second: 205,
            took: Some([22_000, 48_000, 91_000]),
            failed: 12,
            iterations: 12_345,
            stage: (2, 3),
            left: 41.0,
        };
        assert_eq!(
            running(&load),
            "50 users  205/s  p50 22.0 ms  p95 48.0 ms  p99 91.0 ms  errors 0.10 %  stage 2/3  0:41 left"
        );
    }
}
