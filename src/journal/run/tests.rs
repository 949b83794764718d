//! Tests for building a run from its journal.

use super::super::tests::{crash, ended, run, test};
use super::*;
use crate::journal::event::{Ending, Event, PhaseEnded};

#[test]
fn a_rerun_test_has_two_attempts() {
    let events = [
        test(0, 0, 0, Outcome::Rerun),
        test(0, 0, 50, Outcome::Passed),
        test(1, 0, 90, Outcome::Passed),
    ];
    let run = run(events.concat());
    let attempts: Vec<_> = run
        .attempts
        .iter()
        .map(|attempt| (attempt.test, attempt.verdict()))
        .collect();
    assert_eq!(
        attempts,
        [(0, Verdict::Rerun), (0, Verdict::Flaky), (1, Verdict::Passed)]
    );
}

#[test]
fn an_attempt_that_is_retried_is_one_rerun_whatever_failed_in_it() {
    let part = PhaseEnded {
        part: true,
        ..ended(0, 0, 10, 1, Outcome::Rerun)
    };
    let events = [
        Event::Setup(ended(0, 0, 0, 1, Outcome::Passed)),
        Event::Call(part),
        Event::Call(ended(0, 0, 20, 1, Outcome::Rerun)),
        Event::Teardown(ended(0, 0, 30, 1, Outcome::Rerun)),
    ];
    // The retry passes in another worker.
    let again = [Event::Call(ended(0, 1, 40, 1, Outcome::Passed))];
    let run = run([&events[..], &again[..]].concat());
    let counted = run.attempts.iter().flat_map(Attempt::counted);
    assert_eq!(counted.collect::<Vec<_>>(), [Verdict::Rerun, Verdict::Flaky]);
    assert_eq!(run.results()[&0].deciding, [1]);
}

#[test]
fn a_failure_in_the_quarantine_is_counted_as_such_in_a_phase_a_subtest_and_a_crash() {
    let part = PhaseEnded {
        part: true,
        ..ended(0, 0, 10, 1, Outcome::Quarantined)
    };
    let crash = Detail {
        t: Some(1),
        when: "crash".to_owned(),
        o: Some(Outcome::Quarantined),
        ..Detail::default()
    };
    let run = run(vec![
        Event::Call(part),
        Event::Call(ended(0, 0, 20, 1, Outcome::Passed)),
        Event::Teardown(ended(0, 0, 30, 1, Outcome::Quarantined)),
        Event::Detail(crash),
    ]);
    let verdicts = run.attempts.iter().map(Attempt::verdict);
    assert_eq!(verdicts.collect::<Vec<_>>(), [Verdict::Quarantined; 2]);
    let counts = run.counts();
    assert_eq!(counts.iter().sum::<usize>(), 4);
    assert_eq!(counts[Verdict::Quarantined as usize], 3);
    assert_eq!(counts[Verdict::Passed as usize], 1);
}

#[test]
fn with_each_only_the_worker_that_failed_has_retried() {
    let dist = Event::Start(Start {
        dist: "each".to_owned(),
        ..Start::default()
    });
    let events = [
        vec![dist],
        test(0, 0, 0, Outcome::Rerun),
        test(0, 1, 10, Outcome::Passed),
        test(0, 0, 50, Outcome::Passed),
    ];
    let run = run(events.concat());
    let verdicts = run.attempts.iter().map(Attempt::verdict);
    assert_eq!(
        verdicts.collect::<Vec<_>>(),
        [Verdict::Rerun, Verdict::Passed, Verdict::Flaky]
    );
}

#[test]
fn with_each_a_replacement_has_retried_what_its_worker_crashed_in() {
    let dist = Event::Start(Start {
        dist: "each".to_owned(),
        ..Start::default()
    });
    let came = |w, first| Event::Worker {
        w,
        at: 0,
        pid: 1,
        first,
    };
    let started = [dist, came(0, None), came(1, None)];
    let events = [
        started.to_vec(),
        vec![
            crash(0, 0, Some(Outcome::Rerun)),
            crash(0, 1, Some(Outcome::Rerun)),
        ],
        vec![came(2, Some(1)), came(3, Some(0))],
        vec![crash(0, 2, Some(Outcome::Rerun)), came(4, Some(1))],
        test(0, 3, 10, Outcome::Passed),
        test(0, 4, 50, Outcome::Passed),
    ];
    let run = run(events.concat());
    let mut attempts = run.results().remove(&0).unwrap_or_default();
    let told = |index: usize| (run.attempts[index].process, run.attempts[index].verdict());
    let expected = [
        (0, Verdict::Crashed),
        (3, Verdict::Flaky),
        (1, Verdict::Crashed),
        (2, Verdict::Crashed),
        (4, Verdict::Flaky),
    ];
    assert_eq!(attempts.all.drain(..).map(told).collect::<Vec<_>>(), expected);
}

