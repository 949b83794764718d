//! Progress of the run for status displays: how much is done, and which test each worker is running.
//!
//! The hazard it handles: status is requested while tests run, and must not delay them. A reader gets a copy without
//! the list of tests, and calculates on that.

use crate::load::measurement::LoadStatus;
use crate::schedule::policy::{Test, Worker};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Seconds that pytest spends around the phases of a test, which no report includes: half of what 2,000 trivial tests
/// take in one process, 1.0 s of CPU time. It gives every test a duration above zero.
const OVERHEAD_PER_TEST: f64 = 0.000_25;

/// What a scheduled worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// The worker.
    pub worker: Worker,
    /// The test it is running; `None` when it is idle.
    pub test: Option<Test>,
    /// How often that test was tried before.
    pub tried: u32,
    /// Since when, as observed by the engine: up to one polling interval late.
    pub since: Instant,
}

/// Progress of the run.
#[derive(Debug, Clone)]
pub struct Board {
    /// Expected duration of each test; the same value for all if none is known.
    seconds: Arc<[f64]>,
    /// Whether any duration is known.
    known: bool,
    /// Number of tests to run.
    pub tests: usize,
    /// Number of finished tests.
    pub finished: usize,
    /// Total expected duration.
    pub expected: f64,
    /// Expected duration of the finished tests.
    done: f64,
    /// When the run of the tests started.
    pub begun: Instant,
    /// The scheduled workers.
    pub workers: Vec<Activity>,
    /// The load test that is running, and its state.
    pub load: Option<(Test, LoadStatus)>,
}

impl Board {
    /// A run whose tests are not known yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            seconds: Arc::default(),
            known: false,
            tests: 0,
            finished: 0,
            expected: 0.0,
            done: 0.0,
            begun: now,
            workers: Vec::new(),
            load: None,
        }
    }

    /// Sets the expected durations in `seconds`, where known; each test is to be run so many `times`. A test of unknown
    /// duration counts as the mean of the known ones.
    pub fn set_expected(&mut self, seconds: &[Option<f64>], times: usize, now: Instant) {
        let known: Vec<f64> = seconds.iter().copied().flatten().collect();
        self.known = !known.is_empty();
        let mean = if self.known {
            known.iter().sum::<f64>() / count(known.len())
        } else {
            1.0
        };
        self.seconds = seconds
            .iter()
            .map(|one| one.unwrap_or(mean) + OVERHEAD_PER_TEST)
            .collect();
        self.tests = seconds.len() * times;
        self.expected = self.seconds.iter().sum::<f64>() * count(times);
        self.begun = now;
    }

    /// Records that a test has finished.
    pub fn finish(&mut self, test: Test) {
        self.finished += 1;
        self.done += self.seconds_of(test);
    }

    /// Records that a finished test, in which a worker crashed, is to be run again.
    pub fn rerun(&mut self, test: Test) {
        self.finished = self.finished.saturating_sub(1);
        self.done = (self.done - self.seconds_of(test)).max(0.0);
    }

    /// Does not count time in which the processes of the run were stopped.
    pub fn skip(&mut self, time: Duration) {
        for activity in &mut self.workers {
            activity.since += time;
        }
    }

    /// Records which test a scheduled worker is running, and how often that was tried before.
    pub fn set_running(&mut self, worker: Worker, test: Option<Test>, tried: u32, now: Instant) {
        match self.workers.iter_mut().find(|activity| activity.worker == worker) {
            Some(activity) if (activity.test, activity.tried) == (test, tried) => {}
            Some(activity) => {
                (activity.test, activity.tried) = (test, tried);
                activity.since = now;
            }
            None => self.workers.push(Activity {
                worker,
                test,
                tried,
                since: now,
            }),
        }
    }

    /// Removes a worker that has ended.
    pub fn remove(&mut self, worker: Worker) {
        self.workers.retain(|activity| activity.worker != worker);
    }

    /// The finished part of [`Board::expected`]. A running test counts by its elapsed time, up to its expected
    /// duration; if no durations are known, tests count when they finish.
    #[must_use]
    pub fn done(&self, now: Instant) -> f64 {
        let begun: f64 = self
            .running()
            .map(|(expected, since)| (now - since).as_secs_f64().min(expected))
            .sum();
        (self.done + begun).min(self.expected)
    }

    /// Expected seconds until the last of the running tests finishes.
    #[must_use]
    pub fn remaining_of_running(&self, now: Instant) -> f64 {
        self.running()
            .map(|(expected, since)| expected - (now - since).as_secs_f64())
            .fold(0.0, f64::max)
    }

    /// Whether the expected duration of any test is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Expected durations and start times of the running tests, where known.
    fn running(&self) -> impl Iterator<Item = (f64, Instant)> {
        let running = self.workers.iter().filter(|_| self.known);
        running.filter_map(|activity| Some((self.seconds_of(activity.test?), activity.since)))
    }

    fn seconds_of(&self, test: Test) -> f64 {
        self.seconds.get(test as usize).copied().unwrap_or_default()
    }
}

