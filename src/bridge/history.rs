//! Python bindings of the history.

use crate::history::History as CoreHistory;
use crate::history::file;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use std::path::PathBuf;

/// The history of tests and shared fixtures.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct History {
    core: CoreHistory,
}

impl History {
    /// The expected seconds of each test, `None` if unknown.
    pub(super) fn expected_of(&self, ids: &[String]) -> Vec<Option<f64>> {
        ids.iter().map(|id| self.core.expected(id)).collect()
    }
}

#[pymethods]
impl History {
    /// Reads the history in a file; empty if there is none, and if it cannot be used, empty with a line that says why.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> (Self, Option<String>) {
        let (core, warning) = py.detach(|| file::load(&path));
        (Self { core }, warning.map(|warning| warning.to_string()))
    }

    /// The expected seconds of each test without the fixtures it shares; None if unknown.
    fn expected(&self, node_ids: &Bound<'_, PyList>) -> PyResult<Vec<Option<f64>>> {
        each(node_ids, |id| self.core.expected(id))
    }

    /// Whether each test failed in the last run that saw it.
    fn failed(&self, node_ids: &Bound<'_, PyList>) -> PyResult<Vec<bool>> {
        each(node_ids, |id| self.core.failed_last(id))
    }

    /// The expected setup seconds of each shared fixture; None if unknown.
    fn fixture_seconds(&self, keys: &Bound<'_, PyList>) -> PyResult<Vec<Option<f64>>> {
        each(keys, |key| self.core.fixture_seconds(key))
    }

    fn __len__(&self) -> usize {
        self.core.tests().len()
    }
}

/// Calls `ask` for each text of a list.
fn each<T>(texts: &Bound<'_, PyList>, ask: impl Fn(&str) -> T) -> PyResult<Vec<T>> {
    let answers = texts.iter().map(|text| {
        let text = text.cast::<PyString>()?;
        Ok(ask(&text.to_string_lossy()))
    });
    answers.collect()
}
