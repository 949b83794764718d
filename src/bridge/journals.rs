//! What journals tell, as Python asks for it.

use crate::journal::join::{self, CannotJoin};
use crate::journal::merged::Merged;
use crate::journal::read::{self, Problem};
use crate::journal::run::Verdict;
use crate::journal::seconds;
use crate::report::{ctrf, github, junit, text, timeline, trace};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;

impl From<Problem> for PyErr {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Unreadable { .. } => PyOSError::new_err(problem.to_string()),
            _ => PyValueError::new_err(problem.to_string()),
        }
    }
}

impl From<CannotJoin> for PyErr {
    fn from(problem: CannotJoin) -> Self {
        match problem {
            CannotJoin::Input(problem) => problem.into(),
            CannotJoin::Unwritable { .. } => PyOSError::new_err(problem.to_string()),
            CannotJoin::Empty | CannotJoin::InTheWay(_) => PyValueError::new_err(problem.to_string()),
        }
    }
}

/// What a run is, and what came of it.
type About = (
    String,
    f64,
    Vec<String>,
    String,
    Vec<(&'static str, usize)>,
    f64,
    usize,
    Option<i32>,
);

/// Runs that have been read from journals, told as one.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct Report {
    merged: Merged,
}

#[pymethods]
impl Report {
    /// Reads journals. Raises OSError or ValueError.
    #[new]
    fn new(py: Python<'_>, paths: Vec<PathBuf>) -> PyResult<Self> {
        let logs: Result<Vec<_>, Problem> = py.detach(|| paths.iter().map(|path| read::read(path)).collect());
        let logs = logs?.concat();
        Ok(Self {
            merged: py.detach(|| Merged::new(logs)),
        })
    }

    /// Writes all runs of some journals into the file `out`, each once; returns how many these are. Raises OSError or
    /// ValueError; then the file is as it was.
    #[staticmethod]
    fn join(py: Python<'_>, paths: Vec<PathBuf>, out: PathBuf) -> PyResult<usize> {
        Ok(py.detach(|| join::join(&paths, &out))?.len())
    }

    /// All runs of some journals, each once, as a journal. Raises OSError or ValueError.
    #[staticmethod]
    fn joined(py: Python<'_>, paths: Vec<PathBuf>) -> PyResult<Bound<'_, PyBytes>> {
        let (_, lines) = py.detach(|| join::joined(&paths))?;
        Ok(PyBytes::new(py, &lines))
    }

    /// Of each run: id, when it began in seconds since the epoch, command, environment, how often what was counted,
    /// how many seconds it lasted, how many workers it had, and its exit status; None where its end is missing.
    fn runs(&self) -> Vec<About> {
        let parts = self.merged.parts.iter();
        let about = parts.map(|part| {
            let (run, head) = (&part.run, &part.run.head);
            let counts = Verdict::ALL.into_iter().zip(run.counts());
            (
                head.id.clone(),
                seconds(head.began),
                head.command.clone(),
                self.merged.environments[part.environment].name.clone(),
                counts
                    .filter(|&(_, count)| count > 0)
                    .map(|(verdict, count)| (verdict.name(), count))
                    .collect(),
                seconds(run.lasted),
                run.processes
                    .iter()
                    .filter(|process| process.number.is_some())
                    .count(),
                run.exit,
            )
        });
        about.collect()
    }

    /// What was counted, and how long it took, in a line.
    fn totals(&self) -> String {
        text::totals(&self.merged)
    }

    /// A summary for a terminal, in sections; that of the slowest tests names at most so many.
    fn sections(&self, py: Python<'_>, slowest: usize) -> Vec<String> {
        let merged = &self.merged;
        let sections = py.detach(|| {
            [
                text::failed(merged),
                text::uncertain(merged),
                text::slowest(merged, slowest),
                text::workers(merged),
                text::overview(merged),
            ]
        });
        let told = sections.into_iter().filter(|section| !section.is_empty());
        told.collect()
    }

    /// The document in JUnit's XML.
    fn junit<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| junit::write(&self.merged))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The document in the Common Test Report Format.
    fn ctrf<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.json(py, ctrf::write)
    }

    /// The document with Chrome trace events.
    fn trace<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.json(py, trace::write)
    }

    /// The data of the timeline page, for `timeline_page`, with what was different in a `previous` report.
    #[pyo3(signature = (previous = None))]
    fn timeline(&self, py: Python<'_>, previous: Option<&Self>) -> PyResult<String> {
        let previous = previous.map(|report| &report.merged);
        let data = py.detach(|| timeline::data::data(&self.merged, previous));
        data.map_err(|problem| PyValueError::new_err(problem.to_string()))
    }

    /// Commands that have GitHub Actions show the failures.
    fn annotations(&self) -> String {
        github::annotations(&self.merged)
    }

    /// The job summary for GitHub Actions, in Markdown.
    fn job_summary(&self) -> String {
        github::summary(&self.merged)
    }
}

impl Report {
    fn json<'py>(
        &self,
        py: Python<'py>,
        write: impl Fn(&Merged) -> serde_json::Result<Vec<u8>> + Sync,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| write(&self.merged));
        let bytes = bytes.map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &bytes))
    }
}
