//! What is left of a run, to tell whether tests that wait for a resource would prolong it.

use crate::schedule::constraints::needs::Needs;
use crate::schedule::policy::Test;

/// Expected seconds of what is not finished.
#[derive(Debug, Default)]
pub struct Remaining {
    /// Of each test.
    seconds: Vec<f64>,
    /// Of all tests without a result.
    all: f64,
    /// For how long each resource will be held by the jobs that have not begun, if no place of it is ever free.
    held: Vec<f64>,
    places: Vec<f64>,
    workers: usize,
}

impl Remaining {
    /// Tests that take so many seconds each, on (about) `workers` workers.
    #[must_use]
    pub fn new(seconds: Vec<f64>, workers: usize) -> Self {
        Self {
            all: seconds.iter().sum(),
            seconds,
            held: Vec::new(),
            places: Vec::new(),
            workers: workers.max(1),
        }
    }

    /// There are so many places of each resource.
    pub(super) fn with_places(mut self, places: &[u32]) -> Self {
        self.held = vec![0.0; places.len()];
        self.places = places.iter().map(|places| f64::from((*places).max(1))).collect();
        self
    }

    /// A job waits (`sign` 1), or begins (-1).
    pub(super) fn hold<'a>(&mut self, needs: &Needs, tests: impl IntoIterator<Item = &'a Test>, sign: f64) {
        let seconds = tests
            .into_iter()
            .filter_map(|test| self.seconds.get(*test as usize));
        let seconds = sign * seconds.sum::<f64>();
        for &(resource, _) in &needs.holds {
            let resource = resource as usize;
            self.held[resource] += seconds / self.places[resource];
        }
    }

    /// A test is to run, or has run.
    pub(super) fn count(&mut self, test: Test, sign: f64) {
        self.all += sign * self.seconds.get(test as usize).copied().unwrap_or_default();
    }

    /// Whether the run would be prolonged if a job that needs this waited any longer: what waits for one of its resources
    /// takes, with the tests of a job that holds it now, at least what a worker's share of all that is left takes.
    pub(super) fn is_urgent<'a>(&self, needs: &Needs, running: impl IntoIterator<Item = &'a Test>) -> bool {
        let running = running
            .into_iter()
            .filter_map(|test| self.seconds.get(*test as usize));
        let running: f64 = running.sum();
        #[expect(clippy::cast_precision_loss, reason = "numbers of workers are small")]
        let share = self.all / self.workers as f64;
        let holds = needs.holds.iter();
        holds
            .map(|(resource, _)| *resource as usize)
            .any(|resource| self.held[resource] + running / self.places[resource] >= share)
    }
}
