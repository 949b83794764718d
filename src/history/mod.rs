//! What is remembered of tests and shared fixtures from one run to the next.
//!
//! [`run::Run`] holds what one run has shown, [`History`] what all runs together have, and [`file`] brings it to disk.
//! The model is pure: the time is an argument.
//!
//! The hazard it handles: histories meet, when two runs end together or when CI joins its shards. Each record has a place
//! in a total order, and the greater one wins; so it does not matter who meets whom first, or how often.

pub mod file;
mod records;
pub mod run;
mod seconds;

pub use seconds::{NoDuration, Seconds};

use records::Records;
use run::{Run, TestRun};
use serde::{Deserialize, Serialize};

/// Days after which a test or fixture that no run has met is forgotten. A quarter: suites that run nightly or before a
/// release keep theirs, and renamed tests do not pile up for ever.
pub const KEPT_DAYS: u64 = 90;

/// Tests, and fixtures, that are kept at most; those met last stay. So many take 70 MB on disk and 0.7 s
/// to save.
pub const MOST: usize = 500_000;

const DAY: u64 = 24 * 60 * 60;

/// How a test ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    /// It passed, or it was expected to fail and did.
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

/// What is remembered of a test.
// The order of the fields is the order of importance when two records meet.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Test {
    /// When a run last met it, in seconds since the epoch.
    #[serde(rename = "t")]
    pub seen: u64,
    /// Runs that met it.
    #[serde(rename = "n")]
    pub runs: u32,
    /// Runs in which it failed.
    #[serde(rename = "f", default, skip_serializing_if = "is_zero")]
    pub failed: u32,
    /// Runs in which it passed on a second try.
    #[serde(rename = "r", default, skip_serializing_if = "is_zero")]
    pub flaky: u32,
    /// How it ended last.
    #[serde(rename = "o")]
    pub outcome: Outcome,
    /// Decaying averages of set-up, call and teardown over the runs in which it was not skipped.
    #[serde(rename = "a")]
    pub average: [Option<Seconds>; 3],
    /// The same three phases in the last run.
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

    /// Seconds that it will probably take without the fixtures it shares; `None` when no phase was ever timed.
    ///
    /// A test that was skipped last is expected to be skipped again.
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

/// What is remembered of a fixture of class scope or wider.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fixture {
    /// When a run last set it up, in seconds since the epoch.
    #[serde(rename = "t")]
    pub seen: u64,
    /// Runs that set it up.
    #[serde(rename = "n")]
    pub runs: u32,
    /// Decaying average of its set-up.
    #[serde(rename = "a")]
    pub average: Seconds,
    /// Its set-up in the last run; the mean where there were several.
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

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    tests: Records<Test>,
    fixtures: Records<Fixture>,
}

impl History {
    /// Seconds that a test will probably take without the fixtures it shares; `None` when nothing is known.
    #[must_use]
    pub fn expected(&self, node_id: &str) -> Option<f64> {
        self.tests.get(node_id)?.expected()
    }

    /// Whether the test failed when it last ran.
    #[must_use]
    pub fn failed_last(&self, node_id: &str) -> bool {
        self.tests
            .get(node_id)
            .is_some_and(|test| test.outcome == Outcome::Failed)
    }

    /// Seconds that a shared fixture's set-up will probably take; `None` when nothing is known.
    #[must_use]
    pub fn fixture_seconds(&self, key: &str) -> Option<f64> {
        self.fixtures.get(key).map(|fixture| fixture.average.get())
    }

    /// The tests by their node ids, in order.
    #[must_use]
    pub fn tests(&self) -> impl ExactSizeIterator<Item = (&str, &Test)> {
        self.tests.iter()
    }

    /// The fixtures by their keys, in order.
    #[must_use]
    pub fn fixtures(&self) -> impl ExactSizeIterator<Item = (&str, &Fixture)> {
        self.fixtures.iter()
    }

    /// Takes in a run that ended at `now`, in seconds since the epoch.
    pub fn apply(&mut self, run: &Run, now: u64) {
        self.tests
            .change_each(run.complete(), |record, test| record.add(test, now));
        self.fixtures
            .change_each(run.fixtures(), |record, seconds| record.add(seconds, now));
    }

    /// Takes in what another history knows: of two records of one test or fixture, the one that was met later wins.
    ///
    /// It is commutative, associative and idempotent.
    pub fn merge(&mut self, other: Self) {
        self.tests.change_each(other.tests.into_iter(), take_greater);
        self.fixtures
            .change_each(other.fixtures.into_iter(), take_greater);
    }

    /// Forgets what no run has met for more than `days` before `now`, and what is too much; returns how many tests and
    /// fixtures that were.
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
