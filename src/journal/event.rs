//! The events of a journal: one JSON object per line; the field `e` names the kind.

use super::Micros;
use super::load::{LoadResult, LoadSecond};
use crate::protocol::report::Phase;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Number of a test: its index in [`Collected::ids`], or the number from an [`Event::Test`].
pub type Test = u32;

/// Number of a worker (N in `gwN`); `None` for the main process, which the user started.
pub type Worker = Option<u32>;

/// Outcome of a phase, in pytest's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It was skipped.
    Skipped,
    /// It was expected to fail, and failed.
    Xfailed,
    /// It was expected to fail, and passed.
    Xpassed,
    /// It failed, and the test is tried again.
    Rerun,
    /// It failed, and the test is in the quarantine.
    Quarantined,
    /// It failed.
    Failed,
}

/// A phase of a test has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseEnded {
    /// The test.
    pub t: Test,
    /// The process in which it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub w: Worker,
    /// When the phase started.
    pub at: Micros,
    /// How long it took.
    pub us: Micros,
    /// Its outcome.
    pub o: Outcome,
    /// Whether this is a subtest within the phase; the phase itself is reported later.
    #[serde(default, skip_serializing_if = "is_false")]
    pub part: bool,
}

/// Description of a run: the first event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`super::FORMAT`].
    pub format: String,
    /// [`super::VERSION`].
    pub version: u32,
    /// The run's unique id.
    pub id: String,
    /// When it started, in microseconds since the epoch; the times of all other events count from here.
    pub began: Micros,
    /// The command line.
    pub command: Vec<String>,
    /// Options that affect the run and its reports, by name.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Versions of Python, pytest and all plugins.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// Description of the machine: name, system, CPUs and memory.
    #[serde(default)]
    pub machine: BTreeMap<String, String>,
    /// The rootdir, an absolute path of that machine; empty if unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rootdir: String,
    /// The directory in which pytest was started, relative to the rootdir; empty if it is the same, or unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub directory: String,
    /// The variables of Python and pytest that affect options and order, if they were set; no others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Values of the options that are seeds, also if a plugin chose them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub seeds: BTreeMap<String, String>,
    /// Options that can change which tests run or what they do, by name: a run is only resumed with the same ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub selection: BTreeMap<String, String>,
    /// The id of the run that this one resumes. Until the event `resumed` its results have not been copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<String>,
}

/// The collection has finished.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// When it finished.
    pub at: Micros,
    /// Node ids of the tests to run.
    pub ids: Vec<String>,
    /// Expected duration of each test according to the history; empty if no duration is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usual: Vec<Option<Micros>>,
    /// The `xdist_group` of each test (`--dist loadgroup`); empty if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Option<String>>,
    /// Tests marked `serial`: no other test runs at the same time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serial: Vec<Test>,
    /// Number of deselected tests.
    #[serde(default)]
    pub deselected: usize,
}

/// How workers are started and tests are scheduled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// When the start mode was chosen.
    pub at: Micros,
    /// `template`, `early` or `xdist`.
    pub start: String,
    /// Number of workers at the start.
    pub workers: usize,
    /// The distribution mode.
    pub dist: String,
    /// The number of workers that each worker was told; 0 if unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u64,
    /// The id of the run that each worker was told; empty if unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

/// Contents of a report beyond the outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The test; `None` for the report of a collector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t: Option<Test>,
    /// The process in which it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub w: Worker,
    /// `setup`, `call`, `teardown`, `collect`, or `crash` for the crash of a worker.
    pub when: String,
    /// The outcome. It is stored only for collectors and crashes, where no phase states it; for all others the reader
    /// fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub o: Option<Outcome>,
    /// The node id of the collector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The error, which may span several lines, or the reason for a skip.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The project file in which it happened; relative to rootdir if it lies below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line in that file, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The full text of the error.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Captured output: pairs of title and text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<(String, String)>,
    /// Number of characters that were cut from the texts; a note in the text marks each cut.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut: u64,
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// It exited after its session had finished.
    Left,
    /// It crashed.
    Crashed,
    /// It was replaced because it exceeded its memory limit.
    Replaced,
}

/// A worker has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerGone {
    /// The worker.
    pub w: u32,
    /// When it ended.
    pub at: Micros,
    /// How it ended.
    pub how: Ending,
    /// Its exit code, or the negated number of the signal that killed it.
    pub status: i64,
    /// The test that was running when it crashed, or after which it was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Test>,
    /// Why it was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What a report contains beyond its phase, to make the report again when the run is resumed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportData {
    /// The test.
    pub t: Test,
    /// The process in which it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub w: Worker,
    /// How many sections of captured output are those of the preceding report of the test.
    #[serde(default, skip_serializing_if = "is_no_count")]
    pub kept: usize,
    /// The other attributes, as a value of `protocol/value.rs` in base 64; empty if they were too large.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub data: String,
}

