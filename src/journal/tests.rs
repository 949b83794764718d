//! Tests for writing, truncating and reading journals.

use super::event::{Collected, Detail, Event, Head, Outcome, PhaseEnded};
use super::read::{Problem, parse};
use super::run::Run;
use super::write::{Writer, is_written};
use super::{FORMAT, VERSION};
use crate::protocol::report::Phase;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

fn head() -> Event {
    Event::Run(Head {
        format: FORMAT.to_owned(),
        version: VERSION,
        id: "one".to_owned(),
        began: 1_700_000_000_000_000,
        ..Head::default()
    })
}

pub(crate) fn collected(ids: &[&str]) -> Event {
    Event::Collected(Collected {
        ids: ids.iter().map(|&id| id.to_owned()).collect(),
        ..Collected::default()
    })
}

pub(crate) fn ended(test: u32, worker: u32, at: u64, took: u64, outcome: Outcome) -> PhaseEnded {
    PhaseEnded {
        t: test,
        w: Some(worker),
        at,
        us: took,
        o: outcome,
        part: false,
    }
}

/// The three phases of a test, one after the other; the call phase has this outcome.
pub(crate) fn test(test: u32, worker: u32, at: u64, outcome: Outcome) -> Vec<Event> {
    let outcomes = [Outcome::Passed, outcome, Outcome::Passed];
    let phases = (0..).zip(Phase::ALL).zip(outcomes);
    phases
        .map(|((place, phase), outcome)| {
            Event::phase(phase, ended(test, worker, at + 10 * place, 5, outcome))
        })
        .collect()
}

pub(crate) fn crash(test: u32, worker: u32, outcome: Option<Outcome>) -> Event {
    Event::Detail(Detail {
        t: Some(test),
        w: Some(worker),
        when: "crash".to_owned(),
        o: outcome,
        ..Detail::default()
    })
}

pub(crate) fn run(events: Vec<Event>) -> Run {
    let mut logs = parse(&bytes(&[vec![head()], events].concat()), Path::new("j")).expect("a journal");
    Run::new(logs.remove(0))
}

fn bytes(events: &[Event]) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("j");
    let mut writer = Writer::create(&path).expect("a file");
    for event in events {
        writer.event(event);
    }
    writer.flush();
    assert!(writer.take_error().is_none());
    fs::read(path).expect("what was written")
}

#[test]
fn a_written_journal_reads_back_unchanged() {
    let events = [vec![collected(&["a", "b"])], test(0, 1, 10, Outcome::Xfailed)].concat();
    let logs = parse(&bytes(&[vec![head()], events.clone()].concat()), Path::new("j"));
    assert_eq!(logs.expect("a journal")[0].events, events);
}

#[test]
fn several_runs_in_one_file_are_read_separately() {
    let one = [vec![head()], test(0, 0, 0, Outcome::Passed)].concat();
    let logs = parse(&bytes(&[one.clone(), one].concat()), Path::new("j")).expect("a journal");
    assert_eq!(logs.len(), 2);
    assert_eq!(logs[0], logs[1]);
}

#[test]
fn events_of_later_versions_are_skipped() {
    let mut text = bytes(&[head()]);
    text.extend_from_slice(b"{\"e\":\"dance\",\"steps\":3}\n");
    assert!(
        parse(&text, Path::new("j")).expect("a journal")[0]
            .events
            .is_empty()
    );
}

#[test]
fn a_file_that_is_not_a_journal_is_distinguished_from_a_damaged_one() {
    let foreign = parse(b"{}\n", Path::new("j"));
    assert!(matches!(foreign, Err(Problem::Foreign { .. })));
    let later = parse(
        b"{\"e\":\"run\",\"format\":\"rustpar-journal\",\"version\":9,\"id\":\"\",\"began\":0,\"command\":[]}\n",
        Path::new("j"),
    );
    assert!(matches!(later, Err(Problem::Newer { version: 9, .. })));
    let mut text = bytes(&[head()]);
    text.extend_from_slice(b"\0\0\0\n");
    let damaged = parse(&text, Path::new("j")).expect_err("damage");
    assert!(
        damaged
            .to_string()
            .starts_with("the journal j is damaged in line 2: ")
    );
}

