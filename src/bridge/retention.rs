//! Python bindings for the number and size of the journals in pytest's cache.

use super::text::Text;
use crate::journal::retention::Retention as CoreRetention;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::path::PathBuf;

/// How many journals stay in pytest's cache, and how large they may be.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Retention(CoreRetention);

#[pymethods]
impl Retention {
    /// Parses `rustpar_journals` and `rustpar_journal_size`. Raises ValueError with a line that names the entry.
    #[new]
    fn new(number: Text, size: Text) -> PyResult<Self> {
        let parsed = CoreRetention::parse(&number.0, &size.0);
        Ok(Self(
            parsed.map_err(|error| PyValueError::new_err(error.to_string()))?,
        ))
    }

    /// How many journals are kept, including that of the current run; 0 for none.
    #[getter]
    fn number(&self) -> usize {
        self.0.number
    }

    /// How many characters of failure texts a journal keeps; None for no limit.
    #[getter]
    fn characters(&self) -> Option<u64> {
        self.0.characters
    }

    #[pyo3(signature = (directory, keep=None))]
    /// Deletes the oldest journals of a directory, but not `keep`, to make room for one more. Raises
    /// OSError.
    fn make_room(&self, directory: PathBuf, keep: Option<PathBuf>) -> PyResult<()> {
        Ok(self.0.make_room(&directory, keep.as_deref())?)
    }
}
