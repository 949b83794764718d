//! The events of a journal: one JSON object in a line each, `e` names the kind.

use super::Micros;
use crate::protocol::report::Phase;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Number of a test: its place in [`Collected::ids`], or what an [`Event::Test`] gave it.
pub type Test = u32;

/// Number of a worker, as in its name; `None` for the process that the user has started.
pub type Worker = Option<u32>;

/// What came of a phase, in pytest's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It was skipped.
    Skipped,
    /// It was expected to fail, and did.
    Xfailed,
    /// It was expected to fail, and passed.
    Xpassed,
    /// It failed, and the test begins anew.
    Rerun,
    /// It failed.
    Failed,
}

/// A phase of a test has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseEnded {
    /// The test.
    pub t: Test,
    /// Where it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub w: Worker,
    /// When the phase began.
    pub at: Micros,
    /// How long it took.
    pub us: Micros,
    /// What came of it.
    pub o: Outcome,
    /// Whether this is a part of the phase, a subtest, and the phase itself is still to come.
    #[serde(default, skip_serializing_if = "is_false")]
    pub part: bool,
}

/// What a run is: the first event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`super::FORMAT`].
    pub format: String,
    /// [`super::VERSION`].
    pub version: u32,
    /// The run's unique id.
    pub id: String,
    /// When it began, in microseconds since the epoch; all moments of other events count from here.
    pub began: Micros,
    /// The command line.
    pub command: Vec<String>,
    /// Options that decide about the run and about reports of it, by their names.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Versions of Python, pytest and all plugins.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// The machine: its name, system, CPUs and memory.
    #[serde(default)]
    pub machine: BTreeMap<String, String>,
}

/// Tests have been collected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// When.
    pub at: Micros,
    /// The tests that are to run.
    pub ids: Vec<String>,
    /// What each is expected to take, by the history; empty where nothing is known of any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usual: Vec<Option<Micros>>,
    /// The group that each stays with (`--dist loadgroup`); empty where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Option<String>>,
    /// The tests that run while no other runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serial: Vec<Test>,
    /// How many were deselected.
    #[serde(default)]
    pub deselected: usize,
}

/// How workers come up, and how tests are scheduled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// When that was settled.
    pub at: Micros,
    /// `template`, `early` or `xdist`.
    pub start: String,
    /// How many workers begin.
    pub workers: usize,
    /// The distribution mode.
    pub dist: String,
}

/// What a report says beyond the outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The test; `None` for a file that was collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t: Option<Test>,
    /// Where it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub w: Worker,
    /// `setup`, `call`, `teardown`, `collect`, or `crash` for the death of a worker.
    pub when: String,
    /// What came of it. It is written where no phase says so, of files that were collected; of the others it is known when
    /// the journal has been read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub o: Option<Outcome>,
    /// The node id of what was collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The error, which may have several lines, or the reason of a skip.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The file of the project that it happened in, relative to rootdir where it is below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line in it, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// All of the error's text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// What was captured: title and text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<(String, String)>,
    /// How many characters of the texts were left out, where they say so.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut: u64,
}

/// How a worker's life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Its session had finished.
    Left,
    /// It died before.
    Crashed,
    /// Another one took its place because it had grown too large.
    Replaced,
}

/// A worker is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerGone {
    /// The worker.
    pub w: u32,
    /// When.
    pub at: Micros,
    /// How.
    pub how: Ending,
    /// Its exit code, or minus the number of the signal that killed it.
    pub status: i64,
    /// The test that it died in, or after which it was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Test>,
    /// Why it was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "e", rename_all = "lowercase")]
pub enum Event {
    /// A run begins.
    Run(Head),
    /// Tests have been collected.
    Collected(Collected),
    /// How workers come up is settled.
    Start(Start),
    /// A test that was not collected has a number now.
    Test {
        /// The number.
        t: Test,
        /// Its node id.
        id: String,
    },
    /// Which tests carry markers that thresholds of the run name, on themselves or on what is around them.
    Marks {
        /// The tests, by marker.
        marks: BTreeMap<String, Vec<Test>>,
    },
    /// The set-up of a test has ended.
    Setup(PhaseEnded),
    /// The call of a test has ended.
    Call(PhaseEnded),
    /// The teardown of a test has ended.
    Teardown(PhaseEnded),
    /// What the report of the phase before says beyond its outcome, or of something that is no phase.
    Detail(Detail),
    /// What tests have recorded of themselves; without a test, what was recorded of the suite.
    Properties {
        /// The test.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        t: Option<Test>,
        /// Names and values.
        properties: Vec<(String, String)>,
    },
    /// A fixture that tests share has been set up.
    Fixture {
        /// The test that needed it first.
        t: Test,
        /// Where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        w: Worker,
        /// The fixture.
        key: String,
        /// How long it took.
        us: Micros,
    },
    /// A worker is there.
    Worker {
        /// The worker.
        w: u32,
        /// When.
        at: Micros,
        /// Its process.
        pid: i64,
    },
    /// A worker is gone.
    Gone(WorkerGone),
    /// The memory that a process holds at this moment, in bytes.
    Memory {
        /// The process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        w: Worker,
        /// When.
        at: Micros,
        /// Resident: also what it shares with others.
        rss: u64,
        /// Proportional: what is shared counts in parts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pss: Option<u64>,
    },
    /// The most memory that a process has ever held has grown in a test, to so many resident bytes.
    Peak {
        /// The test.
        t: Test,
        /// Where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        w: Worker,
        /// The new peak.
        rss: u64,
    },
    /// The run is over.
    End {
        /// When.
        at: Micros,
        /// pytest's exit status.
        exit: i32,
        /// How many warnings there were.
        warnings: usize,
    },
    /// What a later version writes.
    #[serde(other)]
    Unknown,
}

impl Event {
    /// The end of a phase.
    #[must_use]
    pub fn phase(phase: Phase, ended: PhaseEnded) -> Self {
        match phase {
            Phase::Setup => Self::Setup(ended),
            Phase::Call => Self::Call(ended),
            Phase::Teardown => Self::Teardown(ended),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_false(value: &bool) -> bool {
    !value
}