/// A warning that was recorded while a test ran, to record it again when the run is resumed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestWarning {
    /// The test.
    pub t: Test,
    /// The number of the warning: the same for warnings that differ only in the test.
    pub n: u32,
    /// The warning, as a value of `protocol/value.rs` in base 64; only where the number occurs first.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub data: String,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "e", rename_all = "lowercase")]
pub enum Event {
    /// The run has started.
    Run(Head),
    /// The collection has finished.
    Collected(Collected),
    /// The start mode has been chosen.
    Start(Start),
    /// A test that was not collected has been given a number.
    Test {
        /// The number.
        t: Test,
        /// Its node id.
        id: String,
    },
    /// The tests that carry the markers named by the run's thresholds, directly or on a class or module.
    Marks {
        /// The tests, by marker.
        marks: BTreeMap<String, Vec<Test>>,
    },
    /// The setup of a test has ended.
    Setup(PhaseEnded),
    /// The call of a test has ended.
    Call(PhaseEnded),
    /// The teardown of a test has ended.
    Teardown(PhaseEnded),
    /// Contents of the preceding phase's report beyond its outcome, or of a report that belongs to no phase.
    Detail(Detail),
    /// Properties recorded by a test (`record_property`), or without a test, by the suite
    /// (`record_testsuite_property`).
    Properties {
        /// The test.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        t: Option<Test>,
        /// Names and values.
        properties: Vec<(String, String)>,
    },
    /// The rest of the preceding report.
    Report(ReportData),
    /// A warning was recorded in a test.
    Warning(TestWarning),
    /// The last test of a worker is complete, with everything that belongs to it.
    Done {
        /// The worker.
        w: u32,
    },
    /// The coverage data of all tests that the worker has completed is in its data file.
    Saved {
        /// The worker.
        w: u32,
        /// The process that has written the file, if it is not this run's: the test was copied from an earlier run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<i64>,
    },
    /// The project's own files that were loaded when tests had been collected, with digests of their contents.
    Code {
        /// Digests by path, relative to rootdir.
        files: BTreeMap<String, String>,
    },
    /// The results of the run that this one resumes have been copied.
    Resumed {
        /// The id of that run.
        id: String,
        /// When it started, in microseconds since the epoch.
        began: Micros,
        /// The number of tests whose results were copied.
        tests: usize,
    },
    /// A shared fixture has been set up.
    Fixture {
        /// The test for which it was set up.
        t: Test,
        /// The process in which it was set up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        w: Worker,
        /// The fixture.
        key: String,
        /// How long it took.
        us: Micros,
        /// Whether it was set up for all workers, before their tests.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        once: bool,
    },
    /// A test, or a fixture, has left something behind.
    Leak {
        /// The test that has left it, or after whose teardown it was found.
        t: Test,
        /// The process in which it ran.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        w: Worker,
        /// The kind of leak.
        kind: String,
        /// The fixture that has left it, if it was not the test.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fixture: Option<String>,
        /// What was left.
        text: String,
    },
    /// A second of a metric of a load test.
    LoadSecond(LoadSecond),
    /// A load test has ended.
    LoadResult(LoadResult),
    /// A worker has started.
    Worker {
        /// The worker.
        w: u32,
        /// When it started.
        at: Micros,
        /// Its process id.
        pid: i64,
        /// The first of the workers that replaced one another, if it is a replacement.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first: Option<u32>,
    },
    /// A worker has ended.
    Gone(WorkerGone),
    /// The process that forks workers has died, and all workers with it.
    Lost {
        /// When this was noticed.
        at: Micros,
    },
    /// The memory that a process uses at this time, in bytes.
    Memory {
        /// The process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        w: Worker,
        /// When it was measured.
        at: Micros,
        /// Resident set size, shared pages included.
        rss: u64,
        /// Proportional set size: a page shared by n processes counts as 1/n.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pss: Option<u64>,
    },
    /// The peak memory of a process has grown while a test ran.
    Peak {
        /// The test.
        t: Test,
        /// The process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        w: Worker,
        /// The new peak, in resident bytes.
        rss: u64,
    },
    /// The run has ended.
    End {
        /// When it ended.
        at: Micros,
        /// pytest's exit status.
        exit: i32,
        /// Number of warnings.
        warnings: usize,
    },
    /// An event of a later version, which is skipped.
    #[serde(other)]
    Unknown,
}

impl Event {
    /// The event for the end of a phase.
    #[must_use]
    pub fn phase(phase: Phase, ended: PhaseEnded) -> Self {
        match phase {
            Phase::Setup => Self::Setup(ended),
            Phase::Call => Self::Call(ended),
            Phase::Teardown => Self::Teardown(ended),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_no_count(count: &usize) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
