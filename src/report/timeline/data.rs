//! The data of the timeline page, from journals.

use super::figures::Figures;
use super::load::{LoadTest, load_tests};
use super::load_earlier::Earlier;
use super::problem::Problem;
use crate::analysis::slow;
use crate::journal::event::{Detail, Ending, Outcome};
use crate::journal::merged::{Merged, Part};
use crate::journal::run::{Attempt, Process, Verdict};
use crate::journal::{Micros, seconds};
use crate::leaks;
use crate::report::failures::errors;
use crate::report::spans::spans;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The version of the data.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Data<'a> {
    version: u32,
    run: About<'a>,
    environments: Vec<Environment<'a>>,
    workers: Vec<Worker>,
    outcomes: [&'static str; Verdict::ALL.len()],
    tests: Tests<'a>,
    failures: Vec<Failure<'a>>,
    superseded: Vec<Failure<'a>>,
    leaks: Vec<Leak>,
    once: Vec<OnceFixture<'a>>,
    marks: Vec<Mark>,
    counts: BTreeMap<&'static str, usize>,
    #[serde(flatten)]
    figures: Figures,
    previous: Option<Previous>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    load: Vec<LoadTest<'a>>,
}

#[derive(Serialize)]
struct About<'a> {
    id: &'a str,
    command: String,
    started: f64,
    seconds: f64,
    exit: Option<i32>,
    complete: bool,
    collected: usize,
    ran: usize,
    slow: Option<f64>,
}

#[derive(Serialize)]
struct Environment<'a> {
    name: &'a str,
    details: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Worker {
    name: String,
    environment: usize,
    pid: Option<i64>,
    start: Option<f64>,
    end: Option<f64>,
    ended: Option<Ending>,
    reason: Option<String>,
    peak: Option<u64>,
    memory: Vec<(f64, u64, Option<u64>)>,
}

#[derive(Default, Serialize)]
struct Tests<'a> {
    id: Vec<&'a str>,
    worker: Vec<usize>,
    start: Vec<f64>,
    setup: Vec<f64>,
    call: Vec<f64>,
    teardown: Vec<f64>,
    end: Vec<f64>,
    outcome: Vec<usize>,
    usual: Vec<Option<f64>>,
    previous: Vec<Option<f64>>,
    growth: Vec<u64>,
}

#[derive(Serialize)]
struct Failure<'a> {
    test: usize,
    phase: &'a str,
    text: &'a str,
    sections: &'a [(String, String)],
}

#[derive(Serialize)]
struct Leak {
    test: usize,
    text: String,
}

#[derive(Serialize)]
struct OnceFixture<'a> {
    key: &'a str,
    seconds: f64,
}

#[derive(Serialize)]
struct Mark {
    at: f64,
    worker: Option<usize>,
    kind: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Previous {
    id: String,
    started: f64,
    seconds: f64,
    counts: BTreeMap<&'static str, usize>,
}

/// The data of the page for some merged runs, compared with `previous` ones, and load tests with those of `earlier` ones.
///
/// # Errors
/// [`Problem`].
pub fn data(merged: &Merged, previous: Option<&Merged>, earlier: &Earlier) -> Result<String, Problem> {
    let first = &merged.parts.first().ok_or(Problem::NoRun)?.run;
    let figures = Figures::new(merged)?;
    let mut rows = Rows {
        before: previous.map(durations).unwrap_or_default(),
        ..Rows::default()
    };
    rows.add_all(merged);
    let lasted = seconds(merged.lasted());
    let broken = figures.thresholds.iter().filter(|threshold| threshold.broken);
    rows.marks.extend(broken.map(|threshold| Mark {
        at: lasted,
        worker: None,
        kind: "threshold",
        text: format!("{}: {}", threshold.text, threshold.value),
    }));
    let runs = || merged.parts.iter().map(|part| &part.run);
    let parts = 0..merged.parts.len();
    let labels: Vec<String> = parts
        .map(|part| label(merged, part).unwrap_or_default())
        .collect();
    let data = Data {
        version: VERSION,
        run: About {
            id: &first.head.id,
            command: first.head.command.join(" "),
            started: seconds(first.head.began),
            seconds: lasted,
            exit: runs().map(|run| run.exit).max().flatten(),
            complete: runs().all(|run| run.exit.is_some()),
            collected: merged.results.len() + merged.missing().len(),
            ran: merged.results.len(),
            slow: Some(seconds(slow::limit(first))),
        },
        environments: environments(merged),
        counts: counts(merged),
        workers: rows.workers,
        outcomes: Verdict::ALL.map(Verdict::name),
        tests: rows.tests,
        failures: rows.failures,
        superseded: rows.superseded,
        leaks: rows.leaks,
        once: once_fixtures(merged),
        marks: rows.marks,
        figures,
        previous: previous.and_then(about_previous),
        load: load_tests(merged, &labels, earlier),
    };
    Ok(serde_json::to_string(&data)?)
}

fn environments(merged: &Merged) -> Vec<Environment<'_>> {
    let all = merged.environments.iter().map(|environment| Environment {
        name: &environment.name,
        details: environment
            .details
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect(),
    });
    all.collect()
}

