//! Python bindings for whether a process may be forked: threads of native libraries, and where values are stored.

use super::text::Text;
use crate::fork_safety::assigned_name::{Opcodes as Names, Use};
use crate::fork_safety::seeding;
#[cfg(unix)]
use crate::platform::{native_threads, thread_pools};
use pyo3::prelude::*;

/// The opcodes of this version of Python, for finding where the result of a call is stored.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Opcodes(Names);

#[pymethods]
impl Opcodes {
    /// Args: `names` are those of the opcodes by their numbers, `dis.opname`.
    #[new]
    fn new(names: Vec<String>) -> Self {
        Self(Names::new(names))
    }

    /// What happens to the result of the instruction at offset `last` of `code`, a code object's `co_code`.
    ///
    /// Returns "name" or "attribute" with a number in `co_names`; "key" with a number in `co_consts`, or None if it is no
    /// constant; "variable", "return" or "drop" with None. `is_function` tells whether it is the code of a function.
    fn use_of_result(&self, code: &[u8], last: isize, is_function: bool) -> (&'static str, Option<usize>) {
        match self.0.use_of_result(code, last, is_function) {
            Use::Name(number) => ("name", Some(number)),
            Use::Attribute(number) => ("attribute", Some(number)),
            Use::Key(number) => ("key", number),
            Use::Variable => ("variable", None),
            Use::Returned => ("return", None),
            Use::Dropped => ("drop", None),
        }
    }
}

/// Whether a line of source code seeds a random number generator, judged by its text; with `is_from_system` only if it
/// requests one of the system's random numbers.
#[pyfunction]
pub(super) fn seeds_generator(line: Text, is_from_system: bool) -> bool {
    seeding::seeds(&line.0, is_from_system)
}

/// Number of threads of this process; 1 if the system does not tell.
#[cfg(unix)]
#[pyfunction]
pub(super) fn thread_count() -> u64 {
    native_threads::thread_count()
}

/// Number of threads of this process that are not prepared for a fork, except `known` ones, and the names of libraries
/// that they wait in, as far as known. It may be wrong while threads start and end.
#[cfg(unix)]
#[pyfunction]
pub(super) fn unknown_threads(py: Python<'_>, known: u64) -> (u64, Vec<String>) {
    py.detach(|| native_threads::unknown_threads(known))
}

/// The largest thread pool of numerical libraries that this process has loaded: the library, its threads, and the
/// environment variable that sets their number. None if there is none, or if such a variable is set.
#[cfg(unix)]
#[pyfunction]
pub(super) fn largest_thread_pool(py: Python<'_>) -> Option<(&'static str, u32, &'static str)> {
    let pool = py.detach(|| thread_pools::largest_pool(|name| std::env::var_os(name).is_some()))?;
    Some((pool.library, pool.threads, pool.variable))
}
