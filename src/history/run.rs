//! The records of one run: what its reports said, until it is put into the history.
//!
//! The hazard it handles: not every test comes to its end. One that was cut off says nothing about how long it takes, so
//! a test counts when its teardown was reported, or when it has failed.

use super::{Outcome, Seconds};
use crate::protocol::report::Phase;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What a report said about a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It passed, or it was expected to fail and did.
    Passed,
    /// It was skipped.
    Skipped,
    /// It failed.
    Failed,
    /// It failed, and the test begins anew.
    Rerun,
}

/// One test of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TestRun {
    node_id: Arc<str>,
    /// Set-up, call and teardown of the last try, each without the fixtures it shares.
    pub(super) seconds: [Option<Seconds>; 3],
    /// The worst that was reported.
    pub(super) outcome: Outcome,
    /// Whether it had a second try.
    pub(super) reran: bool,
    /// Shared fixtures that were set up since its last report.
    shared: Seconds,
}

impl TestRun {
    fn new(node_id: Arc<str>) -> Self {
        Self {
            node_id,
            seconds: [None; 3],
            outcome: Outcome::Passed,
            reran: false,
            shared: Seconds::default(),
        }
    }

    fn is_complete(&self) -> bool {
        self.outcome == Outcome::Failed || self.seconds[Phase::Teardown as usize].is_some()
    }
}

/// How often a shared fixture was set up in a run, and how long that took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct FixtureRun {
    total: Seconds,
    count: u32,
}

/// The records of one run.
#[derive(Debug, Default)]
pub struct Run {
    numbers: HashMap<Arc<str>, usize>,
    tests: Vec<TestRun>,
    fixtures: BTreeMap<Box<str>, FixtureRun>,
}

impl Run {
    /// The number of a test, for [`Run::report`].
    pub fn test(&mut self, node_id: &str) -> usize {
        if let Some(&number) = self.numbers.get(node_id) {
            return number;
        }
        let node_id: Arc<str> = node_id.into();
        self.numbers.insert(Arc::clone(&node_id), self.tests.len());
        self.tests.push(TestRun::new(node_id));
        self.tests.len() - 1
    }

    /// How many tests have a number.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tests.len()
    }

    /// A phase of a test was reported, and took `seconds`; `None` for the crash of a worker, which is in no phase.
    ///
    /// A number that [`Run::test`] did not give is ignored.
    pub fn report(&mut self, test: usize, phase: Option<Phase>, reported: Reported, seconds: f64) {
        let Some(test) = self.tests.get_mut(test) else {
            return;
        };
        let shared = std::mem::take(&mut test.shared);
        if let Some(phase) = phase {
            test.seconds[phase as usize] = Seconds::new(seconds).map(|seconds| seconds.without(shared));
        }
        match reported {
            Reported::Passed => {}
            Reported::Skipped => test.outcome = test.outcome.max(Outcome::Skipped),
            Reported::Failed => test.outcome = Outcome::Failed,
            Reported::Rerun => test.reran = true,
        }
    }

    /// A shared fixture was set up for a test, before the report of the phase that it was set up in.
    ///
    /// The time counts for the fixture and is taken off the test.
    pub fn fixture(&mut self, node_id: &str, key: &str, seconds: f64) {
        let Some(seconds) = Seconds::new(seconds) else {
            return;
        };
        let test = self.test(node_id);
        self.tests[test].shared = self.tests[test].shared.plus(seconds);
        let fixture = self.fixtures.entry(key.into()).or_default();
        fixture.total = fixture.total.plus(seconds);
        fixture.count += 1;
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fixtures.is_empty() && !self.tests.iter().any(TestRun::is_complete)
    }

    /// How many tests came to their end, and the seconds that they and shared fixtures took in all.
    #[must_use]
    pub fn totals(&self) -> (usize, f64) {
        let complete = self.tests.iter().filter(|test| test.is_complete());
        let phases = complete.clone().flat_map(|test| test.seconds).flatten();
        let fixtures = self.fixtures.values().map(|fixture| fixture.total);
        let seconds = phases.chain(fixtures).map(Seconds::get).sum();
        (complete.count(), seconds)
    }

    /// The tests that came to their end, in no order.
    pub(super) fn complete(&self) -> impl Iterator<Item = (&str, &TestRun)> {
        let tests = self
            .numbers
            .iter()
            .map(|(id, &number)| (&**id, &self.tests[number]));
        tests.filter(|(_, test)| test.is_complete())
    }

    /// The shared fixtures and how long each of them took on average.
    pub(super) fn fixtures(&self) -> impl Iterator<Item = (&str, Seconds)> {
        self.fixtures
            .iter()
            .map(|(key, fixture)| (&**key, fixture.total.shared_by(fixture.count)))
    }
}
