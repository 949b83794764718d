//! What is remembered from one run to the next.

use crate::history::file::{self, Warning};
use crate::history::{History as CoreHistory, KEPT_DAYS, Outcome, Seconds};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use std::path::PathBuf;

impl From<Warning> for PyErr {
    fn from(warning: Warning) -> Self {
        match warning {
            Warning::Unreadable { .. } | Warning::Unwritable { .. } => {
                PyOSError::new_err(warning.to_string())
            }
            Warning::Damaged { .. } | Warning::Newer { .. } => PyValueError::new_err(warning.to_string()),
        }
    }
}

/// What is remembered of tests and shared fixtures.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct History {
    core: CoreHistory,
}

type Phases = Vec<Option<f64>>;

#[pymethods]
impl History {
    /// Days after which a test or fixture that no run has met is forgotten.
    #[classattr]
    const DAYS: u64 = KEPT_DAYS;

    /// The history in a file, empty where there is none; where it cannot be used, empty too, and a line that says why.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> (Self, Option<String>) {
        let (core, warning) = py.detach(|| file::load(&path));
        (Self { core }, warning.map(|warning| warning.to_string()))
    }

    /// The history in a file, empty where there is none. Raises OSError or ValueError where it cannot be used.
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let core = py.detach(|| file::read(&path))?;
        Ok(Self { core })
    }

    /// Adds what other files know to the file `path`; of two records of a test, that of the later run counts. Raises
    /// OSError or ValueError; then the file is as it was.
    #[staticmethod]
    fn merge(py: Python<'_>, path: PathBuf, others: Vec<PathBuf>) -> PyResult<()> {
        py.detach(|| {
            let others: Result<Vec<_>, Warning> = others.iter().map(|other| file::read(other)).collect();
            let others = others?;
            file::update(&path, |history| {
                for other in others {
                    history.merge(other);
                }
            })
        })?;
        Ok(())
    }

    /// Has a file forget what no run has met for so many days; returns how many tests and fixtures that were. Raises
    /// OSError or ValueError; then the file is as it was.
    #[staticmethod]
    fn prune(py: Python<'_>, path: PathBuf, days: u64) -> PyResult<usize> {
        Ok(py.detach(|| file::update(&path, |history| history.prune(file::now(), days)))?)
    }

    /// What each test will probably take, without the fixtures it shares; None when nothing is known.
    fn expected(&self, node_ids: &Bound<'_, PyList>) -> PyResult<Vec<Option<f64>>> {
        each(node_ids, |id| self.core.expected(id))
    }

    /// Whether each test failed when it last ran.
    fn failed(&self, node_ids: &Bound<'_, PyList>) -> PyResult<Vec<bool>> {
        each(node_ids, |id| self.core.failed_last(id))
    }

    /// What the set-up of each shared fixture will probably take; None when nothing is known.
    fn fixture_seconds(&self, keys: &Bound<'_, PyList>) -> PyResult<Vec<Option<f64>>> {
        each(keys, |key| self.core.fixture_seconds(key))
    }

    /// Of each test: node id, last outcome, runs, failures, passes on a second try, when it was last met in seconds
    /// since the epoch, and set-up, call and teardown on average and last time.
    #[expect(clippy::type_complexity, reason = "a tuple is what Python unpacks")]
    fn tests(&self) -> Vec<(&str, &'static str, u32, u32, u32, u64, Phases, Phases)> {
        let tests = self.core.tests().map(|(id, test)| {
            let outcome = match test.outcome {
                Outcome::Passed => "passed",
                Outcome::Skipped => "skipped",
                Outcome::Failed => "failed",
            };
            let (average, last) = (in_seconds(test.average), in_seconds(test.last));
            (
                id,
                outcome,
                test.runs,
                test.failed,
                test.flaky,
                test.seen,
                average,
                last,
            )
        });
        tests.collect()
    }

    /// Of each shared fixture: key, runs, when it was last met, and its set-up on average and last time.
    fn fixtures(&self) -> Vec<(&str, u32, u64, f64, f64)> {
        let fixtures = self.core.fixtures().map(|(key, fixture)| {
            let (average, last) = (fixture.average.get(), fixture.last.get());
            (key, fixture.runs, fixture.seen, average, last)
        });
        fixtures.collect()
    }

    fn __len__(&self) -> usize {
        self.core.tests().len()
    }
}

/// Asks about each text of a list.
fn each<T>(texts: &Bound<'_, PyList>, ask: impl Fn(&str) -> T) -> PyResult<Vec<T>> {
    let answers = texts.iter().map(|text| {
        let text = text.cast::<PyString>()?;
        Ok(ask(&text.to_string_lossy()))
    });
    answers.collect()
}

fn in_seconds(phases: [Option<Seconds>; 3]) -> Phases {
    phases.map(|phase| phase.map(Seconds::get)).into()
}
