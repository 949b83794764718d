//! Property tests and unit tests of the history.

use super::run::Reported;
use super::*;
use crate::protocol::report::Phase;
use proptest::prelude::*;

/// A run with one test that passes.
pub(super) fn run_of(node_id: &str) -> Run {
    let mut run = Run::default();
    add(&mut run, node_id, Reported::Passed, 0.002);
    run
}

fn add(run: &mut Run, node_id: &str, call: Reported, seconds: f64) {
    let test = run.test(node_id);
    run.report(test, Some(Phase::Setup), Reported::Passed, 0.001);
    run.report(test, Some(Phase::Call), call, seconds);
    run.report(test, Some(Phase::Teardown), Reported::Passed, 3e-6);
}

fn any_seconds() -> impl Strategy<Value = Seconds> {
    (0.0..1e4f64).prop_map(|seconds| Seconds::new(seconds).unwrap())
}

fn any_phases() -> impl Strategy<Value = [Option<Seconds>; 3]> {
    prop::array::uniform3(prop::option::of(any_seconds()))
}

fn any_test() -> impl Strategy<Value = Test> {
    let outcome = prop::sample::select(vec![Outcome::Passed, Outcome::Skipped, Outcome::Failed]);
    (
        0..5u64,
        0..3u32,
        0..2u32,
        0..2u32,
        outcome,
        any_phases(),
        any_phases(),
    )
        .prop_map(|(seen, runs, failed, flaky, outcome, average, last)| Test {
            seen,
            runs,
            failed,
            flaky,
            outcome,
            average,
            last,
        })
}

fn any_fixture() -> impl Strategy<Value = Fixture> {
    (0..5u64, 0..3u32, any_seconds(), any_seconds()).prop_map(|(seen, runs, average, last)| Fixture {
        seen,
        runs,
        average,
        last,
    })
}

/// Few names and times, so that records collide.
pub(super) fn any_history() -> impl Strategy<Value = History> {
    let name = || {
        prop_oneof![
            "[a-d]".prop_map(String::into_boxed_str),
            any::<String>().prop_map(Into::into)
        ]
    };
    let tests = prop::collection::btree_map(name(), any_test(), 0..6);
    let fixtures = prop::collection::btree_map(name(), any_fixture(), 0..4);
    (tests, fixtures).prop_map(|(tests, fixtures)| History {
        tests: tests.into_iter().collect(),
        fixtures: fixtures.into_iter().collect(),
    })
}

fn merged(histories: &[&History]) -> History {
    let mut all = History::default();
    for &history in histories {
        all.merge(history.clone());
    }
    all
}

proptest! {
    #[test]
    fn merging_is_commutative_associative_and_idempotent(a in any_history(), b in any_history(), c in any_history()) {
        let all = merged(&[&a, &b, &c]);
        prop_assert_eq!(&merged(&[&c, &a, &b]), &all);
        prop_assert_eq!(&merged(&[&a, &merged(&[&b, &c])]), &all);
        prop_assert_eq!(&merged(&[&all, &b, &all]), &all);
    }

    #[test]
    fn the_expectation_stays_between_the_shortest_and_the_longest_run(
        calls in prop::collection::vec(0.0..100.0f64, 1..20)
    ) {
        let mut history = History::default();
        for &call in &calls {
            let mut run = Run::default();
            add(&mut run, "a", Reported::Passed, call);
            history.apply(&run, 1);
        }
        let rest = 0.001 + 3e-6;
        let expected = history.expected("a").unwrap() - rest;
        let (least, most) = calls.iter().fold((f64::MAX, 0f64), |(least, most), &call| (least.min(call), most.max(call)));
        prop_assert!(least - 1e-6 <= expected && expected <= most + 1e-6);
    }

    #[test]
    fn pruning_keeps_only_recently_seen_records(history in any_history(), now in 0..5u64) {
        let mut pruned = history.clone();
        let gone = pruned.prune(now * DAY, 1);
        prop_assert_eq!(gone + pruned.tests.len() + pruned.fixtures.len(), history.tests.len() + history.fixtures.len());
        prop_assert!(pruned.tests().all(|(id, test)| history.tests.get(id) == Some(test)));
        prop_assert!(pruned.tests().all(|(_, test)| test.seen + DAY >= now * DAY));
    }
}

fn after(runs: &[&dyn Fn(&mut Run)]) -> Test {
    let mut history = History::default();
    for (now, records) in runs.iter().enumerate() {
        let mut run = Run::default();
        records(&mut run);
        history.apply(&run, now as u64);
    }
    history.tests.get("a").unwrap().clone()
}