#[test]
fn a_later_version_is_reported_whatever_its_head_contains() {
    let later = |begin: &str| {
        format!("{begin}{{\"e\":\"run\",\"format\":\"rustpar-journal\",\"version\":2,\"id\":7}}\n")
    };
    let first = String::from_utf8(bytes(&[head()])).expect("text");
    for text in [later(""), later(&first)] {
        let found = parse(text.as_bytes(), Path::new("j"));
        assert!(matches!(found, Err(Problem::Newer { version: 2, .. })));
    }
}

#[test]
fn tests_that_were_not_collected_are_numbered_one_after_the_other() {
    let named = |t: u32| Event::Test {
        t,
        id: format!("test{t}"),
    };
    let begin = [head(), named(0), named(1), collected(&["a"]), named(2), named(1)];
    assert!(parse(&bytes(&begin), Path::new("j")).is_ok());
    for wrong in [4, u32::MAX] {
        let text = bytes(&[&begin[..], &[named(wrong)]].concat());
        let damaged = parse(&text, Path::new("j")).expect_err("damage").to_string();
        let told = format!("the journal j is damaged in line 7: test {wrong} comes after 3 others");
        assert_eq!(damaged, told);
    }
    let second = [&begin[..], &[head(), named(2)]].concat();
    assert!(parse(&bytes(&second), Path::new("j")).is_err());
}

#[test]
fn a_writer_recognizes_its_own_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("j");
    let mut writer = Writer::create(&path).expect("a file");
    writer.event(&head());
    writer.event(&collected(&["a"]));
    assert!(!writer.is_at(&path));
    writer.flush();
    assert!(writer.is_at(&path));
    let whole = fs::read(&path).expect("what was written");
    for other in [
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], b"\n"].concat(),
        vec![b' '; whole.len()],
    ] {
        fs::remove_file(&path).expect("the file");
        fs::write(&path, other).expect("another file");
        assert!(!writer.is_at(&path));
    }
    fs::remove_file(&path).expect("the file");
    assert!(!writer.is_at(&path));
}

#[cfg(unix)]
#[test]
fn a_journal_is_being_written_as_long_as_its_writer_lives() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("j");
    assert!(!is_written(&path));
    let writer = Writer::create(&path).expect("a file");
    assert!(is_written(&path));
    drop(writer);
    assert!(!is_written(&path));
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,20}", Just("\u{2028}\n\0\"\\é🦀".to_owned())]
}

pub(crate) fn events() -> impl Strategy<Value = Vec<Event>> {
    let phase =
        (0u32..20, 0u32..3, 0u64..1 << 40, 0u64..1 << 40, 0usize..3).prop_map(|(t, w, at, us, phase)| {
            Event::phase(Phase::ALL[phase], ended(t, w, at, us, Outcome::Passed))
        });
    let detail = (0u32..20, texts(), texts()).prop_map(|(t, message, text)| {
        Event::Detail(Detail {
            t: Some(t),
            when: "call".to_owned(),
            message,
            text,
            ..Detail::default()
        })
    });
    let known = proptest::collection::vec(texts(), 0..5).prop_map(|ids| {
        Event::Collected(Collected {
            ids,
            ..Collected::default()
        })
    });
    proptest::collection::vec(prop_oneof![phase, detail, known], 0..12)
}

proptest! {
    #[test]
    fn a_journal_cut_at_any_byte_reads_up_to_the_last_whole_event(events in events()) {
        let all = [vec![head()], events].concat();
        let written = bytes(&all);
        let mut whole = 0;
        for cut in 0..=written.len() {
            if cut > 0 && written[cut - 1] == b'\n' {
                whole += 1;
            }
            let logs = parse(&written[..cut], Path::new("j")).expect("a journal");
            let read: Vec<_> = logs.into_iter().flat_map(|log| {
                std::iter::once(Event::Run(log.head)).chain(log.events)
            }).collect();
            prop_assert_eq!(&read[..], &all[..whole]);
        }
    }

    #[test]
    fn a_run_can_be_built_from_a_journal_cut_anywhere(events in events()) {
        let run = run(events.clone());
        let phases = run.attempts.iter().flat_map(|attempt| attempt.phases).flatten().count();
        let written = events.iter().filter(|event| {
            matches!(event, Event::Setup(_) | Event::Call(_) | Event::Teardown(_))
        });
        prop_assert_eq!(phases, written.count());
    }
}
