//! What is remembered from one run to the next.

use crate::history::History as CoreHistory;
use crate::history::file;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use std::path::PathBuf;

/// What is remembered of tests and shared fixtures.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct History {
    core: CoreHistory,
}

#[pymethods]
impl History {
    /// The history in a file, empty where there is none; where it cannot be used, empty too, and a line that says why.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> (Self, Option<String>) {
        let (core, warning) = py.detach(|| file::load(&path));
        (Self { core }, warning.map(|warning| warning.to_string()))
    }

    /// What each test will probably take, without the fixtures it shares; None when nothing is known.
    fn expected(&self, node_ids: &Bound<'_, PyList>) -> PyResult<Vec<Option<f64>>> {
        each(node_ids, |id| self.core.expected(id))
    }

    /// Whether each test failed when it last ran.
    fn failed(&self, node_ids: &Bound<'_, PyList>) -> PyResult<Vec<bool>> {
        each(node_ids, |id| self.core.failed_last(id))
    }

    /// What the set-up of each shared fixture will probably take; None when nothing is known.
    fn fixture_seconds(&self, keys: &Bound<'_, PyList>) -> PyResult<Vec<Option<f64>>> {
        each(keys, |key| self.core.fixture_seconds(key))
    }

    fn __len__(&self) -> usize {
        self.core.tests().len()
    }
}

/// Asks about each text of a list.
fn each<T>(texts: &Bound<'_, PyList>, ask: impl Fn(&str) -> T) -> PyResult<Vec<T>> {
    let answers = texts.iter().map(|text| {
        let text = text.cast::<PyString>()?;
        Ok(ask(&text.to_string_lossy()))
    });
    answers.collect()
}