/// The fixtures that were set up once for all workers of a run, in order.
fn once_fixtures(merged: &Merged) -> Vec<OnceFixture<'_>> {
    let all = merged.parts.iter().flat_map(|part| &part.run.fixtures);
    all.filter(|fixture| fixture.once)
        .map(|fixture| OnceFixture {
            key: &fixture.key,
            seconds: seconds(fixture.took),
        })
        .collect()
}

/// The prefix that distinguishes the workers of one run from those of another.
fn label(merged: &Merged, part: usize) -> Option<String> {
    let shard = merged.parts[part].run.head.options.get("rustpar_shard");
    match (merged.parts.len(), shard) {
        (1, _) => None,
        (_, Some(shard)) => Some(format!("{shard} ")),
        _ => Some(format!("run {} ", part + 1)),
    }
}

/// The duration of each test, by node id.
fn durations(merged: &Merged) -> HashMap<&str, Micros> {
    let results = merged.results.iter();
    results
        .map(|result| {
            let took = merged.last(result).map(Attempt::took).max();
            (merged.id(result), took.unwrap_or(0))
        })
        .collect()
}

fn about_previous(merged: &Merged) -> Option<Previous> {
    let first = &merged.parts.first()?.run;
    Some(Previous {
        id: first.head.id.clone(),
        started: seconds(first.head.began),
        seconds: seconds(merged.lasted()),
        counts: counts(merged),
    })
}

/// The counts of pytest's summary line.
fn counts(merged: &Merged) -> BTreeMap<&'static str, usize> {
    let counts = Verdict::ALL.into_iter().zip(merged.counts());
    let some = counts.filter(|&(_, count)| count > 0);
    some.map(|(verdict, count)| (verdict.name(), count)).collect()
}

/// The rows of all runs, being built.
#[derive(Default)]
struct Rows<'a> {
    workers: Vec<Worker>,
    tests: Tests<'a>,
    failures: Vec<Failure<'a>>,
    superseded: Vec<Failure<'a>>,
    leaks: Vec<Leak>,
    marks: Vec<Mark>,
    /// The duration of each test in the previous run.
    before: HashMap<&'a str, Micros>,
}

impl<'a> Rows<'a> {
    fn add_all(&mut self, merged: &'a Merged) {
        let results = merged.results.iter();
        let determining: HashSet<(usize, usize)> = results
            .flat_map(|result| {
                result
                    .attempts
                    .deciding
                    .iter()
                    .map(|&attempt| (result.part, attempt))
            })
            .collect();
        let reports = merged.collect_reports();
        for (index, part) in merged.parts.iter().enumerate() {
            let label = label(merged, index).unwrap_or_default();
            let first_worker = self.workers.len();
            self.add(part, &label, |attempt| determining.contains(&(index, attempt)));
            for &(own, detail) in &reports {
                if own == index && detail.o == Some(Outcome::Failed) {
                    self.add_collect_error(part, detail, first_worker, &label);
                }
            }
        }
    }

    /// Adds all attempts of a run; `determines_result` says which of them determine a result.
    fn add(&mut self, part: &'a Part, label: &str, determines_result: impl Fn(usize) -> bool) {
        let first_worker = self.workers.len();
        for process in &part.run.processes {
            self.add_worker(part, process, label);
        }
        let attempts = part.run.attempts.iter().zip(spans(&part.run));
        for (index, (attempt, span)) in attempts.enumerate() {
            // Otherwise the journal ends within it.
            if attempt.counted().next().is_some() {
                self.add_attempt(part, attempt, first_worker, span, determines_result(index));
            }
        }
    }

