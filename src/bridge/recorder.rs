//! The records of a run: each report is read once, for the history and for the journal.

use super::journal::Journal;
use crate::history::file;
use crate::history::run::{Reported, Run};
use crate::journal::event::{Event, Outcome, PhaseEnded};
use crate::journal::micros;
use crate::protocol::phase_clock::{PhaseClock, Span};
use crate::protocol::report::Phase;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use std::collections::HashMap;
use std::path::PathBuf;

/// The records of a run.
#[pyclass(module = "rustpar._core")]
pub(super) struct Recorder {
    run: Run,
    journal: Py<Journal>,
    /// The node id object of the last report, and the number of its test: the reports of a test are consecutive and
    /// usually share that object.
    last: Option<(Py<PyAny>, usize)>,
    /// The worker's name in the last report, and its number.
    worker: Option<(Py<PyAny>, u32)>,
    /// Measures phases if tests run in this process.
    clock: PhaseClock,
    /// The times that workers measured for the phases that they report next.
    measured: HashMap<u32, Span>,
}

/// The values read from a report.
struct ReportValues {
    phase: Option<Phase>,
    outcome: Outcome,
    seconds: f64,
    /// When the phase started, in seconds since the epoch.
    start: f64,
    /// Whether it is the report of a subtest.
    part: bool,
}

impl ReportValues {
    /// Reads a report's attributes; None if it is not a test report.
    fn of(attributes: &Bound<'_, PyDict>) -> PyResult<Option<Self>> {
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

    fn span(&self) -> Span {
        Span {
            start: self.start,
            seconds: self.seconds,
        }
    }

    /// The outcome for the history.
    fn reported(&self) -> Reported {
        match self.outcome {
            // A test that fails as expected is reported as skipped; but it has run.
            Outcome::Passed | Outcome::Xpassed | Outcome::Xfailed => Reported::Passed,
            Outcome::Skipped => Reported::Skipped,
            Outcome::Failed => Reported::Failed,
            Outcome::Rerun => Reported::Rerun,
        }
    }
}

#[pymethods]
impl Recorder {
    #[new]
    fn new(journal: Py<Journal>) -> Self {
        Self {
            run: Run::default(),
            journal,
            last: None,
            worker: None,
            clock: PhaseClock::new(),
            measured: HashMap::new(),
        }
    }

    /// Numbers the collected tests in this order. There must be no duplicates.
    fn collected(&mut self, py: Python<'_>, ids: &Bound<'_, PyList>) -> PyResult<()> {
        self.clock.test_begins();
        for (place, id) in ids.iter().enumerate() {
            let id = id.cast::<PyString>()?.to_string_lossy().into_owned();
            let number = self.run.test(&id);
            if number != place {
                self.write_test_number(py, number, id);
            }
        }
        Ok(())
    }

    /// Records a report; one that is not a test report is ignored. Returns the numbers of the test and the worker if
    /// the report contains more than the result of a phase.
    fn report(&mut self, report: &Bound<'_, PyAny>) -> PyResult<Option<(usize, Option<u32>)>> {
        let py = report.py();
        let attributes = report.getattr(pyo3::intern!(py, "__dict__"))?;
        let Ok(attributes) = attributes.cast_into_exact::<PyDict>() else {
            return Ok(None);
        };
        // A node id object since pytest 9.2, a string before.
        let id = match attributes.get_item(pyo3::intern!(py, "_id"))? {
            Some(id) => Some(id),
            None => attributes.get_item(pyo3::intern!(py, "nodeid"))?,
        };
        let (Some(id), Some(mut values)) = (id, ReportValues::of(&attributes)?) else {
            return Ok(None);
        };
        let test = self.number(&id)?;
        let name = attributes.get_item(pyo3::intern!(py, "worker_id"))?;
        let worker = match &name {
            Some(name) => self.worker_number(name)?,
            None => None,
        };
        let measured = match worker {
            Some(worker) => self.measured.remove(&worker),
            None if name.is_none() => self.clock.reported(values.phase, values.span()),
            None => None,
        };
        if let Some(measured) = measured {
            (values.start, values.seconds) = (measured.start, measured.seconds);
        }
        self.run
            .report(test, values.phase, values.reported(), values.seconds);
        self.write(py, test, worker, &values);
        let says_more = values.outcome != Outcome::Passed
            || values.phase == Some(Phase::Teardown) && has_properties(&attributes)?;
        Ok(says_more.then_some((test, worker)))
    }

