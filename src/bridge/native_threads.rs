//! Python bindings for threads of native libraries.

use crate::platform::{native_threads, thread_pools};
use pyo3::prelude::*;

/// Number of threads of this process; 1 if the system does not tell.
#[pyfunction]
pub(super) fn thread_count() -> u64 {
    native_threads::thread_count()
}

/// Number of threads of this process that are not prepared for a fork, except `known` ones, and the names of libraries
/// that they wait in, as far as known. It may be wrong while threads start and end.
#[pyfunction]
pub(super) fn unknown_threads(known: u64) -> (u64, Vec<String>) {
    native_threads::unknown_threads(known)
}

/// The largest thread pool of numerical libraries that this process has loaded: the library, its threads, and the
/// environment variable that sets their number. None if there is none, or if such a variable is set.
#[pyfunction]
pub(super) fn largest_thread_pool() -> Option<(&'static str, u32, &'static str)> {
    let pool = thread_pools::largest_pool(|name| std::env::var_os(name).is_some())?;
    Some((pool.library, pool.threads, pool.variable))
}
