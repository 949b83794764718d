//! Recognition of plain reports: those with exactly the attributes that pytest itself sets.

use super::value::to_value;
use super::worker_connection::Line;
use crate::protocol::phase_clock::Span;
use crate::protocol::report::{Outcome, Phase, PlainReport, StringId};
use crate::protocol::value::Value;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

/// Number of attributes of a plain report besides the node id.
const PLAIN_ATTRIBUTES: usize = 10;

/// Whether two objects are identical or equal.
pub(super) fn same(left: &Bound<'_, PyAny>, right: &Bound<'_, PyAny>) -> PyResult<bool> {
    if left.is(right) { Ok(true) } else { left.eq(right) }
}

/// The phase of a report's `when`.
fn phase(when: &Bound<'_, PyAny>) -> Option<Phase> {
    Phase::named(when.cast::<PyString>().ok()?.to_cow().ok()?.as_ref())
}

/// The outcome of a report's `outcome`.
fn outcome_of(outcome: &Bound<'_, PyAny>) -> Option<Outcome> {
    match outcome.cast::<PyString>().ok()?.to_cow().ok()?.as_ref() {
        "passed" => Some(Outcome::Passed),
        "failed" => Some(Outcome::Failed),
        "skipped" => Some(Outcome::Skipped),
        _ => None,
    }
}

/// Encodes the values that most reports do not have; false if the report is not plain.
fn extras_of(
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

impl Line {
    /// The report in compact form and its encoded extras; None if it is not plain.
    pub(super) fn plain(
        &mut self,
        test: u32,
        report: &Bound<'_, PyAny>,
    ) -> PyResult<Option<(PlainReport<'static>, Vec<u8>)>> {
        let py = report.py();
        if !report.get_type().is(&self.report_type) {
            return Ok(None);
        }
        let Some(started) = self.current.as_ref().filter(|started| started.test == test) else {
            return Ok(None);
        };
        let attributes = report
            .getattr(pyo3::intern!(py, "__dict__"))?
            .cast_into::<PyDict>()?;
        if attributes.len() != PLAIN_ATTRIBUTES + 1 {
            return Ok(None);
        }
        macro_rules! attribute {
            ($name:literal) => {
                match attributes.get_item(pyo3::intern!(py, $name))? {
                    Some(value) => value,
                    None => return Ok(None),
                }
            };
        }
        let (location, when, outcome) = (attribute!("location"), attribute!("when"), attribute!("outcome"));
        let (longrepr, sections) = (attribute!("longrepr"), attribute!("sections"));
        let (properties, keywords) = (attribute!("user_properties"), attribute!("keywords"));
        let (duration, start, stop) = (attribute!("duration"), attribute!("start"), attribute!("stop"));
        let Some(id) = attributes.get_item(self.id_attribute.bind(py))? else {
            return Ok(None);
        };
        if !same(&id, started.id.bind(py))? || !same(&location, started.location.bind(py))? {
            return Ok(None);
        }
        let (Some(phase), Some(outcome)) = (phase(&when), outcome_of(&outcome)) else {
            return Ok(None);
        };
        let (Ok(duration), Ok(start), Ok(stop)) = (duration.extract(), start.extract(), stop.extract())
        else {
            return Ok(None);
        };
        let mut extras = Vec::new();
        if !extras_of(&longrepr, &sections, &properties, &mut extras)? {
            return Ok(None);
        }
        let Ok(keywords) = keywords.cast::<PyDict>() else {
            return Ok(None);
        };
        let Some(keywords) = self.keywords(keywords)? else {
            return Ok(None);
        };
        let plain = PlainReport {
            test,
            phase,
            outcome,
            duration,
            start,
            stop,
            keywords,
            extras: &[],
        };
        Ok(Some((plain, extras)))
    }

    /// The keywords as numbers; inner None if they equal the last ones, outer None if they are not plain.
    #[expect(
        clippy::option_option,
        reason = "two questions: is it plain, and is it the same"
    )]
    fn keywords(&mut self, keywords: &Bound<'_, PyDict>) -> PyResult<Option<Option<Vec<StringId>>>> {
        let mut keys = Vec::with_capacity(keywords.len());
        let mut same = self
            .keywords
            .as_ref()
            .is_some_and(|last| last.len() == keywords.len());
        for (index, (key, value)) in keywords.iter().enumerate() {
            if !value.is(&self.one) {
                return Ok(None);
            }
            same = same && self.keywords.as_ref().is_some_and(|last| last[index].is(&key));
            keys.push(key);
        }
        if same {
            return Ok(Some(None));
        }
        let mut numbers = Vec::with_capacity(keys.len());
        for key in &keys {
            let Ok(text) = key.cast_exact::<PyString>() else {
                return Ok(None);
            };
            numbers.push(self.string_id(text)?);
        }
        self.keywords = Some(keys.into_iter().map(Bound::unbind).collect());
        Ok(Some(Some(numbers)))
    }
}
