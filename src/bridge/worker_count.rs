//! How many workers `-n auto` means, for Python.

use crate::schedule::number_of_workers::{Choice as CoreChoice, Machine};
use pyo3::prelude::*;

/// How many workers were chosen, and why.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Choice(CoreChoice);

#[pymethods]
impl Choice {
    /// A number that somebody has named.
    #[staticmethod]
    fn given(count: usize, why: String) -> Self {
        Self(CoreChoice::given(count, why))
    }

    /// What pytest-xdist has counted, but no more than this process may use.
    #[staticmethod]
    #[pyo3(signature = (counted, *, cpus, usable, quota))]
    fn for_machine(counted: usize, cpus: usize, usable: Option<usize>, quota: Option<usize>) -> Self {
        let machine = Machine {
            counted,
            cpus,
            usable,
            quota,
        };
        Self(CoreChoice::for_machine(&machine))
    }

    /// One process, if it is faster by the last run of the same command.
    #[staticmethod]
    fn after_last_run(tests: u32, seconds: f64) -> Option<Self> {
        CoreChoice::after_last_run(tests, seconds).map(Self)
    }

    /// The workers; 0 for one process that has none.
    #[getter]
    fn count(&self) -> usize {
        self.0.count
    }

    /// Whether somebody has named a number.
    #[getter]
    fn is_given(&self) -> bool {
        self.0.is_given
    }

    /// What the run says of it.
    #[getter]
    fn words(&self) -> String {
        self.0.to_string()
    }

    /// This choice, or a lower one for another reason.
    fn at_most(&self, count: usize, why: String) -> Self {
        Self(self.0.clone().at_most(count, why))
    }

    /// No more workers than there are tests.
    fn for_tests(&self, tests: usize) -> Self {
        Self(self.0.clone().for_tests(tests))
    }

    /// No more workers than memory is enough for.
    fn within_memory(&self, left: u64, template: u64, growth: Option<u64>) -> Self {
        Self(self.0.clone().within_memory(left, template, growth))
    }
}
