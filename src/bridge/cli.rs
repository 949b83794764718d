//! Python bindings of the native commands.

use crate::cli::{self, Host, Outcome, Prepared, Stream};
use crate::replay::verdict;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::sync::{Mutex, PoisonError};

/// The Python process in which a command runs.
struct Interpreter {
    /// The encodings of standard output and standard error; `None` for UTF-8.
    output: Option<String>,
    errors: Option<String>,
    python: OsString,
    /// The exception raised by a signal handler.
    raised: Mutex<Option<PyErr>>,
}

impl Interpreter {
    fn new(py: Python<'_>) -> PyResult<Self> {
        let sys = py.import("sys")?;
        let encoding = |stream: &str| -> PyResult<Option<String>> {
            // A closed stream is None.
            let encoding = sys.getattr(stream)?.getattr_opt("encoding")?;
            let encoding: Option<String> = encoding.and_then(|encoding| encoding.extract().ok());
            Ok(encoding.filter(|name| !["utf-8", "utf8"].contains(&&*name.to_lowercase())))
        };
        Ok(Self {
            output: encoding("stdout")?,
            errors: encoding("stderr")?,
            python: sys.getattr("executable")?.extract()?,
            raised: Mutex::default(),
        })
    }
}

impl Host for Interpreter {
    fn encode(&self, text: &str, stream: Stream) -> Vec<u8> {
        let encoding = match stream {
            Stream::Output => &self.output,
            Stream::Errors => &self.errors,
        };
        let encoded = encoding.as_ref().and_then(|encoding| {
            Python::attach(|py| {
                let text = PyString::new(py, text);
                let bytes = text.call_method1("encode", (encoding, "backslashreplace")).ok()?;
                Some(bytes.cast::<PyBytes>().ok()?.as_bytes().to_vec())
            })
        });
        encoded.unwrap_or_else(|| text.as_bytes().to_vec())
    }

    fn is_interrupted(&self) -> bool {
        let Err(error) = Python::attach(|py| -> PyResult<()> { py.check_signals() }) else {
            return false;
        };
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        true
    }

    fn python(&self) -> &OsStr {
        &self.python
    }
}

/// The native commands, and their help.
#[pyfunction]
pub(super) fn commands() -> Vec<(String, String)> {
    cli::commands()
}

/// Runs the command `arguments[0]` with the remaining arguments; returns its exit status. Raises whatever a signal
/// handler raises.
#[pyfunction]
pub(super) fn run_command(py: Python<'_>, arguments: Vec<OsString>) -> PyResult<i32> {
    run(py, arguments).map(|(outcome, _)| outcome.status())
}

/// Runs the native half of `rustpar replay`; returns the plan as JSON, or the exit status if there is nothing to run.
#[pyfunction]
pub(super) fn prepare_replay(py: Python<'_>, arguments: Vec<OsString>) -> PyResult<Either<String>> {
    let (outcome, prepared) = run(py, arguments)?;
    match prepared {
        Some(Prepared::Replay(plan)) => Ok(Either::Prepared(as_json(plan.json())?)),
        _ => Ok(Either::Ended(outcome.status())),
    }
}
/// What a command has prepared, or its exit status.
#[derive(IntoPyObject)]
pub(super) enum Either<T> {
    Prepared(T),
    Ended(i32),
}

fn run(py: Python<'_>, arguments: Vec<OsString>) -> PyResult<(Outcome, Option<Prepared>)> {
    let interpreter = Interpreter::new(py)?;
    let (outcome, prepared) = py.detach(|| cli::run(arguments, &interpreter));
    let raised = interpreter.raised.into_inner();
    match raised.unwrap_or_else(PoisonError::into_inner) {
        Some(error) if outcome == Outcome::Interrupted => Err(error),
        _ => Ok((outcome, prepared)),
    }
}

fn as_json(made: serde_json::Result<String>) -> PyResult<String> {
    made.map_err(|error| PyValueError::new_err(error.to_string()))
}

/// The lines about a single trial.
#[pyfunction]
pub(super) fn trial_lines(test: &str, record: &str, is_stopped: bool) -> Vec<String> {
    verdict::trial_lines(test, record, is_stopped)
}

/// The search of `rustpar bisect`.
#[pyclass(module = "rustpar._core")]
pub(super) struct Bisection(cli::Bisection);

#[pymethods]
impl Bisection {
    /// Runs the native half of `rustpar bisect`; returns the search, or the exit status if there is nothing to search.
    #[staticmethod]
    fn prepare(py: Python<'_>, arguments: Vec<OsString>) -> PyResult<Either<Self>> {
        let (outcome, prepared) = run(py, arguments)?;
        match prepared {
            Some(Prepared::Bisect(bisection)) => Ok(Either::Prepared(Self(*bisection))),
            _ => Ok(Either::Ended(outcome.status())),
        }
    }

    /// What the process that runs trials needs to know, as JSON.
    fn plan(&self) -> PyResult<String> {
        as_json(self.0.plan())
    }

    /// Starts the search; returns whether the failed test still exists.
    fn begin(&mut self, missing: HashSet<String>, jobs: usize) -> bool {
        self.0.begin(&missing, jobs)
    }

    /// The next trials, as JSON.
    fn next_trials(&mut self) -> PyResult<String> {
        as_json(self.0.next_trials())
    }

    /// Takes the records of the trials, and whether they were stopped.
    fn answer(&mut self, results: Vec<(String, bool)>) {
        self.0.answer(&results);
    }

    /// Ends the search because its time is up.
    fn stop(&mut self) {
        self.0.stop();
    }

    /// The lines about what has become known since the last call.
    fn take_lines(&mut self) -> Vec<String> {
        self.0.take_lines()
    }

    /// Arguments of plain pytest that may show the failure.
    fn pytest_arguments(&self) -> Option<Vec<String>> {
        self.0.pytest_arguments()
    }

    /// Whether the record of a run shows the failure in question.
    fn is_it(&self, record: &str) -> bool {
        self.0.is_it(record)
    }

    /// The lines of the result.
    fn result(&self, seconds: f64, is_shown: bool) -> Vec<String> {
        self.0.result(seconds, is_shown)
    }

    /// Whether a cause was found.
    fn is_found(&self) -> bool {
        self.0.is_found()
    }
}
