//! Tests of the simulator in `benches/simulate` with suites whose schedules can be worked out by hand.

#[path = "../benches/simulate/mod.rs"]
mod simulate;

use rustpar::schedule::policy::{Action, Demand, Policy, Test, Worker};
use simulate::bound::lower_bound;
use simulate::suite::{Builder, Suite};
use simulate::{engine, policies, recorded, xdist};

/// A suite of one file without fixtures.
fn plain(seconds: &[f64]) -> Suite {
    let mut suite = Builder::default();
    for seconds in seconds {
        suite.test(*seconds, &[]);
    }
    suite.done()
}

/// A suite of modules, each with that many tests of one second and a fixture that takes `setup` seconds.
fn modules(setup: f64, modules: &[u32]) -> Suite {
    let mut suite = Builder::default();
    let kind = suite.definition(setup);
    for tests in modules {
        suite.file();
        let instance = suite.instance(kind);
        (0..*tests).for_each(|_| suite.test(1.0, &[instance]));
    }
    suite.done()
}

/// A policy that assigns each worker its tests at once and closes it when they have finished.
struct Plan {
    tests: Vec<Vec<Test>>,
    unfinished: usize,
}

impl Plan {
    fn of(tests: &[&[Test]]) -> Self {
        Self {
            tests: tests.iter().map(|tests| tests.to_vec()).collect(),
            unfinished: tests.iter().map(|tests| tests.len()).sum(),
        }
    }
}

impl Policy for Plan {
    fn add_worker(&mut self, _: Worker) {}

    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        let worker = demand.worker;
        let tests = std::mem::take(&mut self.tests[worker as usize]);
        if !tests.is_empty() {
            actions.push(Action::Assign { worker, tests });
        } else if demand.idle {
            actions.push(Action::Close { worker });
        }
    }

    fn set_up(&mut self, _: Worker, _: u32, _: f64) {}

    fn finished(&mut self, _: Worker, _: Test, _: f64) {
        self.unfinished -= 1;
    }

    fn returned(&mut self, _: Worker, _: &[Test]) {}

    fn lost(&mut self, _: Worker, _: Option<Test>) {}

    fn run_again(&mut self, _: Test) {}

    fn unfinished(&self) -> usize {
        self.unfinished
    }
}

fn planned(suite: &Suite, plan: &[&[Test]]) -> f64 {
    let workers = Worker::try_from(plan.len()).expect("a few workers");
    engine::simulate(suite, workers, &mut Plan::of(plan))
        .took
        .as_secs_f64()
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
}

#[test]
fn a_run_ends_with_its_last_test() {
    let suite = plain(&[1.0, 2.0, 4.0]);
    assert_close(planned(&suite, &[&[0, 1], &[2]]), 4.0);
    assert_close(planned(&suite, &[&[0, 1, 2]]), 7.0);
    assert_close(planned(&suite, &[&[0, 2], &[1]]), 5.0);
}

#[test]
fn an_instance_is_active_until_the_next_test_of_its_worker_does_not_need_it() {
    let suite = modules(3.0, &[2, 1]);
    assert_close(planned(&suite, &[&[0, 1, 2]]), 3.0 + 2.0 + 3.0 + 1.0);
    assert_close(planned(&suite, &[&[0, 2, 1]]), 3.0 * 4.0);
    assert_close(planned(&suite, &[&[0, 2], &[1]]), 2.0 * 4.0);
}

#[test]
fn only_inactive_nested_fixtures_are_set_up() {
    let mut suite = Builder::default();
    let (of_package, of_class) = (suite.definition(5.0), suite.definition(2.0));
    let package = suite.instance(of_package);
    for _ in 0..2 {
        let class = suite.instance(of_class);
        (0..2).for_each(|_| suite.test(1.0, &[package, class]));
    }
    assert_close(planned(&suite.done(), &[&[0, 1, 2, 3]]), 5.0 + 2.0 * (2.0 + 2.0));
}

#[test]
fn a_test_is_queued_before_a_short_one_ends_and_assigned_after_a_long_one() {
    let (short, long) = (plain(&[0.01; 30]), plain(&[1.0; 30]));
    let seconds = |suite: &Suite| {
        let mut load = policies::load(suite, 1);
        engine::simulate(suite, 1, load.as_mut()).took.as_secs_f64()
    };
    assert_close(seconds(&short), 0.3);
    assert!(
        seconds(&long) > 30.0 && seconds(&long) < 30.01,
        "{}",
        seconds(&long)
    );
}

#[test]
fn an_idle_worker_gets_a_test_of_another_after_its_signal() {
    let suite = plain(&[1.0, 3.0, 3.0]);
    let mut steal = policies::worksteal(&suite, 2);
    assert_close(
        engine::simulate(&suite, 2, steal.as_mut()).took.as_secs_f64(),
        4.0002,
    );
}

#[test]
fn xdist_starts_a_test_only_when_the_worker_knows_the_next_one_or_shuts_down() {
    let suite = plain(&[9.0, 5.0, 1.0, 1.0]);
    // Everything is sent at once, including the shutdown command; it takes a millisecond.
    let mut load = xdist::load::Load::new(&suite, 2);
    assert_close(xdist::simulate(&suite, 2, &mut load).took.as_secs_f64(), 14.001);
    // The first worker's second test waits for 9 s, although the second worker is done after 2 s, and again until the
    // end of the first test has been reported and the shutdown command has arrived.
    let mut steal = xdist::worksteal::WorkSteal::new(&suite, 2);
    assert_close(xdist::simulate(&suite, 2, &mut steal).took.as_secs_f64(), 14.003);
}

