//! Helper functions for the policies' unit tests.

use crate::schedule::policy::{Action, Demand, Policy, Test, Worker};

/// Default free space in a queue.
pub(super) const ROOM: usize = 100;

/// Sends a demand for an idle worker.
pub(super) fn idle(policy: &mut dyn Policy, worker: Worker) -> Vec<Action> {
    let demand = Demand {
        worker,
        queued: 0,
        room: ROOM,
        idle: true,
        waited: 60.0,
        now: 0.0,
    };
    ask(policy, demand)
}

/// Sends a demand for a worker that runs a test and has `queued` more in its queue.
pub(super) fn busy(policy: &mut dyn Policy, worker: Worker, queued: usize) -> Vec<Action> {
    let demand = Demand {
        worker,
        queued,
        room: ROOM - queued,
        idle: false,
        waited: 0.0,
        now: 0.0,
    };
    ask(policy, demand)
}

pub(super) fn ask(policy: &mut dyn Policy, demand: Demand) -> Vec<Action> {
    let mut actions = Vec::new();
    policy.demand(demand, &mut actions);
    actions
}

pub(super) fn assign(worker: Worker, tests: impl IntoIterator<Item = Test>) -> Vec<Action> {
    let tests = tests.into_iter().collect();
    vec![Action::Assign { worker, tests }]
}

pub(super) fn take_back(worker: Worker, count: usize) -> Vec<Action> {
    vec![Action::TakeBack {
        worker,
        count,
        whole: false,
    }]
}

pub(super) fn take_back_whole(worker: Worker, count: usize) -> Vec<Action> {
    vec![Action::TakeBack {
        worker,
        count,
        whole: true,
    }]
}

pub(super) fn close(worker: Worker) -> Vec<Action> {
    vec![Action::Close { worker }]
}

/// Reports tests as finished.
pub(super) fn finish(policy: &mut dyn Policy, worker: Worker, tests: impl IntoIterator<Item = Test>) {
    for test in tests {
        policy.finished(worker, test, 1.0);
    }
}

/// Lets an idle worker run all assigned tests at once, until it gets no more; returns the first other answer.
pub(super) fn run_dry(policy: &mut dyn Policy, worker: Worker) -> Vec<Action> {
    loop {
        let mut actions = idle(policy, worker);
        match actions.pop() {
            Some(Action::Assign { tests, .. }) => finish(policy, worker, tests),
            other => return other.into_iter().collect(),
        }
    }
}
