//! Python bindings for the memory of processes, and messages about it.

use super::text::Text;
use crate::report::terminal::memory::{self, Replaced};
use pyo3::prelude::*;
use std::path::PathBuf;

#[cfg(target_os = "linux")]
use crate::platform::os;

/// Peak resident bytes of this process; 0 on systems other than Linux.
#[pyfunction]
pub(super) fn peak_memory() -> u64 {
    #[cfg(target_os = "linux")]
    return os::peak_memory();
    #[cfg(not(target_os = "linux"))]
    0
}

/// Resident bytes of a process, or of this one for None, shared pages included. None if the process does not exist, and
/// on systems other than Linux.
#[pyfunction]
pub(super) fn resident_memory(process: Option<u32>) -> Option<u64> {
    #[cfg(target_os = "linux")]
    return os::resident_memory(process);
    #[cfg(not(target_os = "linux"))]
    process.and(None)
}

/// Proportional bytes of a process, or of this one for None: a page shared by n processes counts as 1/n. None if the
/// process does not exist, and on systems other than Linux.
#[pyfunction]
pub(super) fn proportional_memory(process: Option<u32>) -> Option<u64> {
    #[cfg(target_os = "linux")]
    return os::proportional_memory(process);
    #[cfg(not(target_os = "linux"))]
    process.and(None)
}

/// The section about memory in the summary of a run. `replaced` has the resident bytes, the worker and its last test
/// for each worker that exceeded `limit`; `path` is the run's journal.
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

/// The warning that no worker is replaced, because workers exceed the limit from the start.
#[pyfunction]
pub(super) fn limit_without_effect(resident: u64, limit: u64) -> String {
    memory::limit_without_effect(resident, limit)
}

/// The reason for replacing a worker after a test.
#[pyfunction]
pub(super) fn replaced_because(resident: u64, limit: u64, test: Text) -> String {
    memory::replaced_because(resident, limit, &test.0)
}