#[test]
fn xdist_worksteal_takes_half_of_the_longest_queue_and_leaves_two() {
    let suite = plain(&[3.0, 3.0, 3.0, 3.0, 1.0, 1.0, 1.0, 1.0]);
    let mut steal = xdist::worksteal::WorkSteal::new(&suite, 2);
    // Both workers have run 3 s when the second one has one test left. The first worker gives up the last of its three
    // tests. It runs its second test until 6.001, and its third, once told that nothing follows, from 6.003 on.
    assert_close(xdist::simulate(&suite, 2, &mut steal).took.as_secs_f64(), 9.003);
}

#[test]
fn xdist_loadscope_keeps_modules_whole_and_begins_with_the_largest() {
    let suite = modules(2.0, &[1, 1, 4]);
    let mut scope = xdist::loadscope::LoadScope::new(&suite, 2);
    assert_close(xdist::simulate(&suite, 2, &mut scope).took.as_secs_f64(), 6.001);
}

#[test]
fn the_bound_is_the_longest_test_or_an_even_share() {
    assert_close(lower_bound(&plain(&[1.0, 1.0, 8.0]), 2), 8.0);
    assert_close(lower_bound(&plain(&[3.0, 1.0, 2.0]), 2), 3.0);
    assert_close(lower_bound(&modules(5.0, &[1]), 2), 6.0);
}

#[test]
fn equal_tests_are_bounded_by_whole_rounds() {
    assert_close(lower_bound(&plain(&[1.0; 9]), 4), 3.0);
    assert_close(lower_bound(&plain(&[4.0, 3.0, 3.0]), 2), 6.0);
}

#[test]
fn the_bound_counts_a_fixture_once_per_required_worker() {
    assert_close(lower_bound(&modules(1.0, &[11, 11]), 2), 12.0);
    // With one setup each it would be 12 s again, but the larger module alone takes 13 s: it must be split.
    assert_close(lower_bound(&modules(1.0, &[10, 12]), 2), 12.5);
    // One module of 20 s must be split: 1 + 10 s on both workers, not (1 + 20) / 2.
    assert_close(lower_bound(&modules(1.0, &[20]), 2), 11.0);
}

#[test]
fn no_policy_is_better_than_the_bound() {
    let mut table = Vec::new();
    simulate::run(["--suites", "4"].map(str::to_owned).into_iter(), &mut table).unwrap();
    let table = String::from_utf8(table).unwrap();
    let ratios: Vec<f64> = table
        .split_whitespace()
        .filter(|word| word.split_once('.').is_some_and(|(_, digits)| digits.len() == 3))
        .filter_map(|word| word.parse().ok())
        .collect();
    assert_eq!(ratios.len(), 13 * 3 * 8, "{table}");
    assert!(ratios.iter().all(|ratio| *ratio >= 0.9995), "{table}");
}

#[test]
fn node_ids_of_a_recorded_suite_may_contain_free_text() {
    let titles = "test,outcome,setup,call,teardown\n";
    let text = "a.py::A::one,passed,0.1,0.3,0.1\n\"a.py::two[x,\"\"y\"\"]\",passed,0,1.5,0\nb.py::three,skipped,2,,\n";
    let text = &format!("{titles}{text}");
    let suite = recorded::parse(text).unwrap();
    assert_eq!(suite.seconds, [0.5, 1.5, 2.0]);
    assert_eq!(suite.files, [0, 0, 1]);
    assert_eq!(suite.scopes, [0, 1, 2]);
    assert!(recorded::parse(&format!("{titles}a.py::two,passed,0,soon,0\n")).is_err());
    assert!(recorded::parse("a.py::one,0.5\n").is_err());
}

/// The results of some suites of all families.
fn contest(suites: u64) -> simulate::contest::Contest {
    let mut contest = simulate::contest::Contest::default();
    for (_, family) in simulate::families::FAMILIES {
        for number in 0..suites {
            let workers = [2, 4, 8, 16][usize::try_from(number % 4).expect("small")];
            contest.run_suite(&family(&mut simulate::dice::Dice::new(number)), workers);
        }
    }
    contest
}

/// Indices of the table's columns.
const LOAD: usize = 0;
const WITH_HISTORY: usize = 1;
const DURATION: usize = 2;
const WORKSTEAL: usize = 3;
const XDIST_LOAD: usize = 5;

#[test]
fn keeping_the_collection_order_costs_little_with_few_steps_back() {
    let contest = contest(12);
    let (median, most) = (contest.percentiles(50), contest.percentiles(90));
    assert!(median[WITH_HISTORY] <= 1.02, "{median:?}");
    assert!(median[LOAD] <= 1.08, "{median:?}");
    assert!(most[WITH_HISTORY] <= most[DURATION] * 1.03, "{most:?}");
    assert!(most[LOAD] <= most[XDIST_LOAD], "{most:?}");

    let steps = contest.steps_back();
    assert!(steps[XDIST_LOAD] <= 0.0, "{steps:?}");
    assert!(steps[LOAD] <= 25.0 && steps[WITH_HISTORY] <= 25.0, "{steps:?}");
    assert!(steps[WITH_HISTORY] <= steps[WORKSTEAL], "{steps:?}");
    assert!(steps[DURATION] > 400.0, "{steps:?}");
}

#[test]
fn tests_of_costly_fixtures_are_not_split_more_than_the_order_requires() {
    let mut contest = simulate::contest::Contest::default();
    for number in 0..100 {
        let suite = simulate::families::fixtures(&mut simulate::dice::Dice::new(number));
        contest.run_suite(&suite, 4);
    }
    let median = contest.percentiles(50);
    let xdist = median[XDIST_LOAD..].iter().copied().fold(f64::INFINITY, f64::min);
    assert!(median[WITH_HISTORY] <= 0.9 * xdist, "{median:?}");
}
