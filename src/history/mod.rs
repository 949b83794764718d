//! The history: durations and outcomes of tests and shared fixtures, stored between runs.
//!
//! [`run::Run`] holds the records of one run, [`History`] those of all runs, and [`file`] stores them on disk. The
//! model is pure: the time is an argument.
//!
//! The hazard it handles: histories are merged when two runs end at the same time or when CI joins its shards. Records
//! have a total order and the greater one wins, so that the result does not depend on the order or number of merges.

pub mod file;
mod records;
pub mod run;
mod seconds;

pub use seconds::{Seconds, TooLong};

use records::Records;
use run::{Run, TestRun};
use serde::{Deserialize, Serialize};

/// Days after which a test or fixture that no run has seen is deleted. A quarter: suites that run nightly or before a
/// release keep theirs, and records of renamed tests do not accumulate for ever.
pub const KEPT_DAYS: u64 = 90;

/// Maximum number of tests, and of fixtures; those seen last are kept. So many take 70 MB on disk and 0.7 s to save.
pub const MOST: usize = 500_000;

const DAY: u64 = 24 * 60 * 60;

/// How a test ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    /// It passed, or failed as expected.
    #[default]
    #[serde(rename = "p")]
    Passed,
    /// It was skipped.
    #[serde(rename = "s")]
    Skipped,
    /// It failed, in any of its phases.
    #[serde(rename = "f")]
    Failed,
}

/// The record of a test.
// The order of the fields decides which of two records wins in a merge.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Test {
    /// When a run last saw it, in seconds since the epoch.
    #[serde(rename = "t")]
    pub seen: u64,
    /// Number of runs that saw it.
    #[serde(rename = "n")]
    pub runs: u32,
    /// Number of runs in which it failed.
    #[serde(rename = "f", default, skip_serializing_if = "is_zero")]
    pub failed: u32,
    /// Number of runs in which it passed after a rerun.
    #[serde(rename = "r", default, skip_serializing_if = "is_zero")]
    pub flaky: u32,
    /// Its outcome in the last run.
    #[serde(rename = "o")]
    pub outcome: Outcome,
    /// Decaying averages of setup, call and teardown over the runs in which it was not skipped.
    #[serde(rename = "a")]
    pub average: [Option<Seconds>; 3],
    /// The durations of the same phases in the last run.
    #[serde(rename = "l")]
    pub last: [Option<Seconds>; 3],
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Test {
    fn add(&mut self, test: &TestRun, now: u64) {
        self.seen = self.seen.max(now);
        self.runs = self.runs.saturating_add(1);
        self.outcome = test.outcome;
        self.last = test.seconds;
        match test.outcome {
            Outcome::Failed => self.failed = self.failed.saturating_add(1),
            Outcome::Passed if test.reran => self.flaky = self.flaky.saturating_add(1),
            _ => {}
        }
        if test.outcome != Outcome::Skipped {
            for (average, value) in self.average.iter_mut().zip(test.seconds) {
                *average = follow(*average, value);
            }
        }
    }

    /// Expected duration in seconds, without the fixtures it shares; `None` if no phase was ever timed.
    ///
    /// A test that was skipped in the last run is expected to be skipped again.
    #[must_use]
    pub fn expected(&self) -> Option<f64> {
        let phases = if self.outcome == Outcome::Skipped {
            self.last
        } else {
            self.average
        };
        let known = phases.into_iter().flatten();
        known.reduce(Seconds::plus).map(Seconds::get)
    }
}

/// The record of a fixture of class scope or wider.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fixture {
    /// When a run last set it up, in seconds since the epoch.
    #[serde(rename = "t")]
    pub seen: u64,
    /// Number of runs that set it up.
    #[serde(rename = "n")]
    pub runs: u32,
    /// Decaying average of the duration of its setup.
    #[serde(rename = "a")]
    pub average: Seconds,
    /// Duration of its setup in the last run; the mean if there were several.
    #[serde(rename = "l")]
    pub last: Seconds,
}

impl Fixture {
    fn add(&mut self, seconds: Seconds, now: u64) {
        self.average = if self.runs == 0 {
            seconds
        } else {
            self.average.towards(seconds)
        };
        self.seen = self.seen.max(now);
        self.runs = self.runs.saturating_add(1);
        self.last = seconds;
    }
}

/// The records of tests and fixtures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    tests: Records<Test>,
    fixtures: Records<Fixture>,
}

impl History {
    /// Expected duration of a test in seconds, without the fixtures it shares; `None` if unknown.
    #[must_use]
    pub fn expected(&self, node_id: &str) -> Option<f64> {
        self.tests.get(node_id)?.expected()
    }

    /// Whether the test failed in the last run that saw it.
    #[must_use]
    pub fn failed_last(&self, node_id: &str) -> bool {
        self.tests
            .get(node_id)
            .is_some_and(|test| test.outcome == Outcome::Failed)
    }

    /// Expected duration of a shared fixture's setup in seconds; `None` if unknown.
    #[must_use]
    pub fn fixture_seconds(&self, key: &str) -> Option<f64> {
        self.fixtures.get(key).map(|fixture| fixture.average.get())
    }

    /// The tests, sorted by node id.
    #[must_use]
    pub fn tests(&self) -> impl ExactSizeIterator<Item = (&str, &Test)> {
        self.tests.iter()
    }

    /// The fixtures, sorted by key.
    #[must_use]
    pub fn fixtures(&self) -> impl ExactSizeIterator<Item = (&str, &Fixture)> {
        self.fixtures.iter()
    }

    /// Adds a run that ended at `now`, in seconds since the epoch.
    pub fn apply(&mut self, run: &Run, now: u64) {
        self.tests
            .change_each(run.complete(), |record, test| record.add(test, now));
        self.fixtures
            .change_each(run.fixtures(), |record, seconds| record.add(seconds, now));
    }

    /// Merges the records of another history: if both have a record of a test or fixture, the one seen later wins.
    ///
    /// The operation is commutative, associative and idempotent.
    pub fn merge(&mut self, other: Self) {
        self.tests.change_each(other.tests.into_iter(), take_greater);
        self.fixtures
            .change_each(other.fixtures.into_iter(), take_greater);
    }

    /// Deletes records that no run has seen for more than `days` before `now`, and those above the maximum number;
    /// returns how many.
    pub fn prune(&mut self, now: u64, days: u64) -> usize {
        let before = self.tests.len() + self.fixtures.len();
        let oldest = now.saturating_sub(days.saturating_mul(DAY));
        self.tests.retain(|test| test.seen >= oldest);
        self.fixtures.retain(|fixture| fixture.seen >= oldest);
        self.tests.keep_latest(MOST, |test| test.seen);
        self.fixtures.keep_latest(MOST, |fixture| fixture.seen);
        before - self.tests.len() - self.fixtures.len()
    }
}

fn follow(average: Option<Seconds>, value: Option<Seconds>) -> Option<Seconds> {
    match (average, value) {
        (Some(average), Some(value)) => Some(average.towards(value)),
        (average, value) => average.or(value),
    }
}

fn take_greater<R: Ord>(record: &mut R, other: R) {
    if other > *record {
        *record = other;
    }
}

#[cfg(test)]
mod tests;
