//! What is remembered from one run to the next, and the records of this one.

use crate::history::file::{self, Warning};
use crate::history::run::{Reported, Run};
use crate::history::{History as CoreHistory, KEPT_DAYS, Outcome, Seconds};
use crate::protocol::report::Phase;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
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

/// The records of a run.
#[pyclass(module = "rustpar._core")]
pub(super) struct Recorder {
    run: Run,
    /// The node id object of the last report, and the number of its test: a test's reports come one after the other and
    /// mostly share that object.
    last: Option<(Py<PyAny>, usize)>,
}

#[pymethods]
impl Recorder {
    #[new]
    fn new() -> Self {
        Self {
            run: Run::default(),
            last: None,
        }
    }

    /// Takes in a report; one that lacks what a test's report has is ignored.
    fn report(&mut self, report: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = report.py();
        let attributes = report.getattr(pyo3::intern!(py, "__dict__"))?;
        let Ok(attributes) = attributes.cast_into_exact::<PyDict>() else {
            return Ok(());
        };
        // A node id object since pytest 9.2, text before.
        let id = match attributes.get_item(pyo3::intern!(py, "_id"))? {
            Some(id) => Some(id),
            None => attributes.get_item(pyo3::intern!(py, "nodeid"))?,
        };
        let outcome = attributes.get_item(pyo3::intern!(py, "outcome"))?;
        let (Some(id), Some(outcome)) = (id, outcome) else {
            return Ok(());
        };
        let reported = match outcome
            .cast::<PyString>()
            .map(PyStringMethods::to_string_lossy)
            .as_deref()
        {
            Ok("passed") => Reported::Passed,
            Ok("failed") => Reported::Failed,
            Ok("rerun") => Reported::Rerun,
            // What is expected to fail, and does, is reported as skipped; but it has run.
            Ok("skipped") if attributes.contains(pyo3::intern!(py, "wasxfail"))? => Reported::Passed,
            Ok("skipped") => Reported::Skipped,
            _ => return Ok(()),
        };
        let when = attributes.get_item(pyo3::intern!(py, "when"))?;
        let when = when.as_ref().and_then(|when| when.cast::<PyString>().ok());
        let phase = when.and_then(|when| Phase::named(&when.to_string_lossy()));
        let duration = attributes.get_item(pyo3::intern!(py, "duration"))?;
        let seconds = duration
            .and_then(|duration| duration.extract().ok())
            .unwrap_or(f64::NAN);
        let test = self.number(&id)?;
        self.run.report(test, phase, reported, seconds);
        Ok(())
    }

    /// A shared fixture was set up for a test. Comes before the report of the phase in which it was, and is taken off the
    /// time of that phase.
    fn fixture(&mut self, node_id: &Bound<'_, PyString>, key: &Bound<'_, PyString>, seconds: f64) {
        let (node_id, key) = (node_id.to_string_lossy(), key.to_string_lossy());
        self.run.fixture(&node_id, &key, seconds);
    }

    /// How many tests came to their end, and the seconds that they and shared fixtures took in all.
    fn totals(&self) -> (usize, f64) {
        self.run.totals()
    }

    /// Adds the run to the history in a file, if there is anything to remember; returns a line that says what went wrong.
    fn save(&mut self, py: Python<'_>, path: PathBuf) -> Option<String> {
        let run = &self.run;
        let warning = py.detach(|| (!run.is_empty()).then(|| file::save(&path, run)));
        warning.flatten().map(|warning| warning.to_string())
    }
}

impl Recorder {
    fn number(&mut self, id: &Bound<'_, PyAny>) -> PyResult<usize> {
        if let Some((last, number)) = &self.last
            && last.is(id)
        {
            return Ok(*number);
        }
        let number = self.run.test(&id.str()?.to_string_lossy());
        let before = self.last.replace((id.clone().unbind(), number));
        drop(before);
        Ok(number)
    }
}
