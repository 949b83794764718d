//! The jobs of `--dist each`, which every worker runs, and a replacement goes on with.

use super::Director;
use super::classes::For;
use crate::schedule::policy::Worker;

impl Director {
    /// Has a worker run all jobs, if `--dist each` needs more workers that do. Returns whether it does.
    pub(super) fn start(&mut self, worker: Worker) -> bool {
        let Some((jobs, fresh @ 1..)) = &mut self.each else {
            return false;
        };
        *fresh -= 1;
        for (class, jobs) in self.classes.iter_mut().zip(jobs) {
            for job in jobs {
                let pool = class.pool_with(&job.needs);
                class.pools[pool].add(job, For::Only(worker));
            }
        }
        true
    }

    /// Has a replacement continue where lost workers stopped, those that `is_replaced` selects.
    pub(super) fn reassign(&mut self, worker: Worker, is_replaced: impl Fn(&Self, Worker) -> bool) {
        let mut classes = std::mem::take(&mut self.classes);
        for pool in classes.iter_mut().flat_map(|class| &mut class.pools) {
            pool.reassign_to(worker, |only| is_replaced(self, only));
        }
        self.classes = classes;
    }
}
