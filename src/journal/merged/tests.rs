//! Tests for merging shards, re-runs and environments.

use super::{Merged, TestResult};
use crate::journal::event::{Detail, Event, Head, Outcome, Start};
use crate::journal::read::Log;
use crate::journal::run::Verdict;
use crate::journal::tests::{collected, crash, test};
use proptest::prelude::*;

fn log(id: &str, began: u64, events: &[Vec<Event>]) -> Log {
    let versions = [("python", "3.12.1"), ("pytest", "9.0.0")];
    let machine = [
        ("platform", "linux"),
        ("system", "Linux 6.1 x86_64"),
        ("name", id),
    ];
    let texts = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        pairs
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    };
    Log {
        head: Head {
            id: id.to_owned(),
            began,
            versions: texts(&versions),
            machine: texts(&machine),
            ..Head::default()
        },
        events: events.concat(),
    }
}

fn in_python(mut log: Log, version: &str) -> Log {
    log.head.versions.insert("python".to_owned(), version.to_owned());
    log
}

fn collect_error(id: &str) -> Event {
    Event::Detail(Detail {
        when: "collect".to_owned(),
        o: Some(Outcome::Failed),
        id: Some(id.to_owned()),
        ..Detail::default()
    })
}

fn verdicts(merged: &Merged) -> Vec<(&str, Verdict)> {
    let facts = |result| (merged.id(result), merged.verdict(result));
    merged.results.iter().map(facts).collect()
}

fn flaky(merged: &Merged) -> Vec<&str> {
    let results = merged.results.iter();
    let flaky = results.filter(|result| merged.is_flaky(result));
    flaky.map(|result| merged.id(result)).collect()
}

#[test]
fn the_latest_run_determines_the_result_of_a_test() {
    let first = log(
        "one",
        100,
        &[
            vec![collected(&["a", "b"])],
            test(0, 0, 0, Outcome::Failed),
            test(1, 0, 50, Outcome::Failed),
        ],
    );
    let again = log(
        "two",
        500,
        &[vec![collected(&["b"])], test(0, 0, 0, Outcome::Passed)],
    );
    let merged = Merged::new(vec![again, first]);
    assert_eq!(
        verdicts(&merged),
        [("a", Verdict::Failed), ("b", Verdict::Passed)]
    );
    assert_eq!(flaky(&merged), ["b"]);
    let offsets: Vec<_> = merged.parts.iter().map(|part| part.offset).collect();
    assert_eq!(offsets, [0, 400]);
    assert_eq!(merged.lasted(), 400 + 25);
}

#[test]
fn a_test_that_failed_long_before_it_passed_is_flaky_whatever_came_between() {
    let outcomes = [Outcome::Failed, Outcome::Skipped, Outcome::Passed];
    let logs = (0..)
        .zip(outcomes)
        .map(|(began, outcome)| log("run", began, &[vec![collected(&["a"])], test(0, 0, 0, outcome)]));
    assert_eq!(flaky(&Merged::new(logs.collect())), ["a"]);
}

#[test]
fn a_test_that_passes_in_its_second_attempt_is_flaky_and_counted_as_pytest_does() {
    let events = [
        vec![collected(&["a"])],
        test(0, 0, 0, Outcome::Rerun),
        test(0, 0, 50, Outcome::Passed),
    ];
    let merged = Merged::new(vec![log("one", 0, &events)]);
    assert_eq!(flaky(&merged), ["a"]);
    assert_eq!(merged.counts(), merged.parts[0].run.counts());
}

#[test]
fn an_attempt_cut_by_a_kill_does_not_affect_the_result() {
    let whole = log(
        "one",
        0,
        &[vec![collected(&["a"])], test(0, 0, 0, Outcome::Failed)],
    );
    let begun = test(0, 0, 0, Outcome::Passed)[..1].to_vec();
    let cut = log("two", 9, &[vec![collected(&["a", "b"])], begun]);
    let merged = Merged::new(vec![whole, cut]);
    assert_eq!(verdicts(&merged), [("a", Verdict::Failed)]);
    assert_eq!(merged.missing(), [(0, "b")]);
}

