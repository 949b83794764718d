//! Python bindings of the analysis: slow tests, percentiles, workers, the lower bound and thresholds.

use super::collection::names;
use super::text::Text;
use crate::analysis::{self, threshold_check::judge};
use crate::journal::merged::Merged;
use crate::report::address::seen_from;
use crate::report::terminal::{Line, timing};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;

/// Thresholds that a run must meet.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Thresholds(analysis::threshold::Thresholds);

#[pymethods]
impl Thresholds {
    /// Parses thresholds. Raises ValueError with three lines: the reason, the expression, and an arrow below the
    /// position.
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        let parsed = text.parse();
        parsed
            .map(Self)
            .map_err(|error: analysis::parse::ParseError| PyValueError::new_err(error.to_string()))
    }

    /// The markers that the thresholds name.
    #[getter]
    fn markers(&self) -> Vec<&str> {
        self.0.markers()
    }

    /// For each marker, the tests that carry it; `marked` are marks by index.
    fn tests_by_marker(&self, marked: &Bound<'_, PyDict>) -> PyResult<Vec<(&str, Vec<u32>)>> {
        Ok(self.0.tests_by_marker(&names(marked)?))
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }
}

/// Counts how often each collected test was completed, to detect lost tests.
#[pyclass(module = "rustpar._core")]
pub(super) struct Completeness(analysis::completeness::Completeness);

#[pymethods]
impl Completeness {
    /// Counts for this many collected tests.
    #[new]
    fn new(tests: usize) -> Self {
        Self(analysis::completeness::Completeness::new(tests))
    }

    /// Records that a worker has completed a test, or has crashed in it.
    fn record(&mut self, test: usize) {
        self.0.record(test);
    }

    /// The tests that were completed less than `times` times. With `given`, only tests that were assigned to a worker
    /// more often than they were taken back.
    #[pyo3(signature = (times, given = None, taken_back = None))]
    fn missing(&self, times: u32, given: Option<Vec<usize>>, taken_back: Option<Vec<usize>>) -> Vec<usize> {
        let assigned = given.map(|given| analysis::completeness::Assigned {
            given,
            taken_back: taken_back.unwrap_or_default(),
        });
        self.0.missing(times, assigned.as_ref())
    }

    /// The message about missing tests with these node ids; None if there are none.
    #[staticmethod]
    fn message(missing: Vec<Text>) -> Option<String> {
        let ids: Vec<&str> = missing.iter().map(|Text(id)| id.as_str()).collect();
        analysis::completeness::message(&ids)
    }
}

/// Analysis of the time of a run, as lines for a terminal.
///
/// Node ids are shown relative to the directory in which pytest was started.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Timing {
    merged: Merged,
    started: PathBuf,
    root: PathBuf,
}

#[pymethods]
impl Timing {
    /// Analyses the runs in a journal. Raises OSError or ValueError.
    #[staticmethod]
    fn read(py: Python<'_>, journal: PathBuf, started: PathBuf, root: PathBuf) -> PyResult<Self> {
        let merged = py.detach(|| Merged::read(&journal))?;
        Ok(Self {
            merged,
            started,
            root,
        })
    }

    /// The title of the slow tests, with the limit of the last run.
    fn slow_title(&self) -> String {
        timing::slow_title(&self.merged)
    }

    /// The slow tests, the longest first: lines, and whether each is highlighted because the test took far longer than
    /// usual. Empty without slow tests.
    fn slow_tests(&self) -> Vec<(String, bool)> {
        pairs(timing::slow_tests(&self.merged, &|id| self.place(id)))
    }

    /// Percentiles, workers and the lower bound. Empty if no test ran.
    fn lines(&self) -> Vec<String> {
        timing::timing(&self.merged, &|id| self.place(id))
    }

    /// The results of thresholds: lines, and whether each threshold is broken. Raises ValueError if the journal
    /// contains invalid thresholds.
    fn thresholds(&self) -> PyResult<Vec<(String, bool)>> {
        let judgements = judge(&self.merged).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(pairs(timing::thresholds(&judgements)))
    }
}

impl Timing {
    fn place(&self, id: &str) -> String {
        seen_from(&self.started, &self.root, id)
    }
}

fn pairs(lines: Vec<Line>) -> Vec<(String, bool)> {
    let pairs = lines.into_iter().map(|line| (line.text, line.is_highlighted));
    pairs.collect()
}
