//! `LoadScheduling`: a quarter of an even share for each worker, then refills that get smaller.

use std::collections::VecDeque;

use rustpar::schedule::policy::{Test, Worker};

use super::{Nodes, Scheduler};
use crate::simulate::suite::Suite;

/// A test that took this many seconds is slow: a worker with two tests left gets no more for now.
const SLOW: f64 = 0.1;

/// xdist's `--dist load`, without `--maxschedchunk`.
pub(crate) struct Load {
    pending: VecDeque<Test>,
    /// Number of tests of each worker, the running one included.
    counts: Vec<usize>,
}

impl Load {
    /// Creates the scheduler of a run.
    pub(crate) fn new(suite: &Suite, workers: Worker) -> Self {
        Self {
            pending: (0..).take(suite.len()).collect(),
            counts: vec![0; workers as usize],
        }
    }

    fn send_tests(&mut self, worker: Worker, count: usize, nodes: &mut Nodes) {
        let tests: Vec<Test> = self.pending.drain(..count.min(self.pending.len())).collect();
        if !tests.is_empty() {
            self.counts[worker as usize] += tests.len();
            nodes.run(worker, tests);
        }
    }
}

impl Scheduler for Load {
    fn schedule(&mut self, nodes: &mut Nodes) {
        let tests = self.pending.len();
        if tests < 2 * self.counts.len() {
            for worker in nodes.all().cycle().take(tests) {
                self.send_tests(worker, 1, nodes);
            }
        } else {
            let chunk = (tests / self.counts.len() / 4).max(2);
            for worker in nodes.all() {
                self.send_tests(worker, chunk, nodes);
            }
        }
        if self.pending.is_empty() {
            nodes.all().for_each(|worker| nodes.shutdown(worker));
        }
    }

    fn mark_test_complete(&mut self, worker: Worker, _: Test, seconds: f64, nodes: &mut Nodes) {
        self.counts[worker as usize] -= 1;
        if nodes.shutting_down(worker) {
            return;
        }
        if self.pending.is_empty() {
            nodes.shutdown(worker);
            return;
        }
        let share = self.pending.len() / self.counts.len();
        let (least, most) = ((share / 4).max(2), (share / 2).max(2));
        let count = self.counts[worker as usize];
        if count < least && !(seconds >= SLOW && count >= 2) {
            self.send_tests(worker, most - count, nodes);
        }
    }

    fn remove_pending_tests_from_node(&mut self, _: Worker, _: &[Test], _: &mut Nodes) {
        unreachable!("load does not steal");
    }

    fn tests_finished(&self) -> bool {
        self.pending.is_empty() && self.counts.iter().all(|&count| count < 2)
    }
}
