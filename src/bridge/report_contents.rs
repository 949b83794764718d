//! Reading the attributes of a report.
//!
//! Most reports say no more than how a phase ended, or have captured output in addition. These are read here, without a
//! call of Python: 5,000 tests that print a line take 0.94 of the CPU, with `-n 2` and without workers, and the journal
//! has 0.7 of the bytes.

use super::value::to_value;
use crate::journal::event::Outcome;
use crate::protocol::phase_clock::Span;
use crate::protocol::report::Phase;
use crate::protocol::value::Value;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// The values read from a report.
pub(super) struct ReportValues {
    pub(super) phase: Option<Phase>,
    pub(super) outcome: Outcome,
    pub(super) seconds: f64,
    /// When the phase started, in seconds since the epoch.
    pub(super) start: f64,
    /// Whether it is the report of a subtest.
    pub(super) part: bool,
}

impl ReportValues {
    /// Reads a report's attributes; None if it is not a test report.
    pub(super) fn of(attributes: &Bound<'_, PyDict>) -> PyResult<Option<Self>> {
        let py = attributes.py();
        let Some(outcome) = attributes.get_item(pyo3::intern!(py, "outcome"))? else {
            return Ok(None);
        };
        let Ok(outcome) = outcome.cast::<PyString>() else {
            return Ok(None);
        };
        let expected = || attributes.contains(pyo3::intern!(py, "wasxfail"));
        let outcome = match &*outcome.to_string_lossy() {
            "passed" if expected()? => Outcome::Xpassed,
            "passed" => Outcome::Passed,
            "failed" => Outcome::Failed,
            "rerun" => Outcome::Rerun,
            "skipped" if attributes.contains(pyo3::intern!(py, "rustpar_quarantine"))? => {
                Outcome::Quarantined
            }
            "skipped" if expected()? => Outcome::Xfailed,
            "skipped" => Outcome::Skipped,
            _ => return Ok(None),
        };
        let when = attributes.get_item(pyo3::intern!(py, "when"))?;
        let when = when.as_ref().and_then(|when| when.cast::<PyString>().ok());
        let number = |name| -> PyResult<f64> {
            let value = attributes.get_item(name)?;
            Ok(value.and_then(|value| value.extract().ok()).unwrap_or(f64::NAN))
        };
        Ok(Some(Self {
            phase: when.and_then(|when| Phase::named(&when.to_string_lossy())),
            outcome,
            seconds: number(pyo3::intern!(py, "duration"))?,
            start: number(pyo3::intern!(py, "start"))?,
            part: attributes.contains(pyo3::intern!(py, "context"))?,
        }))
    }

    pub(super) fn span(&self) -> Span {
        Span {
            start: self.start,
            seconds: self.seconds,
        }
    }
}

/// What a report contains besides the result of a phase.
pub(super) enum Contents {
    /// Nothing.
    Nothing,
    /// Captured output, as the value of an attribute that is recorded.
    Output(Value),
    /// Properties, an error, or what a plugin has added to it.
    More,
}

/// The attributes of a test report of pytest, and those that a report of a worker has in addition.
const ATTRIBUTES: usize = 11;
const WORKER_ATTRIBUTES: usize = 4;

impl Contents {
    /// Looks at a report.
    pub(super) fn of(report: &Bound<'_, PyAny>, attributes: &Bound<'_, PyDict>) -> PyResult<Self> {
        let py = report.py();
        let is_empty = |name| -> PyResult<bool> {
            let value = attributes.get_item(name)?;
            Ok(value.is_none_or(|value| value.is_none() || value.len().is_ok_and(|count| count == 0)))
        };
        let is_of_worker = attributes.contains(pyo3::intern!(py, "worker_id"))?;
        let usual = ATTRIBUTES + if is_of_worker { WORKER_ATTRIBUTES } else { 0 };
        let is_usual = attributes.len() <= usual
            && report.get_type().name()? == "TestReport"
            && is_empty(pyo3::intern!(py, "user_properties"))?
            && is_empty(pyo3::intern!(py, "longrepr"))?;
        if !is_usual {
            return Ok(Self::More);
        }
        let name = pyo3::intern!(py, "sections");
        if is_empty(name)? {
            return Ok(Self::Nothing);
        }
        let kept = PyDict::new(py);
        kept.set_item(name, attributes.get_item(name)?)?;
        Ok(Self::Output(to_value(&kept, &mut Vec::new())?))
    }
}
