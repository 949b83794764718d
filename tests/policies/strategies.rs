//! What the properties are tested with: runs, units, forecasts, constraints and modes.

use super::simulator::Setup;
use proptest::prelude::*;
use rustpar::schedule::constraints::needs::Needs;
use rustpar::schedule::forecast::Forecast;
use rustpar::schedule::mode::{Mode, Rules};
use rustpar::schedule::policies::load::Plan;
use rustpar::schedule::policies::units::Units;
use rustpar::schedule::policy::Test;

/// Runs with crashes and repeated tests.
pub(crate) fn runs_with_crashes() -> impl Strategy<Value = Setup> {
    let capacity = prop_oneof![1..6_usize, 6..200_usize];
    (
        0..150_usize,
        1..9_usize,
        capacity,
        0..7_usize,
        0..7_usize,
        any::<u64>(),
    )
        .prop_map(|(tests, workers, capacity, crashes, reruns, seed)| Setup {
            tests,
            workers,
            capacity,
            crashes,
            reruns,
            retries: 0,
            retries_crashes: false,
            replaces: false,
            runs: 1,
            seed,
        })
}

/// Runs without crashes or repeated tests.
pub(crate) fn runs_without_crashes() -> impl Strategy<Value = Setup> {
    runs_with_crashes().prop_map(|setup| Setup {
        crashes: 0,
        reruns: 0,
        ..setup
    })
}

/// Unit numbers for up to 150 tests: from a few large units to nearly every test in a unit of its own.
pub(crate) fn keys() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![Just(3_u32), Just(20), Just(1000)].prop_flat_map(|units| prop::collection::vec(0..units, 150))
}

pub(crate) fn units(setup: &Setup, keys: &[u32], reorder: bool) -> Units {
    Units::new(keys[..setup.tests].to_vec(), setup.workers, reorder)
}

/// Forecasts for up to 150 tests: durations, files, fixtures of files and of groups of files.
pub(crate) fn forecasts() -> impl Strategy<Value = Forecast> {
    let seconds = prop::collection::vec(prop::option::of(0.0..3.0_f64), 150);
    let known = prop::collection::vec(any::<bool>(), 150);
    (
        seconds,
        known,
        1..30_u32,
        prop::option::of(0.0..5.0_f64),
        0..3_u32,
    )
        .prop_map(|(seconds, failed, per_file, setup, sharing)| {
            let files: Vec<u32> = (0..150).map(|test| test / per_file).collect();
            let fixtures = files.iter().zip(&failed).map(|(file, uses)| match sharing {
                0 => vec![],
                1 => vec![*file],
                _ if *uses => vec![150 + file / 3, *file],
                _ => vec![150 + file / 3],
            });
            Forecast {
                tests: 150,
                fixtures: fixtures.collect(),
                kinds: (0..300).map(|fixture| u32::from(fixture >= 150)).collect(),
                setup_seconds: vec![setup, None],
                seconds,
                failed,
                scopes: files
                    .iter()
                    .zip(0..)
                    .map(|(file, test)| 2 * file + u32::from(test % 5 > 2))
                    .collect(),
                files,
                cuts: vec![],
                owners: vec![],
                collect_seconds: 0.0,
            }
        })
}

/// The same after a parallel collection: each file has a worker, which may not exist.
pub(crate) fn owned_forecasts() -> impl Strategy<Value = Forecast> {
    let owners = prop::collection::vec(0..6_u32, 150);
    (forecasts(), owners, 0.0..0.3_f64).prop_map(|(forecast, owners, collect_seconds)| Forecast {
        owners: forecast.files.iter().map(|file| owners[*file as usize]).collect(),
        collect_seconds,
        ..forecast
    })
}

pub(crate) fn first(forecast: &Forecast, tests: usize) -> Forecast {
    let tests: Vec<Test> = (0..).take(tests).collect();
    forecast.select(&tests)
}

/// Constraints for up to 150 tests: up to three classes, up to three resources, some serial tests.
pub(crate) fn rules() -> impl Strategy<Value = Rules> {
    let needs = prop_oneof![
        8 => Just(Needs::default()),
        1 => Just(Needs { serial: true, holds: vec![] }),
        4 => prop::collection::btree_map(0..3_u32, any::<bool>(), 1..3)
            .prop_map(|holds| Needs { serial: false, holds: holds.into_iter().collect() }),
    ];
    let needs = prop_oneof![Just(vec![]), prop::collection::vec(needs, 150)];
    let classes = prop_oneof![Just(vec![]), prop::collection::vec(0..3_u32, 150)];
    (classes, needs, prop::collection::vec(1..4_u32, 3)).prop_map(|(classes, needs, places)| Rules {
        classes,
        needs,
        places,
    })
}

pub(crate) fn plans() -> impl Strategy<Value = Plan> {
    prop_oneof![Just(Plan::Collection), Just(Plan::Duration)]
}

pub(crate) fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![3 => modes_without_each(), 1 => Just(Mode::Each)]
}

pub(crate) fn modes_without_each() -> impl Strategy<Value = Mode> {
    prop_oneof![
        (prop::option::of(1..20_usize), plans()).prop_map(|(max_chunk, plan)| Mode::Load { max_chunk, plan }),
        Just(Mode::WorkSteal),
        (keys(), any::<bool>()).prop_map(|(keys, reorder)| Mode::Units { keys, reorder }),
    ]
}

pub(crate) fn cut(rules: &Rules, tests: usize) -> Rules {
    let mut rules = rules.clone();
    rules.classes.truncate(tests);
    rules.needs.truncate(tests);
    rules
}

/// Whether a test may start while the others are running.
pub(crate) fn may_run_together(rules: &Rules, test: Test, others: &[Test]) -> bool {
    let none = Needs::default();
    let needs = |test: Test| rules.needs.get(test as usize).unwrap_or(&none);
    if needs(test).serial || others.iter().any(|other| needs(*other).serial) {
        return others.is_empty();
    }
    needs(test).holds.iter().all(|&(resource, shares)| {
        let others = || {
            others
                .iter()
                .flat_map(|other| &needs(*other).holds)
                .filter(|held| held.0 == resource)
        };
        let alone = others().filter(|held| !held.1).count() + usize::from(!shares);
        let sharing = shares || others().any(|held| held.1);
        alone + usize::from(sharing) <= rules.places[resource as usize] as usize
    })
}