#[test]
fn machines_of_one_kind_are_one_environment_and_versions_of_python_are_several() {
    let one = |id, began| {
        log(
            id,
            began,
            &[vec![collected(&["a"])], test(0, 0, 0, Outcome::Passed)],
        )
    };
    let mut other_kernel = one("two", 2);
    let system = "Linux 6.9 x86_64".to_owned();
    other_kernel.head.machine.insert("system".to_owned(), system);
    let merged = Merged::new(vec![
        one("one", 1),
        other_kernel,
        in_python(one("three", 3), "3.13.0"),
    ]);
    let names: Vec<_> = merged.environments.iter().map(|found| &found.name).collect();
    assert_eq!(names, ["Python 3.12.1", "Python 3.13.0"]);
    assert_eq!(merged.results.len(), 2);
    assert_eq!(merged.environments[0].details["platform"], "linux x86_64");
}

#[test]
fn a_file_that_no_shard_could_collect_counts_once_and_not_when_a_later_run_could() {
    let broken = [vec![collect_error("d/test_a.py"), collected(&["b"])]];
    let mut logs = vec![log("one", 0, &broken), log("two", 1, &broken)];
    assert_eq!(Merged::new(logs.clone()).counts()[Verdict::Error as usize], 1);
    let mended = [vec![collected(&["d/test_a.py::T::test_x[a::b]"])]];
    logs.push(log("three", 2, &mended));
    assert_eq!(Merged::new(logs).counts()[Verdict::Error as usize], 0);
}

#[test]
fn each_error_of_a_run_counts_though_several_are_of_one_file() {
    let twice = [vec![collect_error("test_a.py"), collect_error("test_a.py")]];
    let merged = Merged::new(vec![log("one", 0, &twice)]);
    assert_eq!(merged.counts()[Verdict::Error as usize], 2);
}

#[test]
fn tests_that_share_a_node_id_all_count() {
    let events = [
        vec![collected(&["a"])],
        test(0, 0, 0, Outcome::Failed),
        test(0, 0, 50, Outcome::Passed),
    ];
    let merged = Merged::new(vec![log("one", 0, &events)]);
    assert_eq!(verdicts(&merged), [("a", Verdict::Failed)]);
    assert_eq!(flaky(&merged), [""; 0]);
    let counts = merged.counts();
    assert_eq!(
        (counts[Verdict::Failed as usize], counts[Verdict::Passed as usize]),
        (1, 1)
    );
}

#[test]
fn a_test_whose_rerun_was_killed_has_no_result_in_that_run() {
    let first = log(
        "one",
        100,
        &[vec![collected(&["a"])], test(0, 0, 0, Outcome::Failed)],
    );
    let killed = log(
        "two",
        500,
        &[vec![collected(&["a"])], test(0, 0, 0, Outcome::Rerun)],
    );
    let merged = Merged::new(vec![first, killed.clone()]);
    assert_eq!(verdicts(&merged), [("a", Verdict::Failed)]);
    assert_eq!(Merged::new(vec![killed]).missing(), [(0, "a")]);
}

#[test]
fn with_dist_each_a_failure_in_one_worker_fails_the_test() {
    let start = Event::Start(Start {
        dist: "each".to_owned(),
        ..Start::default()
    });
    let events = [
        vec![collected(&["a"]), start],
        test(0, 0, 0, Outcome::Failed),
        test(0, 1, 0, Outcome::Passed),
    ];
    let merged = Merged::new(vec![log("one", 0, &events)]);
    assert_eq!(verdicts(&merged), [("a", Verdict::Failed)]);
    assert_eq!(merged.results[0].attempts.deciding.len(), 2);
}

