//! What the workers' processes do: run tests, and set up what these need.
//!
//! The hazard it handles: a schedule looks better than it is if a fixture is forgotten. Every test that starts,
//! in either engine, starts here, and pays for each instance that is not alive on its worker. That is pytest's
//! `SetupState`: an instance lives until the next test of the worker does not need it. Tear-downs cost nothing.

use std::time::Duration;

use rustpar::schedule::policy::{Test, Worker};

use super::suite::Suite;

/// All workers of a run.
pub(crate) struct Machines<'a> {
    suite: &'a Suite,
    /// The last test of each worker: what it needed is alive.
    last: Vec<Option<Test>>,
    runs: Vec<u32>,
    /// The furthest test of each worker in the collection.
    furthest: Vec<Option<Test>>,
    steps_back: u32,
    end: Duration,
}

/// What came of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// How long it took.
    pub(crate) took: Duration,
    /// How many tests ran in a worker after a later one of the collection.
    pub(crate) steps_back: u32,
}

impl<'a> Machines<'a> {
    /// The definition of an instance.
    pub(super) fn definition(&self, instance: u32) -> u32 {
        self.suite.kinds[instance as usize]
    }

    /// That many workers with nothing set up.
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

    /// Runs a test on a worker that is free. `set_up` is told each instance that is set up, how long that takes, and
    /// when it is done, in order. Returns when the test ends.
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

    /// When the last test ended, and how far from the order of the collection.
    ///
    /// # Panics
    /// When a test has not run exactly once.
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