#[test]
fn a_test_whose_worker_crashed_is_counted_once() {
    let gone = WorkerGone {
        w: 0,
        at: 70,
        how: Ending::Crashed,
        status: -9,
        running: Some(0),
        why: None,
    };
    let setup = Event::Setup(ended(0, 0, 0, 5, Outcome::Passed));
    for events in [
        vec![setup.clone(), crash(0, 0, None), Event::Gone(gone.clone())],
        vec![setup, Event::Gone(gone), crash(0, 0, None)],
    ] {
        let run = run([events, test(0, 1, 80, Outcome::Passed)].concat());
        let verdicts: Vec<_> = run.attempts.iter().map(Attempt::verdict).collect();
        assert_eq!(verdicts, [Verdict::Crashed, Verdict::Passed]);
        assert_eq!(run.counts()[Verdict::Failed as usize], 1);
        assert_eq!(run.lasted, 105);
    }
}

#[test]
fn a_test_that_passes_and_fails_in_its_teardown_counts_twice() {
    let events = vec![
        Event::Setup(ended(0, 0, 0, 1, Outcome::Passed)),
        Event::Call(ended(0, 0, 1, 1, Outcome::Passed)),
        Event::Teardown(ended(0, 0, 2, 1, Outcome::Failed)),
    ];
    let run = run(events);
    assert_eq!(run.attempts[0].verdict(), Verdict::Error);
    let counts = run.counts();
    assert_eq!(
        (counts[Verdict::Passed as usize], counts[Verdict::Error as usize]),
        (1, 1)
    );
}

#[test]
fn a_failed_subtest_fails_its_test_and_counts_separately() {
    let part = |outcome| {
        Event::Call(PhaseEnded {
            part: true,
            ..ended(0, 0, 1, 1, outcome)
        })
    };
    let detail = |when: &str| {
        Event::Detail(Detail {
            t: Some(0),
            w: Some(0),
            when: when.to_owned(),
            ..Detail::default()
        })
    };
    let phases = [
        vec![Event::Setup(ended(0, 0, 0, 1, Outcome::Passed))],
        vec![part(Outcome::Passed), part(Outcome::Skipped), detail("call")],
        vec![part(Outcome::Failed), detail("call")],
        vec![
            Event::Call(ended(0, 0, 1, 5, Outcome::Passed)),
            Event::Teardown(ended(0, 0, 6, 1, Outcome::Skipped)),
            detail("teardown"),
        ],
    ];
    let run = run(phases.concat());
    assert_eq!(run.attempts[0].verdict(), Verdict::Failed);
    let counts = [Verdict::Passed, Verdict::Failed, Verdict::Skipped].map(|one| run.counts()[one as usize]);
    assert_eq!(counts, [1, 1, 1]);
    let outcomes: Vec<_> = run.details.iter().map(|detail| detail.o).collect();
    assert_eq!(
        outcomes,
        [Outcome::Skipped, Outcome::Failed, Outcome::Skipped].map(Some)
    );
}

#[test]
fn properties_belong_to_the_attempt_that_recorded_them() {
    let recorded = |value: &str| Event::Properties {
        t: Some(0),
        properties: vec![("by".to_owned(), value.to_owned())],
    };
    let events = [
        test(0, 0, 0, Outcome::Passed),
        vec![recorded("gw0")],
        test(0, 1, 0, Outcome::Passed),
        vec![recorded("gw1")],
    ];
    let run = run(events.concat());
    let recorded = run
        .attempts
        .iter()
        .map(|attempt| attempt.properties[0].1.as_str());
    assert_eq!(recorded.collect::<Vec<_>>(), ["gw0", "gw1"]);
}

#[test]
fn a_crash_followed_by_a_rerun_counts_as_a_rerun() {
    let crashed = vec![crash(0, 0, Some(Outcome::Rerun))];
    let run = run([crashed, test(0, 1, 80, Outcome::Passed)].concat());
    let counts = run.counts();
    assert_eq!(
        (counts[Verdict::Rerun as usize], counts[Verdict::Failed as usize]),
        (1, 0)
    );
    assert_eq!(run.results()[&0].deciding, [1]);
}

#[test]
fn growth_of_peak_memory_is_attributed_to_the_running_test() {
    let memory = Event::Memory {
        w: Some(0),
        at: 0,
        rss: 1000,
        pss: None,
    };
    let peak = |t, rss| Event::Peak { t, w: Some(0), rss };
    let events = [
        vec![memory],
        test(0, 0, 0, Outcome::Passed),
        vec![peak(0, 1500)],
        test(1, 0, 50, Outcome::Passed),
        vec![peak(1, 1600)],
    ];
    let run = run(events.concat());
    let growth: Vec<_> = run.attempts.iter().map(|attempt| attempt.growth).collect();
    assert_eq!(growth, [500, 100]);
    assert_eq!(run.processes[0].peak, 1600);
}