/// The attempts of one test; each but the last is followed by a rerun.
fn attempts() -> impl Strategy<Value = Vec<Option<Outcome>>> {
    let retried = prop_oneof![Just(Some(Outcome::Rerun)), Just(None)];
    let last = prop_oneof![
        Just(Some(Outcome::Passed)),
        Just(Some(Outcome::Failed)),
        Just(Some(Outcome::Skipped)),
        Just(Some(Outcome::Xfailed)),
    ];
    (proptest::collection::vec(retried, 0..3), last).prop_map(|(mut outcomes, last)| {
        outcomes.push(last);
        outcomes
    })
}

/// A run of these tests: names, and the outcome of each attempt; `None` where the worker crashes.
fn run(id: &str, began: u64, tests: &[(String, Vec<Option<Outcome>>)]) -> Log {
    let ids: Vec<&str> = tests.iter().map(|(name, _)| name.as_str()).collect();
    let mut events = vec![vec![collected(&ids)]];
    let mut at = 0;
    for (number, (_, outcomes)) in (0..).zip(tests) {
        for outcome in outcomes {
            at += 100;
            events.push(match outcome {
                Some(outcome) => test(number, 0, at, *outcome),
                None => vec![
                    test(number, 0, at, Outcome::Passed).remove(0),
                    crash(number, 0, Some(Outcome::Rerun)),
                ],
            });
        }
    }
    log(id, began, &events)
}

/// A suite, and for each of its tests the shard (of three) that runs it.
fn suites() -> impl Strategy<Value = Vec<(Vec<Option<Outcome>>, usize)>> {
    proptest::collection::vec((attempts(), 0usize..3), 1..12)
}

fn named(suite: &[(Vec<Option<Outcome>>, usize)]) -> Vec<(String, Vec<Option<Outcome>>)> {
    let tests = suite.iter().enumerate();
    tests
        .map(|(number, (outcomes, _))| (format!("test_{number:02}"), outcomes.clone()))
        .collect()
}

fn shards(suite: &[(Vec<Option<Outcome>>, usize)]) -> Vec<Log> {
    let tests = named(suite);
    let shard = |number| {
        let its = tests.iter().zip(suite).filter(|(_, (_, shard))| *shard == number);
        its.map(|(test, _)| test.clone()).collect::<Vec<_>>()
    };
    (0..3)
        .map(|number| run(&format!("shard {number}"), number as u64, &shard(number)))
        .collect()
}

/// All that is known about each test, except the run it comes from.
fn facts(merged: &Merged) -> Vec<(String, Verdict, bool, Vec<u64>)> {
    let tell = |result: &TestResult| {
        let took = merged.last(result).map(crate::journal::run::Attempt::took);
        (
            merged.id(result).to_owned(),
            merged.verdict(result),
            merged.is_flaky(result),
            took.collect(),
        )
    };
    let mut facts: Vec<_> = merged.results.iter().map(tell).collect();
    facts.sort();
    facts
}

proptest! {
    #[test]
    fn merging_the_shards_of_a_run_gives_the_run(suite in suites()) {
        let whole = Merged::new(vec![run("whole", 0, &named(&suite))]);
        let merged = Merged::new(shards(&suite));
        prop_assert_eq!(facts(&merged), facts(&whole));
        prop_assert_eq!(merged.counts(), whole.counts());
        prop_assert_eq!(whole.counts(), whole.parts[0].run.counts());
    }

    #[test]
    fn the_order_of_files_does_not_matter(
        (suite, logs) in suites().prop_flat_map(|suite| {
            let logs = Just(shards(&suite)).prop_shuffle();
            (Just(suite), logs)
        })
    ) {
        prop_assert_eq!(Merged::new(logs), Merged::new(shards(&suite)));
    }

    #[test]
    fn a_duplicate_run_counts_once(suite in suites(), cut in 0usize..20, cut_first: bool) {
        let logs = shards(&suite);
        let mut part = logs[1].clone();
        part.events.truncate(cut);
        let mut twice = logs.clone();
        twice.insert(if cut_first { 0 } else { 3 }, part);
        twice.push(logs[2].clone());
        prop_assert_eq!(Merged::new(twice), Merged::new(logs));
    }
}
