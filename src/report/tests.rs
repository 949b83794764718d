//! Tests of reports made from synthetic journals.

use super::{ctrf, failures, github, junit, moment, text, trace};
use crate::journal::event::{Detail, Ending, Event, Head, Outcome, PhaseEnded, WorkerGone};
use crate::journal::merged::Merged;
use crate::journal::read::Log;
use crate::journal::tests::{collected, crash, ended, events};
use crate::protocol::report::Phase;
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event as XmlEvent;
use serde_json::Value;
use std::collections::BTreeMap;

/// A run with these events and a minimal environment.
fn merged(events: Vec<Event>) -> Merged {
    let head = Head::default();
    Merged::new(vec![Log { head, events }])
}

fn failure(test: u32, message: &str, path: &str) -> Vec<Event> {
    let detail = Detail {
        t: Some(test),
        w: Some(0),
        when: "call".to_owned(),
        message: message.to_owned(),
        text: format!("{message}\n"),
        path: Some(path.to_owned()),
        line: Some(7),
        ..Detail::default()
    };
    vec![
        Event::Call(ended(test, 0, 10, 5, Outcome::Failed)),
        Event::Detail(detail),
    ]
}

fn document(merged: &Merged) -> String {
    String::from_utf8(junit::write(merged).expect("a document")).expect("a text")
}

fn trace_events(merged: &Merged) -> Vec<Value> {
    let bytes = trace::write(merged).expect("a document");
    let document: Value = serde_json::from_slice(&bytes).expect("JSON");
    document["traceEvents"].as_array().expect("events").clone()
}

#[test]
fn times_are_formatted_as_in_rfc_3339() {
    assert_eq!(moment::rfc3339(0), "1970-01-01T00:00:00.000000+00:00");
    let leap_day = 951_782_400_000_000;
    assert_eq!(moment::rfc3339(leap_day + 1), "2000-02-29T00:00:00.000001+00:00");
    let new_year = 1_767_225_599_999_999;
    assert_eq!(moment::rfc3339(new_year), "2025-12-31T23:59:59.999999+00:00");
    assert_eq!(moment::rfc3339(new_year + 1), "2026-01-01T00:00:00.000000+00:00");
}

#[test]
fn special_characters_in_github_commands_are_escaped() {
    let events = [
        vec![collected(&["a.py::test[x:y,z]"])],
        failure(0, "50%\rof: a, b\nmore", "d:,%/a.py"),
    ];
    assert_eq!(
        github::annotations(&merged(events.concat())),
        "::error file=d%3A%2C%25/a.py,line=7,title=a.py%3A%3Atest[x%3Ay%2Cz] failed::50%25%0Dof: a, b\n"
    );
}

