//! Python bindings of what load tests have measured.

use crate::journal::load::{LoadEnd, LoadResult, LoadSecond};
use crate::report::terminal::load::{details, table};
use pyo3::prelude::*;

/// The seconds of the metrics of a load test, for the journal.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct LoadSeconds {
    pub(super) core: Vec<LoadSecond>,
}

#[pymethods]
impl LoadSeconds {
    /// The index of the test.
    #[getter]
    fn test(&self) -> u32 {
        self.core.first().map_or(0, |second| second.t)
    }

    /// For exporters: name (None for the iterations), kind, values, failures, percentiles 50, 95, 99 and 100 (of
    /// durations in microseconds), and the sum of a counter or the value of a gauge.
    #[expect(clippy::type_complexity, reason = "a tuple for Python")]
    fn values(
        &self,
    ) -> Vec<(
        Option<&str>,
        &'static str,
        u64,
        u64,
        Option<(u64, u64, u64, u64)>,
        Option<f64>,
    )> {
        let values = self.core.iter();
        values
            .map(|second| {
                let took = second.took.map(|[p50, p95, p99, most]| (p50, p95, p99, most));
                (
                    second.step.as_deref(),
                    second.kind.name(),
                    second.n,
                    second.failed,
                    took,
                    second.value,
                )
            })
            .collect()
    }

    /// For exporters: users, target, iterations started and dropped in this second.
    fn level(&self) -> Option<(u32, f64, u64, u64)> {
        let level = self.core.first()?.load.as_ref()?;
        Some((level.users, level.target, level.started, level.dropped))
    }
}

/// The result of a load test; see the stub.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct LoadOutcome {
    pub(super) core: LoadResult,
}

#[pymethods]
impl LoadOutcome {
    /// The index of the test.
    #[getter]
    fn test(&self) -> u32 {
        self.core.t
    }

    /// Why the load test has failed; empty if it has passed.
    #[getter]
    fn problems(&self) -> Vec<String> {
        self.core.problems.clone()
    }

    /// Whether it has ended early because the run was stopped.
    #[getter]
    fn was_interrupted(&self) -> bool {
        self.core.end == LoadEnd::Interrupted
    }

    /// Seconds that it has taken.
    #[getter]
    fn seconds(&self) -> f64 {
        self.core.seconds
    }

    /// The lines of its table, and whether each is highlighted.
    fn table(&self) -> Vec<(String, bool)> {
        let lines = table(&self.core).into_iter();
        lines.map(|line| (line.text, line.is_highlighted)).collect()
    }

    /// The text of its failure: problems and figures.
    fn details(&self) -> String {
        details(&self.core)
    }
}
