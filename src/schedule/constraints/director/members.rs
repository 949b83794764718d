//! What a director knows of each worker.

use crate::schedule::constraints::needs::Needs;
use crate::schedule::policy::{Test, Worker};
use std::collections::{BTreeSet, VecDeque};

/// Whose tests stand in a worker's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Queue {
    /// Those of a job, or none.
    #[default]
    Jobs,
    /// Those of this class's policy.
    Class(usize),
}

/// The job that a worker is in.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) class: usize,
    pub(super) pool: usize,
    pub(super) needs: Needs,
    pub(super) only: Option<Worker>,
    /// Not finished.
    pub(super) tests: VecDeque<Test>,
    /// Those of them for which its queue had no room yet.
    pub(super) rest: VecDeque<Test>,
}

impl Running {
    /// Removes a test. Whether it was the last one of the job.
    pub(super) fn finish(&mut self, test: Test) -> bool {
        remove_first(&mut self.tests, test);
        self.tests.is_empty()
    }
}

/// A worker.
#[derive(Debug, Default)]
pub(super) struct Member {
    /// Assigned, not finished and not taken back.
    pub(super) held: VecDeque<Test>,
    /// The furthest test of the collection that it has run or holds.
    pub(super) furthest: Option<Test>,
    /// The furthest that it has run.
    ran: Option<Test>,
    pub(super) queue: Queue,
    pub(super) running: Option<Running>,
    /// The classes whose policies know it.
    pub(super) joined: BTreeSet<usize>,
    /// The classes that have nothing more for it, until something is pending there again.
    pub(super) done_with: BTreeSet<usize>,
    /// Those of them in which something is.
    pub(super) rejoining: BTreeSet<usize>,
    /// Whether it has been asked to finish its last test.
    pub(super) resting: bool,
    pub(super) closed: bool,
}

impl Member {
    /// Whether it is in no test and no job. The rest of a job may wait for room in the queue while that is empty.
    pub(super) fn is_between_tests(&self) -> bool {
        self.held.is_empty() && self.running.is_none()
    }

    /// Notes that a test is finished. Whether it was there.
    pub(super) fn finish(&mut self, test: Test) -> bool {
        self.resting = false;
        self.ran = self.ran.max(Some(test));
        remove_first(&mut self.held, test)
    }

    /// Notes that tests were taken back from the end.
    pub(super) fn give_back(&mut self, tests: &[Test]) {
        for test in tests {
            if let Some(at) = self.held.iter().rposition(|held| held == test) {
                self.held.remove(at);
            }
        }
        self.furthest = self.ran.max(self.held.iter().max().copied());
    }
}

/// Removes the first occurrence of `test`. Whether there was one.
fn remove_first(tests: &mut VecDeque<Test>, test: Test) -> bool {
    let at = tests.iter().position(|held| *held == test);
    at.and_then(|at| tests.remove(at)).is_some()
}
