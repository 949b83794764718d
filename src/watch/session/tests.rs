//! Tests of the session: nothing is lost, and nothing goes on for ever.

use super::*;
use proptest::prelude::*;

fn changes(paths: &[&str]) -> Changes {
    paths
        .iter()
        .map(|path| ((*path).to_owned(), Event::Modified))
        .collect()
}

fn ending(is_complete: bool, ran: &[&str], failed: &[&str]) -> Ending {
    Ending {
        report: Some(Report {
            is_complete,
            ran: ran.iter().map(|test| (*test).to_owned()).collect(),
            failed: failed.iter().map(|test| (*test).to_owned()).collect(),
            ..Report::default()
        }),
        ..Ending::default()
    }
}

fn run(session: &mut Session, mode: Mode, ending: Ending, during: &[&str]) -> bool {
    session.begin(mode);
    session.end(ending, changes(during), &BTreeSet::new())
}

#[test]
fn a_change_is_pending_until_a_complete_run_has_seen_it() {
    let mut session = Session::default();
    session.note(changes(&["a.py"]));
    assert_eq!(session.begin(Mode::Affected).1, changes(&["a.py"]));
    assert!(!session.end(ending(false, &[], &[]), changes(&[]), &BTreeSet::new()));
    session.note(changes(&["b.py"]));
    assert_eq!(session.begin(Mode::Affected).1, changes(&["a.py", "b.py"]));
    session.end(Ending::default(), changes(&[]), &BTreeSet::new());
    run(&mut session, Mode::Failed, ending(true, &[], &[]), &[]);
    assert!(session.has_pending());
    run(&mut session, Mode::Affected, ending(true, &[], &[]), &[]);
    assert!(!session.has_pending());
}

#[test]
fn a_change_during_a_run_starts_the_next_one() {
    let mut session = Session::default();
    session.note(changes(&["a.py"]));
    assert!(run(
        &mut session,
        Mode::Affected,
        ending(true, &[], &[]),
        &["a.py", "b.py"]
    ));
    assert_eq!(session.begin(Mode::Affected).1, changes(&["a.py", "b.py"]));
}

#[test]
fn what_a_run_has_written_is_no_change() {
    let mut session = Session::default();
    let mut own = ending(true, &[], &[]);
    own.report.as_mut().expect("a report").written = ["out.json".to_owned()].into();
    assert!(!run(&mut session, Mode::All, own, &["out.json"]));
    assert!(!session.has_pending());
}

#[test]
fn a_file_that_changes_in_each_run_ends_the_loop_and_stays_pending() {
    let mut session = Session::default();
    let mut runs = 0;
    while run(
        &mut session,
        Mode::Affected,
        ending(true, &[], &[]),
        &["out.json"],
    ) {
        runs += 1;
        assert!(runs < 10);
    }
    assert_eq!(runs, 2);
    assert_eq!(session.restless(), ["out.json"]);
    assert!(session.has_pending());
    // Another file starts a run all the same, and a change between runs is one of somebody else.
    assert!(run(
        &mut session,
        Mode::Affected,
        ending(true, &[], &[]),
        &["out.json", "a.py"]
    ));
    session.note(changes(&["out.json"]));
    assert!(run(
        &mut session,
        Mode::Affected,
        ending(true, &[], &[]),
        &["out.json"]
    ));
}

#[test]
fn files_with_other_names_in_each_run_end_the_loop() {
    for name in [|run: u32| format!("out-{run}.txt"), |run| format!("{run}.x{run}")] {
        let mut session = Session::default();
        let mut runs = 0;
        loop {
            session.begin(Mode::Affected);
            let during = [(name(runs), Event::Added)].into();
            if !session.end(ending(true, &[], &[]), during, &BTreeSet::new()) {
                break;
            }
            runs += 1;
            assert!(runs <= MOST_RUNS_AT_ONCE);
        }
        assert!(session.has_pending());
    }
}

#[test]
fn a_tracked_file_that_is_edited_in_each_run_starts_more_runs_but_not_for_ever() {
    let mut session = Session::default();
    let tracked = ["a.py".to_owned()].into();
    let mut runs = 0;
    loop {
        session.begin(Mode::Affected);
        if !session.end(ending(true, &[], &[]), changes(&["a.py"]), &tracked) {
            break;
        }
        runs += 1;
    }
    assert_eq!(runs, MOST_RUNS_AT_ONCE);
    assert!(session.has_pending());
}

#[test]
fn what_is_in_a_directory_that_a_run_has_renamed_is_no_change() {
    let mut session = Session::default();
    let mut own = ending(true, &[], &[]);
    own.report.as_mut().expect("a report").written = ["out".to_owned()].into();
    assert!(!run(&mut session, Mode::All, own.clone(), &["out/a/b.json"]));
    assert!(run(&mut session, Mode::All, own, &["outer/b.json"]));
}

#[test]
fn after_a_run_of_all_that_was_cut_short_the_next_one_is_of_all() {
    let mut session = Session::default();
    for cut in [ending(false, &["a"], &["a"]), Ending::default()] {
        run(&mut session, Mode::All, cut, &[]);
        run(&mut session, Mode::Failed, ending(true, &["a"], &["a"]), &[]);
        session.note(changes(&["a.py"]));
        assert_eq!(session.begin(Mode::Affected).0, Mode::All);
        session.end(ending(true, &["a", "b"], &[]), changes(&[]), &BTreeSet::new());
        assert!(!session.has_pending());
        session.note(changes(&["a.py"]));
        assert_eq!(session.begin(Mode::Affected).0, Mode::Affected);
        session.end(ending(true, &[], &[]), changes(&[]), &BTreeSet::new());
    }
    // The user does not want it.
    let interrupted = Ending {
        is_interrupted: true,
        ..ending(false, &[], &[])
    };
    run(&mut session, Mode::All, interrupted, &[]);
    assert!(!session.has_pending());
}

