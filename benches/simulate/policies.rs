//! The only place that creates rustpar's policies and reports events to them: if a constructor or the `Policy` trait
//! changes, this is the only file of the simulator to change.

use rustpar::schedule::forecast::Forecast;
use rustpar::schedule::policies::load::{Load, Plan};
use rustpar::schedule::policies::units::Units;
use rustpar::schedule::policies::worksteal::WorkSteal;
use rustpar::schedule::policy::{Policy, Test, Worker};

use super::dice::Dice;
use super::suite::Suite;

/// Creates a policy for a suite and a number of workers.
pub(crate) type Make = fn(&Suite, Worker) -> Box<dyn Policy>;

/// `--dist load` without a history.
pub(crate) fn load(suite: &Suite, workers: Worker) -> Box<dyn Policy> {
    let plan = Plan::Collection;
    Box::new(Load::new(collected(suite), workers as usize, None, plan))
}

/// `--dist load` with durations from an earlier run.
pub(crate) fn load_with_history(suite: &Suite, workers: Worker) -> Box<dyn Policy> {
    let plan = Plan::Collection;
    Box::new(Load::new(remembered(suite), workers as usize, None, plan))
}

/// The same with `--rustpar-plan=duration`.
pub(crate) fn longest_first(suite: &Suite, workers: Worker) -> Box<dyn Policy> {
    Box::new(Load::new(
        remembered(suite),
        workers as usize,
        None,
        Plan::Duration,
    ))
}

/// The forecast from an earlier run. Its durations differ slightly: each by up to a fifth.
fn remembered(suite: &Suite) -> Forecast {
    let mut dice = Dice::new(suite.len() as u64);
    let mut then = |seconds: &f64| Some(seconds * dice.between(0.8, 1.2));
    Forecast {
        seconds: suite.seconds.iter().map(&mut then).collect(),
        setup_seconds: suite.setups.iter().map(&mut then).collect(),
        ..collected(suite)
    }
}

fn collected(suite: &Suite) -> Forecast {
    Forecast {
        files: suite.files.clone(),
        scopes: suite.scopes.clone(),
        fixtures: suite.fixtures.clone(),
        kinds: suite.kinds.clone(),
        setup_seconds: vec![None; suite.setups.len()],
        ..Forecast::unknown(suite.len())
    }
}

/// `--dist worksteal`.
pub(crate) fn worksteal(suite: &Suite, workers: Worker) -> Box<dyn Policy> {
    Box::new(WorkSteal::new(suite.len(), workers as usize))
}

/// `--dist loadscope`.
pub(crate) fn loadscope(suite: &Suite, workers: Worker) -> Box<dyn Policy> {
    Box::new(Units::new(suite.scopes.clone(), workers as usize, true))
}

/// Reports that a test has ended after so many seconds, setups included.
pub(crate) fn finished(policy: &mut dyn Policy, worker: Worker, test: Test, seconds: f64) {
    policy.finished(worker, test, seconds);
}

/// Reports that an instance of this definition was set up, in so many seconds.
pub(crate) fn set_up(policy: &mut dyn Policy, worker: Worker, definition: u32, seconds: f64) {
    policy.set_up(worker, definition, seconds);
}
