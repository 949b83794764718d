//! Which tests the next run has to run.
//!
//! A change is pending until a run has ended that ran all tests which depend on it. A run that was interrupted, stopped
//! at a failure or could not collect has not seen it. One with a filter has seen it for the tests of that filter: if the
//! filter changes, it is pending again.
//!
//! What changes while a run is under way may be the work of the run. What its Python processes have opened for writing
//! is. Something else starts the next run, but not for ever: a file that has changed in several runs in a row waits for
//! another reason to run, and so do new or deleted files of a kind. They stay pending, and are named.

use super::snapshot::{Changes, Event};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Runs in a row in which a file may change and start the next one. A user can save a file during each of two runs; a
/// suite whose processes write files is run three times before it is known.
pub const MOST_RUNS_IN_A_ROW: u32 = 3;

/// Runs in a row, each of which starts the next one, whatever has changed: files with other names in each run must not
/// go on for ever either. Nobody saves files during each of so many runs, and the next save starts a run again.
pub const MOST_RUNS_AT_ONCE: u32 = 10;

/// What a run runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What the arguments select.
    All,
    /// What depends on pending changes, and what has failed.
    Affected,
    /// What has failed.
    Failed,
}

/// What a run reports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The numbers of tests by outcome, as pytest counts them, in its order.
    pub counts: Vec<(String, usize)>,
    /// The node ids of what has failed.
    pub failed: Vec<String>,
    /// The node ids of the tests that ran.
    pub ran: BTreeSet<String>,
    /// Whether everything that was selected has run.
    pub is_complete: bool,
    /// Files that its processes have opened for writing, relative to the top.
    pub written: BTreeSet<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ending {
    /// What it reports; `None` if it was killed, or could not start.
    pub report: Option<Report>,
    /// The exit status, or minus the signal.
    pub status: i32,
    /// Whether the user has interrupted it.
    pub is_interrupted: bool,
    /// Its duration in microseconds.
    pub micros: u64,
}

/// The last run, to be shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Last {
    pub(super) mode: Mode,
    /// The files that it was started for.
    pub(super) changes: Changes,
    pub(super) ending: Ending,
}

/// What is known from run to run.
#[derive(Debug, Default)]
pub struct Session {
    pub(super) pending: Changes,
    /// Changes that only runs with the present filter have seen.
    seen_by_filter: Changes,
    /// What has failed and not passed since, in the order of failing.
    pub(super) failing: Vec<String>,
    pub(super) filter: Option<String>,
    /// In how many runs in a row a file has changed, or new or deleted files of a kind.
    in_a_row: BTreeMap<String, u32>,
    /// How many runs in a row have started the next one.
    at_once: u32,
    running: Option<(Mode, Changes)>,
    pub(super) last: Option<Last>,
}

impl Session {
    /// Takes what has changed while no run was under way.
    pub fn note(&mut self, changes: Changes) {
        for (path, event) in &changes {
            self.in_a_row.remove(&kind_of(path, *event));
        }
        if !changes.is_empty() {
            self.at_once = 0;
        }
        merge(&mut self.pending, changes);
    }

    /// Whether there are changes that no run has seen.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether anything has failed and not passed since.
    #[must_use]
    pub fn has_failing(&self) -> bool {
        !self.failing.is_empty()
    }