#[test]
fn a_job_summary_stays_below_the_limit_of_github() {
    let ids: Vec<String> = (0..2000).map(|number| format!("test_{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let failures = (0..2000).flat_map(|test| failure(test, &"<".repeat(200), "a.py"));
    let summary = github::summary(&merged([vec![collected(&ids)], failures.collect()].concat()));
    assert!(summary.len() < 1 << 20);
    assert!(summary.ends_with("more failures are left out.\n"));
}

#[test]
fn a_message_in_junit_has_as_many_lines_as_that_of_pytest() {
    let message = |message: &str| {
        let events = [vec![collected(&["a"])], failure(0, message, "a.py")];
        let found = document(&merged(events.concat()));
        let (_, rest) = found.split_once("failure message=\"").expect("a failure");
        rest.split_once("\">")
            .expect("a message")
            .0
            .replace("&#10;", "\n")
    };
    let (short, long) = ("a".repeat(248), "a".repeat(501));
    assert_eq!(message("one\n  + two\n"), "one\n  + two\n");
    assert_eq!(
        message(&format!("{short}\n{short}\nc\nd\n{short}")),
        format!("{short}\n{short}\nc\n[+2 more lines; full report in element text]")
    );
    assert_eq!(
        message(&long),
        format!("{}...\n[truncated; full report in element text]", "a".repeat(500))
    );
    assert_eq!(
        message(&format!("{long}\nb")),
        format!(
            "{}...\n[+1 more line; full report in element text]",
            "a".repeat(500)
        )
    );
}

#[test]
fn a_job_summary_shows_all_failures_despite_a_long_line() {
    let ids = ["long", "one", "two", "three"];
    let long = failure(0, &"é<".repeat(2_000_000), "a.py");
    let others = (1..4).flat_map(|test| failure(test, "a short error", "a.py"));
    let merged = merged([vec![collected(&ids)], long, others.collect()].concat());
    let summary = github::summary(&merged);
    for id in ids {
        assert!(summary.contains(&format!("<code>{id}: failed</code>")), "{id}");
    }
    assert!(summary.contains("bytes before this are left out]"));
    assert!(!summary.contains("failures are left out"));
    assert_eq!(summary.matches("<pre>a short error</pre>").count(), 3);
    assert!(github::annotations(&merged).len() < 10_000);
}

#[test]
fn the_slowest_tests_of_several_environments_name_theirs() {
    let logs = ["3.10.1", "3.11.2"].into_iter().zip(0..).map(|(version, began)| {
        let versions = [("python".to_owned(), version.to_owned())].into();
        let head = Head {
            began,
            versions,
            ..Head::default()
        };
        let call = Event::Call(ended(0, 0, 10, 5, Outcome::Passed));
        let events = vec![collected(&["a.py::test"]), call];
        Log { head, events }
    });
    let merged = Merged::new(logs.collect());
    let text = text::slowest(&merged, 9);
    assert!(text.contains("a.py::test (Python 3.10.1)\n") && text.contains("a.py::test (Python 3.11.2)\n"));
    let summary = github::summary(&merged);
    assert!(summary.contains("<code>a.py::test</code> (Python 3.10.1) |"));
}

#[test]
fn names_in_junit_are_those_of_pytest() {
    let ids = [
        "d/e.f/test_a.py::A::B::test[x::y/z.py]",
        "test_b.py::test",
        "app/[id]/test_c.py::test",
    ];
    let passed = |test| Event::Call(ended(test, 0, 10, 5, Outcome::Passed));
    let found = document(&merged(vec![collected(&ids), passed(0), passed(1), passed(2)]));
    assert!(found.contains(r#"classname="d.e.f.test_a.A.B" name="test[x::y/z.py]" time"#));
    assert!(found.contains(r#"classname="test_b" name="test" time"#));
    assert!(found.contains(r#"classname="app.[id].test_c" name="test" time"#));
}

#[test]
fn characters_that_xml_cannot_represent_are_escaped() {
    let events = [
        vec![collected(&["a"])],
        failure(0, "\0\u{1b}\u{7f}\u{fffe}é🦀", "a"),
    ];
    let found = document(&merged(events.concat()));
    assert!(found.contains("#x00#x1B#x7F#xFFFEé🦀"));
}

#[test]
fn a_failure_in_the_quarantine_is_one_skip_and_a_warning() {
    let crash = Detail {
        t: Some(1),
        when: "crash".to_owned(),
        o: Some(Outcome::Quarantined),
        message: "the worker died".to_owned(),
        ..Detail::default()
    };
    let detail = |when: &str| Detail {
        t: Some(0),
        w: Some(0),
        when: when.to_owned(),
        message: "boom\nmore".to_owned(),
        ..Detail::default()
    };
    let events = vec![
        collected(&["a", "b"]),
        Event::Call(ended(0, 0, 0, 10, Outcome::Quarantined)),
        Event::Detail(detail("call")),
        Event::Teardown(ended(0, 0, 10, 10, Outcome::Quarantined)),
        Event::Detail(detail("teardown")),
        Event::Detail(crash),
    ];
    let merged = merged(events);
    let found = document(&merged);
    let skips = found.matches(r#"<skipped type="rustpar.quarantine" message="quarantined: "#);
    assert_eq!(skips.count(), 2, "{found}");
    assert!(
        found.contains(r#"errors="0" failures="0" skipped="2""#),
        "{found}"
    );
    let annotations = github::annotations(&merged);
    let expected = "::warning title=a quarantined::boom\n::warning title=b quarantined::the worker died\n";
    assert_eq!(annotations, expected);
    assert!(failures::failures(&merged).is_empty());
}

#[test]
fn a_rerun_test_is_one_case_with_the_time_of_all_attempts() {
    let call = |at, outcome| Event::Call(ended(0, 0, at, 1_000_000, outcome));
    let events = vec![
        collected(&["a"]),
        call(0, Outcome::Rerun),
        call(10, Outcome::Rerun),
        call(20, Outcome::Passed),
    ];
    let merged = merged(events);
    let found = document(&merged);
    assert_eq!(found.matches("<testcase").count(), 1);
    assert!(found.contains(r#"name="a" time="3.000">"#));
    assert_eq!(found.matches("<flakyFailure message=").count(), 2);
    assert!(github::annotations(&merged).starts_with("::warning title=a flaky::passed on a second try"));
    let found: Value = serde_json::from_slice(&ctrf::write(&merged).expect("a document")).expect("JSON");
    let test = &found["results"]["tests"][0];
    assert_eq!((&test["retries"], &test["flaky"]), (&2.into(), &true.into()));
}

#[test]
fn tests_that_ran_until_the_worker_crashed_are_concurrent_with_the_crash() {
    let gone = WorkerGone {
        w: 0,
        at: 100,
        how: Ending::Crashed,
        status: -11,
        running: Some(0),
        why: None,
    };
    let events = vec![
        collected(&["dies", "before", "concurrent", "after"]),
        Event::Call(ended(1, 1, 0, 20, Outcome::Passed)),
        Event::Setup(ended(0, 0, 30, 5, Outcome::Passed)),
        Event::Gone(gone),
        Event::Call(ended(2, 1, 60, 90, Outcome::Passed)),
        Event::Call(ended(3, 1, 160, 9, Outcome::Passed)),
    ];
    let merged = merged(events);
    let found = failures::failures(&merged);
    let lanes = failures::Lanes::new(&merged.parts[0].run);
    let concurrent = lanes.concurrent(found[0].attempt.expect("a test"));
    assert_eq!(concurrent.map(|attempt| attempt.test).collect::<Vec<_>>(), [2]);
    assert!(text::failed(&merged).contains("running at the same time: concurrent (gw1)\n"));
    assert!(text::workers(&merged).contains("crashed (signal 11) in dies"));
}

#[test]
fn a_crashed_test_is_concurrent_until_its_worker_crashed() {
    let gone = |w, running| {
        Event::Gone(WorkerGone {
            w,
            at: 600,
            how: Ending::Crashed,
            status: 1,
            running: Some(running),
            why: None,
        })
    };
    let events = vec![
        collected(&["victim", "hog", "unreported", "before"]),
        Event::Setup(ended(1, 0, 0, 5, Outcome::Passed)),
        Event::Call(ended(3, 2, 0, 200, Outcome::Passed)),
        gone(0, 1),
        gone(2, 2),
        Event::Call(ended(0, 1, 300, 200, Outcome::Failed)),
    ];
    let merged = merged(events);
    let found = failures::failures(&merged);
    let lanes = failures::Lanes::new(&merged.parts[0].run);
    let victim = found.iter().find(|failure| failure.id == "victim");
    let concurrent = lanes.concurrent(victim.and_then(|failure| failure.attempt).expect("a test"));
    assert_eq!(concurrent.map(|attempt| attempt.test).collect::<Vec<_>>(), [1, 2]);
    let found = trace_events(&merged);
    let block = found.iter().find(|event| event["name"] == "unreported");
    let block = block.expect("a block");
    assert_eq!((&block["ts"], &block["dur"]), (&200.into(), &400.into()));
}

/// Tests of a few workers, whose clocks are slightly off.
fn measured() -> impl Strategy<Value = Vec<Event>> {
    let phase = (0u64..50, 0u64..2000, any::<bool>());
    let test = (0u32..3, [phase.clone(), phase.clone(), phase]);
    proptest::collection::vec(test, 1..30).prop_map(|tests| {
        let mut now = [100; 3];
        let mut events = Vec::new();
        for (number, (worker, phases)) in (0..).zip(tests) {
            for (phase, (off, took, ahead)) in Phase::ALL.into_iter().zip(phases) {
                let now = &mut now[worker as usize];
                let at = if ahead { *now + off } else { *now - off };
                let seen: PhaseEnded = ended(number, worker, at, took, Outcome::Passed);
                *now += took;
                events.push(Event::phase(phase, seen));
            }
        }
        events
    })
}

/// The maximum depth of a document's elements; `None` if it is not well-formed.
fn depth_of(document: &str) -> Option<usize> {
    let mut reader = Reader::from_str(document);
    let (mut depth, mut depth_of) = (0_usize, 0);
    loop {
        match reader.read_event().ok()? {
            XmlEvent::Start(_) => depth += 1,
            XmlEvent::End(_) => depth -= 1,
            XmlEvent::Eof => return (depth == 0).then_some(depth_of),
            _ => {}
        }
        depth_of = depth_of.max(depth);
    }
}

proptest! {
    #[test]
    fn every_journal_can_be_reported(events in events(), died in proptest::option::of(0u32..20)) {
        let deaths = died.map(|test| crash(test, 1, None));
        let merged = merged(events.into_iter().chain(deaths).collect());
        prop_assert!(depth_of(&document(&merged)).is_some_and(|depth| depth >= 2));
        let report: Value = serde_json::from_slice(&ctrf::write(&merged).expect("a document")).expect("JSON");
        let tests = report["results"]["tests"].as_array().expect("tests");
        let deciding = merged.results.iter().map(|result| result.attempts.deciding.len());
        prop_assert_eq!(tests.len(), deciding.sum::<usize>());
        let annotations = github::annotations(&merged);
        let flaky = merged.results.iter().filter(|result| merged.is_flaky(result)).count();
        prop_assert_eq!(annotations.lines().count(), failures::failures(&merged).len() + flaky);
        let warnings = annotations.lines().filter(|line| line.starts_with("::warning "));
        prop_assert_eq!(warnings.count(), flaky);
        prop_assert!(trace_events(&merged).iter().all(|event| event["ts"].is_u64()));
        prop_assert!(github::summary(&merged).contains(&text::totals(&merged)));
    }

    #[test]
    fn blocks_of_a_trace_are_nested_and_keep_their_durations(events in measured()) {
        let mut took: Vec<u64> = events.iter().filter_map(|event| match event {
            Event::Setup(ended) | Event::Call(ended) | Event::Teardown(ended) => Some(ended.us),
            _ => None,
        }).collect();
        let mut drawn = Vec::new();
        let mut lanes: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for event in trace_events(&merged(events)) {
            let number = |name: &str| event[name].as_u64();
            let (Some(duration), Some(begin), Some(lane)) = (number("dur"), number("ts"), number("tid")) else {
                continue;
            };
            let (within, free) = lanes.entry(lane).or_default();
            prop_assert!(begin >= *free);
            if Phase::ALL.iter().any(|phase| event["name"] == phase.name()) {
                prop_assert!(begin + duration <= *within);
                *free = begin + duration;
                drawn.push(duration);
            } else {
                *within = begin + duration;
            }
        }
        took.sort_unstable();
        drawn.sort_unstable();
        prop_assert_eq!(drawn, took);
    }
}
