//! Python bindings for retries of failed tests.

use super::text::Text;
use crate::report::terminal::retries::{End, Retried, lines};
use crate::schedule::backoff::Backoff;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The delays of a test that is tried again and again.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct RetryDelay {
    core: Backoff,
    #[pyo3(get)]
    text: String,
}

#[pymethods]
impl RetryDelay {
    /// Parses `500ms`, `1s*2` or `1s*2..30s`. Raises ValueError with a line that says what to write.
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        let core = Backoff::parse(text).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let text = text.to_owned();
        Ok(Self { core, text })
    }

    /// Seconds before the next attempt, after so many.
    fn after(&self, attempts: u32) -> f64 {
        self.core.after(attempts)
    }

    fn __repr__(&self) -> String {
        format!("<RetryDelay {}>", self.text)
    }
}

/// The failed attempts of a test: number, worker and error.
type Failures = Vec<(u32, Option<String>, Text)>;

/// The lines about tests that were tried again; see the stub.
#[pyfunction]
pub(super) fn retry_lines(tests: Vec<(Text, Option<u32>, bool, Failures)>) -> Vec<(String, bool)> {
    let retried: Vec<Retried> = tests
        .into_iter()
        .map(|(Text(id), flaky, has_failed, failures)| Retried {
            id,
            end: match flaky {
                Some(attempt) => End::Flaky(attempt),
                None if has_failed => End::Failed,
                None => End::Stopped,
            },
            failures: failures
                .into_iter()
                .map(|(number, worker, Text(message))| (number, worker, message))
                .collect(),
        })
        .collect();
    let lines = lines(&retried).into_iter();
    lines.map(|line| (line.text, line.is_highlighted)).collect()
}