#[test]
fn failures_are_counted_and_the_last_outcome_is_known() {
    let fails = |run: &mut Run| add(run, "a", Reported::Failed, 1.0);
    let passes = |run: &mut Run| add(run, "a", Reported::Passed, 1.0);
    let test = after(&[&fails, &passes, &fails]);
    assert_eq!((test.runs, test.failed, test.outcome), (3, 2, Outcome::Failed));
    assert_eq!(after(&[&fails, &passes]).outcome, Outcome::Passed);
}

#[test]
fn a_pass_after_a_rerun_is_not_a_failure_and_has_the_duration_of_the_last_attempt() {
    let test = after(&[&|run| {
        let test = run.test("a");
        run.report(test, Some(Phase::Call), Reported::Rerun, 9.0);
        add(run, "a", Reported::Passed, 1.0);
    }]);
    assert_eq!((test.failed, test.flaky, test.outcome), (0, 1, Outcome::Passed));
    assert_eq!(test.expected(), Some(1.001_003));
}

#[test]
fn an_interrupted_test_leaves_no_record() {
    let mut run = Run::default();
    let test = run.test("a");
    run.report(test, Some(Phase::Setup), Reported::Passed, 1.0);
    assert!(run.is_empty());
    let mut history = History::default();
    history.apply(&run, 1);
    assert_eq!(history, History::default());
}

#[test]
fn the_total_covers_completed_tests_and_shared_fixtures() {
    let mut run = run_of("a");
    run.fixture("b", "::db", 2.0);
    add(&mut run, "b", Reported::Failed, 4.0);
    let cut_off = run.test("c");
    run.report(cut_off, Some(Phase::Setup), Reported::Passed, 8.0);
    let (tests, seconds) = run.totals();
    assert_eq!(tests, 2);
    // The setup was reported as shorter than the fixture that is subtracted from it.
    let expected = 0.001 + 0.002 + 3e-6 + 2.0 + 4.0 + 3e-6;
    assert!((seconds - expected).abs() < 1e-9, "{seconds}");
}

#[test]
fn a_crash_is_a_failure_without_durations() {
    let test = after(&[&|run| {
        let test = run.test("a");
        run.report(test, None, Reported::Failed, 0.0);
    }]);
    assert_eq!((test.outcome, test.expected()), (Outcome::Failed, None));
}

#[test]
fn a_skipped_test_is_expected_to_be_skipped_again_and_keeps_its_average() {
    let passes = |run: &mut Run| add(run, "a", Reported::Passed, 8.0);
    let skips = |run: &mut Run| {
        let test = run.test("a");
        run.report(test, Some(Phase::Setup), Reported::Skipped, 0.5);
        run.report(test, Some(Phase::Teardown), Reported::Passed, 0.0);
    };
    assert_eq!(after(&[&passes, &skips]).expected(), Some(0.5));
    assert_eq!(after(&[&passes, &skips, &passes]).expected(), Some(8.001_003));
}

#[test]
fn the_setup_of_a_shared_fixture_is_subtracted_from_its_phase() {
    let mut run = Run::default();
    run.fixture("a", "::db", 2.0);
    run.fixture("a", "::web", 1.0);
    let test = run.test("a");
    run.report(test, Some(Phase::Setup), Reported::Passed, 3.5);
    run.fixture("a", "::db", 4.0);
    run.report(test, Some(Phase::Call), Reported::Passed, 4.25);
    run.report(test, Some(Phase::Teardown), Reported::Passed, 0.0);
    let mut history = History::default();
    history.apply(&run, 1);
    assert_eq!(history.expected("a"), Some(0.75));
    assert_eq!(history.fixture_seconds("::db"), Some(3.0));
    assert_eq!(history.fixture_seconds("::web"), Some(1.0));
}

#[test]
fn only_the_tests_seen_last_are_kept() {
    let mut records: Records<u64> = (0..10).map(|n: u64| (n.to_string().into(), n % 5)).collect();
    records.keep_latest(3, |&seen| seen);
    let kept: Vec<_> = records.into_iter().map(|(name, _)| name).collect();
    assert_eq!(kept.join(" "), "4 8 9");
}

#[test]
fn records_that_are_out_of_order_are_found_and_a_name_counts_once() {
    let records: Records<u32> = [("b", 1), ("a", 2), ("b", 3)]
        .map(|(name, n)| (name.into(), n))
        .into_iter()
        .collect();
    assert_eq!(records.iter().collect::<Vec<_>>(), [("a", &2), ("b", &1)]);
    assert_eq!((records.get("b"), records.get("c")), (Some(&1), None));
}
