//! The Common Test Report Format (<https://ctrf.io>), version 0.0.0 of its JSON schema.
//!
//! CTRF durations are whole milliseconds. The measured microseconds are stored in `extra`.

use super::address::Address;
use super::failures::captured;
use crate::journal::Micros;
use crate::journal::event::{Detail, Outcome};
use crate::journal::merged::{Merged, TestResult};
use crate::journal::run::{Attempt, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

const MILLISECOND: Micros = 1000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    report_format: &'static str,
    spec_version: &'static str,
    run_id: &'a str,
    generated_by: String,
    results: Results<'a>,
}

#[derive(Serialize)]
struct Results<'a> {
    tool: Tool<'a>,
    summary: Summary<'a>,
    tests: Vec<Test<'a>>,
    environment: Environment<'a>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a String>,
}

#[derive(Default, Serialize)]
struct Summary<'a> {
    tests: usize,
    passed: usize,
    failed: usize,
    skipped: usize,
    pending: usize,
    other: usize,
    flaky: usize,
    start: Micros,
    stop: Micros,
    duration: Micros,
    extra: BTreeMap<&'a str, usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Passed,
    Failed,
    Skipped,
    Other,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Test<'a> {
    name: &'a str,
    #[serde(rename = "testId")]
    id: String,
    status: Status,
    raw_status: &'static str,
    #[serde(flatten)]
    attempt: Ran<'a>,
    suite: Vec<&'a str>,
    file_path: &'a str,
    thread_id: String,
    flaky: bool,
    retries: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    retry_attempts: Vec<Retry<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, Label<'a>>,
    extra: Extra<'a>,
}

/// Fields that tests and retries have in common.
#[derive(Serialize)]
struct Ran<'a> {
    duration: Micros,
    start: Micros,
    stop: Micros,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stdout: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stderr: Vec<&'a str>,
}

#[derive(Serialize)]
struct Retry<'a> {
    attempt: usize,
    status: Status,
    #[serde(flatten)]
    ran: Ran<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Label<'a> {
    One(&'a str),
    Several(Vec<&'a str>),
}

/// The measured microseconds; `None` for a phase that was not reported.
#[derive(Serialize)]
struct Extra<'a> {
    environment: &'a str,
    setup: Option<Micros>,
    call: Option<Micros>,
    teardown: Option<Micros>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Environment<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    os_platform: Option<&'a String>,
    extra: BTreeMap<&'a str, &'a BTreeMap<&'static str, String>>,
}

/// Serializes the report.
///
/// # Errors
/// None are possible for texts and numbers.
pub fn write(merged: &Merged) -> serde_json::Result<Vec<u8>> {
    let head = merged.parts.first().map(|part| &part.run.head);
    let tests: Vec<Test<'_>> = merged
        .results
        .iter()
        .flat_map(|result| tests(merged, result))
        .chain(uncollected(merged))
        .collect();
    let document = Document {
        report_format: "CTRF",
        spec_version: "0.0.0",
        run_id: head.map_or("unknown", |head| &head.id),
        generated_by: format!("pytest-rustpar {}", env!("CARGO_PKG_VERSION")),
        results: Results {
            tool: Tool {
                name: "pytest",
                version: head.and_then(|head| head.versions.get("pytest")),
            },
            summary: summary(merged, &tests),
            tests,
            environment: Environment {
                os_platform: head.and_then(|head| head.machine.get("platform")),
                extra: merged
                    .environments
                    .iter()
                    .map(|found| (found.name.as_str(), &found.details))
                    .collect(),
            },
        },
    };
    serde_json::to_vec(&document)
}

fn summary<'a>(merged: &Merged, tests: &[Test<'_>]) -> Summary<'a> {
    let count = |status| tests.iter().filter(|test| test.status == status).count();
    let began = merged.parts.first().map_or(0, |part| part.run.head.began);
    let counts = Verdict::ALL.into_iter().zip(merged.counts());
    Summary {
        tests: tests.len(),
        passed: count(Status::Passed),
        failed: count(Status::Failed),
        skipped: count(Status::Skipped),
        pending: 0,
        other: count(Status::Other),
        flaky: tests.iter().filter(|test| test.flaky).count(),
        start: began / MILLISECOND,
        stop: (began + merged.lasted()) / MILLISECOND,
        duration: merged.elapsed(None) / MILLISECOND,
        extra: counts
            .filter(|&(_, count)| count > 0)
            .map(|(verdict, count)| (verdict.name(), count))
            .collect(),
    }
}

