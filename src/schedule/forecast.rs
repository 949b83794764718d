//! Knowledge about the tests before they run, and estimates that are refined during the run.
//!
//! The hazard it handles: most durations may be unknown. An unknown duration is estimated from others: of a test, the
//! median of the known ones, or the mean of those that have run; of a fixture, the mean of those that were set up.
//! Before any test has run, a test counts one unit and a shared fixture five, which is enough to compare pieces of
//! work.

use std::ops::RangeInclusive;

use crate::schedule::policy::{Definition, Fixture, Test, Worker};

/// Units of a shared fixture while no durations are known, relative to one test.
const UNKNOWN_FIXTURE: f64 = 5.0;

/// Knowledge about the tests before they run. Empty vectors mean "unknown"; otherwise `files` and `fixtures` have an
/// entry for each test.
#[derive(Debug, Clone, Default)]
pub struct Forecast {
    /// Number of tests.
    pub tests: usize,
    /// Expected seconds of each test, without shared fixtures.
    pub seconds: Vec<Option<f64>>,
    /// Whether each test failed in the last run.
    pub failed: Vec<bool>,
    /// The number of the file of each test.
    pub files: Vec<u32>,
    /// The number of the class of each test, or of its file where it is in no class.
    pub scopes: Vec<u32>,
    /// Positions of jobs with constraints, which are assigned separately: each job is located before one of these
    /// tests. Ascending.
    pub cuts: Vec<Test>,
    /// The worker that has collected each test, and its file; any other would have to collect that first.
    pub owners: Vec<Worker>,
    /// Seconds that it takes to collect a file.
    pub collect_seconds: f64,
    /// The shared fixtures that each test needs.
    pub fixtures: Vec<Vec<Fixture>>,
    /// The definition of each shared fixture instance.
    pub kinds: Vec<Definition>,
    /// Expected seconds to set up an instance of each definition.
    pub setup_seconds: Vec<Option<f64>>,
}

impl Forecast {
    /// A collection of which only the size is known.
    #[must_use]
    pub fn unknown(tests: usize) -> Self {
        Self {
            tests,
            ..Self::default()
        }
    }

    /// The forecast for a subset of the tests, which are renumbered.
    #[must_use]
    pub fn select(&self, tests: &[Test]) -> Self {
        fn chosen<T: Clone>(values: &[T], tests: &[Test]) -> Vec<T> {
            let values = tests.iter().filter_map(|test| values.get(*test as usize));
            values.cloned().collect()
        }
        Self {
            tests: tests.len(),
            seconds: chosen(&self.seconds, tests),
            failed: chosen(&self.failed, tests),
            files: chosen(&self.files, tests),
            scopes: chosen(&self.scopes, tests),
            cuts: Vec::new(),
            owners: chosen(&self.owners, tests),
            collect_seconds: self.collect_seconds,
            fixtures: chosen(&self.fixtures, tests),
            kinds: self.kinds.clone(),
            setup_seconds: self.setup_seconds.clone(),
        }
    }

    fn kind(&self, fixture: Fixture) -> usize {
        self.kinds.get(fixture as usize).copied().unwrap_or_default() as usize
    }

    /// Fixtures without a record, of tests that have one, are assumed to take no time: very short setups are not
    /// recorded.
    fn fill_in_cheap_fixtures(&mut self) {
        let mut setup_seconds = std::mem::take(&mut self.setup_seconds);
        for (needed, seconds) in self.fixtures.iter().zip(&self.seconds) {
            for fixture in needed.iter().filter(|_| seconds.is_some()) {
                if let Some(setup) = setup_seconds.get_mut(self.kind(*fixture)) {
                    setup.get_or_insert(0.0);
                }
            }
        }
        self.setup_seconds = setup_seconds;
    }

    /// Expected seconds of a test; `None` if unknown.
    pub(super) fn seconds_of(&self, test: Test) -> Option<f64> {
        self.seconds.get(test as usize).copied().flatten()
    }

    /// The number of a test's file.
    pub(super) fn file(&self, test: Test) -> u32 {
        self.files.get(test as usize).copied().unwrap_or_default()
    }

    /// The number of a test's class or file.
    pub(super) fn scope(&self, test: Test) -> u32 {
        self.scopes.get(test as usize).copied().unwrap_or_default()
    }

