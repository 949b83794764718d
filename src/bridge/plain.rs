//! Recognition of plain reports: those with exactly the attributes that pytest itself sets.

use super::value::to_value;
use crate::protocol::phase_clock::Span;
use crate::protocol::report::{Outcome, Phase};
use crate::protocol::value::Value;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

/// Whether two objects are identical or equal.
pub(super) fn same(left: &Bound<'_, PyAny>, right: &Bound<'_, PyAny>) -> PyResult<bool> {
    if left.is(right) { Ok(true) } else { left.eq(right) }
}

/// The phase of a report's `when`.
pub(super) fn phase(when: &Bound<'_, PyAny>) -> Option<Phase> {
    Phase::named(when.cast::<PyString>().ok()?.to_cow().ok()?.as_ref())
}

/// The outcome of a report's `outcome`.
pub(super) fn outcome_of(outcome: &Bound<'_, PyAny>) -> Option<Outcome> {
    match outcome.cast::<PyString>().ok()?.to_cow().ok()?.as_ref() {
        "passed" => Some(Outcome::Passed),
        "failed" => Some(Outcome::Failed),
        "skipped" => Some(Outcome::Skipped),
        _ => None,
    }
}

/// Encodes the values that most reports do not have; false if the report is not plain.
pub(super) fn extras_of(
    longrepr: &Bound<'_, PyAny>,
    sections: &Bound<'_, PyAny>,
    properties: &Bound<'_, PyAny>,
    out: &mut Vec<u8>,
) -> PyResult<bool> {
    let (Ok(sections), Ok(properties)) = (sections.cast_exact::<PyList>(), properties.cast_exact::<PyList>())
    else {
        return Ok(false);
    };
    if longrepr.is_none() && sections.is_empty() && properties.is_empty() {
        return Ok(true);
    }
    if !longrepr.is_none()
        && !longrepr.is_exact_instance_of::<PyTuple>()
        && !longrepr.is_exact_instance_of::<PyString>()
    {
        return Ok(false);
    }
    let mut lost = Vec::new();
    let parts = [longrepr, sections.as_any(), properties.as_any()];
    let parts: PyResult<Vec<_>> = parts.into_iter().map(|part| to_value(part, &mut lost)).collect();
    Value::Tuple(parts?).encode(out);
    Ok(lost.is_empty())
}

/// The phase of a report and its times; `nan` if it has none.
pub(super) fn span_of(report: &Bound<'_, PyAny>) -> PyResult<(Option<Phase>, Span)> {
    let py = report.py();
    let number = |name| -> PyResult<f64> {
        let value = report.getattr_opt(name)?;
        Ok(value.and_then(|value| value.extract().ok()).unwrap_or(f64::NAN))
    };
    let when = report.getattr_opt(pyo3::intern!(py, "when"))?;
    let when = when.as_ref().and_then(|when| when.cast::<PyString>().ok());
    let phase = when.and_then(|when| Phase::named(&when.to_string_lossy()));
    let said = Span {
        start: number(pyo3::intern!(py, "start"))?,
        seconds: number(pyo3::intern!(py, "duration"))?,
    };
    Ok((phase, said))
}
