//! A simulated worker.

use rustpar::schedule::policy::{Test, Worker};
use std::collections::VecDeque;

/// A worker, as seen from both of its ends.
#[derive(Debug, Default)]
pub(super) struct SimulatedWorker {
    /// The first of the workers that replaced one another, if it is a replacement.
    pub(super) first: Option<Worker>,
    pub(super) queue: VecDeque<Test>,
    pub(super) claimed: Option<Test>,
    /// The running test, and the number of remaining turns.
    pub(super) running: Option<(Test, usize)>,
    /// The test that has run, and will finish when the next one is known.
    pub(super) ending: Option<Test>,
    /// Whether it is to finish that test without knowing the next one.
    pub(super) resting: bool,
    /// Reports that the engine has not read.
    pub(super) reports: VecDeque<Report>,
    pub(super) closed: bool,
    pub(super) left: bool,
}

impl SimulatedWorker {
    pub(super) fn replacing(first: Worker) -> Self {
        Self {
            first: Some(first),
            ..Self::default()
        }
    }

    /// The test that it is running or finishing.
    pub(super) fn test(&self) -> Option<Test> {
        self.running.map(|(test, _)| test).or(self.ending)
    }
}

/// What a worker reports.
#[derive(Debug, Clone, Copy)]
pub(super) enum Report {
    /// The running test has failed and is to be tried again.
    Retry(Test),
    Finished(Test),
}