    /// Whether a piece must not continue with a test: a job with constraints is located right before it, or another
    /// worker has collected it.
    pub(super) fn is_cut(&self, test: Test) -> bool {
        self.cuts.binary_search(&test).is_ok()
            || test
                .checked_sub(1)
                .is_some_and(|before| self.owner(before) != self.owner(test))
    }

    /// The worker that has collected a test; `None` if all can run it.
    pub(super) fn owner(&self, test: Test) -> Option<Worker> {
        self.owners.get(test as usize).copied()
    }

    /// The shared fixtures of a test.
    pub(super) fn fixtures_of(&self, test: Test) -> &[Fixture] {
        self.fixtures.get(test as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether a test failed in the last run.
    pub(super) fn has_failed(&self, test: Test) -> bool {
        self.failed.get(test as usize).copied().unwrap_or_default()
    }
}

/// A running mean.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    fn value(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

/// Estimates from the forecast and from what has run so far.
#[derive(Debug)]
pub(super) struct Estimates {
    forecast: Forecast,
    /// Estimated duration of a test about which nothing is known.
    typical: Option<f64>,
    /// Mean of the tests without an expected duration that have run.
    ran: Mean,
    /// Mean setup time of each definition in this run.
    set_up: Vec<Mean>,
    /// Mean setup time of all definitions.
    any_set_up: Mean,
    /// The first and the last test that needs each shared fixture. pytest keeps a fixture until it leaves the module,
    /// class or package to which it belongs; tests between those two belong to it, or were reordered to be there.
    spans: Vec<RangeInclusive<Test>>,
}

impl Estimates {
    pub(super) fn new(mut forecast: Forecast) -> Self {
        forecast.fill_in_cheap_fixtures();
        let mut known: Vec<f64> = forecast.seconds.iter().flatten().copied().collect();
        let middle = known.len() / 2;
        let typical = (!known.is_empty()).then(|| *known.select_nth_unstable_by(middle, f64::total_cmp).1);
        let mut any_set_up = Mean::default();
        for seconds in forecast.setup_seconds.iter().flatten() {
            any_set_up.add(*seconds);
        }
        let mut spans: Vec<Option<RangeInclusive<Test>>> = Vec::new();
        for (needed, test) in forecast.fixtures.iter().zip(0..) {
            for &fixture in needed {
                let fixture = fixture as usize;
                if spans.len() <= fixture {
                    spans.resize(fixture + 1, None);
                }
                let first = spans[fixture].as_ref().map_or(test, |span| *span.start());
                spans[fixture] = Some(first..=test);
            }
        }
        #[expect(
            clippy::reversed_empty_ranges,
            reason = "a fixture that no test needs is never there"
        )]
        let spans = spans.into_iter().map(|span| span.unwrap_or(1..=0)).collect();
        Self {
            spans,
            typical,
            ran: Mean::default(),
            set_up: vec![Mean::default(); forecast.setup_seconds.len()],
            any_set_up,
            forecast,
        }
    }

    pub(super) fn forecast(&self) -> &Forecast {
        &self.forecast
    }

    /// Whether estimates are in seconds, rather than units.
    pub(super) fn is_timed(&self) -> bool {
        self.typical.is_some() || self.ran.count > 0.0
    }

    /// Estimated duration of an unknown test.
    pub(super) fn typical(&self) -> f64 {
        self.typical.or(self.ran.value()).unwrap_or(1.0)
    }

    /// The individual estimate for this test; `None` if it is treated as an unknown test.
    pub(super) fn known(&self, test: Test) -> Option<f64> {
        self.forecast.seconds_of(test)
    }

    /// Estimated duration of this test.
    pub(super) fn test(&self, test: Test) -> f64 {
        self.known(test).unwrap_or_else(|| self.typical())
    }

    fn kind(&self, fixture: Fixture) -> usize {
        self.forecast.kind(fixture)
    }

    /// Whether any setup time is known for the fixtures that `test` needs.
    pub(super) fn knows_fixtures_of(&self, test: Test) -> bool {
        let mut kinds = self
            .forecast
            .fixtures_of(test)
            .iter()
            .map(|fixture| self.kind(*fixture));
        kinds.all(|kind| {
            let expected = self.forecast.setup_seconds.get(kind).copied().flatten();
            expected.is_some() || self.set_up.get(kind).is_some_and(|mean| mean.count > 0.0)
        })
    }

