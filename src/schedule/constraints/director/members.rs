//! A director's record of each worker.

use super::classes::For;
use crate::schedule::constraints::needs::Needs;
use crate::schedule::policy::{Policy, Test, Worker};
use std::collections::{BTreeSet, VecDeque};

/// Which tests are in a worker's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Queue {
    /// Those of a job, or none.
    #[default]
    Jobs,
    /// Those of this class's policy.
    Class(usize),
}

/// The job that a worker is running.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) class: usize,
    pub(super) pool: usize,
    pub(super) needs: Needs,
    pub(super) workers: For,
    /// Its unfinished tests.
    pub(super) tests: VecDeque<Test>,
    /// Those of them that did not fit into the queue yet.
    pub(super) rest: VecDeque<Test>,
}

impl Running {
    /// Removes a finished test. Returns whether it was the last one of the job.
    pub(super) fn finish(&mut self, test: Test) -> bool {
        remove_first(&mut self.tests, test);
        self.tests.is_empty()
    }
}

/// A worker.
#[derive(Debug, Default)]
pub(super) struct Member {
    /// The first of the workers that replaced one another, if it is a replacement.
    pub(super) first: Option<Worker>,
    /// Tests that are assigned, unfinished and not taken back.
    pub(super) held: VecDeque<Test>,
    /// The furthest test of the collection that it has run or been assigned.
    pub(super) furthest: Option<Test>,
    /// The furthest test that it has run.
    ran: Option<Test>,
    pub(super) queue: Queue,
    pub(super) running: Option<Running>,
    /// The classes to whose policies it was added.
    pub(super) joined: BTreeSet<usize>,
    /// The classes that have closed it, until tests become pending there again.
    pub(super) closed_by: BTreeSet<usize>,
    /// Those of them in which tests have become pending.
    pub(super) rejoining: BTreeSet<usize>,
    /// Whether it has been asked to finish its last test.
    pub(super) resting: bool,
    pub(super) closed: bool,
    /// Whether it had nothing to do when it was last asked for.
    pub(super) is_idle: bool,
}

impl Member {
    /// A replacement; `first` is the first of the workers that replaced one another.
    pub(super) fn replacing(first: Worker) -> Self {
        Self {
            first: Some(first),
            ..Self::default()
        }
    }

    /// Adds this worker, with its number, to the policy of a class.
    pub(super) fn join(&self, worker: Worker, policy: &mut dyn Policy) {
        match self.first {
            Some(first) => policy.add_replacement(worker, first),
            None => policy.add_worker(worker),
        }
    }

    /// Whether it runs no test and no job. The rest of a job may wait for space in the queue while the queue is empty.
    pub(super) fn is_between_tests(&self) -> bool {
        self.held.is_empty() && self.running.is_none()
    }

    /// Removes a finished test. Returns whether it was there.
    pub(super) fn finish(&mut self, test: Test) -> bool {
        self.resting = false;
        self.ran = self.ran.max(Some(test));
        remove_first(&mut self.held, test)
    }

    /// Removes tests that were taken back from the end.
    pub(super) fn give_back(&mut self, tests: &[Test]) {
        for test in tests {
            if let Some(at) = self.held.iter().rposition(|held| held == test) {
                self.held.remove(at);
            }
        }
        self.furthest = self.ran.max(self.held.iter().max().copied());
    }
}

/// Removes the first occurrence of `test`. Returns whether there was one.
fn remove_first(tests: &mut VecDeque<Test>, test: Test) -> bool {
    let at = tests.iter().position(|held| *held == test);
    at.and_then(|at| tests.remove(at)).is_some()
}
