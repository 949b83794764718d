//! Which tests the next run has to run.
//!
//! A change is pending until a run has ended that ran all tests which depend on it. A run that was interrupted, stopped
//! at a failure or could not collect has not seen it. One with a filter has seen it for the tests of that filter: if the
//! filter changes, it is pending again. A run of all tests that did not end either makes the next one a run of all, unless
//! the user has interrupted it.
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
    /// Whether tests were only to be listed or set up, as with `--collect-only`.
    pub is_dry: bool,
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
    /// Whether all tests have to run, because a run of them was cut short: without a filter, and with the present one.
    owes_all: bool,
    owes_filtered: bool,
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

    /// Whether there are changes that no run has seen, or tests that a run of all tests has not reached.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty() || self.owes_all()
    }

    /// Whether the next run is one of all tests, because the last such one was cut short.
    pub(super) fn owes_all(&self) -> bool {
        match self.filter {
            Some(_) => self.owes_filtered,
            None => self.owes_all,
        }
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
        self.owes_filtered = false;
        let seen = std::mem::take(&mut self.seen_by_filter);
        // In this order: what is pending came later.
        let later = std::mem::replace(&mut self.pending, seen);
        merge(&mut self.pending, later);
        match self.filter {
            Some(_) => Some(Mode::All),
            None => self.has_pending().then_some(Mode::Affected),
        }
    }

    /// Begins a run; returns what it has to run, the changes for that, and what has failed.
    pub fn begin(&mut self, mode: Mode) -> (Mode, Changes, Vec<String>) {
        if mode != Mode::Affected {
            self.at_once = 0;
        }
        let mode = match mode {
            Mode::Affected if self.owes_all() => Mode::All,
            mode => mode,
        };
        self.running = Some((mode, self.pending.clone()));
        let changes = if mode == Mode::Affected {
            self.pending.clone()
        } else {
            Changes::new()
        };
        (mode, changes, self.failing.clone())
    }

    /// Ends a run, during which files have changed; returns whether to run again at once. `tracked` are those of them
    /// that git has: users edit them, and processes of tests seldom do.
    pub fn end(&mut self, ending: Ending, mut during: Changes, tracked: &BTreeSet<String>) -> bool {
        let Some((mode, given)) = self.running.take() else {
            return false;
        };
        if let Some(report) = &ending.report {
            during.retain(|path, _| !is_written(&report.written, path));
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
        if mode == Mode::All {
            self.note_end_of_all(&ending);
        }
        let is_edited = |path: &str, event| event == Event::Modified && tracked.contains(path);
        let has_edited = during.iter().any(|(path, event)| is_edited(path, *event));
        let others = during.iter().filter(|(path, event)| !is_edited(path, **event));
        let kinds: BTreeSet<String> = others.map(|(path, event)| kind_of(path, *event)).collect();
        let before = std::mem::take(&mut self.in_a_row);
        let times = |kind: &String| before.get(kind).copied().unwrap_or_default() + 1;
        self.in_a_row = kinds.iter().map(|kind| (kind.clone(), times(kind))).collect();
        let starts = has_edited || self.in_a_row.values().any(|times| *times < MOST_RUNS_IN_A_ROW);
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

    fn note_end_of_all(&mut self, ending: &Ending) {
        let is_complete = ending.report.as_ref().is_some_and(|report| report.is_complete);
        if !is_complete && ending.is_interrupted {
            return;
        }
        match self.filter {
            Some(_) => self.owes_filtered = !is_complete,
            None => self.owes_all = !is_complete,
        }
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

/// Whether a run has written a file, or a directory that it is in: one that it has renamed.
fn is_written(written: &BTreeSet<String>, path: &str) -> bool {
    let directories = path.match_indices('/').map(|(end, _)| &path[..end]);
    written.contains(path)
        || directories
            .into_iter()
            .any(|directory| written.contains(directory))
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
mod tests;
