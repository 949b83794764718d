//! How much memory processes hold, and what a journal says of it.

use crate::journal::read::read;
use crate::journal::run::Run;
use crate::report::memory::memory;
use pyo3::exceptions::PyValueError;
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

/// A test, and a number of bytes.
type Growth = (String, u64);

/// Name, peak, proportional bytes, where it grew most and by how much, and the test after which it was replaced.
type Row = (String, u64, Option<u64>, Option<Growth>, Option<String>);

/// The memory of each process that ran tests in the last run in the journal `path`; see the stub. Raises ValueError for what
/// is no journal.
#[pyfunction]
pub(super) fn memory_of_run(py: Python<'_>, path: PathBuf) -> PyResult<Vec<Row>> {
    py.detach(|| {
        let mut logs = read(&path).map_err(|problem| PyValueError::new_err(problem.to_string()))?;
        let run = logs.pop().map(Run::new).unwrap_or_default();
        let id = |test| run.id(test).to_owned();
        let rows = memory(&run).into_iter().map(|process| {
            let growth = process.growth.map(|(test, bytes)| (id(test), bytes));
            let replaced = process.replaced_after.map(id);
            (process.name, process.peak, process.proportional, growth, replaced)
        });
        Ok(rows.collect())
    })
}
