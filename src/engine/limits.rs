//! Time limits of tests: when the engine ends a worker whose test runs for too long.
//!
//! The hazard it handles: the worker cannot be asked. It may hold the GIL in C code, block signals, be stopped, or sleep
//! in the kernel. So it gets a signal on which `faulthandler` writes the stacks of all threads without the interpreter,
//! and after that the one that no process can block.

use crate::schedule::policy::{Test, Worker};
use std::collections::HashMap;
use std::time::Duration;

/// How long a worker may take to write its stacks and die. That takes milliseconds, unless signals are blocked.
const GRACE: Duration = Duration::from_secs(1);

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
}

/// The workers that have exceeded a limit.
#[derive(Debug, Default)]
pub struct Watch {
    limits: Limits,
    /// The test of each worker that was told to abort, and whether the worker was killed after that.
    aborted: HashMap<Worker, (Test, bool)>,
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
            Some((aborted, is_killed)) if *aborted == test => {
                if *is_killed || elapsed < limit.saturating_add(GRACE) {
                    return None;
                }
                *is_killed = true;
                Some(Step::Kill)
            }
            _ => {
                self.aborted.insert(worker, (test, false));
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
    fn a_worker_is_told_once_to_abort_and_killed_once_if_it_does_not() {
        let mut watch = watch(Some(2.0), &[]);
        let steps: Vec<_> = [1.9, 2.0, 2.5, 2.9, 3.0, 3.1, 9.0]
            .map(|elapsed| watch.check(7, Some((4, seconds(elapsed)))))
            .into();
        let abort = Some(Step::Abort(seconds(2.0)));
        assert_eq!(steps, [None, abort, None, None, Some(Step::Kill), None, None]);
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
