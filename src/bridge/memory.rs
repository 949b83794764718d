//! How much memory processes hold, and what is told of it.

use super::text::Text;
use crate::report::terminal::memory::{self, Replaced};
use pyo3::prelude::*;
use std::path::PathBuf;

#[cfg(target_os = "linux")]
use crate::platform::os;

/// Resident bytes that this process has held at most; 0 where the system is not Linux.
#[pyfunction]
pub(super) fn peak_memory() -> u64 {
    #[cfg(target_os = "linux")]
    return os::peak_memory();
    #[cfg(not(target_os = "linux"))]
    0
}

/// Resident bytes of a process, of this one for None: also what it shares with others. None when it is gone, and where the
/// system is not Linux.
#[pyfunction]
pub(super) fn resident_memory(process: Option<u32>) -> Option<u64> {
    #[cfg(target_os = "linux")]
    return os::resident_memory(process);
    #[cfg(not(target_os = "linux"))]
    process.and(None)
}

/// Proportional bytes of a process, of this one for None: what n processes share counts as the n-th part. None when it is
/// gone, and where the system is not Linux.
#[pyfunction]
pub(super) fn proportional_memory(process: Option<u32>) -> Option<u64> {
    #[cfg(target_os = "linux")]
    return os::proportional_memory(process);
    #[cfg(not(target_os = "linux"))]
    process.and(None)
}

/// The section on memory in the summary of a run. `replaced` are the resident bytes, the worker and its last test of each
/// worker that held more than `limit`; `path` is the run's journal.
#[pyfunction]
pub(super) fn memory_lines(
    py: Python<'_>,
    limit: Option<u64>,
    replaced: Vec<(u64, String, Text)>,
    path: Option<PathBuf>,
    verbosity: i32,
) -> Vec<String> {
    let replaced = replaced
        .into_iter()
        .map(|(resident, worker, Text(test))| Replaced {
            resident,
            worker,
            test,
        });
    let replaced = replaced.collect();
    py.detach(|| memory::summary(limit, replaced, path.as_deref(), verbosity))
}

/// Why no worker is replaced, where one holds more than the limit from its beginning.
#[pyfunction]
pub(super) fn limit_without_effect(resident: u64, limit: u64) -> String {
    memory::limit_without_effect(resident, limit)
}

/// Why a worker is replaced after a test.
#[pyfunction]
pub(super) fn replaced_because(resident: u64, limit: u64, test: Text) -> String {
    memory::replaced_because(resident, limit, &test.0)
}
