//! The only place that makes rustpar's policies and tells them what their workers report: whoever changes a
//! constructor or the `Policy` trait changes this file and no other of the simulator.

use rustpar::schedule::load::Load;
use rustpar::schedule::units::Units;
use rustpar::schedule::worksteal::WorkSteal;
use rustpar::schedule::{Policy, Test, Worker};

use super::suite::Suite;

/// Makes a policy for a suite and a number of workers.
pub(crate) type Make = fn(&Suite, Worker) -> Box<dyn Policy>;

/// `--dist load`, when nothing is known of the suite but what collecting it shows.
pub(crate) fn load(suite: &Suite, workers: Worker) -> Box<dyn Policy> {
    Box::new(Load::new(suite.len(), workers as usize, None))
}

/// `--dist load`, when the durations of an earlier run are remembered. `Load` does not ask for them yet.
pub(crate) fn load_with_history(suite: &Suite, workers: Worker) -> Box<dyn Policy> {
    load(suite, workers)
}

/// `--dist worksteal`.
pub(crate) fn worksteal(suite: &Suite, workers: Worker) -> Box<dyn Policy> {
    Box::new(WorkSteal::new(suite.len(), workers as usize))
}

/// `--dist loadscope`.
pub(crate) fn loadscope(suite: &Suite, workers: Worker) -> Box<dyn Policy> {
    Box::new(Units::new(suite.scopes.clone(), workers as usize, true))
}

/// A test has ended after so many seconds, set-ups included. No policy asks for the seconds yet.
pub(crate) fn finished(policy: &mut dyn Policy, worker: Worker, test: Test, _seconds: f64) {
    policy.finished(worker, test);
}

/// An instance of a shared fixture was set up, in so many seconds. No policy asks for it yet.
pub(crate) fn set_up(_policy: &mut dyn Policy, _worker: Worker, _instance: u32, _seconds: f64) {}
