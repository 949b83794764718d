//! Time limits of tests: when the engine ends a worker whose test runs for too long.
//!
//! The hazard it handles: the worker cannot be asked. It may hold the GIL in C code, block signals, be stopped, or sleep
//! in the kernel. So it gets a signal on which `faulthandler` writes the stacks of all threads without the interpreter,
//! and after that the one that no process can block.

use super::progress::Board;
use crate::platform::os::Process;
use crate::schedule::policy::{Test, Worker};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a worker may take to write its stacks and die. That takes milliseconds, unless signals are blocked.
const GRACE: Duration = Duration::from_secs(1);

/// How long a killed worker may take to be gone. Longer, it sleeps in the kernel, for example in a network file system that
/// does not answer; the run goes on without it.
const LINGER: Duration = Duration::from_secs(5);

/// The limits of a run.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    default: Option<Duration>,
    own: HashMap<Test, Duration>,
}

/// What to do with a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Have it write its stacks and die; its limit.
    Abort(Duration),
    /// Kill it.
    Kill,
    /// Go on as if it were gone.
    GiveUp,
}

/// The workers that have exceeded a limit.
#[derive(Debug, Default)]
pub struct Watch {
    limits: Limits,
    /// The test of each worker that was told to abort, and the last step for it.
    aborted: HashMap<Worker, (Test, Step)>,
}

impl Limits {
    /// Limits in seconds: of all tests, and of single ones. A limit that is not a positive number means none.
    #[must_use]
    pub fn new(default: Option<f64>, own: &[(Test, f64)]) -> Self {
        let duration = |seconds: f64| {
            Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|limit| !limit.is_zero())
        };
        Self {
            default: default.and_then(duration),
            // `Duration::MAX` for none: such a test has no limit, even if others have.
            own: own
                .iter()
                .map(|(test, seconds)| (*test, duration(*seconds).unwrap_or(Duration::MAX)))
                .collect(),
        }
    }

    /// The limit of a test.
    #[must_use]
    pub fn of(&self, test: Test) -> Option<Duration> {
        self.own.get(&test).copied().or(self.default)
    }
}

impl Watch {
    /// Sets the limits.
    pub fn set(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Ends the workers whose tests have exceeded their limits.
    ///
    /// `process_of` returns the process of a worker, and `forked_of` the one in which the worker has its test run, if that
    /// is another: it writes the stacks, and the worker ends after it.
    ///
    /// Returns each worker that was told to abort, with its test and the limit, and the workers that cannot be killed.
    pub(super) fn end_overdue<'a>(
        &mut self,
        board: &Board,
        process_of: impl Fn(Worker) -> Option<&'a Process>,
        forked_of: impl Fn(Worker) -> Option<Process>,
    ) -> (Vec<(Worker, Test, Duration)>, Vec<Worker>) {
        let now = Instant::now();
        let (mut aborted, mut given_up) = (Vec::new(), Vec::new());
        for activity in &board.workers {
            let running = activity.test.map(|test| (test, activity.elapsed(now)));
            let Some(step) = self.check(activity.worker, running) else {
                continue;
            };
            let Some(process) = process_of(activity.worker) else {
                continue;
            };
            match (step, activity.test) {
                (Step::Abort(limit), Some(test)) => {
                    forked_of(activity.worker).as_ref().unwrap_or(process).abort();
                    aborted.push((activity.worker, test, limit));
                }
                (Step::GiveUp, _) => given_up.push(activity.worker),
                _ => process.kill(),
            }
        }
        (aborted, given_up)
    }

    /// What to do with a worker that has been running a test for so long; `None` if it is idle.
    pub fn check(&mut self, worker: Worker, running: Option<(Test, Duration)>) -> Option<Step> {
        let Some((test, elapsed)) = running else {
            self.aborted.remove(&worker);
            return None;
        };
        let limit = self.limits.of(test)?;
        if elapsed < limit {
            self.aborted.remove(&worker);
            return None;
        }
        match self.aborted.get_mut(&worker) {
            Some((aborted, step)) if *aborted == test => {
                let (pause, next) = match step {
                    Step::Abort(_) => (GRACE, Step::Kill),
                    Step::Kill => (GRACE + LINGER, Step::GiveUp),
                    Step::GiveUp => return None,
                };
                if elapsed < limit.saturating_add(pause) {
                    return None;
                }
                *step = next;
                Some(next)
            }
            _ => {
                self.aborted.insert(worker, (test, Step::Abort(limit)));
                Some(Step::Abort(limit))
            }
        }
    }

    /// Forgets a worker that is gone.
    pub fn remove(&mut self, worker: Worker) {
        self.aborted.remove(&worker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn watch(default: Option<f64>, own: &[(Test, f64)]) -> Watch {
        Watch {
            limits: Limits::new(default, own),
            ..Watch::default()
        }
    }

    #[test]
    fn a_worker_is_told_once_to_abort_then_killed_once_and_then_given_up() {
        let mut watch = watch(Some(2.0), &[]);
        let steps: Vec<_> = [1.9, 2.0, 2.5, 2.9, 3.0, 3.1, 7.9, 8.0, 99.0]
            .map(|elapsed| watch.check(7, Some((4, seconds(elapsed)))))
            .into();
        let abort = Some(Step::Abort(seconds(2.0)));
        let (kill, give_up) = (Some(Step::Kill), Some(Step::GiveUp));
        assert_eq!(steps, [None, abort, None, None, kill, None, None, give_up, None]);
    }

    #[test]
    fn each_test_has_its_own_time() {
        let mut watch = watch(Some(2.0), &[(5, 0.5), (6, 0.0)]);
        assert_eq!(watch.check(1, Some((4, seconds(1.0)))), None);
        assert_eq!(
            watch.check(1, Some((5, seconds(0.5)))),
            Some(Step::Abort(seconds(0.5)))
        );
        assert_eq!(watch.check(1, None), None);
        assert_eq!(
            watch.check(1, Some((5, seconds(0.6)))),
            Some(Step::Abort(seconds(0.5)))
        );
        assert_eq!(watch.check(1, Some((6, seconds(1e6)))), None);
    }

    #[test]
    fn without_limits_nothing_is_done() {
        for default in [None, Some(0.0), Some(-1.0), Some(f64::NAN), Some(f64::INFINITY)] {
            assert_eq!(watch(default, &[]).check(0, Some((0, seconds(1e9)))), None);
        }
    }
}
