//! The order classes of a director, and their jobs.

use crate::schedule::constraints::needs::Needs;
use crate::schedule::policy::{Policy, Test, Worker};
use std::collections::VecDeque;

/// Tests that run on one worker one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The tests, in the order in which they run.
    pub tests: Vec<Test>,
    /// The constraints of its tests; never empty.
    pub needs: Needs,
}

/// An order class: its tests run before those of the next class.
pub struct Class {
    /// The policy for the tests without constraints, which it numbers consecutively.
    pub policy: Box<dyn Policy>,
    /// Maps the policy's numbers to tests.
    pub tests: Vec<Test>,
    /// The jobs, in the preferred order.
    pub jobs: Vec<Job>,
}

/// The waiting jobs of a class with the same constraints.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) needs: Needs,
    /// Under `--dist each`, with the only worker that may run the job.
    jobs: VecDeque<(Option<Worker>, VecDeque<Test>)>,
}

impl Pool {
    pub(super) fn add(&mut self, job: &Job, only: Option<Worker>) {
        self.jobs.push_back((only, job.tests.iter().copied().collect()));
    }

    /// Puts the tests of a job before all other jobs.
    pub(super) fn put_back(&mut self, only: Option<Worker>, tests: VecDeque<Test>) {
        self.jobs.push_front((only, tests));
    }

    fn position_for(&self, worker: Worker) -> Option<usize> {
        self.jobs
            .iter()
            .position(|(only, _)| only.is_none_or(|only| only == worker))
    }

    /// Whether it contains a job that this worker may run.
    pub(super) fn has_any(&self, worker: Worker) -> bool {
        self.position_for(worker).is_some()
    }

    /// The first test of the next job that this worker may run.
    pub(super) fn first(&self, worker: Worker) -> Option<Test> {
        let (_, tests) = self.jobs.get(self.position_for(worker)?)?;
        tests.front().copied()
    }

    /// Removes the next job that this worker may run.
    pub(super) fn next(&mut self, worker: Worker) -> Option<VecDeque<Test>> {
        let (_, tests) = self.jobs.remove(self.position_for(worker)?)?;
        Some(tests)
    }

    /// Reassigns the jobs of lost workers (`is_gone`) to another worker.
    pub(super) fn reassign_to(&mut self, worker: Worker, is_gone: impl Fn(Worker) -> bool) {
        for only in self.jobs.iter_mut().filter_map(|(only, _)| only.as_mut()) {
            if is_gone(*only) {
                *only = worker;
            }
        }
    }
}

/// The state of a class during the run.
pub(super) struct ClassState {
    pub(super) policy: Box<dyn Policy>,
    /// Maps the policy's numbers to tests.
    pub(super) tests: Vec<Test>,
    pub(super) pools: Vec<Pool>,
}

impl ClassState {
    /// Returns the index of the pool for jobs with these constraints; creates it if necessary.
    pub(super) fn pool_with(&mut self, needs: &Needs) -> usize {
        self.pools
            .iter()
            .position(|pool| pool.needs == *needs)
            .unwrap_or_else(|| {
                self.pools.push(Pool {
                    needs: needs.clone(),
                    jobs: VecDeque::new(),
                });
                self.pools.len() - 1
            })
    }

    /// Whether it has a serial job that this worker may run.
    pub(super) fn has_serial(&self, worker: Worker) -> bool {
        let mut serial = self.pools.iter().filter(|pool| pool.needs.serial);
        serial.any(|pool| pool.has_any(worker))
    }
}

/// What schedules a test.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// The policy of this class, which knows the test by this number.
    Policy(usize, Test),
    /// The pool with this index in this class.
    Pool(usize, usize),
}

impl Place {
    /// Its number in the policy of this class; `None` if something else schedules it.
    pub(super) fn number_in(self, class: usize) -> Option<Test> {
        match self {
            Self::Policy(own, number) if own == class => Some(number),
            _ => None,
        }
    }
}