    /// Estimated setup time of this fixture.
    pub(super) fn fixture(&self, fixture: Fixture) -> f64 {
        let kind = self.kind(fixture);
        let seen = self.set_up.get(kind).and_then(|mean| mean.value());
        seen.or_else(|| self.forecast.setup_seconds.get(kind).copied().flatten())
            .or_else(|| self.any_set_up.value())
            .unwrap_or_else(|| UNKNOWN_FIXTURE * self.typical())
    }

    /// The first and the last test that needs this fixture.
    pub(super) fn span(&self, fixture: Fixture) -> RangeInclusive<Test> {
        self.spans[fixture as usize].clone()
    }

    /// Estimated time to set up the fixtures of `test` that are not active in a worker whose last test was `before`. A
    /// fixture counts as active if that test lies within its span.
    pub(super) fn setup_change(&self, before: Option<Test>, test: Test) -> f64 {
        let needed = self.forecast.fixtures_of(test).iter();
        needed
            .filter(|fixture| before.is_none_or(|before| !self.spans[**fixture as usize].contains(&before)))
            .map(|fixture| self.fixture(*fixture))
            .sum()
    }

    /// Estimated duration of consecutive tests in a worker whose last test was `before`.
    pub(super) fn run(&self, mut before: Option<Test>, tests: impl IntoIterator<Item = Test>) -> f64 {
        let mut sum = 0.0;
        for test in tests {
            sum += self.setup_change(before, test) + self.test(test);
            before = Some(test);
        }
        sum
    }

    /// Records the duration of a test without shared fixtures.
    pub(super) fn learn_test(&mut self, test: Test, seconds: f64) {
        if self.known(test).is_none() {
            self.ran.add(seconds);
        }
        for place in 0..self.forecast.fixtures_of(test).len() {
            let kind = self.kind(self.forecast.fixtures[test as usize][place]);
            // It has been set up without a report: its setup is too short to be reported.
            if let Some(mean) = self.set_up.get_mut(kind)
                && mean.count <= 0.0
                && self.forecast.setup_seconds[kind].is_none()
            {
                mean.add(0.0);
            }
        }
    }

    /// Records the setup time of a fixture instance.
    pub(super) fn learn_fixture(&mut self, definition: Definition, seconds: f64) {
        if let Some(mean) = self.set_up.get_mut(definition as usize) {
            mean.add(seconds);
            self.any_set_up.add(seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(seconds: &[f64]) -> Forecast {
        Forecast {
            seconds: seconds.iter().copied().map(Some).collect(),
            ..Forecast::unknown(seconds.len())
        }
    }

    #[test]
    fn without_durations_tests_count_in_units() {
        let estimates = Estimates::new(Forecast::unknown(2));
        assert!(!estimates.is_timed());
        assert!((estimates.run(None, [0, 1]) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_new_test_is_estimated_from_the_others() {
        let mut forecast = known(&[0.1, 9.0, 0.2, 0.3]);
        forecast.seconds[1] = None;
        let estimates = Estimates::new(forecast);
        assert!((estimates.test(1) - 0.2).abs() < 1e-9);
    }

    #[test]
    fn tests_that_ran_give_an_estimate_for_the_rest() {
        let mut estimates = Estimates::new(Forecast::unknown(3));
        estimates.learn_test(0, 0.5);
        estimates.learn_test(1, 1.5);
        assert!((estimates.test(2) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_fixture_is_active_from_its_first_test_to_its_last() {
        let mut forecast = known(&[1.0; 4]);
        // A module's fixture that the second test does not need, and another module's.
        forecast.fixtures = vec![vec![0], vec![], vec![0], vec![1]];
        forecast.kinds = vec![0, 0];
        forecast.setup_seconds = vec![Some(10.0)];
        let mut estimates = Estimates::new(forecast);
        assert!((estimates.setup_change(None, 0) - 10.0).abs() < 1e-9);
        assert!(estimates.setup_change(Some(1), 2).abs() < 1e-9);
        assert!((estimates.run(None, 0..4) - 24.0).abs() < 1e-9);
        estimates.learn_fixture(0, 4.0);
        assert!((estimates.run(None, 0..4) - 12.0).abs() < 1e-9);
    }
}