#[test]
fn a_run_of_all_with_a_filter_is_owed_as_long_as_the_filter_holds() {
    let mut session = Session::default();
    run(&mut session, Mode::All, ending(false, &[], &[]), &[]);
    session.set_filter("x");
    run(&mut session, Mode::All, ending(true, &[], &[]), &[]);
    session.note(changes(&["a.py"]));
    assert_eq!(session.begin(Mode::Affected).0, Mode::Affected);
    session.end(Ending::default(), changes(&[]), &BTreeSet::new());
    run(&mut session, Mode::All, Ending::default(), &[]);
    assert_eq!(session.begin(Mode::Affected).0, Mode::All);
    session.end(Ending::default(), changes(&[]), &BTreeSet::new());
    assert_eq!(session.set_filter(""), Some(Mode::Affected));
    assert_eq!(session.begin(Mode::Affected).0, Mode::All);
    session.end(ending(true, &[], &[]), changes(&[]), &BTreeSet::new());
    assert!(!session.has_pending());
}

#[test]
fn after_an_interrupt_nothing_starts_and_nothing_is_lost() {
    let mut session = Session::default();
    let interrupted = Ending {
        is_interrupted: true,
        ..Ending::default()
    };
    assert!(!run(&mut session, Mode::All, interrupted, &["a.py"]));
    assert_eq!(session.begin(Mode::Affected).1, changes(&["a.py"]));
}

#[test]
fn a_test_fails_until_it_passes_or_does_not_exist() {
    let mut session = Session::default();
    run(
        &mut session,
        Mode::All,
        ending(true, &["a", "b", "c"], &["a", "b"]),
        &[],
    );
    assert_eq!(session.begin(Mode::Affected).2, ["a", "b"]);
    session.end(ending(false, &["a", "d"], &["d"]), changes(&[]), &BTreeSet::new());
    assert_eq!(session.failing, ["d", "b"]);
    session.set_filter("x");
    run(&mut session, Mode::All, ending(true, &["d"], &[]), &[]);
    assert_eq!(session.failing, ["b"]);
    session.set_filter("");
    run(&mut session, Mode::Failed, ending(true, &[], &[]), &[]);
    assert!(!session.has_failing());
}

#[test]
fn what_a_filter_has_hidden_is_pending_without_it() {
    let mut session = Session::default();
    assert_eq!(session.set_filter(" x "), Some(Mode::All));
    assert_eq!(session.set_filter("x"), Some(Mode::All));
    session.note(changes(&["a.py"]));
    run(&mut session, Mode::Affected, ending(true, &[], &[]), &[]);
    assert!(!session.has_pending());
    session.note(changes(&["b.py"]));
    assert_eq!(session.set_filter("y"), Some(Mode::All));
    assert_eq!(session.pending, changes(&["a.py", "b.py"]));
    run(&mut session, Mode::All, ending(true, &[], &[]), &[]);
    assert_eq!(session.set_filter(""), Some(Mode::Affected));
    run(&mut session, Mode::Affected, ending(true, &[], &[]), &[]);
    assert_eq!(session.set_filter(""), None);
}

#[test]
fn later_changes_add_to_earlier_ones() {
    let mut merged: Changes = Changes::new();
    for (event, expected) in [
        (Event::Added, Event::Added),
        (Event::Modified, Event::Added),
        (Event::Deleted, Event::Deleted),
        (Event::Added, Event::Modified),
    ] {
        merge(&mut merged, [("a".to_owned(), event)].into());
        assert_eq!(merged["a"], expected);
    }
}

proptest! {
    /// Without a filter, a change is in the next complete run, whatever happens before.
    #[test]
    fn no_change_is_lost(steps in proptest::collection::vec((0_u8..6, 0..4_usize, any::<bool>()), 1..30)) {
        let files = ["a.py", "b.py", "c.py", "d.py"];
        let mut session = Session::default();
        let mut unseen: BTreeSet<&str> = BTreeSet::new();
        for (step, file, is_complete) in steps {
            let file = files[file];
            match step {
                0 | 1 => {
                    session.note(changes(&[file]));
                    unseen.insert(file);
                }
                2 => {
                    let (mode, given, _) = session.begin(Mode::Affected);
                    let given: BTreeSet<&str> = given.keys().map(String::as_str).collect();
                    prop_assert!(mode == Mode::All || given == unseen);
                    session.end(ending(is_complete, &[], &[]), changes(&[file]), &BTreeSet::new());
                    if is_complete {
                        unseen.clear();
                    }
                    unseen.insert(file);
                }
                3 => {
                    run(&mut session, Mode::All, ending(is_complete, &[], &[]), &[]);
                    if is_complete {
                        unseen.clear();
                    }
                }
                4 => drop(run(&mut session, Mode::Failed, ending(is_complete, &[], &[]), &[])),
                _ => {
                    run(&mut session, Mode::Affected, Ending { is_interrupted: true, ..Ending::default() }, &[]);
                }
            }
        }
        prop_assert_eq!(session.pending.keys().map(String::as_str).collect::<BTreeSet<_>>(), unseen);
    }
}
