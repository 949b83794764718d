//! Property tests of every policy, for any behaviour of the workers.

mod simulator;
mod strategies;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use rustpar::schedule::forecast::Forecast;
use rustpar::schedule::lower_bound::Bounds;
use rustpar::schedule::mode::{Mode, Rules, policy, with_retries};
use rustpar::schedule::policies::each::Each;
use rustpar::schedule::policies::load::{Load, Plan};
use rustpar::schedule::policies::worksteal::WorkSteal;
use rustpar::schedule::policy::{Policy, Test, Worker};
use rustpar::schedule::simulation::simulate_run;
use simulator::{Outcome, Setup, simulate, simulate_with};
use strategies::{
    cut, first, forecasts, keys, may_run_together, modes, modes_without_each, owned_forecasts, plans, rules,
    runs_with_crashes, runs_without_crashes, units,
};

fn run(mut policy: impl Policy, setup: &Setup) -> Result<Outcome, TestCaseError> {
    simulate(&mut policy, setup).map_err(TestCaseError::fail)
}

/// The started tests of each unit, in order.
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
    fn load_gives_every_test_its_result(setup in runs_with_crashes(), max_chunk in prop::option::of(1..20_usize), plan in plans()) {
        run(Load::new(Forecast::unknown(setup.tests), setup.workers, max_chunk, plan), &setup)?;
    }

    #[test]
    fn load_gives_every_test_its_result_whatever_the_forecast(setup in runs_with_crashes(), forecast in forecasts(), plan in plans()) {
        run(Load::new(first(&forecast, setup.tests), setup.workers, None, plan), &setup)?;
    }

    #[test]
    fn load_gives_every_test_its_result_whoever_has_collected_it(setup in runs_with_crashes(), forecast in owned_forecasts()) {
        run(Load::new(first(&forecast, setup.tests), setup.workers, None, Plan::Collection), &setup)?;
    }

    #[test]
    fn constraints_are_obeyed_whoever_has_collected_the_tests(
        setup in runs_with_crashes(), forecast in owned_forecasts(), rules in rules()
    ) {
        let rules = cut(&rules, setup.tests);
        let mut policy = policy(&Mode::load(), first(&forecast, setup.tests), &rules, setup.workers);
        simulate_with(policy.as_mut(), &setup, &|test, others| may_run_together(&rules, test, others))
            .map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_worker_gets_tests_of_others_only_if_it_has_none_left(
        setup in runs_without_crashes(), forecast in owned_forecasts()
    ) {
        let setup = Setup { reruns: 0, ..setup };
        // A worker that has set up the fixtures of a file of another may continue with it.
        let forecast = Forecast { fixtures: vec![], ..first(&forecast, setup.tests) };
        let outcome = run(Load::new(forecast.clone(), setup.workers, None, Plan::Collection), &setup)?;
        let mut handed_out: BTreeSet<Test> = BTreeSet::new();
        for (worker, tests) in &outcome.assigned {
            let is_own = |test: Test| forecast.owners[test as usize] == *worker;
            let mut left = (0..).take(setup.tests).filter(|test| is_own(*test) && !handed_out.contains(test));
            prop_assert!(is_own(tests[0]) || left.next().is_none(), "{:?} for {}", tests, worker);
            handed_out.extend(tests);
        }
    }

    #[test]
    fn every_mode_obeys_the_constraints_whatever_happens(
        setup in runs_with_crashes(), forecast in forecasts(), rules in rules(), mode in modes()
    ) {
        let runs = if matches!(mode, Mode::Each) { setup.workers } else { 1 };
        let setup = Setup { runs, ..setup };
        let mut policy = policy(&mode, first(&forecast, setup.tests), &cut(&rules, setup.tests), setup.workers);
        simulate_with(policy.as_mut(), &setup, &|test, others| may_run_together(&rules, test, others))
            .map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_failed_test_is_tried_again_as_often_as_it_is_asked_for(
        setup in runs_with_crashes(), retries in 1..30_usize, (last, retries_crashes) in any::<(bool, bool)>(),
        forecast in forecasts(), rules in prop_oneof![Just(Rules::default()), rules()], mode in modes_without_each()
    ) {
        let setup = Setup { retries, retries_crashes, reruns: 0, ..setup };
        let rules = cut(&rules, setup.tests);
        let policy = policy(&mode, first(&forecast, setup.tests), &rules, setup.workers);
        let mut policy = with_retries(policy, &mode, &rules, last);
        simulate_with(policy.as_mut(), &setup, &|test, others| may_run_together(&rules, test, others))
            .map_err(TestCaseError::fail)?;
    }

    #[test]
    fn each_has_replacements_run_what_is_left_and_try_again_what_has_crashed(
        setup in runs_with_crashes(), retries in 1..30_usize, forecast in forecasts(),
        rules in prop_oneof![Just(Rules::default()), rules()]
    ) {
        let setup = Setup { retries, retries_crashes: true, replaces: true, reruns: 0, runs: setup.workers, ..setup };
        let rules = cut(&rules, setup.tests);
        let mut policy = policy(&Mode::Each, first(&forecast, setup.tests), &rules, setup.workers);
        let outcome = simulate_with(policy.as_mut(), &setup, &|test, others| {
            setup.workers == 1 || may_run_together(&rules, test, others)
        })
        .map_err(TestCaseError::fail)?;
        prop_assert_eq!(outcome.results_of.len(), setup.tests * setup.workers);
        for (key, results) in &outcome.results_of {
            prop_assert_eq!(*results, 1 + outcome.retries_of.get(key).copied().unwrap_or_default());
        }
    }

    #[test]
    fn few_units_and_short_queues_obey_the_constraints_despite_crashes(
        (setup, capacity, workers) in (runs_with_crashes(), 1..4_usize, 2..5_usize), (crashes, reruns) in (3..7_usize, 3..7_usize),
        rules in rules(), keys in prop::collection::vec(0..5_u32, 150), reorder: bool
    ) {
        let setup = Setup { workers, capacity, crashes, reruns, ..setup };
        let mode = Mode::Units { keys, reorder };
        let mut policy = policy(&mode, Forecast::unknown(setup.tests), &cut(&rules, setup.tests), workers);
        simulate_with(policy.as_mut(), &setup, &|test, others| may_run_together(&rules, test, others))
            .map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_plan_is_complete_obeys_the_constraints_and_is_not_shorter_than_its_bounds(
        setup in runs_without_crashes(), forecast in forecasts(), rules in rules(), mode in modes()
    ) {
        let (forecast, workers) = (first(&forecast, setup.tests), setup.workers);
        let rules = cut(&rules, setup.tests);
        let mut policy = policy(&mode, forecast.clone(), &rules, workers);
        let plan = simulate_run(policy.as_mut(), forecast.clone(), workers)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let mut steps = plan.concat();
        let runs = if matches!(mode, Mode::Each) { workers } else { 1 };
        let mut tests: Vec<Test> = steps.iter().map(|step| step.test).collect();
        tests.sort_unstable();
        let all = (0..).take(setup.tests).flat_map(|test| std::iter::repeat_n(test, runs));
        prop_assert!(tests.into_iter().eq(all));
        for steps in &plan {
            prop_assert!(steps.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }
        steps.sort_by_key(|step| step.start);
        for (place, step) in steps.iter().enumerate() {
            let beside = steps[..place].iter().filter(|other| other.end > step.start);
            let beside: Vec<Test> = beside.map(|other| other.test).collect();
            prop_assert!(may_run_together(&rules, step.test, &beside), "{:?} beside {:?}", step, beside);
        }
        let end = steps.iter().map(|step| step.end.as_secs_f64()).fold(0.0, f64::max);
        let least = Bounds::new(&mode, forecast, &rules, workers).least();
        prop_assert!(end >= least - 1e-6, "{} is less than {}", end, least);
    }

    #[test]
    fn a_class_starts_when_those_before_are_assigned(setup in runs_without_crashes(), forecast in forecasts(), rules in rules()) {
        let rules = Rules { needs: vec![], ..rules };
        let mut policy = policy(&Mode::load(), first(&forecast, setup.tests), &cut(&rules, setup.tests), setup.workers);
        let outcome = simulate_with(policy.as_mut(), &setup, &|_, _| true).map_err(TestCaseError::fail)?;
        let class = |test: &Test| rules.classes.get(*test as usize).copied().unwrap_or_default();
        let mut seen = BTreeSet::new();
        for (_, tests) in &outcome.assigned {
            for test in tests {
                if seen.insert(*test) {
                    prop_assert!(seen.iter().all(|before| class(before) <= class(test)));
                }
            }
        }
    }

    #[test]
    fn one_worker_keeps_the_collection_order_whatever_the_forecast_and_constraints(
        setup in runs_without_crashes(), forecast in forecasts(), rules in rules(), max_chunk in prop::option::of(1..20_usize)
    ) {
        let setup = Setup { workers: 1, ..setup };
        let rules = Rules { classes: vec![], ..cut(&rules, setup.tests) };
        let mode = Mode::Load { max_chunk, plan: Plan::Collection };
        let mut policy = policy(&mode, first(&forecast, setup.tests), &rules, 1);
        let outcome = simulate(policy.as_mut(), &setup).map_err(TestCaseError::fail)?;
        let order = outcome.started.iter().map(|(_, test)| *test);
        prop_assert!(order.eq((0..).take(setup.tests)), "{:?}", outcome.started);
    }

    #[test]
    fn one_worker_steps_back_only_after_a_crash_or_for_a_test_run_again(setup in runs_with_crashes(), forecast in forecasts()) {
        let setup = Setup { workers: 1, ..setup };
        let outcome = run(Load::new(first(&forecast, setup.tests), 1, None, Plan::Collection), &setup)?;
        let steps_back = outcome.started.windows(2).filter(|pair| pair[0].1 > pair[1].1).count();
        prop_assert!(steps_back <= outcome.crashes + outcome.reruns, "{:?}", outcome.started);
    }

    #[test]
    fn without_durations_a_worker_steps_back_only_to_stolen_tests(setup in runs_without_crashes()) {
        let load = Load::new(Forecast::unknown(setup.tests), setup.workers, None, Plan::Collection);
        let outcome = run(load, &setup)?;
        let mut handed_out: BTreeSet<Test> = BTreeSet::new();
        let mut furthest: BTreeMap<Worker, Test> = BTreeMap::new();
        for (worker, tests) in &outcome.assigned {
            assert_ascending(tests.iter().copied())?;
            for test in tests {
                let is_stolen = !handed_out.insert(*test);
                let last = furthest.entry(*worker).or_insert(*test);
                prop_assert!(is_stolen || *last <= *test, "{} behind {} in {}", test, last, worker);
                *last = (*last).max(*test);
            }
        }
    }

    #[test]
    fn every_test_except_long_and_stolen_ones_is_the_earliest_pending(
        setup in runs_without_crashes(), forecast in forecasts()
    ) {
        // Tests of equal duration without fixtures: nothing prolongs the run before the tail.
        let forecast = Forecast {
            seconds: vec![Some(1.0); 150], fixtures: vec![], ..forecast
        };
        let outcome = run(Load::new(first(&forecast, setup.tests), setup.workers, None, Plan::Collection), &setup)?;
        let mut handed_out: BTreeSet<Test> = BTreeSet::new();
        let tail = setup.tests.saturating_sub(8 * setup.workers);
        for (_, tests) in &outcome.assigned {
            if handed_out.len() >= tail {
                break;
            }
            let earliest = (0..150).find(|test| !handed_out.contains(test));
            prop_assert_eq!(tests.first().copied(), earliest);
            handed_out.extend(tests);
        }
    }

    #[test]
    fn a_first_piece_is_at_most_a_fourth_of_a_workers_share(setup in runs_without_crashes(), forecast in forecasts()) {
        let outcome = run(Load::new(first(&forecast, setup.tests), setup.workers, None, Plan::Collection), &setup)?;
        let most = (setup.tests / (4 * setup.workers)).max(1);
        let mut handed_out: BTreeSet<Test> = BTreeSet::new();
        let mut begun: BTreeSet<Worker> = BTreeSet::new();
        for (worker, tests) in &outcome.assigned {
            let is_stolen = tests.iter().any(|test| handed_out.contains(test));
            prop_assert!(!begun.insert(*worker) || is_stolen || tests.len() <= most, "{:?} > {}", tests, most);
            handed_out.extend(tests);
        }
    }

    #[test]
    fn worksteal_gives_every_test_its_result(setup in runs_with_crashes()) {
        run(WorkSteal::new(setup.tests, setup.workers), &setup)?;
    }

    #[test]
    fn units_give_every_test_its_result(setup in runs_with_crashes(), keys in keys(), reorder: bool) {
        run(units(&setup, &keys, reorder), &setup)?;
    }

    #[test]
    fn each_gives_every_test_a_result_per_worker(setup in runs_with_crashes()) {
        let setup = Setup { runs: setup.workers, ..setup };
        run(Each::new(setup.tests, setup.workers), &setup)?;
    }

    #[test]
    fn no_assignment_of_load_is_longer_than_the_largest_chunk(setup in runs_with_crashes(), max_chunk in 1..20_usize) {
        let outcome = run(Load::new(Forecast::unknown(setup.tests), setup.workers, Some(max_chunk), Plan::Collection), &setup)?;
        for (_, tests) in outcome.assigned {
            prop_assert!(tests.len() <= max_chunk);
        }
    }

    #[test]
    fn with_chunks_of_one_a_queue_has_at_most_one_test(setup in runs_with_crashes()) {
        let outcome = run(Load::new(Forecast::unknown(setup.tests), setup.workers, Some(1), Plan::Collection), &setup)?;
        prop_assert!(outcome.longest_queue <= 1);
    }

    #[test]
    fn worksteal_assigns_tests_in_collection_order(setup in runs_without_crashes()) {
        let worksteal = run(WorkSteal::new(setup.tests, setup.workers), &setup)?;
        for (_, tests) in worksteal.assigned {
            assert_ascending(tests)?;
        }
    }

    #[test]
    fn a_unit_stays_on_one_worker(setup in runs_without_crashes(), keys in keys(), reorder: bool) {
        let outcome = run(units(&setup, &keys, reorder), &setup)?;
        for started in by_unit(&outcome, &keys).values() {
            prop_assert!(started.iter().all(|(worker, _)| *worker == started[0].0), "{:?}", started);
        }
    }

    #[test]
    fn a_unit_moves_only_after_a_crash_and_keeps_its_order(setup in runs_with_crashes(), keys in keys(), reorder: bool) {
        let setup = Setup { reruns: 0, ..setup };
        let outcome = run(units(&setup, &keys, reorder), &setup)?;
        let mut moves = 0;
        for started in by_unit(&outcome, &keys).values() {
            moves += started.windows(2).filter(|pair| pair[0].0 != pair[1].0).count();
            assert_ascending(started.iter().map(|(_, test)| *test))?;
        }
        prop_assert!(moves <= outcome.crashes, "{} moves, {} crashes", moves, outcome.crashes);
    }

    #[test]
    fn each_worker_runs_all_tests_in_collection_order(setup in runs_without_crashes()) {
        let setup = Setup { runs: setup.workers, ..setup };
        let outcome = run(Each::new(setup.tests, setup.workers), &setup)?;
        for worker in 0..setup.workers {
            let own = outcome.started.iter().filter(|(by, _)| *by as usize == worker);
            let tests: Vec<usize> = own.map(|(_, test)| *test as usize).collect();
            prop_assert!(tests.into_iter().eq(0..setup.tests));
        }
    }
}
