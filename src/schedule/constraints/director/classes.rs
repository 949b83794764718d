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

/// Which workers may run a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    All,
    /// Under `--dist each`: this one.
    Only(Worker),
    /// For a retry: others than this one, as long as there are any.
    Others(Worker),
}

impl For {
    fn includes(self, worker: Worker) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => worker == only,
            Self::Others(avoided) => worker != avoided,
        }
    }
}

/// The waiting jobs of a class with the same constraints.
#[derive(Debug)]
pub(super) struct Pool {
    /// Empty for retries of tests without constraints.
    pub(super) needs: Needs,
    jobs: VecDeque<(For, VecDeque<Test>)>,
}

impl Pool {
    pub(super) fn add(&mut self, job: &Job, workers: For) {
        self.jobs
            .push_back((workers, job.tests.iter().copied().collect()));
    }

    /// Puts the tests of a job before all other jobs.
    pub(super) fn put_back(&mut self, workers: For, tests: VecDeque<Test>) {
        self.jobs.push_front((workers, tests));
    }

    fn position_for(&self, worker: Worker) -> Option<usize> {
        self.jobs.iter().position(|(workers, _)| workers.includes(worker))
    }

    /// Whether it contains a job that this worker may run.
    pub(super) fn has_any(&self, worker: Worker) -> bool {
        self.position_for(worker).is_some()
    }

    /// Whether it contains a job that this worker may run, now or if no other worker can.
    pub(super) fn concerns(&self, worker: Worker) -> bool {
        let mut jobs = self.jobs.iter();
        jobs.any(|(workers, _)| workers.includes(worker) || matches!(workers, For::Others(_)))
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
        for (workers, _) in &mut self.jobs {
            if matches!(*workers, For::Only(only) if is_gone(only)) {
                *workers = For::Only(worker);
            }
        }
    }

    /// Lets a worker run the jobs that others should. Returns whether there are any.
    pub(super) fn allow(&mut self, worker: Worker) -> bool {
        let mut has_any = false;
        for (workers, _) in &mut self.jobs {
            if *workers == For::Others(worker) {
                *workers = For::All;
                has_any = true;
            }
        }
        has_any
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

    /// Whether it has a serial job that this worker may run, now or if no other worker can.
    pub(super) fn has_serial(&self, worker: Worker) -> bool {
        let mut serial = self.pools.iter().filter(|pool| pool.needs.serial);
        serial.any(|pool| pool.concerns(worker))
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