    fn add_worker(&mut self, part: &Part, process: &Process, label: &str) {
        let moment = |at: Micros| seconds(part.offset + at);
        let gone = process.gone.as_ref();
        let reason = gone.and_then(|gone| gone.why.clone().or_else(|| abnormal_end(gone.how, gone.status)));
        if let (Some(gone), Some(text)) = (gone, &reason) {
            self.marks.push(Mark {
                at: moment(gone.at),
                worker: Some(self.workers.len()),
                kind: if gone.how == Ending::Replaced {
                    "replaced"
                } else {
                    "crash"
                },
                text: format!("{label}{}: {text}", process.name()),
            });
        }
        let memory = process.memory.iter();
        self.workers.push(Worker {
            name: format!("{label}{}", process.name()),
            environment: part.environment,
            pid: process.pid,
            start: process.came.map(moment),
            end: gone.map(|gone| moment(gone.at)),
            ended: gone.map(|gone| gone.how),
            reason,
            peak: (process.peak > 0).then_some(process.peak),
            memory: memory.map(|&(at, rss, pss)| (moment(at), rss, pss)).collect(),
        });
    }

    fn add_attempt(
        &mut self,
        part: &'a Part,
        attempt: &'a Attempt,
        first_worker: usize,
        span: (Micros, Micros),
        determines_result: bool,
    ) {
        let id = part.run.id(attempt.test);
        let phase = |phase: usize| seconds(attempt.phases[phase].map_or(0, |phase| phase.took));
        let tests = &mut self.tests;
        let row = tests.id.len();
        tests.id.push(id);
        tests.worker.push(first_worker + attempt.process);
        tests.start.push(seconds(part.offset + span.0));
        tests.setup.push(phase(0));
        tests.call.push(phase(1));
        tests.teardown.push(phase(2));
        tests.end.push(seconds(part.offset + span.1));
        tests.outcome.push(attempt.verdict() as usize);
        // The history does not include shared fixtures, which are set up by one of their tests.
        let usual = part.run.usual(attempt.test);
        tests
            .usual
            .push(usual.map(|usual| seconds(usual + attempt.shared)));
        tests.previous.push(self.before.get(id).copied().map(seconds));
        tests.growth.push(attempt.growth);
        let leaks = attempt.leaks.iter();
        self.leaks.extend(leaks.map(|(fixture, text)| Leak {
            test: row,
            text: leaks::text::short(fixture.as_deref(), text),
        }));
        let failures = errors(&part.run, attempt).into_iter();
        let failures = failures.map(|detail| Failure::new(row, detail));
        if determines_result {
            self.failures.extend(failures);
        } else {
            self.superseded.extend(failures);
        }
    }

    /// A file that could not be collected is shown as a test with zero duration.
    fn add_collect_error(&mut self, part: &'a Part, detail: &'a Detail, first_worker: usize, label: &str) {
        if first_worker == self.workers.len() {
            self.add_worker(part, &Process::default(), label);
        }
        let (row, at) = (self.tests.id.len(), seconds(part.offset));
        let tests = &mut self.tests;
        tests.id.push(detail.id.as_deref().unwrap_or_default());
        tests.worker.push(first_worker);
        for column in [&mut tests.start, &mut tests.end] {
            column.push(at);
        }
        for column in [&mut tests.setup, &mut tests.call, &mut tests.teardown] {
            column.push(0.0);
        }
        tests.outcome.push(Verdict::Error as usize);
        tests.usual.push(None);
        tests.previous.push(None);
        tests.growth.push(0);
        self.failures.push(Failure::new(row, detail));
    }
}

impl<'a> Failure<'a> {
    fn new(row: usize, detail: &'a Detail) -> Self {
        Self {
            test: row,
            phase: &detail.when,
            text: &detail.text,
            sections: &detail.sections,
        }
    }
}

/// Describes the end of a worker if it is abnormal.
fn abnormal_end(how: Ending, status: i64) -> Option<String> {
    match (how, status) {
        (Ending::Crashed, ..0) => Some(format!("killed by signal {}", -status)),
        (Ending::Crashed, _) => Some(format!("ended with exit status {status}")),
        _ => None,
    }
}
