//! The default policy: tests go out in collection order, in runs that get shorter towards the end.
//!
//! The hazard it handles: test durations are unknown. Long runs keep neighbours (and their fixtures) on one
//! worker and need few round trips; short ones let all workers finish together. So a run is a fixed
//! fraction of what is pending (guided self-scheduling), and whoever idles at the end takes back half of
//! the longest queue.

use super::backlog::Backlog;
use super::held::Held;
use super::{Action, Demand, Policy, REFILLS_PER_WORKER, Test, Worker, collection};

/// `--dist load`: see the module.
#[derive(Debug)]
pub struct Load {
    pending: Backlog,
    held: Held,
    workers: usize,
    max_chunk: usize,
}

impl Load {
    /// A run of `tests` tests on (about) `workers` workers. No more than `max_chunk` tests are assigned or
    /// taken back at a time; with 1, a worker has at most one test ahead of the running one.
    #[must_use]
    pub fn new(tests: usize, workers: usize, max_chunk: Option<usize>) -> Self {
        Self {
            pending: Backlog::of(collection(tests)),
            held: Held::default(),
            workers: workers.max(1),
            max_chunk: max_chunk.unwrap_or(usize::MAX).max(1),
        }
    }

    /// How long the next run should be.
    fn chunk(&self) -> usize {
        let share = self.pending.len() / (REFILLS_PER_WORKER * self.workers);
        share.clamp(1, self.max_chunk)
    }
}

