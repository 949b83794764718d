//! `WorkStealingScheduling`: all tests are assigned at the start, and a worker with one test left gets half of the
//! longest queue.

use rustpar::schedule::policy::{Test, Worker};

use super::{Nodes, Scheduler};
use crate::simulate::suite::Suite;

/// The running test and the next one.
const MIN_PENDING: usize = 2;

/// xdist's `--dist worksteal`.
pub(crate) struct WorkSteal {
    pending: Vec<Test>,
    held: Vec<Vec<Test>>,
    /// Whether a worker was asked to give up tests and has not answered.
    steal_requested: bool,
}

impl WorkSteal {
    /// Creates the scheduler of a run.
    pub(crate) fn new(suite: &Suite, workers: Worker) -> Self {
        Self {
            pending: (0..).take(suite.len()).collect(),
            held: vec![Vec::new(); workers as usize],
            steal_requested: false,
        }
    }

    /// The workers of `up` with at most one test.
    fn idle(&self, up: &[Worker]) -> Vec<Worker> {
        let idle = |worker: &Worker| self.held[*worker as usize].len() < MIN_PENDING;
        up.iter().copied().filter(idle).collect()
    }

    fn send_pending(&mut self, idle: &[Worker], nodes: &mut Nodes) {
        for (remaining, &worker) in (1..=idle.len()).rev().zip(idle) {
            let tests: Vec<Test> = self.pending.drain(..self.pending.len() / remaining).collect();
            if !tests.is_empty() {
                self.held[worker as usize].extend(&tests);
                nodes.run(worker, tests);
            }
        }
    }

    fn check_schedule(&mut self, nodes: &mut Nodes) {
        let up: Vec<Worker> = nodes
            .all()
            .filter(|&worker| !nodes.shutting_down(worker))
            .collect();
        let mut idle = self.idle(&up);
        if !self.pending.is_empty() {
            self.send_pending(&idle, nodes);
            idle = self.idle(&up);
        }
        if idle.is_empty() || self.steal_requested {
            return;
        }
        // The first of several longest queues, as in Python.
        let victim = up
            .iter()
            .rev()
            .max_by_key(|worker| self.held[**worker as usize].len());
        let queue = victim.map_or(&[][..], |worker| &self.held[*worker as usize]);
        let count = (queue.len() / 2).min(queue.len().saturating_sub(MIN_PENDING));
        match victim {
            Some(&victim) if count > 0 => {
                nodes.steal(victim, queue[queue.len() - count..].to_vec());
                self.steal_requested = true;
            }
            _ => idle.into_iter().for_each(|worker| nodes.shutdown(worker)),
        }
    }
}

impl Scheduler for WorkSteal {
    fn schedule(&mut self, nodes: &mut Nodes) {
        self.check_schedule(nodes);
    }

    fn mark_test_complete(&mut self, worker: Worker, test: Test, _: f64, nodes: &mut Nodes) {
        self.held[worker as usize].retain(|&held| held != test);
        self.check_schedule(nodes);
    }

    fn remove_pending_tests_from_node(&mut self, worker: Worker, tests: &[Test], nodes: &mut Nodes) {
        self.steal_requested = false;
        self.held[worker as usize].retain(|test| !tests.contains(test));
        self.pending.extend(tests);
        self.check_schedule(nodes);
    }

    fn tests_finished(&self) -> bool {
        let few = self.held.iter().all(|tests| tests.len() < MIN_PENDING);
        self.pending.is_empty() && !self.steal_requested && few
    }
}
