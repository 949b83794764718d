//! Python bindings for reports made from a run's journal.

use crate::journal::merged::Merged;
use crate::journal::read::Problem;
use crate::report::{timeline as page, trace as events};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::{Path, PathBuf};

impl From<Problem> for PyErr {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Unreadable { .. } => PyOSError::new_err(problem.to_string()),
            _ => PyValueError::new_err(problem.to_string()),
        }
    }
}

/// The timeline page for some data, JSON as described in `src/report/timeline/mod.rs`.
#[pyfunction]
pub(super) fn timeline_page(py: Python<'_>, data: &str) -> String {
    py.detach(|| page::page(data))
}

/// The timeline page of a journal, compared with the previous run. Raises OSError if the journal cannot be read, and
/// ValueError if it is damaged or contains no run.
#[pyfunction]
pub(super) fn timeline(py: Python<'_>, journal: PathBuf) -> PyResult<Bound<'_, PyBytes>> {
    document(py, &journal, |merged| {
        page::page_of(&journal, merged).map(String::into_bytes)
    })
}

/// The run of a journal as a Chrome trace. Raises OSError or ValueError.
#[pyfunction]
pub(super) fn trace(py: Python<'_>, journal: PathBuf) -> PyResult<Bound<'_, PyBytes>> {
    document(py, &journal, events::write)
}

fn document<'py, E: std::fmt::Display + Send>(
    py: Python<'py>,
    journal: &Path,
    write: impl Fn(&Merged) -> Result<Vec<u8>, E> + Sync,
) -> PyResult<Bound<'py, PyBytes>> {
    let merged = py.detach(|| Merged::read(journal))?;
    let bytes = py.detach(|| write(&merged));
    let bytes = bytes.map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &bytes))
}
