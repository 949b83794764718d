//! Python bindings for the number of workers of `-n auto`.

use crate::schedule::worker_count::{Choice as CoreChoice, Machine};
use pyo3::prelude::*;

/// The chosen number of workers, and the reason.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Choice(CoreChoice);

#[pymethods]
impl Choice {
    /// A number chosen by the user or a hook.
    #[staticmethod]
    fn explicit(count: usize, why: String) -> Self {
        Self(CoreChoice::explicit(count, why))
    }

    /// pytest-xdist's number, limited by the resources that this process may use.
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

    /// One process, if that is faster according to the last run of the same command.
    #[staticmethod]
    fn after_last_run(tests: u32, seconds: f64) -> Option<Self> {
        CoreChoice::after_last_run(tests, seconds).map(Self)
    }

    /// The number of workers; 0 for running in one process.
    #[getter]
    fn count(&self) -> usize {
        self.0.count
    }

    /// Whether the user or a hook chose the number.
    #[getter]
    fn is_explicit(&self) -> bool {
        self.0.is_explicit
    }

    /// The text shown by the run.
    #[getter]
    fn description(&self) -> String {
        self.0.to_string()
    }

    /// This choice, or a lower number for another reason.
    fn at_most(&self, count: usize, why: String) -> Self {
        Self(self.0.clone().at_most(count, why))
    }

    /// Limits the number to the number of tests.
    fn for_tests(&self, tests: usize) -> Self {
        Self(self.0.clone().for_tests(tests))
    }

    /// Limits the number by the available memory.
    fn within_memory(&self, left: u64, template: u64, growth: Option<u64>) -> Self {
        Self(self.0.clone().within_memory(left, template, growth))
    }
}
