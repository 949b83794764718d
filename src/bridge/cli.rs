//! Python bindings of the native commands.

use crate::cli::{self, Host, Outcome, Stream};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};

/// The Python process in which a command runs.
struct Interpreter {
    /// The encodings of standard output and standard error; `None` for UTF-8.
    output: Option<String>,
    errors: Option<String>,
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
    let interpreter = Interpreter::new(py)?;
    let outcome = py.detach(|| cli::run(arguments, &interpreter));
    let raised = interpreter.raised.into_inner();
    match raised.unwrap_or_else(PoisonError::into_inner) {
        Some(error) if outcome == Outcome::Interrupted => Err(error),
        _ => Ok(outcome.status()),
    }
}
