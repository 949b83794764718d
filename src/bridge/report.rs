//! What is made from a run's journal.

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

/// The page that shows some data, JSON as described in `src/report/timeline/mod.rs`.
#[pyfunction]
pub(super) fn timeline_page(py: Python<'_>, data: &str) -> String {
    py.detach(|| page::page(data))
}

/// The page that shows the run of a journal, beside the run before it. Raises OSError when the journal cannot be read, and
/// ValueError when it is damaged or holds no run.
#[pyfunction]
pub(super) fn timeline(py: Python<'_>, journal: PathBuf) -> PyResult<Bound<'_, PyBytes>> {
    document(py, &journal, |merged| {
        page::page_of(&journal, merged).map(String::into_bytes)
    })
}

/// The run of a journal as Chrome trace events. Raises OSError or ValueError.
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