impl Policy for Load {
    fn add_worker(&mut self, worker: Worker) {
        self.held.add(worker, Backlog::default());
    }

    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        if !self.held.listen(demand) {
            return;
        }
        if self.pending.is_empty() {
            let limit = self.max_chunk.min(demand.room);
            if demand.idle && !self.held.steal(demand, limit, actions) {
                self.held.close(demand.worker, actions);
            }
            return;
        }
        let chunk = self.chunk();
        // Half a run is left while the next one is on its way; with runs of one, only the running test.
        if demand.queued > chunk / 2 {
            return;
        }
        let tests = self.pending.take_front(chunk.min(demand.room));
        self.held.assign(demand, tests, actions);
    }

    fn finished(&mut self, worker: Worker, test: Test) {
        self.held.finished(worker, test);
    }

    fn returned(&mut self, worker: Worker, tests: &[Test]) {
        self.held.returned(worker, tests);
    }

    fn lost(&mut self, worker: Worker, running: Option<Test>) {
        let mut left = self.held.lost(worker, running);
        self.pending.put_front(left.take_front(usize::MAX));
    }

    fn again(&mut self, test: Test) {
        self.pending.put_front([test]);
    }

    fn unfinished(&self) -> usize {
        self.pending.len() + self.held.unfinished()
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{ask, assign, busy, close, finish, idle, run_dry, take_back};
    use super::*;

    fn load(tests: usize, workers: Worker, max_chunk: Option<usize>) -> Load {
        let mut load = Load::new(tests, workers as usize, max_chunk);
        (0..workers).for_each(|worker| load.add_worker(worker));
        load
    }

    #[test]
    fn runs_follow_the_collection_and_get_shorter() {
        let mut load = load(80, 2, None);
        assert_eq!(idle(&mut load, 0), assign(0, 0..10));
        assert_eq!(idle(&mut load, 1), assign(1, 10..18));
        assert_eq!(busy(&mut load, 0, 3), assign(0, 18..25));
    }

    #[test]
    fn a_worker_with_more_than_half_a_run_in_its_queue_gets_nothing() {
        let mut load = load(80, 2, None);
        idle(&mut load, 0);
        assert_eq!(busy(&mut load, 0, 9), []);
    }

    #[test]
    fn a_run_is_no_longer_than_the_room_and_the_largest_chunk() {
        let mut load = load(80, 1, Some(5));
        assert_eq!(idle(&mut load, 0), assign(0, 0..5));
        let demand = Demand {
            worker: 0,
            queued: 1,
            room: 2,
            idle: false,
            stalled: false,
        };
        assert_eq!(ask(&mut load, demand), assign(0, 5..7));
    }

    #[test]
    fn with_chunks_of_one_a_worker_has_one_test_ahead() {
        let mut load = load(80, 2, Some(1));
        assert_eq!(idle(&mut load, 0), assign(0, [0]));
        assert_eq!(busy(&mut load, 0, 0), assign(0, [1]));
        assert_eq!(busy(&mut load, 0, 1), []);
    }

    #[test]
    fn an_idle_worker_gets_the_end_of_the_longest_queue() {
        let mut load = load(3, 3, None);
        assert_eq!(idle(&mut load, 0), assign(0, [0]));
        assert_eq!(busy(&mut load, 0, 0), assign(0, [1]));
        assert_eq!(busy(&mut load, 0, 0), assign(0, [2]));
        assert_eq!(idle(&mut load, 1), take_back(0, 1));
        load.returned(0, &[2]);
        assert_eq!(load.unfinished(), 3);
        assert_eq!(idle(&mut load, 1), assign(1, [2]));
    }

    #[test]
    fn what_was_taken_back_goes_to_an_idle_worker_in_one_run_and_not_to_the_victim() {
        let mut load = load(80, 2, None);
        assert_eq!(idle(&mut load, 0), assign(0, 0..10));
        assert_eq!(run_dry(&mut load, 1), take_back(0, 5));
        load.returned(0, &[5, 6, 7, 8, 9]);
        assert_eq!(busy(&mut load, 0, 0), []);
        assert_eq!(idle(&mut load, 1), assign(1, 5..10));
    }

    #[test]
    fn a_test_just_given_to_an_idle_worker_is_not_taken_back() {
        let mut load = load(2, 2, None);
        idle(&mut load, 0);
        // Its second test, while the report of the first has not been read.
        idle(&mut load, 0);
        assert_eq!(busy(&mut load, 0, 1), []);
        assert_eq!(idle(&mut load, 1), close(1));
    }

    #[test]
    fn a_queue_that_gave_nothing_is_not_tried_again() {
        let mut load = load(4, 3, None);
        for worker in [0, 1] {
            idle(&mut load, worker);
            busy(&mut load, worker, 0);
        }
        assert_eq!(idle(&mut load, 2), take_back(0, 1));
        load.returned(0, &[]);
        assert_eq!(idle(&mut load, 2), take_back(1, 1));
        load.returned(1, &[]);
        assert_eq!(idle(&mut load, 2), close(2));
    }

    #[test]
    fn a_closed_worker_gets_nothing_even_if_tests_are_pending_again() {
        let mut load = load(0, 2, None);
        assert_eq!(idle(&mut load, 0), close(0));
        load.again(0);
        assert_eq!(load.unfinished(), 1);
        assert_eq!(idle(&mut load, 0), []);
        load.lost(0, None);
        assert_eq!(idle(&mut load, 0), []);
        assert_eq!(idle(&mut load, 1), assign(1, [0]));
    }

    #[test]
    fn what_a_lost_worker_held_is_pending_in_front_without_the_running_test() {
        let mut load = load(80, 2, None);
        idle(&mut load, 0);
        finish(&mut load, 0, [0]);
        load.lost(0, Some(1));
        assert_eq!(load.unfinished(), 78);
        assert_eq!(idle(&mut load, 1), assign(1, 2..11));
    }

    #[test]
    fn answers_about_a_lost_worker_change_nothing() {
        let mut load = load(80, 2, None);
        idle(&mut load, 0);
        load.lost(0, None);
        load.returned(0, &[8, 9]);
        finish(&mut load, 0, [0]);
        load.lost(0, Some(0));
        assert_eq!(load.unfinished(), 80);
    }
}
