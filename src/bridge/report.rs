//! What is made from a run's journal.

use crate::report::timeline;
use pyo3::prelude::*;

/// The page that shows a run; `data` is JSON as described in `src/report/timeline/mod.rs`.
#[pyfunction]
pub(super) fn timeline_page(py: Python<'_>, data: &str) -> String {
    py.detach(|| timeline::page(data))
}
