//! Lower bounds of any schedule, and the tests that determine them.
//!
//! The hazard it handles: a bound that is too high hides possible savings. So each bound counts only what every
//! schedule must do: each test once, each shared fixture once, and units on one worker.

use crate::schedule::constraints::needs::Needs;
use crate::schedule::forecast::{Estimates, Forecast};
use crate::schedule::mode::{Mode, Rules};
use crate::schedule::policy::{Fixture, Test, collection};
use crate::schedule::simulation::set_up_seconds;
use std::collections::{BTreeMap, BTreeSet};

/// Tests that must stay on one worker.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unit {
    /// The tests; a single one if it belongs to no larger unit.
    pub tests: Vec<Test>,
    /// Their duration, with each shared fixture once.
    pub seconds: f64,
}

/// Lower bounds of the run's duration, in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bounds {
    /// The total work split evenly.
    pub even: f64,
    /// The longest test, or the longest unit in modes that have units.
    pub longest: Unit,
    /// Duration of the serial tests, with the shared fixtures that only they need.
    pub serial: f64,
    /// The serial tests, plus all other work split evenly.
    pub around_serial: f64,
    /// The time for which each resource is occupied, if it is always fully used.
    pub resources: Vec<f64>,
}

impl Bounds {
    /// Computes the bounds of a run on `workers` workers. If no test's duration is known, a test takes a second and a
    /// shared fixture no time.
    #[must_use]
    pub fn new(mode: &Mode, forecast: Forecast, rules: &Rules, workers: usize) -> Self {
        let estimates = Estimates::new(forecast);
        let runs = if matches!(mode, Mode::Each) { workers } else { 1 };
        #[expect(clippy::cast_precision_loss, reason = "numbers of workers are small")]
        let (runs, workers) = (runs as f64, workers.max(1) as f64);
        let nothing = BTreeSet::new();
        let tests: Vec<Test> = collection(estimates.forecast().tests).collect();
        let all = seconds_without(&estimates, &tests, &nothing) * runs;
        let mut bounds = Self {
            even: all / workers,
            ..Self::default()
        };
        let mut alone = vec![0.0; rules.places.len()];
        let mut sharing = vec![0.0_f64; rules.places.len()];
        let (mut serial, mut beside) = (Vec::new(), BTreeSet::new());
        for (tests, needs) in units_of(mode, rules, &tests) {
            let own: f64 = tests.iter().map(|test| estimates.test(*test)).sum();
            if needs.serial {
                serial.extend(&tests);
            } else {
                beside.extend(fixtures_of(&estimates, &tests));
            }
            for &(resource, shared) in &needs.holds {
                let resource = resource as usize;
                if shared {
                    // All readers may run at the same time.
                    sharing[resource] = sharing[resource].max(own);
                } else {
                    alone[resource] += own * runs;
                }
            }
            let seconds = seconds_without(&estimates, &tests, &nothing);
            if seconds > bounds.longest.seconds || bounds.longest.tests.is_empty() {
                bounds.longest = Unit { tests, seconds };
            }
        }
        // A fixture that other tests need, too, may have been set up before a serial test starts.
        bounds.serial = runs * seconds_without(&estimates, &serial, &beside);
        bounds.around_serial = bounds.serial + (all - bounds.serial) / workers;
        let held = alone.iter().zip(&sharing).zip(&rules.places);
        bounds.resources = held
            .map(|((alone, sharing), places)| (alone + sharing) / f64::from((*places).max(1)))
            .collect();
        bounds
    }

    /// The largest bound.
    #[must_use]
    pub fn least(&self) -> f64 {
        let resources = self.resources.iter().copied();
        let others = [self.even, self.longest.seconds, self.around_serial];
        resources.chain(others).fold(0.0, f64::max)
    }
}

/// Duration of these tests, with each shared fixture once, except those in `without`.
fn seconds_without(estimates: &Estimates, tests: &[Test], without: &BTreeSet<Fixture>) -> f64 {
    let own: f64 = tests.iter().map(|test| estimates.test(*test)).sum();
    let fixtures = fixtures_of(estimates, tests);
    let set_ups = fixtures
        .difference(without)
        .map(|fixture| set_up_seconds(estimates, *fixture));
    own + set_ups.sum::<f64>()
}

