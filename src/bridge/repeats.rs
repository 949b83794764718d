//! Python bindings for the summary of repeated tests.

use super::text::{Text, texts};
use crate::report::terminal::repeats::Repetitions as Core;
use crate::text::duration::micros;
use pyo3::prelude::*;

/// Counts repetitions of tests; see the stub.
#[pyclass(module = "rustpar._core")]
pub(super) struct Repetitions {
    core: Core,
}

#[pymethods]
impl Repetitions {
    #[new]
    fn new() -> Self {
        Self {
            core: Core::default(),
        }
    }

    /// Adds a repetition that has ended.
    fn add(
        &mut self,
        id: Text,
        seconds: f64,
        is_skipped: bool,
        worker: Option<String>,
        failure: Option<Text>,
    ) {
        let failure = failure.map(|Text(message)| message);
        self.core.add(&id.0, micros(seconds), is_skipped, worker, failure);
    }

    /// The lines of the summary, and whether each is highlighted. `selected` are the arguments that select the tests.
    fn lines(&self, selected: Vec<Text>) -> Vec<(String, bool)> {
        let lines = self.core.lines(&texts::<Vec<String>>(selected)).into_iter();
        lines.map(|line| (line.text, line.is_highlighted)).collect()
    }
}
