//! Clocks for Python that no test can set.

use pyo3::prelude::*;
use std::time::Duration;

/// Seconds since a moment that is the same for this process and those forked from it. Nobody can set this clock.
#[pyfunction]
pub(super) fn monotonic() -> f64 {
    crate::platform::clock::monotonic()
}

/// Seconds since the epoch, by the system's clock.
#[pyfunction]
pub(super) fn since_epoch() -> f64 {
    crate::platform::clock::since_epoch()
}

/// Sleeps for so many seconds, and then runs the handlers of signals that have come.
#[pyfunction]
pub(super) fn sleep(py: Python<'_>, seconds: f64) -> PyResult<()> {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO);
    py.detach(|| std::thread::sleep(time));
    py.check_signals()
}