    /// Sets the times that a worker measured for its next report: start in seconds since the epoch, and duration.
    fn measured(&mut self, worker: u32, start: f64, seconds: f64) {
        self.measured.insert(worker, Span { start, seconds });
    }

    /// Records the setup of a shared fixture for a test. Called before the report of the phase in which it was set up,
    /// from whose duration it is subtracted.
    fn fixture(
        &mut self,
        py: Python<'_>,
        node_id: &Bound<'_, PyString>,
        key: &Bound<'_, PyString>,
        seconds: f64,
        worker: Option<u32>,
    ) {
        let (node_id, key) = (node_id.to_string_lossy(), key.to_string_lossy());
        let test = self.number_or_register(py, &node_id);
        self.run.fixture(&node_id, &key, seconds);
        let event = Event::Fixture {
            t: test_number(test),
            w: worker,
            key: key.into_owned(),
            us: micros(seconds),
        };
        self.journal.borrow_mut(py).write(&event);
    }

    /// The number of completed tests, and the total seconds of those tests and of shared fixtures.
    fn totals(&self) -> (usize, f64) {
        self.run.totals()
    }

    /// Adds the run to the history in a file, unless it has no records; returns a line that says what went wrong.
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
        let text = id.str()?;
        let number = self.number_or_register(id.py(), &text.to_string_lossy());
        let before = self.last.replace((id.clone().unbind(), number));
        drop(before);
        Ok(number)
    }

    /// The number of a test; an unknown test is added to the journal.
    fn number_or_register(&mut self, py: Python<'_>, id: &str) -> usize {
        let known = self.run.count();
        let number = self.run.test(id);
        if number == known {
            self.write_test_number(py, number, id.to_owned());
        }
        number
    }

    /// Writes the number of a test that was not collected.
    fn write_test_number(&self, py: Python<'_>, number: usize, id: String) {
        let event = Event::Test {
            t: test_number(number),
            id,
        };
        self.journal.borrow_mut(py).write(&event);
    }

    /// The number in a worker's name; None if the name is not one of xdist's.
    fn worker_number(&mut self, name: &Bound<'_, PyAny>) -> PyResult<Option<u32>> {
        if let Some((last, number)) = &self.worker
            && last.is(name)
        {
            return Ok(Some(*number));
        }
        let text = name.cast::<PyString>()?.to_string_lossy().into_owned();
        let number = text.strip_prefix("gw").and_then(|number| number.parse().ok());
        if let Some(number) = number {
            let before = self.worker.replace((name.clone().unbind(), number));
            drop(before);
        }
        Ok(number)
    }

    fn write(&self, py: Python<'_>, test: usize, worker: Option<u32>, values: &ReportValues) {
        let Some(phase) = values.phase else {
            return;
        };
        let mut journal = self.journal.borrow_mut(py);
        let ended = PhaseEnded {
            t: test_number(test),
            w: worker,
            at: journal.moment(values.start),
            us: micros(values.seconds),
            o: values.outcome,
            part: values.part,
        };
        journal.write(&Event::phase(phase, ended));
        if phase == Phase::Teardown {
            if worker.is_none() {
                journal.record_peak_growth(test_number(test));
            }
            journal.test_ended();
        }
    }
}

/// A test's number as used in events.
fn test_number(test: usize) -> u32 {
    u32::try_from(test).unwrap_or(u32::MAX)
}

fn has_properties(attributes: &Bound<'_, PyDict>) -> PyResult<bool> {
    let properties = attributes.get_item(pyo3::intern!(attributes.py(), "user_properties"))?;
    Ok(properties.is_some_and(|properties| properties.len().is_ok_and(|count| count > 0)))
}
