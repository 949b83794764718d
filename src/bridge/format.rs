//! Python bindings for formatting and parsing values.

use super::text::Text;
use crate::text::duration::{self, micros};
use crate::text::size;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Formats a duration in seconds with three digits and a unit, such as `612 ms`; from a minute on as on a clock.
#[pyfunction]
pub(super) fn spoken(seconds: f64) -> String {
    duration::spoken(micros(seconds))
}

/// Formats bytes in whole mebibytes, such as `1,234 MiB`.
#[pyfunction]
pub(super) fn spoken_size(bytes: u64) -> String {
    size::spoken(bytes)
}

/// Parses a duration and returns seconds. Raises ValueError with a line that says what to write.
#[pyfunction]
pub(super) fn parse_duration(text: &str) -> PyResult<f64> {
    duration::parse(text).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Parses a size and returns bytes. Raises ValueError with a line that says what to write.
#[pyfunction]
pub(super) fn parse_size(text: &str) -> PyResult<u64> {
    size::parse(text).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Formats a count with a noun, such as `2 workers`.
#[pyfunction]
pub(super) fn counted(count: usize, noun: &str) -> String {
    crate::text::counted(count, noun)
}

/// The number of terminal columns that a text takes.
#[pyfunction]
pub(super) fn width(text: Text) -> usize {
    crate::text::width::width(&text.0)
}