    /// The expression of the filter.
    #[must_use]
    pub fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }

    /// Sets the filter, an empty text for none; returns what to run because of that.
    pub fn set_filter(&mut self, expression: &str) -> Option<Mode> {
        let expression = expression.trim();
        let new = (!expression.is_empty()).then(|| expression.to_owned());
        if new == self.filter {
            return new.map(|_| Mode::All);
        }
        self.filter = new;
        let seen = std::mem::take(&mut self.seen_by_filter);
        // In this order: what is pending came later.
        let later = std::mem::replace(&mut self.pending, seen);
        merge(&mut self.pending, later);
        match self.filter {
            Some(_) => Some(Mode::All),
            None => self.has_pending().then_some(Mode::Affected),
        }
    }

    /// Begins a run; returns the changes whose tests it has to run, and what has failed.
    pub fn begin(&mut self, mode: Mode) -> (Changes, Vec<String>) {
        if mode != Mode::Affected {
            self.at_once = 0;
        }
        self.running = Some((mode, self.pending.clone()));
        let changes = if mode == Mode::Affected {
            self.pending.clone()
        } else {
            Changes::new()
        };
        (changes, self.failing.clone())
    }

    /// Ends a run, during which files have changed; returns whether to run again at once.
    pub fn end(&mut self, ending: Ending, mut during: Changes) -> bool {
        let Some((mode, given)) = self.running.take() else {
            return false;
        };
        if let Some(report) = &ending.report {
            during.retain(|path, _| !report.written.contains(path));
            self.learn(report);
            if report.is_complete && mode != Mode::Failed {
                if self.filter.is_some() {
                    merge(&mut self.seen_by_filter, std::mem::take(&mut self.pending));
                } else {
                    self.pending.clear();
                    self.seen_by_filter.clear();
                }
            }
        }
        let kinds: BTreeSet<String> = during.iter().map(|(path, event)| kind_of(path, *event)).collect();
        let before = std::mem::take(&mut self.in_a_row);
        let times = |kind: &String| before.get(kind).copied().unwrap_or_default() + 1;
        self.in_a_row = kinds.iter().map(|kind| (kind.clone(), times(kind))).collect();
        let starts = self.in_a_row.values().any(|times| *times < MOST_RUNS_IN_A_ROW);
        let is_again = starts && !ending.is_interrupted && self.at_once < MOST_RUNS_AT_ONCE;
        self.at_once = if is_again { self.at_once + 1 } else { 0 };
        merge(&mut self.pending, during);
        self.last = Some(Last {
            mode,
            changes: if mode == Mode::Affected {
                given
            } else {
                Changes::new()
            },
            ending,
        });
        is_again
    }

    fn learn(&mut self, report: &Report) {
        // Without a filter, a complete run has run all that had failed; what it has not reported does not exist any more.
        let is_whole = report.is_complete && self.filter.is_none();
        self.failing
            .retain(|test| !is_whole && !report.ran.contains(test) && !report.failed.contains(test));
        let mut failing = Vec::new();
        for test in report.failed.iter().chain(&self.failing) {
            if !failing.contains(test) {
                failing.push(test.clone());
            }
        }
        self.failing = failing;
    }

    /// Files that have changed in so many runs in a row that they start none.
    pub(super) fn restless(&self) -> Vec<&str> {
        let found = self
            .in_a_row
            .iter()
            .filter(|(_, times)| **times >= MOST_RUNS_IN_A_ROW);
        found.map(|(path, _)| path.as_str()).collect()
    }
}

/// What counts as the same in several runs: the file, or that files with this ending are new or deleted.
fn kind_of(path: &str, event: Event) -> String {
    if event == Event::Modified {
        return path.to_owned();
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((_, ending)) if ending.contains(char::is_alphabetic) => format!("new or deleted *.{ending}"),
        _ => "new or deleted files".to_owned(),
    }
}

/// Adds later changes to earlier ones.
fn merge(changes: &mut Changes, later: Changes) {
    for (path, event) in later {
        let event = match (changes.get(&path), event) {
            (Some(Event::Added), Event::Modified) => Event::Added,
            (Some(Event::Deleted), Event::Added) => Event::Modified,
            (_, event) => event,
        };
        changes.insert(path, event);
    }
}

#[cfg(test)]
mod tests {
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
        session.end(ending, changes(during))
    }

    #[test]
    fn a_change_is_pending_until_a_complete_run_has_seen_it() {
        let mut session = Session::default();
        session.note(changes(&["a.py"]));
        assert_eq!(session.begin(Mode::Affected).0, changes(&["a.py"]));
        assert!(!session.end(ending(false, &[], &[]), changes(&[])));
        session.note(changes(&["b.py"]));
        assert_eq!(session.begin(Mode::Affected).0, changes(&["a.py", "b.py"]));
        session.end(Ending::default(), changes(&[]));
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
        assert_eq!(session.begin(Mode::Affected).0, changes(&["a.py", "b.py"]));
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
                if !session.end(ending(true, &[], &[]), during) {
                    break;
                }
                runs += 1;
                assert!(runs <= MOST_RUNS_AT_ONCE);
            }
            assert!(session.has_pending());
        }
    }

    #[test]
    fn after_an_interrupt_nothing_starts_and_nothing_is_lost() {
        let mut session = Session::default();
        let interrupted = Ending {
            is_interrupted: true,
            ..Ending::default()
        };
        assert!(!run(&mut session, Mode::All, interrupted, &["a.py"]));
        assert_eq!(session.begin(Mode::Affected).0, changes(&["a.py"]));
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
        assert_eq!(session.begin(Mode::Affected).1, ["a", "b"]);
        session.end(ending(false, &["a", "d"], &["d"]), changes(&[]));
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
                        let (given, _) = session.begin(Mode::Affected);
                        prop_assert_eq!(given.keys().map(String::as_str).collect::<BTreeSet<_>>(), unseen.clone());
                        session.end(ending(is_complete, &[], &[]), changes(&[file]));
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
}