impl Activity {
    /// Time since the activity started, without [`Board::skip`]ped time.
    #[must_use]
    pub fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

/// Converts a number of tests for arithmetic.
fn count(tests: usize) -> f64 {
    // Exact below 2^32, which no collection exceeds.
    u32::try_from(tests).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() < 0.01
    }

    fn later(begin: Instant, seconds: f64) -> Instant {
        begin + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn tests_of_unknown_duration_count_as_the_mean_of_the_others() {
        let now = Instant::now();
        let mut board = Board::new(now);
        board.set_expected(&[Some(1.0), None, Some(3.0)], 1, now);
        assert!(near(board.expected, 6.0), "{}", board.expected);
        board.finish(1);
        assert_eq!((board.finished, board.tests), (1, 3));
        assert!(near(board.done(now), 2.0));
    }

    #[test]
    fn tests_are_counted_if_no_duration_is_known() {
        let now = Instant::now();
        let mut board = Board::new(now);
        board.set_expected(&[None; 4], 2, now);
        board.set_running(0, Some(3), 0, now);
        board.finish(0);
        board.finish(0);
        assert!(!board.is_known());
        assert_eq!(board.tests, 8);
        assert!(near(board.done(later(now, 60.0)) / board.expected, 0.25));
        assert!(near(board.remaining_of_running(later(now, 60.0)), 0.0));
    }

    #[test]
    fn a_test_that_is_run_again_has_not_finished() {
        let now = Instant::now();
        let mut board = Board::new(now);
        board.set_expected(&[Some(1.0), Some(3.0)], 1, now);
        board.finish(0);
        board.finish(1);
        board.rerun(1);
        assert_eq!(board.finished, 1);
        assert!(near(board.done(now), 1.0));
        board.finish(1);
        assert_eq!(board.finished, 2);
        assert!(near(board.done(now), 4.0));
    }

    #[test]
    fn a_running_test_counts_up_to_its_expected_duration() {
        let now = Instant::now();
        let mut board = Board::new(now);
        board.set_expected(&[Some(10.0), Some(2.0)], 1, now);
        board.set_running(0, Some(0), 0, now);
        board.set_running(1, Some(1), 0, now);
        let now = later(now, 4.0);
        assert!(near(board.done(now), 6.0));
        assert!(near(board.remaining_of_running(now), 6.0));
        assert!(near(board.done(later(now, 100.0)), 12.0));
    }

    #[test]
    fn an_activity_lasts_until_another_begins() {
        let begin = Instant::now();
        let mut board = Board::new(begin);
        board.set_running(0, Some(7), 0, begin);
        board.set_running(0, Some(7), 0, later(begin, 1.0));
        assert_eq!(
            board.workers[0].elapsed(later(begin, 2.0)),
            Duration::from_secs(2)
        );
        board.set_running(0, None, 0, later(begin, 2.0));
        assert_eq!(board.workers[0].test, None);
        assert_eq!(board.workers[0].elapsed(later(begin, 2.0)), Duration::ZERO);
        board.remove(0);
        assert!(board.workers.is_empty());
    }
}
