//! Where the time of a run went, for Python.

use super::collection::names;
use crate::analysis::bound::{self, Decider};
use crate::analysis::durations::{Durations, Spread};
use crate::analysis::judge::judge;
use crate::analysis::slow;
use crate::analysis::usage::usage;
use crate::analysis::{self, Counted};
use crate::journal::merged::{Merged, Part};
use crate::journal::read::{Problem, read};
use crate::journal::seconds;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;

/// What a run has to keep.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Thresholds(analysis::thresholds::Thresholds);

#[pymethods]
impl Thresholds {
    /// Reads them. Raises ValueError with three lines: the reason, the expression, and an arrow below the place.
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        let parsed = text.parse();
        parsed
            .map(Self)
            .map_err(|error: analysis::parse::ParseError| PyValueError::new_err(error.to_string()))
    }

    /// The markers that they name.
    #[getter]
    fn markers(&self) -> Vec<&str> {
        self.0.markers()
    }

    /// The tests that carry each of these markers; `marked` are marks by index.
    fn carriers(&self, marked: &Bound<'_, PyDict>) -> PyResult<Vec<(&str, Vec<u32>)>> {
        Ok(self.0.carriers(&names(marked)?))
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }
}

/// Node id, worker, whole duration, how many times the usual one, and set-up, call and teardown.
type SlowTest<'a> = (&'a str, String, f64, Option<f64>, [Option<f64>; 3]);

/// Count, p50, p95, p99 and maximum.
type Percentiles = (u64, f64, f64, f64, f64);

/// How long tests ran, the bound, everything divided by the workers, how many these are, and what decides: its kind, its
/// name, and how many tests that are.
type Closeness<'a> = (f64, f64, f64, usize, &'a str, String, usize);

/// Where the time of some runs went. All times are in seconds.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Timing(Merged);

#[pymethods]
impl Timing {
    /// Of the runs in a journal. Raises OSError or ValueError.
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let timing = py.detach(|| Ok(Self(Merged::new(read(&path)?))));
        timing.map_err(|problem: Problem| match problem {
            Problem::Unreadable { .. } => PyOSError::new_err(problem.to_string()),
            _ => PyValueError::new_err(problem.to_string()),
        })
    }

    /// The time from which on a test is slow, as the last run has it.
    #[getter]
    fn slow_limit(&self) -> f64 {
        let last = self.0.parts.last();
        seconds(last.map_or(slow::USUAL_LIMIT, |last| slow::limit(&last.run)))
    }

    /// The slow tests, the longest first: node id, worker, whole duration, how many times the usual one by the history, and
    /// set-up, call and teardown. What is not known is None.
    fn slow(&self) -> Vec<SlowTest<'_>> {
        let merged = &self.0;
        let row = |Counted { part, run, attempt }: Counted<'_>| {
            (
                merged.parts[part].run.id(attempt.test),
                merged.process_name(part, attempt.process),
                seconds(attempt.took()),
                slow::times_usual(run, attempt),
                attempt.phases.map(|phase| phase.map(|phase| seconds(phase.took))),
            )
        };
        slow::slow(merged).into_iter().map(row).collect()
    }

    /// How long tests took, and their set-ups, calls and teardowns: how many there are, p50, p95, p99 and the maximum.
    /// What there is none of is None.
    fn percentiles(&self) -> [Option<Percentiles>; 4] {
        let durations = Durations::new(&self.0);
        let [set_up, call, teardown] = &durations.phases;
        let row = |spread: &Spread| {
            let at = |percent| spread.percentile(percent).map(seconds);
            let most = spread.most().map(seconds)?;
            Some((spread.count(), at(50.0)?, at(95.0)?, at(99.0)?, most))
        };
        [&durations.whole, set_up, call, teardown].map(row)
    }

    /// What each worker did: its name, how many tests it began, the time in which it was busy, the part of that in set-ups,
    /// the part of that in shared fixtures, and the time in which it was idle.
    fn workers(&self) -> Vec<(String, usize, f64, f64, f64, f64)> {
        let parts = self.0.parts.iter().enumerate();
        let usages =
            parts.flat_map(|(part, known)| usage(&known.run).into_iter().map(move |usage| (part, usage)));
        let rows = usages.map(|(part, usage)| {
            (
                self.0.process_name(part, usage.process),
                usage.tests,
                seconds(usage.busy),
                seconds(usage.set_up),
                seconds(usage.shared),
                seconds(usage.idle),
            )
        });
        rows.collect()
    }

    /// How close the run came to the shortest that it could have been: how long tests ran, what that could not be less
    /// than, all the work divided by the workers, how many these were, and what decided it: "work", "test", "group" or
    /// "serial", the name of the test or the group, and how many tests that are. None where no test ran, and of several runs:
    /// nobody has scheduled them together.
    fn bound(&self) -> Option<Closeness<'_>> {
        let [Part { run, .. }] = &self.0.parts[..] else {
            return None;
        };
        if run.attempts.is_empty() {
            return None;
        }
        let bound = bound::Bound::new(run);
        let (kind, name, tests) = match bound.decider {
            Decider::Work => ("work", String::new(), run.ids.len()),
            Decider::Test(test) => ("test", run.id(test).to_owned(), 1),
            Decider::Group { name, tests } => ("group", name, tests),
            Decider::Serial(tests) => ("serial", String::new(), tests),
        };
        let [took, least, even] = [bound.took, bound.least, bound.even].map(seconds);
        Some((took, least, even, bound.workers, kind, name, tests))
    }

    /// What became of the thresholds that the run has to keep: of each a dictionary of `text`, `value` and `broken`.
    /// Raises ValueError when the journal names some that cannot be understood.
    fn judge<'py>(&self, py: Python<'py>) -> PyResult<Vec<pyo3::Bound<'py, PyDict>>> {
        let judgements = judge(&self.0).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let told = judgements.into_iter().map(|judgement| {
            let about = PyDict::new(py);
            about.set_item("text", judgement.text)?;
            about.set_item("value", judgement.value)?;
            about.set_item("broken", judgement.broken)?;
            Ok(about)
        });
        told.collect()
    }
}
