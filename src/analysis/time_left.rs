//! How long a run will still take, from what its tests were expected to take and what it has shown so far.

/// Seconds of the run that the history's word counts for, beside what the run itself has shown.
const TRUST: f64 = 3.0;

/// Seconds that a run has to go on, or to be known about from the history, before anything is said of its end.
const LEAST_KNOWN: f64 = 1.0;

/// How far a run is. All times are in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// How many tests there are to run.
    pub tests: usize,
    /// How many of them have finished.
    pub finished: usize,
    /// How many workers run them.
    pub workers: usize,
    /// What all tests are expected to take; one second each, where nothing is known of any test.
    pub expected: f64,
    /// How much of `expected` is done.
    pub done: f64,
    /// Whether it is known what any of the tests will take.
    pub is_known: bool,
    /// What the longest running test still needs, if it takes what is expected.
    pub remaining_of_running: f64,
    /// Since the first tests were handed out.
    pub elapsed: f64,
}

impl Progress {
    /// How much of the run is done, from 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        if self.expected > 0.0 {
            (self.done / self.expected).clamp(0.0, 1.0)
        } else {
            1.0
        }
    }

    /// Seconds until all tests have run, if they go on as they did; None while nothing tells.
    ///
    /// At first the history is believed: each worker does an expected second in a second. The longer the run, the more
    /// counts what it has shown itself.
    #[must_use]
    pub fn time_left(&self) -> Option<f64> {
        let trust = if self.is_known { TRUST } else { 0.0 };
        let known = self.elapsed + trust;
        if known < LEAST_KNOWN || self.expected <= 0.0 {
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

    /// Half of a run with two workers.
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
    fn nothing_is_said_where_nothing_is_known() {
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
    fn the_history_is_believed_at_first_and_the_run_itself_later() {
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
