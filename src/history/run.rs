//! The records of one run, gathered from its reports until they are added to the history.
//!
//! The hazard it handles: not every test completes. An interrupted test says nothing about its duration, so a test
//! counts only if its teardown was reported or it has failed.

use super::{Outcome, Seconds};
use crate::protocol::report::Phase;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The outcome of a reported phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It passed, or failed as expected.
    Passed,
    /// It was skipped.
    Skipped,
    /// It failed.
    Failed,
    /// It failed, and a plugin reruns the test.
    Rerun,
}

/// The record of one test in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TestRun {
    node_id: Arc<str>,
    /// Setup, call and teardown of the last attempt, each without the fixtures it shares.
    pub(super) seconds: [Option<Seconds>; 3],
    /// The worst reported outcome.
    pub(super) outcome: Outcome,
    /// Whether it was rerun.
    pub(super) reran: bool,
    /// Setup time of shared fixtures since its last report.
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

/// How often a shared fixture was set up in a run, and the total duration.
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
    /// Returns the number of a test, for [`Run::report`]; registers the test if it is new.
    pub fn test(&mut self, node_id: &str) -> usize {
        if let Some(&number) = self.numbers.get(node_id) {
            return number;
        }
        let node_id: Arc<str> = node_id.into();
        self.numbers.insert(Arc::clone(&node_id), self.tests.len());
        self.tests.push(TestRun::new(node_id));
        self.tests.len() - 1
    }

    /// The node id of a test; `None` for an unknown number.
    #[must_use]
    pub fn id(&self, test: usize) -> Option<&str> {
        self.tests.get(test).map(|test| &*test.node_id)
    }

    /// The number of registered tests.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tests.len()
    }

    /// Records the report of a phase that took `seconds`; `None` for the crash of a worker, which belongs to no phase.
    ///
    /// Numbers that [`Run::test`] did not return are ignored.
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

    /// Records the setup of a shared fixture for a test. Called before the report of the phase in which it was set up.
    ///
    /// The time counts for the fixture and is subtracted from the test's phase.
    pub fn fixture(&mut self, node_id: &str, key: &str, seconds: f64) {
        let Some(seconds) = Seconds::new(seconds) else {
            return;
        };
        let test = self.test(node_id);
        self.tests[test].shared = self.tests[test].shared.plus(seconds);
        self.count_fixture(key, seconds);
    }

    /// Records the setup of a fixture for all workers, which is part of no test.
    pub fn fixture_for_all(&mut self, key: &str, seconds: f64) {
        if let Some(seconds) = Seconds::new(seconds) {
            self.count_fixture(key, seconds);
        }
    }

    fn count_fixture(&mut self, key: &str, seconds: Seconds) {
        let fixture = self.fixtures.entry(key.into()).or_default();
        fixture.total = fixture.total.plus(seconds);
        fixture.count += 1;
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fixtures.is_empty() && !self.tests.iter().any(TestRun::is_complete)
    }

    /// The number of completed tests, and the total seconds of those tests and of shared fixtures.
    #[must_use]
    pub fn totals(&self) -> (usize, f64) {
        let complete = self.tests.iter().filter(|test| test.is_complete());
        let phases = complete.clone().flat_map(|test| test.seconds).flatten();
        let fixtures = self.fixtures.values().map(|fixture| fixture.total);
        let seconds = phases.chain(fixtures).map(Seconds::get).sum();
        (complete.count(), seconds)
    }

    /// The completed tests, in no particular order.
    pub(super) fn complete(&self) -> impl Iterator<Item = (&str, &TestRun)> {
        let tests = self
            .numbers
            .iter()
            .map(|(id, &number)| (&**id, &self.tests[number]));
        tests.filter(|(_, test)| test.is_complete())
    }

    /// The shared fixtures and the mean duration of their setups.
    pub(super) fn fixtures(&self) -> impl Iterator<Item = (&str, Seconds)> {
        self.fixtures
            .iter()
            .map(|(key, fixture)| (&**key, fixture.total.shared_by(fixture.count)))
    }
}
