//! Estimation of the time left, from the expected durations of tests and the progress so far.

/// Weight of the history relative to the run, in seconds of the run.
const HISTORY_WEIGHT: f64 = 3.0;

/// Minimum seconds of a run, or of expected duration from the history, before an estimate is given.
const MIN_SECONDS: f64 = 1.0;

/// Progress of a run. All times are in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Number of tests to run.
    pub tests: usize,
    /// Number of finished tests.
    pub finished: usize,
    /// Number of workers.
    pub workers: usize,
    /// Total expected duration; one second for each test if none is known.
    pub expected: f64,
    /// The finished part of `expected`.
    pub done: f64,
    /// Whether the expected duration of any test is known.
    pub is_known: bool,
    /// Expected time until the last of the running tests finishes.
    pub remaining_of_running: f64,
    /// Time since the first tests were assigned.
    pub elapsed: f64,
}

impl Progress {
    /// The finished share of the run, from 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        if self.expected > 0.0 {
            (self.done / self.expected).clamp(0.0, 1.0)
        } else {
            1.0
        }
    }

    /// Estimated seconds until all tests have finished; `None` while nothing is known.
    ///
    /// At first the history is trusted: each worker does an expected second in a second. The weight of the run's own
    /// speed increases over time.
    #[must_use]
    pub fn time_left(&self) -> Option<f64> {
        let trust = if self.is_known { HISTORY_WEIGHT } else { 0.0 };
        let known = self.elapsed + trust;
        if known < MIN_SECONDS || self.expected <= 0.0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "workers are few")]
        let rate = (self.done + self.workers as f64 * trust) / known;
        (rate > 0.0).then(|| ((self.expected - self.done) / rate).max(self.remaining_of_running))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The progress of a run with two workers that is half done.
    const HALF: Progress = Progress {
        tests: 10,
        finished: 5,
        workers: 2,
        expected: 20.0,
        done: 10.0,
        is_known: true,
        remaining_of_running: 0.0,
        elapsed: 5.0,
    };

    #[test]
    fn there_is_no_estimate_if_nothing_is_known() {
        let unknown = Progress {
            is_known: false,
            ..HALF
        };
        let begun = Progress {
            elapsed: 0.5,
            ..unknown
        };
        assert_eq!(begun.time_left(), None);
        assert_eq!(Progress { done: 0.0, ..unknown }.time_left(), None);
        let later = Progress {
            elapsed: 10.0,
            ..unknown
        };
        assert_eq!(later.time_left(), Some(10.0));
    }

    #[test]
    fn the_history_is_trusted_at_first_and_the_run_itself_later() {
        let at_first = Progress {
            done: 0.0,
            elapsed: 0.0,
            ..HALF
        };
        assert_eq!(at_first.time_left(), Some(10.0));
        let later = Progress {
            elapsed: 1000.0,
            ..HALF
        };
        let left = later.time_left().unwrap();
        assert!(500.0 < left && left <= 1000.0, "{left}");
    }

    #[test]
    fn a_run_is_not_over_before_the_longest_running_test() {
        let last = Progress {
            done: 19.0,
            remaining_of_running: 30.0,
            ..HALF
        };
        assert_eq!(last.time_left(), Some(30.0));
    }

    #[test]
    fn a_run_without_tests_is_done() {
        let empty = Progress {
            expected: 0.0,
            done: 0.0,
            ..HALF
        };
        assert!((empty.share() - 1.0).abs() < f64::EPSILON);
        assert_eq!(empty.time_left(), None);
    }
}
