//! The classes of a director, and the jobs in them.

use crate::schedule::constraints::needs::Needs;
use crate::schedule::policy::{Policy, Test, Worker};
use std::collections::VecDeque;

/// Tests that run as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The tests, in the order in which they are to run.
    pub tests: Vec<Test>,
    /// What they need while they run; not nothing.
    pub needs: Needs,
}

/// Tests that run before those of the next class.
pub struct Class {
    /// Schedules the tests that need nothing for themselves, under numbers of its own.
    pub policy: Box<dyn Policy>,
    /// The tests by those numbers.
    pub tests: Vec<Test>,
    /// The tests that need something, in the order in which they begin if they can.
    pub jobs: Vec<Job>,
}

/// The jobs of a class with the same needs.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) needs: Needs,
    /// With the only worker that may run each, under `--dist each`.
    jobs: VecDeque<(Option<Worker>, VecDeque<Test>)>,
}

impl Pool {
    pub(super) fn add(&mut self, job: &Job, only: Option<Worker>) {
        self.jobs.push_back((only, job.tests.iter().copied().collect()));
    }

    /// Puts tests before all others.
    pub(super) fn put_back(&mut self, only: Option<Worker>, tests: VecDeque<Test>) {
        self.jobs.push_front((only, tests));
    }

    fn place_for(&self, worker: Worker) -> Option<usize> {
        self.jobs
            .iter()
            .position(|(only, _)| only.is_none_or(|only| only == worker))
    }

    /// Whether there is a job that this worker may run.
    pub(super) fn has_any(&self, worker: Worker) -> bool {
        self.place_for(worker).is_some()
    }

    /// The first test of the next job that this worker may run.
    pub(super) fn first(&self, worker: Worker) -> Option<Test> {
        let (_, tests) = self.jobs.get(self.place_for(worker)?)?;
        tests.front().copied()
    }

    /// Removes the next job that this worker may run.
    pub(super) fn next(&mut self, worker: Worker) -> Option<VecDeque<Test>> {
        let (_, tests) = self.jobs.remove(self.place_for(worker)?)?;
        Some(tests)
    }

    /// Gives the jobs whose only worker `is_gone` to another one.
    pub(super) fn reassign_to(&mut self, worker: Worker, is_gone: impl Fn(Worker) -> bool) {
        for only in self.jobs.iter_mut().filter_map(|(only, _)| only.as_mut()) {
            if is_gone(*only) {
                *only = worker;
            }
        }
    }
}

/// A class that runs.
pub(super) struct Open {
    pub(super) policy: Box<dyn Policy>,
    /// The tests by the policy's numbers.
    pub(super) tests: Vec<Test>,
    pub(super) pools: Vec<Pool>,
}

impl Open {
    /// The number of the pool for jobs with these needs.
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

    /// Whether there is a serial job that this worker may run.
    pub(super) fn has_serial(&self, worker: Worker) -> bool {
        let mut serial = self.pools.iter().filter(|pool| pool.needs.serial);
        serial.any(|pool| pool.has_any(worker))
    }
}

/// Where a test is scheduled.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// In this class, by the policy, under this number.
    Policy(usize, Test),
    /// In this class, by the pool with this number.
    Pool(usize, usize),
}

impl Place {
    /// Its number in the policy of this class; None when it is elsewhere.
    pub(super) fn number_in(self, class: usize) -> Option<Test> {
        match self {
            Self::Policy(own, number) if own == class => Some(number),
            _ => None,
        }
    }
}
