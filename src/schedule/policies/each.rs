//! `--dist each`: every worker runs every test.
//!
//! The hazard it handles: a replacement must finish the tests of the lost worker, not start over. The first workers, as
//! many as were requested, each start a complete run; a replacement continues the run of the worker that it replaces,
//! any other worker that of a lost one, if there is one. Otherwise it gets only tests that are to run again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::schedule::policies::backlog::Backlog;
use crate::schedule::policies::worker_queues::Held;
use crate::schedule::policy::{Action, Definition, Demand, Policy, Test, Worker, collection};

/// The policy of `--dist each`. `unfinished` counts every test once per run, started or not.
#[derive(Debug)]
pub struct Each {
    tests: usize,
    /// Number of runs that no worker has started.
    fresh: usize,
    /// The workers that have started one.
    started: BTreeSet<Worker>,
    /// Remaining tests of lost workers, each with the first of those that replaced one another; oldest first, none
    /// empty.
    left: VecDeque<(Worker, Backlog)>,
    /// The first of the workers that replaced one another, for each replacement.
    firsts: BTreeMap<Worker, Worker>,
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
            started: BTreeSet::new(),
            left: VecDeque::new(),
            firsts: BTreeMap::new(),
            pending: Backlog::default(),
            held: Held::default(),
        }
    }

    /// Starts a complete run, if there is one that no worker has started.
    fn start(&mut self, worker: Worker) -> Option<Backlog> {
        self.fresh = self.fresh.checked_sub(1)?;
        self.started.insert(worker);
        Some(Backlog::of(collection(self.tests)))
    }
}

impl Policy for Each {
    fn add_worker(&mut self, worker: Worker) {
        let share = self.start(worker).or_else(|| Some(self.left.pop_front()?.1));
        self.held.add(worker, share.unwrap_or_default());
    }

    fn add_replacement(&mut self, worker: Worker, first: Worker) {
        self.firsts.insert(worker, first);
        let share = if self.started.contains(&first) {
            let place = self.left.iter().position(|(of, _)| *of == first);
            place.and_then(|place| Some(self.left.remove(place)?.1))
        } else {
            self.start(first)
        };
        self.held.add(worker, share.unwrap_or_default());
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
        let first = self.firsts.remove(&worker).unwrap_or(worker);
        if !left.is_empty() {
            self.left.push_back((first, left));
        }
    }

    fn retry_in_replacement(&mut self, first: Worker, test: Test) {
        if let Some((_, left)) = self.left.iter_mut().find(|(of, _)| *of == first) {
            left.put_front([test]);
        } else {
            let mut left = Backlog::default();
            left.put_front([test]);
            self.left.push_back((first, left));
        }
    }

    fn run_again(&mut self, test: Test) {
        self.pending.put_front([test]);
    }

    fn unfinished(&self) -> usize {
        let left: usize = self.left.iter().map(|(_, left)| left.len()).sum();
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
    fn a_replacement_continues_the_run_of_the_worker_that_it_replaces() {
        let mut each = Each::new(3, 2);
        for worker in [0, 1] {
            each.add_worker(worker);
            idle(&mut each, worker);
        }
        finish(&mut each, 0, 0..2);
        each.lost(0, Some(2));
        each.lost(1, Some(0));
        each.add_replacement(3, 1);
        each.add_replacement(2, 0);
        assert_eq!(idle(&mut each, 2), close(2));
        assert_eq!(idle(&mut each, 3), assign(3, [1, 2]));
    }

    #[test]
    fn a_test_that_has_crashed_is_tried_again_first_in_the_replacement_however_often() {
        let mut each = Each::new(3, 2);
        for worker in [0, 1] {
            each.add_worker(worker);
            idle(&mut each, worker);
        }
        each.lost(0, Some(0));
        each.retry_in_replacement(0, 0);
        finish(&mut each, 1, 0..2);
        each.lost(1, Some(2));
        each.retry_in_replacement(1, 2);
        assert_eq!(each.unfinished(), 4);
        each.add_replacement(2, 1);
        assert_eq!(idle(&mut each, 2), assign(2, [2]));
        each.lost(2, Some(2));
        each.retry_in_replacement(1, 2);
        each.add_replacement(3, 0);
        assert_eq!(idle(&mut each, 3), assign(3, 0..3));
        each.add_replacement(4, 1);
        assert_eq!(idle(&mut each, 4), assign(4, [2]));
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
