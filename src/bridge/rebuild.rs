//! Rebuilding the Python objects for pytest's hooks from the frames of a worker.

use super::heap::{track, untrack};
use super::value::{decode_object, to_text};
use crate::protocol::report::{Location, Outcome, Phase, PlainReport, StringId};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

/// Whether the garbage collector does not visit further reports; the engine may be in use when this changes.
static ARE_REPORTS_HIDDEN: AtomicBool = AtomicBool::new(false);

/// Objects shared by all workers of a run.
pub(super) struct RunObjects {
    /// pytest's TestReport.
    pub(super) report_type: Py<PyType>,
    /// The attribute in which it stores the node id.
    pub(super) id_attribute: Py<PyString>,
    /// Makes the node id object from its text; None if the node id is the text itself.
    pub(super) make_id: Option<Py<PyAny>>,
    /// The run's unique id.
    pub(super) testrun_uid: Py<PyString>,
    /// The node ids of the collection; empty until it is known.
    pub(super) node_ids: Py<PyList>,
}

/// State of the frames received from one worker.
pub(super) struct WorkerObjects {
    /// The controller's object for the worker.
    pub(super) node: Py<PyAny>,
    /// "gw0" and so on.
    pub(super) worker_id: Py<PyString>,
    strings: Vec<Py<PyString>>,
    keywords: Option<Py<PyDict>>,
    current: Option<Current>,
}

struct Current {
    test: u32,
    id: Py<PyAny>,
    location: Py<PyTuple>,
}

impl WorkerObjects {
    pub(super) fn new(node: Py<PyAny>, worker_id: Py<PyString>) -> Self {
        Self {
            node,
            worker_id,
            strings: Vec::new(),
            keywords: None,
            current: None,
        }
    }

    /// Adds the next string to the worker's table.
    pub(super) fn define(&mut self, py: Python<'_>, text: &[u8]) -> PyResult<()> {
        self.strings.push(to_text(py, text)?.unbind());
        Ok(())
    }

    fn string<'py>(&self, py: Python<'py>, number: StringId) -> PyResult<&Bound<'py, PyString>> {
        let text = self.strings.get(number as usize);
        text.map(|text| text.bind(py))
            .ok_or_else(|| PyValueError::new_err("a report names an unknown string"))
    }

    /// The location as pytest's tuple.
    pub(super) fn location<'py>(
        &self,
        py: Python<'py>,
        location: &Location<'_>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        (self.string(py, location.path)?, location.line, location.domain).into_pyobject(py)
    }

    /// Records that a test has started; returns its location.
    pub(super) fn start<'py>(
        &mut self,
        py: Python<'py>,
        run: &RunObjects,
        test: u32,
        location: &Location<'_>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let location = self.location(py, location)?;
        let node_id = run.node_id(py, test)?;
        let id = match &run.make_id {
            Some(make_id) => make_id.call1(py, (node_id,))?,
            None => node_id.into_any().unbind(),
        };
        // They have only strings and numbers, so they cannot be part of a cycle.
        untrack(&location);
        untrack(id.bind(py));
        self.current = Some(Current {
            test,
            id,
            location: location.clone().unbind(),
        });
        Ok(location)
    }

    /// The location with which the test was started.
    pub(super) fn started_at<'py>(&self, py: Python<'py>, test: u32) -> PyResult<Bound<'py, PyTuple>> {
        Ok(self.current(test)?.location.bind(py).clone())
    }

    fn current(&self, test: u32) -> PyResult<&Current> {
        let current = self.current.as_ref().filter(|current| current.test == test);
        current.ok_or_else(|| PyValueError::new_err("a report is about a test that was not started"))
    }

    /// Rebuilds a TestReport.
    ///
    /// If reports are hidden, the garbage collector does not visit it nor what only reports refer to: each collection
    /// would visit all reports. With 60,000 of them it took 0.2 s, and now 0.01 s.
    pub(super) fn report<'py>(
        &mut self,
        py: Python<'py>,
        run: &RunObjects,
        plain: &PlainReport<'_>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(numbers) = &plain.keywords {
            let keywords = PyDict::new(py);
            for &number in numbers {
                keywords.set_item(self.string(py, number)?, 1)?;
            }
            self.keywords = Some(keywords.unbind());
        }
        let keywords = match &self.keywords {
            Some(keywords) => keywords.bind(py).copy()?,
            None => PyDict::new(py),
        };
        let (longrepr, sections, properties) = extras(py, plain.extras)?;
        let current = self.current(plain.test)?;
        let report = run
            .report_type
            .bind(py)
            .call_method1(pyo3::intern!(py, "__new__"), (&run.report_type,))?;
        let attributes = report
            .getattr(pyo3::intern!(py, "__dict__"))?
            .cast_into::<PyDict>()?;
        attributes.set_item(&run.id_attribute, &current.id)?;
        attributes.set_item(pyo3::intern!(py, "location"), &current.location)?;
        attributes.set_item(pyo3::intern!(py, "keywords"), &keywords)?;
        attributes.set_item(pyo3::intern!(py, "outcome"), outcome(py, plain.outcome))?;
        attributes.set_item(pyo3::intern!(py, "longrepr"), longrepr)?;
        attributes.set_item(pyo3::intern!(py, "when"), when(py, plain.phase))?;
        attributes.set_item(pyo3::intern!(py, "user_properties"), &properties)?;
        attributes.set_item(pyo3::intern!(py, "sections"), &sections)?;
        attributes.set_item(pyo3::intern!(py, "duration"), plain.duration)?;
        attributes.set_item(pyo3::intern!(py, "start"), plain.start)?;
        attributes.set_item(pyo3::intern!(py, "stop"), plain.stop)?;
        self.mark(py, run, plain.test, &attributes)?;
        attributes.set_item(pyo3::intern!(py, "node"), &self.node)?;
        if ARE_REPORTS_HIDDEN.load(Relaxed) {
            let dictionaries = [&attributes, &keywords].map(Bound::as_any);
            for object in [&report, &sections, &properties].into_iter().chain(dictionaries) {
                untrack(object);
            }
        }
        Ok(report)
    }

    /// Adds the attributes that xdist adds to a report.
    pub(super) fn mark(
        &self,
        py: Python<'_>,
        run: &RunObjects,
        test: u32,
        data: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        data.set_item(pyo3::intern!(py, "item_index"), test)?;
        data.set_item(pyo3::intern!(py, "worker_id"), &self.worker_id)?;
        data.set_item(pyo3::intern!(py, "testrun_uid"), &run.testrun_uid)
    }
}

