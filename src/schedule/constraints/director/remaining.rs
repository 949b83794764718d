//! The remaining work of a run, to tell whether jobs that wait for a resource would prolong it.

use crate::schedule::constraints::needs::Needs;
use crate::schedule::policy::Test;

/// Expected duration of the unfinished tests.
#[derive(Debug, Default)]
pub struct Remaining {
    /// Expected seconds of each test.
    seconds: Vec<f64>,
    /// Total of the unfinished tests.
    all: f64,
    /// Expected time for which the waiting jobs will occupy each resource, if it is always fully used.
    held: Vec<f64>,
    places: Vec<f64>,
    workers: usize,
}

impl Remaining {
    /// Tests with these expected durations, on (about) `workers` workers.
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

    /// Sets the number of places of each resource.
    pub(super) fn with_places(mut self, places: &[u32]) -> Self {
        self.held = vec![0.0; places.len()];
        self.places = places.iter().map(|places| f64::from((*places).max(1))).collect();
        self
    }

    /// Adds a waiting job (`sign` 1), or removes one that starts (-1).
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

    /// Adds a test (`sign` 1), or removes a finished one (-1).
    pub(super) fn count(&mut self, test: Test, sign: f64) {
        self.all += sign * self.seconds.get(test as usize).copied().unwrap_or_default();
    }

    /// Whether the run would be prolonged if a job with these constraints waited longer: whether the jobs that wait for
    /// one of its resources, plus the tests of a job that occupies it, take at least a worker's share of the remaining
    /// work.
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
