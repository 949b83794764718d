//! `--dist each`: every worker runs every test.
//!
//! The hazard it handles: a replacement must finish the tests of the lost worker, not start over. The first workers, as
//! many as were requested, each start a complete run; a later worker continues the run of a lost worker, if there is
//! one, and otherwise gets only tests that are to run again.

use std::collections::VecDeque;

use crate::schedule::policies::backlog::Backlog;
use crate::schedule::policies::worker_queues::Held;
use crate::schedule::policy::{Action, Definition, Demand, Policy, Test, Worker, collection};

/// The policy of `--dist each`. `unfinished` counts every test once per run, started or not.
#[derive(Debug)]
pub struct Each {
    tests: usize,
    /// Number of runs that no worker has started.
    fresh: usize,
    /// Remaining tests of lost workers, oldest first, none empty.
    left: VecDeque<Backlog>,
    /// Tests to run again, on any worker.
    pending: Backlog,
    held: Held,
}

impl Each {
    /// Creates the policy for a run of `tests` tests on each of `workers` workers.
    #[must_use]
    pub fn new(tests: usize, workers: usize) -> Self {
        Self {
            tests,
            fresh: workers,
            left: VecDeque::new(),
            pending: Backlog::default(),
            held: Held::default(),
        }
    }
}

impl Policy for Each {
    fn add_worker(&mut self, worker: Worker) {
        let share = if self.fresh > 0 {
            self.fresh -= 1;
            Backlog::of(collection(self.tests))
        } else {
            self.left.pop_front().unwrap_or_default()
        };
        self.held.add(worker, share);
    }

    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        if !self.held.update_unclaimed(demand) {
            return;
        }
        if !self.pending.is_empty() && demand.is_half_free() {
            let tests = self.pending.take_front(demand.room);
            self.held.assign(demand, tests, actions);
        } else if !self.held.assign_share(demand, actions) && demand.idle {
            self.held.close(demand.worker, actions);
        }
    }

    fn finished(&mut self, worker: Worker, test: Test, _seconds: f64) {
        self.held.finished(worker, test);
    }

    fn set_up(&mut self, _worker: Worker, _definition: Definition, _seconds: f64) {}

    /// Never called: no test is ever taken back, because it would be of no use to another worker.
    fn returned(&mut self, _worker: Worker, _tests: &[Test]) {}

    fn lost(&mut self, worker: Worker, running: Option<Test>) {
        let left = self.held.lost(worker, running);
        if !left.is_empty() {
            self.left.push_back(left);
        }
    }

    fn run_again(&mut self, test: Test) {
        self.pending.put_front([test]);
    }

    fn unfinished(&self) -> usize {
        let left: usize = self.left.iter().map(Backlog::len).sum();
        self.fresh * self.tests + left + self.pending.len() + self.held.unfinished()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::policies::script::{assign, busy, close, finish, idle};

    #[test]
    fn every_worker_runs_every_test_and_is_closed() {
        let mut each = Each::new(3, 2);
        assert_eq!(each.unfinished(), 6);
        for worker in [0, 1] {
            each.add_worker(worker);
            assert_eq!(idle(&mut each, worker), assign(worker, 0..3));
            assert_eq!(busy(&mut each, worker, 0), []);
            finish(&mut each, worker, 0..3);
            assert_eq!(idle(&mut each, worker), close(worker));
        }
        assert_eq!(each.unfinished(), 0);
    }

    #[test]
    fn a_replacement_runs_what_the_lost_worker_had_not_finished() {
        let mut each = Each::new(150, 1);
        each.add_worker(0);
        assert_eq!(idle(&mut each, 0), assign(0, 0..100));
        finish(&mut each, 0, 0..60);
        each.lost(0, Some(60));
        assert_eq!(each.unfinished(), 89);
        each.add_worker(1);
        assert_eq!(idle(&mut each, 1), assign(1, 61..150));
    }

    #[test]
    fn the_replacement_of_a_worker_that_left_nothing_is_closed() {
        let mut each = Each::new(1, 2);
        each.add_worker(0);
        idle(&mut each, 0);
        each.lost(0, Some(0));
        each.add_worker(1);
        assert_eq!(idle(&mut each, 1), assign(1, [0]));
        each.add_worker(2);
        assert_eq!(idle(&mut each, 2), close(2));
    }

    #[test]
    fn a_test_to_run_again_goes_first_and_to_any_worker() {
        let mut each = Each::new(2, 1);
        each.add_worker(0);
        each.run_again(1);
        assert_eq!(each.unfinished(), 3);
        assert_eq!(idle(&mut each, 0), assign(0, [1]));
        assert_eq!(busy(&mut each, 0, 0), assign(0, [0, 1]));
    }
}
