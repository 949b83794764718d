//! `--dist worksteal`: every worker gets an equal, contiguous block at the start, and steals when it has no tests left.
//!
//! The hazard it handles: a block may exceed the capacity of a queue, and its worker may start late, never, or be lost.
//! The part of a block that is not in a queue is stored here as the worker's share; a share without a worker waits for
//! the next one to start, and idle workers take tests from it.

use std::collections::VecDeque;

use crate::schedule::policies::backlog::Backlog;
use crate::schedule::policies::worker_queues::Held;
use crate::schedule::policy::{Action, Definition, Demand, Policy, Test, Worker, collection};

/// The policy of `--dist worksteal`.
#[derive(Debug)]
pub struct WorkSteal {
    /// Tests to run again, for the next worker with free space.
    pending: Backlog,
    /// Blocks without a worker, none of them empty: first those of lost workers, then those for workers yet to start.
    unowned: VecDeque<Backlog>,
    held: Held,
}

impl WorkSteal {
    /// Creates the policy for a run of `tests` tests on `workers` workers.
    #[must_use]
    pub fn new(tests: usize, workers: usize) -> Self {
        let mut rest = collection(tests);
        let workers = Worker::try_from(workers).unwrap_or(Worker::MAX).max(1);
        let mut unowned = VecDeque::new();
        for left in (1..=workers).rev() {
            if rest.is_empty() {
                break;
            }
            // As in pytest-xdist: the last blocks get the remainder.
            let end = rest.start + (rest.end - rest.start) / left;
            if end > rest.start {
                unowned.push_back(Backlog::of(rest.start..end));
            }
            rest.start = end;
        }
        Self {
            pending: Backlog::default(),
            unowned,
            held: Held::default(),
        }
    }

    /// Half of a block without a worker, from its front: no other worker is about to run it.
    fn take_unowned(&mut self, room: usize) -> Option<Vec<Test>> {
        let block = self.unowned.front_mut()?;
        let tests = block.take_front(block.len().div_ceil(2).min(room));
        if block.is_empty() {
            self.unowned.pop_front();
        }
        Some(tests)
    }
}

impl Policy for WorkSteal {
    fn add_worker(&mut self, worker: Worker) {
        let share = self.unowned.pop_front().unwrap_or_default();
        self.held.add(worker, share);
    }

    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        if !self.held.update_unclaimed(demand) {
            return;
        }
        if !self.pending.is_empty() && demand.is_half_free() {
            let tests = self.pending.take_front(demand.room);
            self.held.assign(demand, tests, actions);
        } else if self.held.assign_share(demand, actions) || !demand.idle {
            // It has enough tests.
        } else if let Some(tests) = self.take_unowned(demand.room) {
            self.held.assign(demand, tests, actions);
        } else if !self.held.steal(demand, demand.room, actions) {
            self.held.close(demand.worker, actions);
        }
    }

    fn finished(&mut self, worker: Worker, test: Test, _seconds: f64) {
        self.held.finished(worker, test);
    }

    fn set_up(&mut self, _worker: Worker, _definition: Definition, _seconds: f64) {}

    fn returned(&mut self, worker: Worker, tests: &[Test]) {
        self.held.returned(worker, tests);
    }

    fn lost(&mut self, worker: Worker, running: Option<Test>) {
        let left = self.held.lost(worker, running);
        if !left.is_empty() {
            self.unowned.push_front(left);
        }
    }

    fn run_again(&mut self, test: Test) {
        self.pending.put_front([test]);
    }

    fn unfinished(&self) -> usize {
        let unowned: usize = self.unowned.iter().map(Backlog::len).sum();
        self.pending.len() + unowned + self.held.unfinished()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::policies::script::{ROOM, ask, assign, busy, close, finish, idle, take_back};

    fn worksteal(tests: usize, workers: Worker) -> WorkSteal {
        let mut policy = WorkSteal::new(tests, workers as usize);
        (0..workers).for_each(|worker| policy.add_worker(worker));
        policy
    }

    #[test]
    fn every_worker_gets_an_equal_contiguous_block() {
        let mut policy = worksteal(10, 4);
        assert_eq!(idle(&mut policy, 0), assign(0, 0..2));
        assert_eq!(idle(&mut policy, 1), assign(1, 2..4));
        assert_eq!(idle(&mut policy, 2), assign(2, 4..7));
        assert_eq!(idle(&mut policy, 3), assign(3, 7..10));
    }

    #[test]
    fn a_block_longer_than_the_queue_follows_in_batches() {
        let mut policy = worksteal(250, 1);
        assert_eq!(idle(&mut policy, 0), assign(0, 0..100));
        assert_eq!(busy(&mut policy, 0, ROOM / 2 + 1), []);
        assert_eq!(busy(&mut policy, 0, ROOM / 2), assign(0, 100..150));
    }

    #[test]
    fn an_idle_worker_steals_half_of_the_longest_queue() {
        let mut policy = worksteal(20, 2);
        idle(&mut policy, 0);
        idle(&mut policy, 1);
        finish(&mut policy, 1, 10..20);
        assert_eq!(busy(&mut policy, 0, 7), []);
        assert_eq!(idle(&mut policy, 1), take_back(0, 4));
        policy.returned(0, &[6, 7, 8, 9]);
        assert_eq!(idle(&mut policy, 1), assign(1, 6..10));
    }

    #[test]
    fn tests_in_a_share_are_stolen_without_a_take_back() {
        let mut policy = worksteal(400, 2);
        idle(&mut policy, 0);
        policy.lost(1, None);
        policy.add_worker(2);
        assert_eq!(idle(&mut policy, 2), assign(2, 200..300));
        finish(&mut policy, 2, 200..300);
        assert_eq!(idle(&mut policy, 2), assign(2, 300..400));
        finish(&mut policy, 2, 300..400);
        // 99 in the queue and 100 in the share.
        assert_eq!(idle(&mut policy, 2), assign(2, 100..200));
    }

    #[test]
    fn an_idle_worker_takes_half_of_a_block_whose_worker_has_not_started() {
        let mut policy = WorkSteal::new(8, 2);
        policy.add_worker(0);
        idle(&mut policy, 0);
        finish(&mut policy, 0, 0..4);
        assert_eq!(idle(&mut policy, 0), assign(0, [4, 5]));
        policy.add_worker(1);
        assert_eq!(idle(&mut policy, 1), assign(1, [6, 7]));
    }

    #[test]
    fn the_replacement_continues_where_the_lost_worker_stopped() {
        let mut policy = worksteal(300, 2);
        idle(&mut policy, 0);
        finish(&mut policy, 0, 0..4);
        policy.lost(0, Some(4));
        assert_eq!(policy.unfinished(), 295);
        policy.add_worker(2);
        assert_eq!(idle(&mut policy, 2), assign(2, 5..105));
    }

    #[test]
    fn a_worker_is_closed_if_no_worker_has_tests_to_give() {
        let mut policy = worksteal(1, 2);
        idle(&mut policy, 0);
        assert_eq!(idle(&mut policy, 1), close(1));
        policy.run_again(0);
        assert_eq!(idle(&mut policy, 1), []);
        let demand = Demand {
            worker: 0,
            queued: 0,
            room: 1,
            idle: false,
            waited: 0.0,
            now: 0.0,
        };
        assert_eq!(ask(&mut policy, demand), assign(0, [0]));
        assert_eq!(policy.unfinished(), 2);
    }
}
