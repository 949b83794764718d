//! Python bindings for the state of `random.Random`, as returned by `_random.Random.getstate`.

use crate::platform::mersenne_twister::{WORDS, was_seeded as words_were_seeded};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Whether a generator in this state was seeded explicitly; the state is 624 words and an index.
#[pyfunction]
pub(super) fn was_seeded(py: Python<'_>, state: Vec<u32>) -> PyResult<bool> {
    let (words, index) = state
        .split_first_chunk::<WORDS>()
        .and_then(|(words, rest)| Some((words, *rest.first()?)))
        .ok_or_else(|| PyValueError::new_err("expected 624 words and an index"))?;
    Ok(py.detach(|| words_were_seeded(words, index as usize)))
}
