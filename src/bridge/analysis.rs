//! Where the time of a run went, for Python.

use super::collection::names;
use crate::analysis::{self, judge::judge};
use crate::journal::merged::Merged;
use crate::report::address::seen_from;
use crate::report::terminal::{Line, timing};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;

/// What a run has to keep.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Thresholds(analysis::threshold::Thresholds);

#[pymethods]
impl Thresholds {
    /// Reads them. Raises ValueError with three lines: the reason, the expression, and an arrow below the place.
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        let parsed = text.parse();
        parsed
            .map(Self)
            .map_err(|error: analysis::parse::ParseError| PyValueError::new_err(error.to_string()))
    }

    /// The markers that they name.
    #[getter]
    fn markers(&self) -> Vec<&str> {
        self.0.markers()
    }

    /// The tests that carry each of these markers; `marked` are marks by index.
    fn carriers(&self, marked: &Bound<'_, PyDict>) -> PyResult<Vec<(&str, Vec<u32>)>> {
        Ok(self.0.tests_by_marker(&names(marked)?))
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }
}

/// Where the time of a run went, in lines for a terminal.
///
/// Node ids are shown relative to the directory that pytest was started in; they begin at the root directory.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Timing {
    merged: Merged,
    started: PathBuf,
    root: PathBuf,
}

#[pymethods]
impl Timing {
    /// Of the runs in a journal. Raises OSError or ValueError.
    #[staticmethod]
    fn read(py: Python<'_>, journal: PathBuf, started: PathBuf, root: PathBuf) -> PyResult<Self> {
        let merged = py.detach(|| Merged::read(&journal))?;
        Ok(Self {
            merged,
            started,
            root,
        })
    }

    /// The title above the slow tests, with the limit that the last run has.
    fn slow_title(&self) -> String {
        timing::slow_title(&self.merged)
    }

    /// The slow tests, the longest first: lines, and whether each is of a test that took far longer than usual. Empty
    /// without slow tests.
    fn slow_tests(&self) -> Vec<(String, bool)> {
        pairs(timing::slow_tests(&self.merged, &|id| self.place(id)))
    }

    /// Percentiles, workers and the lower bound. Empty when no test ran.
    fn lines(&self) -> Vec<String> {
        timing::timing(&self.merged, &|id| self.place(id))
    }

    /// What became of thresholds: lines, and whether each is of a broken one. Raises ValueError when the journal names
    /// some that cannot be understood.
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
