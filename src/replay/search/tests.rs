//! Searches with made-up suites: what fails is decided by a function of the trial.

use super::super::case::tests::example;
use super::super::failure::Kind;
use super::*;

fn failed() -> Seen {
    Seen::Failed(Failure {
        kind: Kind::Call,
        message: "AssertionError: x".to_owned(),
    })
}

/// Runs a search to its end; `oracle` gets each trial and its number.
fn search(case: Case, jobs: usize, oracle: impl Fn(&Trial, usize) -> bool) -> Search {
    let mut search = Search::new(case, jobs);
    for number in 0.. {
        let trials = search.next_trials();
        if trials.is_empty() {
            break;
        }
        assert!(number < 10_000, "it does not end");
        let seen = trials.iter();
        let seen = seen.map(|trial| {
            if oracle(trial, number) {
                failed()
            } else {
                Seen::Passed
            }
        });
        let seen = seen.collect();
        search.answer(seen);
    }
    search
}

fn found(search: &Search) -> (Cause, Vec<&str>, Vec<&str>) {
    let Some(Verdict::Found(found)) = search.verdict() else {
        panic!("{:?}", search.verdict())
    };
    (
        found.cause,
        found.before.iter().map(String::as_str).collect(),
        found.beside.iter().map(String::as_str).collect(),
    )
}

/// Whether a test runs before the test in question in the same process.
fn before(trial: &Trial, id: &str) -> bool {
    trial.lanes[0].before.iter().any(|other| other == id)
}

/// Whether a test runs at the same time in another process.
fn beside(trial: &Trial, id: &str) -> bool {
    trial.lanes[1..]
        .iter()
        .any(|lane| lane.tests.iter().any(|other| other == id))
}

#[test]
fn a_test_that_fails_alone_needs_no_other_trials() {
    let search = search(example(9), 2, |_, _| true);
    assert_eq!(found(&search), (Cause::Alone, vec![], vec![]));
    assert_eq!(search.trials(), CONFIRMATIONS);
}

#[test]
fn one_test_before_it_is_found_among_400() {
    let mut search = search(example(400), 2, |trial, _| before(trial, "a17"));
    assert_eq!(found(&search), (Cause::Order, vec!["a17"], vec![]));
    assert!(search.trials() < 35, "{}", search.trials());
    insta::assert_snapshot!(search.take_lines().join("\n"), @r"
    alone, it passes
    after the 400 tests that ran before it, it fails
      it fails with 200 of them
      it fails with 100 of them
      it fails with 50 of them
      it fails with 25 of them
      it fails with 13 of them
      it fails with 6 of them
      it fails with 3 of them
      it fails with 2 of them
      it fails with 1 of them
    ");
}

#[test]
fn two_tests_that_are_both_needed_are_found() {
    let search = search(example(30), 3, |trial, _| {
        before(trial, "a3") && before(trial, "a28")
    });
    assert_eq!(found(&search), (Cause::Order, vec!["a3", "a28"], vec![]));
}

#[test]
fn a_test_beside_it_is_found() {
    let search = search(example(30), 2, |trial, _| beside(trial, "c1"));
    assert_eq!(found(&search), (Cause::Company, vec![], vec!["c1"]));
}

#[test]
fn a_test_before_it_and_one_beside_it_are_found_together() {
    let search = search(example(30), 2, |trial, _| {
        before(trial, "a5") && beside(trial, "b1")
    });
    assert_eq!(found(&search), (Cause::Company, vec!["a5"], vec!["b1"]));
}

#[test]
fn what_fails_now_and_then_is_a_matter_of_timing() {
    let rarely = |trial: &Trial, number: usize| trial.lanes.len() > 2 && number == 5;
    let search = search(example(3), 2, rarely);
    assert_eq!(found(&search).0, Cause::Timing);
    let alone_rarely = |_: &Trial, number: usize| number == 0;
    assert_eq!(
        found(&super::tests::search(example(3), 2, alone_rarely)).0,
        Cause::Timing
    );
}

#[test]
fn trials_that_disturb_each_other_are_repeated_one_at_a_time() {
    let mut search = Search::new(example(16), 2);
    let mut lines = Vec::new();
    loop {
        let trials = search.next_trials();
        lines.extend(search.take_lines());
        if trials.is_empty() {
            break;
        }
        let is_disturbed = trials.len() > 1;
        let seen = trials.iter().map(|trial| {
            if is_disturbed || before(trial, "a9") {
                failed()
            } else {
                Seen::Passed
            }
        });
        let seen = seen.collect();
        search.answer(seen);
    }
    assert!(
        lines.iter().any(|line| line.contains("one at a time")),
        "{lines:?}"
    );
    assert_eq!(found(&search), (Cause::Order, vec!["a9"], vec![]));
}

#[test]
fn a_different_failure_is_mentioned_and_not_pursued() {
    let mut search = Search::new(example(2), 1);
    while !search.next_trials().is_empty() {
        let message = "KeyError: 'x'".to_owned();
        let failure = Failure {
            kind: Kind::Setup,
            message,
        };
        search.answer(vec![Seen::Failed(failure)]);
    }
    let Some(Verdict::NotReproduced { other, whole, .. }) = search.verdict() else {
        panic!()
    };
    assert_eq!(
        other.as_ref().map(Failure::in_words).as_deref(),
        Some("in its set-up, KeyError: 'x'")
    );
    assert_eq!(whole.last().unwrap().1.of, REPETITIONS);
}

#[test]
fn a_search_that_is_stopped_keeps_what_it_has_found() {
    let mut search = Search::new(example(64), 1);
    for _ in 0..4 {
        let trials = search.next_trials();
        let seen = trials.iter().map(|trial| {
            if before(trial, "a1") {
                failed()
            } else {
                Seen::Passed
            }
        });
        let seen = seen.collect();
        search.answer(seen);
    }
    search.stop();
    assert!(search.next_trials().is_empty());
    let (cause, before, _) = found(&search);
    assert_eq!((cause, before.len()), (Cause::Order, 16));
}

#[test]
fn a_search_without_company_ends() {
    let mut case = example(0);
    case.lanes.truncate(1);
    let search = search(case, 2, |_, _| false);
    assert!(matches!(search.verdict(), Some(Verdict::NotReproduced { .. })));
    assert_eq!(search.trials(), 1 + REPETITIONS);
}
