//! Python bindings of `rustpar watch`.

use super::text::{Text, texts};
use crate::changes::git;
use crate::watch::notifier::{Notifier, NotifierError};
use crate::watch::session::{Ending, Mode, Session};
use crate::watch::snapshot::{Changes, Event, Snapshot};
use crate::watch::text;
use crate::watch::walk::{Scope, walk};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use std::os::fd::RawFd;
use std::path::PathBuf;

impl From<NotifierError> for PyErr {
    fn from(error: NotifierError) -> Self {
        PyOSError::new_err(error.to_string())
    }
}

/// The files of a project, and what has changed since the last look; see the stub.
#[pyclass(module = "rustpar._core")]
pub(super) struct ProjectFiles {
    notifier: Notifier,
    snapshot: Snapshot,
    scope: Scope,
}

#[pymethods]
impl ProjectFiles {
    #[new]
    fn new(top: PathBuf, project: Text) -> PyResult<Self> {
        Ok(Self {
            notifier: Notifier::new()?,
            snapshot: Snapshot::default(),
            scope: Scope {
                top,
                project: project.0,
                ..Scope::default()
            },
        })
    }

    /// The descriptor that is readable when something may have changed.
    fn fileno(&self) -> RawFd {
        self.notifier.descriptor()
    }

    /// Makes the descriptor unreadable until the next notice.
    fn clear(&mut self) {
        self.notifier.clear();
    }

    /// Says what git has printed, and the patterns of `norecursedirs`.
    fn set_scope(&mut self, tracked: &[u8], ignored: &[u8], not_collected: Vec<Text>) -> PyResult<()> {
        let entries = git::entries(tracked).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let ignored = git::untracked(ignored).into_iter().map(|change| change.path);
        self.scope.tracked = entries.into_iter().map(|entry| entry.path).collect();
        self.scope.ignored = ignored.collect();
        self.scope.not_collected = texts(not_collected);
        let files = self.scope.ignored.iter().map(|path| self.scope.top.join(path));
        self.notifier.ignore(files.collect());
        Ok(())
    }

    /// Looks at all files; returns what has changed since the last look.
    fn look(&mut self, py: Python<'_>) -> PyResult<Pairs> {
        py.detach(|| {
            let Self {
                notifier,
                snapshot,
                scope,
            } = self;
            let found = walk(scope, |directory| notifier.watch(directory))?;
            let now = Snapshot::take(&found, snapshot);
            let changes = now.changes_since(snapshot);
            *snapshot = now;
            Ok::<_, NotifierError>(as_pairs(changes))
        })
        .map_err(PyErr::from)
    }

    /// The paths of all files.
    fn paths(&self) -> Vec<String> {
        self.snapshot.paths().map(str::to_owned).collect()
    }
}

/// Paths, and what has happened to the files.
type Pairs = Vec<(String, &'static str)>;

fn as_pairs(changes: Changes) -> Pairs {
    let letter = |event| match event {
        Event::Added => "A",
        Event::Deleted => "D",
        Event::Modified => "M",
    };
    changes
        .into_iter()
        .map(|(path, event)| (path, letter(event)))
        .collect()
}

fn from_pairs(changes: Vec<(Text, String)>) -> Changes {
    let event = |letter: &str| match letter {
        "A" => Event::Added,
        "D" => Event::Deleted,
        _ => Event::Modified,
    };
    let changes = changes.into_iter();
    changes.map(|(path, letter)| (path.0, event(&letter))).collect()
}

fn mode_of(name: &str) -> PyResult<Mode> {
    match name {
        "all" => Ok(Mode::All),
        "affected" => Ok(Mode::Affected),
        "failed" => Ok(Mode::Failed),
        _ => Err(PyValueError::new_err(format!("unknown mode {name:?}"))),
    }
}

fn name_of(mode: Mode) -> &'static str {
    match mode {
        Mode::All => "all",
        Mode::Affected => "affected",
        Mode::Failed => "failed",
    }
}

/// What the next run has to run; see the stub.
#[pyclass(module = "rustpar._core")]
pub(super) struct WatchSession(Session);

#[pymethods]
impl WatchSession {
    #[new]
    fn new() -> Self {
        Self(Session::default())
    }

    /// Takes what has changed while no run was under way.
    fn note(&mut self, changes: Vec<(Text, String)>) {
        self.0.note(from_pairs(changes));
    }

    /// Whether there are changes that no run has seen.
    fn has_pending(&self) -> bool {
        self.0.has_pending()
    }

    /// Whether anything has failed and not passed since.
    fn has_failing(&self) -> bool {
        self.0.has_failing()
    }

    /// The expression of the filter.
    fn filter(&self) -> Option<&str> {
        self.0.filter()
    }

    /// Sets the filter; returns what to run because of that.
    fn set_filter(&mut self, expression: Text) -> Option<&'static str> {
        self.0.set_filter(&expression.0).map(name_of)
    }

    /// Begins a run; returns its mode, the line about it, the changes, and what has failed.
    fn begin(&mut self, mode: &str) -> PyResult<(&'static str, String, Pairs, Vec<String>)> {
        let (mode, changes, failing) = self.0.begin(mode_of(mode)?);
        let line = text::start(mode, &changes, failing.len(), self.0.filter());
        Ok((name_of(mode), line, as_pairs(changes), failing))
    }

    /// Ends a run; returns whether to run again at once.
    fn end(
        &mut self,
        report: Option<&str>,
        status: i32,
        is_interrupted: bool,
        seconds: f64,
        during: Vec<(Text, String)>,
        tracked: Vec<Text>,
    ) -> bool {
        let ending = Ending {
            // One that cannot be read is as good as none: the run was killed while it wrote it.
            report: report.and_then(|report| serde_json::from_str(report).ok()),
            status,
            is_interrupted,
            micros: crate::text::duration::micros(seconds),
        };
        self.0.end(ending, from_pairs(during), &texts(tracked))
    }

    /// The lines after a run.
    fn lines(&self, columns: usize, has_keys: bool, is_coloured: bool) -> Vec<String> {
        self.0.lines(columns, has_keys, is_coloured)
    }

    /// The lines about the keys.
    #[staticmethod]
    fn help() -> Vec<&'static str> {
        text::HELP.to_vec()
    }
}