/// Sets whether further reports are hidden from the garbage collector.
#[pyfunction]
pub(super) fn hide_reports(yes: bool) {
    ARE_REPORTS_HIDDEN.store(yes, Relaxed);
}

/// Lets the garbage collector visit reports again, and what only they refer to.
///
/// Only reports of exactly this type are hidden, so anything else is left out.
#[pyfunction]
pub(super) fn track_reports(reports: &Bound<'_, PyList>, report_type: &Bound<'_, PyType>) -> PyResult<()> {
    let py = reports.py();
    let lists = [
        pyo3::intern!(py, "sections"),
        pyo3::intern!(py, "user_properties"),
    ];
    for report in reports.iter() {
        if !report.get_type().is(report_type) || !track(&report) {
            continue;
        }
        let attributes = report
            .getattr(pyo3::intern!(py, "__dict__"))?
            .cast_into::<PyDict>()?;
        track(&attributes);
        let keywords = attributes.get_item(pyo3::intern!(py, "keywords"))?;
        if let Some(keywords) = keywords.filter(PyAnyMethods::is_exact_instance_of::<PyDict>) {
            track(&keywords);
        }
        for name in lists {
            let list = attributes.get_item(name)?;
            if let Some(list) = list.filter(PyAnyMethods::is_exact_instance_of::<PyList>) {
                track(&list);
            }
        }
    }
    Ok(())
}

impl RunObjects {
    /// The node id of a test.
    pub(super) fn node_id<'py>(&self, py: Python<'py>, test: u32) -> PyResult<Bound<'py, PyString>> {
        Ok(self
            .node_ids
            .bind(py)
            .get_item(test as usize)?
            .cast_into::<PyString>()?)
    }
}

type Extras<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>);

fn extras<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Extras<'py>> {
    if bytes.is_empty() {
        return Ok((
            py.None().into_bound(py),
            PyList::empty(py).into_any(),
            PyList::empty(py).into_any(),
        ));
    }
    decode_object(py, bytes)?.extract()
}

fn outcome(py: Python<'_>, outcome: Outcome) -> &Bound<'_, PyString> {
    match outcome {
        Outcome::Passed => pyo3::intern!(py, "passed"),
        Outcome::Failed => pyo3::intern!(py, "failed"),
        Outcome::Skipped => pyo3::intern!(py, "skipped"),
    }
}

fn when(py: Python<'_>, phase: Phase) -> &Bound<'_, PyString> {
    match phase {
        Phase::Setup => pyo3::intern!(py, "setup"),
        Phase::Call => pyo3::intern!(py, "call"),
        Phase::Teardown => pyo3::intern!(py, "teardown"),
    }
}
