//! What the thread does with the policy: it asks it for every worker that can take tests, and carries out its actions.

use super::super::worker_records::Entry;
use super::Loop;
use crate::schedule::policy::{Action, Policy};
use std::time::Instant;

impl Loop {
    /// Lets the policy act on every worker that can take tests, until nothing changes.
    pub(super) fn schedule(&mut self) {
        for entry in &mut self.workers {
            entry.refill(&self.shared);
        }
        let Some(mut policy) = self.policy.take() else {
            return;
        };
        let mut actions = Vec::new();
        let mut changed = true;
        let now = Instant::now();
        while changed {
            changed = false;
            for index in 0..self.workers.len() {
                let entry = &mut self.workers[index];
                if !entry.joined {
                    continue;
                }
                let Some(demand) = entry.demand(self.shared.slot(entry.slot), self.begun, now) else {
                    continue;
                };
                policy.demand(demand, &mut actions);
                changed |= !actions.is_empty();
                for action in actions.drain(..) {
                    self.act(action, policy.as_mut());
                }
            }
        }
        self.policy = Some(policy);
    }

    fn act(&mut self, action: Action, policy: &mut dyn Policy) {
        match action {
            Action::Assign { worker, tests } => {
                self.assign(worker, tests);
            }
            Action::TakeBack { worker, count, whole } => {
                let mut taken = Vec::new();
                self.with_worker(worker, |entry, shared| {
                    taken = entry.take_back(shared, count, whole);
                });
                policy.returned(worker, &taken);
            }
            Action::Rest { worker } => self.with_worker(worker, Entry::rest),
            Action::Close { worker } => self.with_worker(worker, Entry::close),
        }
    }
}
