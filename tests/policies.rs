//! What every policy promises, whatever the workers do.

mod simulator;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use rustpar::schedule::each::Each;
use rustpar::schedule::load::Load;
use rustpar::schedule::units::Units;
use rustpar::schedule::worksteal::WorkSteal;
use rustpar::schedule::{Policy, Test, Worker};
use simulator::{Outcome, Setup, simulate};

/// Runs in which everything may happen.
fn storm() -> impl Strategy<Value = Setup> {
    let capacity = prop_oneof![1..6_usize, 6..200_usize];
    (
        0..150_usize,
        1..9_usize,
        capacity,
        0..7_usize,
        0..7_usize,
        any::<u64>(),
    )
        .prop_map(|(tests, workers, capacity, crashes, agains, seed)| Setup {
            tests,
            workers,
            capacity,
            crashes,
            agains,
            runs: 1,
            seed,
        })
}

/// Runs in which no worker is lost and no test runs again.
fn calm() -> impl Strategy<Value = Setup> {
    storm().prop_map(|setup| Setup {
        crashes: 0,
        agains: 0,
        ..setup
    })
}

/// Unit numbers for up to 150 tests: from a few large units to nearly every test on its own.
fn keys() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![Just(3_u32), Just(20), Just(1000)].prop_flat_map(|units| prop::collection::vec(0..units, 150))
}

fn units(setup: &Setup, keys: &[u32], reorder: bool) -> Units {
    Units::new(keys[..setup.tests].to_vec(), setup.workers, reorder)
}

fn run(mut policy: impl Policy, setup: &Setup) -> Result<Outcome, TestCaseError> {
    simulate(&mut policy, setup).map_err(TestCaseError::fail)
}

/// What was started, per unit, in order.
fn by_unit(outcome: &Outcome, keys: &[u32]) -> BTreeMap<u32, Vec<(Worker, Test)>> {
    let mut units: BTreeMap<u32, Vec<(Worker, Test)>> = BTreeMap::new();
    for &(worker, test) in &outcome.started {
        units.entry(keys[test as usize]).or_default().push((worker, test));
    }
    units
}

fn assert_ascending(tests: impl IntoIterator<Item = Test>) -> TestCaseResult {
    let tests: Vec<Test> = tests.into_iter().collect();
    prop_assert!(
        tests.is_sorted_by(|one, next| one < next),
        "{:?} are out of order",
        tests
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn load_gives_every_test_its_result(setup in storm(), max_chunk in prop::option::of(1..20_usize)) {
        run(Load::new(setup.tests, setup.workers, max_chunk), &setup)?;
    }

    #[test]
    fn worksteal_gives_every_test_its_result(setup in storm()) {
        run(WorkSteal::new(setup.tests, setup.workers), &setup)?;
    }

    #[test]
    fn units_give_every_test_its_result(setup in storm(), keys in keys(), reorder: bool) {
        run(units(&setup, &keys, reorder), &setup)?;
    }

    #[test]
    fn each_gives_every_test_a_result_per_worker(setup in storm()) {
        let setup = Setup { runs: setup.workers, ..setup };
        run(Each::new(setup.tests, setup.workers), &setup)?;
    }

    #[test]
    fn no_run_of_load_is_longer_than_the_largest_chunk(setup in storm(), max_chunk in 1..20_usize) {
        let outcome = run(Load::new(setup.tests, setup.workers, Some(max_chunk)), &setup)?;
        for (_, tests) in outcome.assigned {
            prop_assert!(tests.len() <= max_chunk);
        }
    }

    #[test]
    fn with_chunks_of_one_no_queue_is_longer_than_one(setup in storm()) {
        let outcome = run(Load::new(setup.tests, setup.workers, Some(1)), &setup)?;
        prop_assert!(outcome.longest_queue <= 1);
    }

    #[test]
    fn load_and_worksteal_hand_out_tests_in_collection_order(setup in calm()) {
        let load = run(Load::new(setup.tests, setup.workers, None), &setup)?;
        let worksteal = run(WorkSteal::new(setup.tests, setup.workers), &setup)?;
        for (_, tests) in load.assigned.into_iter().chain(worksteal.assigned) {
            assert_ascending(tests)?;
        }
    }

    #[test]
    fn a_unit_stays_on_one_worker(setup in calm(), keys in keys(), reorder: bool) {
        let outcome = run(units(&setup, &keys, reorder), &setup)?;
        for started in by_unit(&outcome, &keys).values() {
            prop_assert!(started.iter().all(|(worker, _)| *worker == started[0].0), "{:?}", started);
        }
    }

    #[test]
    fn only_a_crash_moves_a_unit_and_its_order_is_kept(setup in storm(), keys in keys(), reorder: bool) {
        let setup = Setup { agains: 0, ..setup };
        let outcome = run(units(&setup, &keys, reorder), &setup)?;
        let mut moves = 0;
        for started in by_unit(&outcome, &keys).values() {
            moves += started.windows(2).filter(|pair| pair[0].0 != pair[1].0).count();
            assert_ascending(started.iter().map(|(_, test)| *test))?;
        }
        prop_assert!(moves <= outcome.crashes, "{} moves, {} crashes", moves, outcome.crashes);
    }

    #[test]
    fn each_worker_runs_all_tests_in_collection_order(setup in calm()) {
        let setup = Setup { runs: setup.workers, ..setup };
        let outcome = run(Each::new(setup.tests, setup.workers), &setup)?;
        for worker in 0..setup.workers {
            let own = outcome.started.iter().filter(|(by, _)| *by as usize == worker);
            let tests: Vec<usize> = own.map(|(_, test)| *test as usize).collect();
            prop_assert!(tests.into_iter().eq(0..setup.tests));
        }
    }
}
