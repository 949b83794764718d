//! Simulated worker processes: they run tests and set up the required fixtures.
//!
//! The hazard it handles: a schedule looks better than it is if a fixture is omitted. Both engines start every test
//! here, and pay for each instance that is not active on the worker. As in pytest's `SetupState`, an instance stays
//! active until the worker's next test does not need it. Teardowns take no time.

use std::time::Duration;

use rustpar::schedule::policy::{Test, Worker};

use super::suite::Suite;

/// All workers of a run.
pub(crate) struct Machines<'a> {
    suite: &'a Suite,
    /// The last test of each worker, whose fixtures are active.
    last: Vec<Option<Test>>,
    runs: Vec<u32>,
    /// The furthest test of the collection that each worker has run.
    furthest: Vec<Option<Test>>,
    steps_back: u32,
    end: Duration,
}

/// The result of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// Its duration.
    pub(crate) took: Duration,
    /// Number of tests that ran in a worker after a later one of the collection.
    pub(crate) steps_back: u32,
}

impl<'a> Machines<'a> {
    /// The definition of an instance.
    pub(super) fn definition(&self, instance: u32) -> u32 {
        self.suite.kinds[instance as usize]
    }

    /// Creates so many workers with nothing set up.
    pub(crate) fn new(suite: &'a Suite, workers: Worker) -> Self {
        Self {
            suite,
            last: vec![None; workers as usize],
            runs: vec![0; suite.len()],
            furthest: vec![None; workers as usize],
            steps_back: 0,
            end: Duration::ZERO,
        }
    }

    /// Runs a test on a free worker. `set_up` is called for each instance that is set up, with the duration and the end
    /// of the setup, in order. Returns the end of the test.
    pub(crate) fn start(
        &mut self,
        worker: Worker,
        test: Test,
        now: Duration,
        mut set_up: impl FnMut(u32, Duration, Duration),
    ) -> Duration {
        let last = self.last[worker as usize].replace(test);
        let alive = last.map_or(&[][..], |last| self.suite.needs(last));
        let mut time = now;
        for &instance in self.suite.needs(test) {
            if !alive.contains(&instance) {
                let cost = Duration::from_secs_f64(self.suite.setup(instance));
                time += cost;
                set_up(instance, cost, time);
            }
        }
        self.runs[test as usize] += 1;
        let furthest = &mut self.furthest[worker as usize];
        self.steps_back += u32::from(*furthest > Some(test));
        *furthest = (*furthest).max(Some(test));
        time += Duration::from_secs_f64(self.suite.seconds[test as usize]);
        self.end = self.end.max(time);
        time
    }

    /// The result of the run.
    ///
    /// # Panics
    /// If a test has not run exactly once.
    pub(crate) fn outcome(self) -> Outcome {
        assert!(
            self.runs.iter().all(|&runs| runs == 1),
            "a test has not run exactly once: {:?}",
            self.runs
        );
        Outcome {
            took: self.end,
            steps_back: self.steps_back,
        }
    }
}
