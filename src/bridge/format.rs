//! Python bindings for formatting and parsing values.

use super::text::Text;
use crate::report::terminal::live_area::{LastLine, drawn_and_erased};
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

/// The texts that draw lines below the output of a terminal, and erase them; see the stub.
#[pyfunction]
pub(super) fn live_area(
    lines: Vec<String>,
    columns: usize,
    width: i64,
    end: Text,
    erases_right: bool,
) -> (String, String) {
    let last = LastLine {
        // Negative if it contains what has no width.
        width: usize::try_from(width).unwrap_or(0),
        end: &end.0,
    };
    drawn_and_erased(&lines, columns, last, erases_right)
}
