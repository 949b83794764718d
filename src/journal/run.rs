//! A run built from its journal: the tests with their attempts, and the processes that ran them.
//!
//! A test has one attempt for each execution: more than one if failures are tried again, if a worker crashed while it
//! ran, or with `--dist each`, where every worker runs it.

pub use super::attempt::{Attempt, PhaseRun, Verdict};
use super::event::{Collected, Detail, Head, Outcome, Start, Test, Worker, WorkerGone};
use super::load::{LoadResult, LoadSecond};
use super::read::Log;
use super::{Micros, micros};
use builder::Builder;
use std::collections::BTreeMap;

mod builder;
#[cfg(test)]
mod tests;

/// A process that ran tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// Its worker number; `None` for the main process.
    pub number: Worker,
    /// The number of the first of the workers that replaced one another; its own if it has replaced none.
    pub first: Worker,
    /// Its process id.
    pub pid: Option<i64>,
    /// When the worker started.
    pub came: Option<Micros>,
    /// When and how the worker ended.
    pub gone: Option<WorkerGone>,
    /// Memory samples: time, resident bytes and proportional bytes.
    pub memory: Vec<(Micros, u64, Option<u64>)>,
    /// The highest observed number of resident bytes.
    pub peak: u64,
}

impl Process {
    /// `gw0` and so on, or `main`.
    #[must_use]
    pub fn name(&self) -> String {
        self.number
            .map_or_else(|| "main".to_owned(), |number| format!("gw{number}"))
    }
}

/// A shared fixture that was set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixtureRun {
    /// The process, as an index into [`Run::processes`].
    pub process: usize,
    /// The fixture.
    pub key: String,
    /// How long it took.
    pub took: Micros,
    /// Whether it was set up for all workers, before their tests.
    pub once: bool,
}

/// One run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// The description of the run.
    pub head: Head,
    /// Node ids, indexed by test number.
    pub ids: Vec<String>,
    /// The collection event; its `ids` have been moved to [`Run::ids`].
    pub collected: Collected,
    /// Digests of the project's own files that were loaded when tests had been collected; empty if unknown.
    pub code: BTreeMap<String, String>,
    /// The tests that carry markers named by the run's thresholds.
    pub marks: BTreeMap<String, Vec<Test>>,
    /// How workers were started.
    pub start: Option<Start>,
    /// All attempts, in the order in which they were reported.
    pub attempts: Vec<Attempt>,
    /// The processes that ran tests, in the order in which they appeared.
    pub processes: Vec<Process>,
    /// Contents of reports beyond their outcomes.
    pub details: Vec<Detail>,
    /// Properties recorded for the suite.
    pub suite_properties: Vec<(String, String)>,
    /// Setups of shared fixtures.
    pub fixtures: Vec<FixtureRun>,
    /// The seconds of load tests.
    pub load_seconds: Vec<LoadSecond>,
    /// The results of load tests.
    pub load_results: Vec<LoadResult>,
    /// pytest's exit status; `None` if the journal has no end event.
    pub exit: Option<i32>,
    /// Number of warnings.
    pub warnings: usize,
    /// The latest time of any event.
    pub lasted: Micros,
}

impl Run {
    /// Builds a run from its log.
    #[must_use]
    pub fn new(log: Log) -> Self {
        let mut builder = Builder::new(log.head);
        for event in log.events {
            builder.take(event);
        }
        builder.finish()
    }

    /// The node id of a test.
    #[must_use]
    pub fn id(&self, test: Test) -> &str {
        self.ids.get(test as usize).map_or("?", String::as_str)
    }

    /// The expected duration of a test according to the history; `None` if unknown.
    #[must_use]
    pub fn usual(&self, test: Test) -> Option<Micros> {
        self.collected.usual.get(test as usize).copied().flatten()
    }

    /// The failed reports of collectors.
    pub fn collect_errors(&self) -> impl Iterator<Item = &Detail> {
        let collected = self.details.iter().filter(|detail| detail.t.is_none());
        collected.filter(|detail| detail.o == Some(Outcome::Failed))
    }

    /// Number of times each verdict was counted, as in pytest's summary line; in the order of [`Verdict::ALL`].
    #[must_use]
    pub fn counts(&self) -> [usize; Verdict::ALL.len()] {
        let mut counts = [0; Verdict::ALL.len()];
        for verdict in self.attempts.iter().flat_map(Attempt::counted) {
            counts[verdict as usize] += 1;
        }
        for detail in self.details.iter().filter(|detail| detail.t.is_none()) {
            match detail.o {
                Some(Outcome::Failed) => counts[Verdict::Error as usize] += 1,
                Some(Outcome::Skipped) => counts[Verdict::Skipped as usize] += 1,
                _ => {}
            }
        }
        counts
    }

    /// Number of workers, replacements included; 0 if tests ran in the main process.
    #[must_use]
    pub fn workers(&self) -> usize {
        let workers = self.processes.iter().filter(|process| process.number.is_some());
        workers.count()
    }

    /// The attempts of each test that has a result.
    #[must_use]
    pub fn results(&self) -> BTreeMap<Test, Attempts> {
        let mut found: BTreeMap<Test, Attempts> = BTreeMap::new();
        for (index, attempt) in self.attempts.iter().enumerate() {
            found.entry(attempt.test).or_default().all.push(index);
        }
        if self.dist() == "each" {
            let first = |index: &usize| self.processes[self.attempts[*index].process].first;
            for attempts in found.values_mut() {
                attempts.all.sort_by_key(first);
            }
        }
        found.retain(|_, attempts| {
            let all = attempts.all.iter().copied();
            attempts.deciding = all.filter(|&index| self.attempts[index].has_result()).collect();
            !attempts.deciding.is_empty()
        });
        found
    }

    /// The distribution mode; `no` if tests were not distributed.
    #[must_use]
    pub fn dist(&self) -> &str {
        let asked = || self.head.options.get("dist").map(String::as_str);
        let settled = self.start.as_ref().map(|start| start.dist.as_str());
        settled.or_else(asked).unwrap_or("no")
    }

    /// The value of an option that is recorded in seconds.
    #[must_use]
    pub fn option_seconds(&self, name: &str) -> Option<Micros> {
        Some(micros(self.head.options.get(name)?.parse().ok()?))
    }
}

/// The attempts of a test, as indices into [`Run::attempts`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    /// All attempts; with `--dist each`, those of one worker and its replacements after those of another.
    pub all: Vec<usize>,
    /// The attempts that determine the result: all that have a result, except those followed by a rerun. Usually one;
    /// there are several if tests share a node id, if a test was requested twice, or with `--dist each`, one per
    /// worker.
    pub deciding: Vec<usize>,
}
