//! The state of a worker under `--dist load`, and its remaining time.
//!
//! The hazard it handles: the remaining time is needed for every decision, and a queue may be long. So sums are
//! maintained and updated with each added or removed test.

use crate::schedule::forecast::Estimates;
use crate::schedule::policy::Test;
use std::collections::VecDeque;

/// The state of a worker, in addition to that in [`super::Held`].
#[derive(Debug, Default)]
pub(super) struct Hand {
    /// The last finished test, whose fixtures are active.
    pub(super) last: Option<Test>,
    /// The furthest test of the collection that it has run.
    ran: Option<Test>,
    /// The furthest test of the collection that it has run or holds.
    pub(super) furthest: Option<Test>,
    /// Seconds that the running test has spent on shared fixtures.
    pub(super) set_up: f64,
    /// When the running test started, as far as known.
    pub(super) since: f64,
    /// Total duration of its tests with an individual estimate.
    known: f64,
    /// Number of its tests without one.
    unknown: usize,
    /// Its tests in queue order, each with its expected setup time.
    set_ups: VecDeque<(Test, f64)>,
    /// Total of the setup times.
    all_set_ups: f64,
}

impl Hand {
    /// Records assigned tests.
    pub(super) fn add(&mut self, estimates: &Estimates, tests: &[Test], now: f64) {
        if self.set_ups.is_empty() {
            self.since = now;
        }
        let mut before = self.set_ups.back().map(|(test, _)| *test).or(self.last);
        for &test in tests {
            match estimates.known(test) {
                Some(seconds) => self.known += seconds,
                None => self.unknown += 1,
            }
            let set_up = estimates.setup_change(before, test);
            self.set_ups.push_back((test, set_up));
            self.all_set_ups += set_up;
            before = Some(test);
        }
        self.furthest = self.furthest.max(tests.iter().max().copied());
    }

    /// Records that a test has finished and the next one has started.
    pub(super) fn finished(&mut self, estimates: &Estimates, test: Test, now: f64) {
        let place = self.set_ups.iter().position(|(held, _)| *held == test);
        self.remove(estimates, place);
        self.last = Some(test);
        self.ran = self.ran.max(Some(test));
        self.since = now;
    }

    /// Records tests that were taken back from the end.
    pub(super) fn returned(&mut self, estimates: &Estimates, tests: &[Test]) {
        for test in tests.iter().rev() {
            let place = self.set_ups.iter().rposition(|(held, _)| held == test);
            self.remove(estimates, place);
        }
        let held = self.set_ups.iter().map(|(test, _)| *test).max();
        self.furthest = self.ran.max(held);
    }

    fn remove(&mut self, estimates: &Estimates, place: Option<usize>) {
        let Some((test, set_up)) = place.and_then(|place| self.set_ups.remove(place)) else {
            return;
        };
        match estimates.known(test) {
            Some(seconds) => self.known -= seconds,
            None => self.unknown = self.unknown.saturating_sub(1),
        }
        self.all_set_ups -= set_up;
    }

    /// Total duration of its tests, without fixtures.
    pub(super) fn own_seconds(&self, estimates: &Estimates) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "numbers of tests are small")]
        let unknown = self.unknown as f64;
        self.known + unknown * estimates.typical()
    }

    /// Remaining time of all tests that it holds.
    pub(super) fn seconds_left(&self, estimates: &Estimates, now: f64) -> f64 {
        let Some((first, set_up)) = self.set_ups.front() else {
            return 0.0;
        };
        let running = estimates.test(*first) + set_up;
        let all = self.own_seconds(estimates) + self.all_set_ups;
        (all - (now - self.since).min(running)).max(0.0)
    }
}
