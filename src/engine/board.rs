//! What somebody who looks at a run sees: how much of it is done, and what each worker is in.
//!
//! The hazard it handles: people look while the run goes on, and must not hold it up. Who looks takes a copy, without the
//! list of tests, and reckons on that.

use crate::schedule::policy::{Test, Worker};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Seconds that pytest takes around the phases of a test, which no report counts: half of what 2,000 trivial tests take
/// in one process, 1.0 s of CPU time. So no test is expected to take nothing.
const AROUND_A_TEST: f64 = 0.000_25;

/// What a worker that takes part is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// The worker.
    pub worker: Worker,
    /// The test it is in; None when it is idle.
    pub test: Option<Test>,
    /// Since when, as the engine has seen it: up to one look late.
    pub since: Instant,
}

/// How far a run is.
#[derive(Debug, Clone)]
pub struct Board {
    /// What each test is expected to take; or the same for all, where nothing is known.
    seconds: Arc<[f64]>,
    /// Whether anything is known.
    known: bool,
    /// How many tests there are to run.
    pub tests: usize,
    /// How many have come to their end.
    pub finished: usize,
    /// What all of them are expected to take.
    pub expected: f64,
    /// What those that came to their end were expected to take.
    done: f64,
    /// Since when tests are run.
    pub begun: Instant,
    /// The workers that take part.
    pub workers: Vec<Activity>,
}

impl Board {
    /// A run of which nothing is known yet.
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
        }
    }

    /// The tests are known, and so is what some of them will probably take, in `seconds`; each is to be run so many
    /// `times`. Where nothing is known of a test, it counts as the others do on average.
    pub fn expect(&mut self, seconds: &[Option<f64>], times: usize, now: Instant) {
        let known: Vec<f64> = seconds.iter().copied().flatten().collect();
        self.known = !known.is_empty();
        let mean = if self.known {
            known.iter().sum::<f64>() / count(known.len())
        } else {
            1.0
        };
        self.seconds = seconds
            .iter()
            .map(|one| one.unwrap_or(mean) + AROUND_A_TEST)
            .collect();
        self.tests = seconds.len() * times;
        self.expected = self.seconds.iter().sum::<f64>() * count(times);
        self.begun = now;
    }

    /// A test has come to its end.
    pub fn finish(&mut self, test: Test) {
        self.finished += 1;
        self.done += self.seconds_of(test);
    }

    /// A test that has come to its end, in a crash, is to be run once more.
    pub fn again(&mut self, test: Test) {
        self.finished = self.finished.saturating_sub(1);
        self.done = (self.done - self.seconds_of(test)).max(0.0);
    }

    /// What a worker is in now, if it takes part.
    pub fn note(&mut self, worker: Worker, test: Option<Test>, now: Instant) {
        match self.workers.iter_mut().find(|activity| activity.worker == worker) {
            Some(activity) if activity.test == test => {}
            Some(activity) => {
                activity.test = test;
                activity.since = now;
            }
            None => self.workers.push(Activity {
                worker,
                test,
                since: now,
            }),
        }
    }

    /// A worker is gone.
    pub fn forget(&mut self, worker: Worker) {
        self.workers.retain(|activity| activity.worker != worker);
    }

    /// What is done of [`Board::expected`]. A test that runs counts by its time, up to what it is expected to take;
    /// where nothing is known, tests are counted when they end.
    #[must_use]
    pub fn done(&self, now: Instant) -> f64 {
        let begun: f64 = self
            .running()
            .map(|(expected, since)| (now - since).as_secs_f64().min(expected))
            .sum();
        (self.done + begun).min(self.expected)
    }

    /// Seconds that the longest of the running tests still needs, if it takes what is expected.
    #[must_use]
    pub fn least_left(&self, now: Instant) -> f64 {
        self.running()
            .map(|(expected, since)| expected - (now - since).as_secs_f64())
            .fold(0.0, f64::max)
    }

    /// Whether it is known what any of the tests will take.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// What the running tests are expected to take and since when they run, where that is known.
    fn running(&self) -> impl Iterator<Item = (f64, Instant)> {
        let running = self.workers.iter().filter(|_| self.known);
        running.filter_map(|activity| Some((self.seconds_of(activity.test?), activity.since)))
    }

    fn seconds_of(&self, test: Test) -> f64 {
        self.seconds.get(test as usize).copied().unwrap_or_default()
    }
}

impl Activity {
    /// For how long.
    #[must_use]
    pub fn lasts(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

/// A number of tests, to reckon with.
fn count(tests: usize) -> f64 {
    // Exact below 2^32, and no collection is as large.
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
    fn tests_of_which_nothing_is_known_count_as_the_others_do() {
        let now = Instant::now();
        let mut board = Board::new(now);
        board.expect(&[Some(1.0), None, Some(3.0)], 1, now);
        assert!(near(board.expected, 6.0), "{}", board.expected);
        board.finish(1);
        assert_eq!((board.finished, board.tests), (1, 3));
        assert!(near(board.done(now), 2.0));
    }

    #[test]
    fn tests_are_counted_where_nothing_is_known() {
        let now = Instant::now();
        let mut board = Board::new(now);
        board.expect(&[None; 4], 2, now);
        board.note(0, Some(3), now);
        board.finish(0);
        board.finish(0);
        assert!(!board.is_known());
        assert_eq!(board.tests, 8);
        assert!(near(board.done(later(now, 60.0)) / board.expected, 0.25));
        assert!(near(board.least_left(later(now, 60.0)), 0.0));
    }

    #[test]
    fn a_test_that_is_run_once_more_has_not_come_to_its_end() {
        let now = Instant::now();
        let mut board = Board::new(now);
        board.expect(&[Some(1.0), Some(3.0)], 1, now);
        board.finish(0);
        board.finish(1);
        board.again(1);
        assert_eq!(board.finished, 1);
        assert!(near(board.done(now), 1.0));
        board.finish(1);
        assert_eq!(board.finished, 2);
        assert!(near(board.done(now), 4.0));
    }

    #[test]
    fn a_running_test_counts_up_to_what_it_is_expected_to_take() {
        let now = Instant::now();
        let mut board = Board::new(now);
        board.expect(&[Some(10.0), Some(2.0)], 1, now);
        board.note(0, Some(0), now);
        board.note(1, Some(1), now);
        let now = later(now, 4.0);
        assert!(near(board.done(now), 6.0));
        assert!(near(board.least_left(now), 6.0));
        assert!(near(board.done(later(now, 100.0)), 12.0));
    }

    #[test]
    fn an_activity_lasts_until_another_begins() {
        let begin = Instant::now();
        let mut board = Board::new(begin);
        board.note(0, Some(7), begin);
        board.note(0, Some(7), later(begin, 1.0));
        assert_eq!(board.workers[0].lasts(later(begin, 2.0)), Duration::from_secs(2));
        board.note(0, None, later(begin, 2.0));
        assert_eq!(board.workers[0].test, None);
        assert_eq!(board.workers[0].lasts(later(begin, 2.0)), Duration::ZERO);
        board.forget(0);
        assert!(board.workers.is_empty());
    }
}
