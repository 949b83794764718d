//! `LoadScopeScheduling`: whole classes and modules, those with most tests first.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};

use rustpar::schedule::policy::{Test, Worker};

use super::{Nodes, Scheduler};
use crate::simulate::suite::Suite;

/// A worker with more tests than this gets no other unit yet.
const MAX_PENDING: usize = 2;

/// xdist's `--dist loadscope`, with its default `--loadscope-reorder`.
pub(crate) struct LoadScope {
    units: VecDeque<Vec<Test>>,
    /// Number of tests of each worker, the running one included.
    counts: Vec<usize>,
}

impl LoadScope {
    /// Creates the scheduler of a run.
    pub(crate) fn new(suite: &Suite, workers: Worker) -> Self {
        let mut places = HashMap::new();
        let mut units: Vec<Vec<Test>> = Vec::new();
        for (test, scope) in (0..).zip(&suite.scopes) {
            let place = *places.entry(scope).or_insert_with(|| {
                units.push(Vec::new());
                units.len() - 1
            });
            units[place].push(test);
        }
        units.sort_by_key(|unit| Reverse(unit.len()));
        Self {
            units: units.into(),
            counts: vec![0; workers as usize],
        }
    }

    fn assign_work_unit(&mut self, worker: Worker, nodes: &mut Nodes) {
        if let Some(unit) = self.units.pop_front() {
            self.counts[worker as usize] += unit.len();
            nodes.run(worker, unit);
        }
    }

    fn reschedule(&mut self, worker: Worker, nodes: &mut Nodes) {
        if nodes.shutting_down(worker) {
            return;
        }
        if self.units.is_empty() {
            nodes.shutdown(worker);
        } else if self.counts[worker as usize] <= MAX_PENDING {
            self.assign_work_unit(worker, nodes);
        }
    }
}

impl Scheduler for LoadScope {
    fn schedule(&mut self, nodes: &mut Nodes) {
        let (unused, used): (Vec<Worker>, Vec<Worker>) = nodes
            .all()
            .partition(|&worker| worker as usize >= self.units.len());
        for worker in unused {
            nodes.shutdown(worker);
        }
        for &worker in &used {
            self.assign_work_unit(worker, nodes);
        }
        for &worker in &used {
            self.reschedule(worker, nodes);
        }
        if self.units.is_empty() {
            for worker in used {
                nodes.shutdown(worker);
            }
        }
    }

    fn mark_test_complete(&mut self, worker: Worker, _: Test, _: f64, nodes: &mut Nodes) {
        self.counts[worker as usize] -= 1;
        self.reschedule(worker, nodes);
    }

    fn remove_pending_tests_from_node(&mut self, _: Worker, _: &[Test], _: &mut Nodes) {
        unreachable!("loadscope does not steal");
    }

    fn tests_finished(&self) -> bool {
        self.units.is_empty() && self.counts.iter().all(|&count| count < 2)
    }
}