fn fixtures_of(estimates: &Estimates, tests: &[Test]) -> BTreeSet<Fixture> {
    let needed = tests.iter().map(|test| estimates.forecast().fixtures_of(*test));
    needed.flatten().copied().collect()
}

/// Groups the tests into units that must stay on one worker, with the combined constraints of each.
fn units_of(mode: &Mode, rules: &Rules, tests: &[Test]) -> impl Iterator<Item = (Vec<Test>, Needs)> {
    let mut units_of: BTreeMap<(u32, u32), (Vec<Test>, Needs)> = BTreeMap::new();
    for &test in tests {
        let unit = match mode {
            Mode::Units { keys, .. } => keys[test as usize],
            _ => test,
        };
        let (members, needs) = units_of.entry((rules.class(test), unit)).or_default();
        members.push(test);
        if let Some(also) = rules.needs(test) {
            *needs = needs.union(also);
        }
    }
    units_of.into_values()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Mode = Mode::load();

    fn with_seconds(seconds: &[f64]) -> Forecast {
        Forecast {
            seconds: seconds.iter().copied().map(Some).collect(),
            ..Forecast::unknown(seconds.len())
        }
    }

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    fn holding(shared: bool) -> Needs {
        Needs {
            serial: false,
            holds: vec![(0, shared)],
        }
    }

    #[test]
    fn the_bound_is_the_even_split_or_the_longest_test_with_its_fixtures() {
        let forecast = Forecast {
            fixtures: vec![vec![], vec![0, 1], vec![1]],
            kinds: vec![0, 1],
            setup_seconds: vec![Some(3.0), Some(1.0)],
            ..with_seconds(&[1.0, 2.0, 3.0])
        };
        let bounds = Bounds::new(&LOAD, forecast.clone(), &Rules::default(), 2);
        assert!(near(bounds.even, 5.0) && near(bounds.longest.seconds, 6.0));
        assert_eq!(bounds.longest.tests, [1]);
        assert!(near(bounds.least(), 6.0));
        assert!(near(
            Bounds::new(&LOAD, forecast, &Rules::default(), 1).least(),
            10.0
        ));
    }

    #[test]
    fn a_unit_is_as_long_as_its_tests() {
        let mode = Mode::Units {
            keys: vec![0, 1, 1],
            reorder: true,
        };
        let bounds = Bounds::new(&mode, with_seconds(&[4.0, 2.0, 3.0]), &Rules::default(), 4);
        assert_eq!(bounds.longest.tests, [1, 2]);
        assert!(near(bounds.least(), 5.0));
    }

    #[test]
    fn serial_tests_are_not_split() {
        let rules = Rules {
            needs: vec![
                Needs {
                    serial: true,
                    holds: vec![],
                },
                Needs::default(),
            ],
            ..Rules::default()
        };
        let bounds = Bounds::new(&LOAD, with_seconds(&[3.0, 4.0]), &rules, 4);
        assert!(near(bounds.serial, 3.0) && near(bounds.around_serial, 4.0));
    }

    #[test]
    fn a_fixture_that_only_serial_tests_need_is_not_split_either() {
        let rules = Rules {
            needs: vec![Needs {
                serial: true,
                holds: vec![],
            }],
            ..Rules::default()
        };
        let forecast = Forecast {
            fixtures: vec![vec![0, 1], vec![1]],
            kinds: vec![0, 1],
            setup_seconds: vec![Some(2.0), Some(4.0)],
            ..with_seconds(&[3.0, 4.0])
        };
        let bounds = Bounds::new(&LOAD, forecast, &rules, 4);
        assert!(near(bounds.serial, 5.0) && near(bounds.around_serial, 7.0));
    }

    #[test]
    fn exclusive_use_adds_up_and_shared_use_does_not() {
        let rules = Rules {
            needs: vec![holding(false), holding(false), holding(true), holding(true)],
            places: vec![2],
            ..Rules::default()
        };
        let bounds = Bounds::new(&LOAD, with_seconds(&[3.0, 4.0, 2.0, 5.0]), &rules, 8);
        assert!(near(bounds.resources[0], 6.0));
    }

    #[test]
    fn with_dist_each_every_worker_runs_every_test() {
        let bounds = Bounds::new(&Mode::Each, with_seconds(&[3.0, 4.0]), &Rules::default(), 3);
        assert!(near(bounds.least(), 7.0));
    }
}
