//! Clocks for Python that tests cannot replace.

use pyo3::prelude::*;
use std::time::Duration;

/// Monotonic seconds; the origin is the same for this process and its forks. The clock cannot be set.
#[pyfunction]
pub(super) fn monotonic() -> f64 {
    crate::platform::clock::monotonic()
}

/// Seconds since the epoch by the system clock.
#[pyfunction]
pub(super) fn since_epoch() -> f64 {
    crate::platform::clock::since_epoch()
}

/// Sleeps for so many seconds, then runs pending signal handlers.
#[pyfunction]
pub(super) fn sleep(py: Python<'_>, seconds: f64) -> PyResult<()> {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO);
    py.detach(|| std::thread::sleep(time));
    py.check_signals()
}
