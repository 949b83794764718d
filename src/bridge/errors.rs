//! Conversion of the core's errors to built-in Python exceptions.

use crate::engine::EngineError;
use crate::platform::os::OsError;
use crate::protocol::ProtocolError;
use crate::schedule::simulation::SimulationError;
use pyo3::PyErr;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};

impl From<EngineError> for PyErr {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Os(_) => PyOSError::new_err(error.to_string()),
            EngineError::Protocol { .. } => PyValueError::new_err(error.to_string()),
            EngineError::Stopped | EngineError::TooManyWorkers(_) => {
                PyRuntimeError::new_err(error.to_string())
            }
        }
    }
}

impl From<OsError> for PyErr {
    fn from(error: OsError) -> Self {
        PyOSError::new_err(error.to_string())
    }
}

impl From<ProtocolError> for PyErr {
    fn from(error: ProtocolError) -> Self {
        PyValueError::new_err(error.to_string())
    }
}

impl From<SimulationError> for PyErr {
    fn from(error: SimulationError) -> Self {
        PyRuntimeError::new_err(error.to_string())
    }
}