/// The entry of a test; with `--dist each`, one for each worker.
fn tests<'a>(merged: &'a Merged, result: &'a TestResult) -> impl Iterator<Item = Test<'a>> {
    merged.last(result).map(|attempt| {
        let id = merged.id(result);
        let environment = merged.environments[result.environment].name.as_str();
        let Address { path, classes, name } = Address::new(id);
        let before: Vec<_> = merged.before(result).collect();
        let [setup, call, teardown] = attempt.phases.map(|phase| phase.map(|phase| phase.took));
        let verdict = attempt.verdict();
        Test {
            name: if name.is_empty() { id } else { name },
            id: merged
                .environment_name(result.environment)
                .map_or_else(|| id.to_owned(), |name| format!("{name} {id}")),
            status: status(verdict),
            raw_status: verdict.name(),
            attempt: ran(merged, result.part, attempt),
            suite: std::iter::once(path).chain(classes).collect(),
            file_path: path,
            thread_id: merged.process_name(result.part, attempt.process),
            flaky: merged.is_flaky(result),
            retries: before.len(),
            retry_attempts: (1..)
                .zip(before)
                .map(|(number, (part, attempt))| Retry {
                    attempt: number,
                    status: status(attempt.verdict()),
                    ran: ran(merged, part, attempt),
                })
                .collect(),
            labels: labels(&attempt.properties),
            extra: Extra {
                environment,
                setup,
                call,
                teardown,
            },
        }
    })
}

/// Entries of collectors that failed or were skipped.
fn uncollected(merged: &Merged) -> impl Iterator<Item = Test<'_>> {
    let reports = merged.collect_reports().into_iter();
    reports.map(|(part, detail)| {
        let id = detail.id.as_deref().unwrap_or_default();
        let (status, raw_status) = if detail.o == Some(Outcome::Failed) {
            (Status::Failed, "error")
        } else {
            (Status::Skipped, "skipped")
        };
        let at = merged.parts[part].run.head.began / MILLISECOND;
        let environment = merged.environments[merged.parts[part].environment].name.as_str();
        Test {
            name: if id.is_empty() { "collection" } else { id },
            id: format!("collection of {id}"),
            status,
            raw_status,
            attempt: timing_of(&[detail], at, at, 0),
            suite: vec!["collection"],
            file_path: Address::new(id).path,
            thread_id: "main".to_owned(),
            flaky: false,
            retries: 0,
            retry_attempts: Vec::new(),
            labels: BTreeMap::new(),
            extra: Extra {
                environment,
                setup: None,
                call: None,
                teardown: None,
            },
        }
    })
}

fn status(verdict: Verdict) -> Status {
    match verdict {
        Verdict::Passed | Verdict::Flaky | Verdict::Xpassed => Status::Passed,
        Verdict::Failed | Verdict::Error | Verdict::Rerun | Verdict::Crashed => Status::Failed,
        Verdict::Skipped => Status::Skipped,
        // It ran, but neither passed nor made the run fail.
        Verdict::Xfailed | Verdict::Quarantined => Status::Other,
    }
}

fn ran<'a>(merged: &'a Merged, part: usize, attempt: &Attempt) -> Ran<'a> {
    let run = &merged.parts[part].run;
    let details: Vec<&Detail> = attempt.details.iter().map(|&index| &run.details[index]).collect();
    let moment = |at: Option<Micros>| (run.head.began + at.unwrap_or(0)) / MILLISECOND;
    let duration = (attempt.took() + MILLISECOND / 2) / MILLISECOND;
    timing_of(
        &details,
        moment(attempt.began()),
        moment(attempt.ended()),
        duration,
    )
}

fn timing_of<'a>(details: &[&'a Detail], start: Micros, stop: Micros, duration: Micros) -> Ran<'a> {
    let texts: Vec<&str> = details.iter().map(|detail| detail.text.as_str()).collect();
    let trace = texts.join("\n");
    let lines = |is_stderr: bool| {
        let sections = captured(details).iter();
        let wanted = sections.filter(move |(title, _)| title.contains("stderr") == is_stderr);
        wanted.flat_map(|(_, text)| text.lines()).collect()
    };
    Ran {
        duration,
        start,
        stop,
        message: details.first().map(|detail| detail.message.as_str()),
        trace: Some(trace).filter(|trace| !trace.trim().is_empty()),
        line: details.iter().find_map(|detail| detail.line),
        stdout: lines(false),
        stderr: lines(true),
    }
}

fn labels(properties: &[(String, String)]) -> BTreeMap<&str, Label<'_>> {
    let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in properties {
        values.entry(name).or_default().push(value);
    }
    let labels = values.into_iter().map(|(name, values)| {
        let label = match values[..] {
            [value] => Label::One(value),
            _ => Label::Several(values),
        };
        (name, label)
    });
    labels.collect()
}
