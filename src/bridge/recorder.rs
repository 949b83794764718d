//! The records of a run: each report is read once here, for the history and for the journal.

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
    /// The node id object of the last report, and the number of its test: a test's reports come one after the other and
    /// mostly share that object.
    last: Option<(Py<PyAny>, usize)>,
    /// The worker's name in the last report, and its number.
    worker: Option<(Py<PyAny>, u32)>,
    /// Measures phases where tests run in this process.
    clock: PhaseClock,
    /// What workers have measured of the phases that they report next.
    measured: HashMap<u32, Span>,
}

/// What is read of a report.
struct Said {
    phase: Option<Phase>,
    outcome: Outcome,
    seconds: f64,
    /// When it began, in seconds since the epoch.
    start: f64,
    /// Whether it is of a subtest.
    part: bool,
}

impl Said {
    /// What a report's attributes say; None when they lack what a test's report has.
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

    /// What the history makes of it.
    fn reported(&self) -> Reported {
        match self.outcome {
            // What is expected to fail, and does, is reported as skipped; but it has run.
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

    /// Tests have been collected: they are numbered in this order. Each is there once.
    fn collected(&mut self, py: Python<'_>, ids: &Bound<'_, PyList>) -> PyResult<()> {
        self.clock.test_begins();
        for (place, id) in ids.iter().enumerate() {
            let id = id.cast::<PyString>()?.to_string_lossy().into_owned();
            let number = self.run.test(&id);
            if number != place {
                self.name(py, number, id);
            }
        }
        Ok(())
    }

    /// Takes in a report; one that lacks what a test's report has is ignored. Returns the number of the test, and that of
    /// the worker, where the report says more than how a phase went.
    fn report(&mut self, report: &Bound<'_, PyAny>) -> PyResult<Option<(usize, Option<u32>)>> {
        let py = report.py();
        let attributes = report.getattr(pyo3::intern!(py, "__dict__"))?;
        let Ok(attributes) = attributes.cast_into_exact::<PyDict>() else {
            return Ok(None);
        };
        // A node id object since pytest 9.2, text before.
        let id = match attributes.get_item(pyo3::intern!(py, "_id"))? {
            Some(id) => Some(id),
            None => attributes.get_item(pyo3::intern!(py, "nodeid"))?,
        };
        let (Some(id), Some(mut said)) = (id, Said::of(&attributes)?) else {
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
            None if name.is_none() => self.clock.reported(said.phase, said.span()),
            None => None,
        };
        if let Some(measured) = measured {
            (said.start, said.seconds) = (measured.start, measured.seconds);
        }
        self.run.report(test, said.phase, said.reported(), said.seconds);
        self.write(py, test, worker, &said);
        let says_more = said.outcome != Outcome::Passed
            || said.phase == Some(Phase::Teardown) && has_properties(&attributes)?;
        Ok(says_more.then_some((test, worker)))
    }

    /// A worker has measured what it reports next: when that began, in seconds since the epoch, and how long it took.
    fn measured(&mut self, worker: u32, start: f64, seconds: f64) {
        self.measured.insert(worker, Span { start, seconds });
    }

    /// A shared fixture was set up for a test. Comes before the report of the phase in which it was, and is taken off the
    /// time of that phase.
    fn fixture(
        &mut self,
        py: Python<'_>,
        node_id: &Bound<'_, PyString>,
        key: &Bound<'_, PyString>,
        seconds: f64,
        worker: Option<u32>,
    ) {
        let (node_id, key) = (node_id.to_string_lossy(), key.to_string_lossy());
        let test = self.number_of(py, &node_id);
        self.run.fixture(&node_id, &key, seconds);
        let event = Event::Fixture {
            t: small(test),
            w: worker,
            key: key.into_owned(),
            us: micros(seconds),
        };
        self.journal.borrow_mut(py).write(&event);
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
        let text = id.str()?;
        let number = self.number_of(id.py(), &text.to_string_lossy());
        let before = self.last.replace((id.clone().unbind(), number));
        drop(before);
        Ok(number)
    }

    /// The number of a test; written down for one that was not known.
    fn number_of(&mut self, py: Python<'_>, id: &str) -> usize {
        let known = self.run.count();
        let number = self.run.test(id);
        if number == known {
            self.name(py, number, id.to_owned());
        }
        number
    }

    /// Writes down a number that the collection does not tell.
    fn name(&self, py: Python<'_>, number: usize, id: String) {
        let event = Event::Test { t: small(number), id };
        self.journal.borrow_mut(py).write(&event);
    }

    /// The number in a worker's name; None for a name that is not one of xdist's.
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

    fn write(&self, py: Python<'_>, test: usize, worker: Option<u32>, said: &Said) {
        let Some(phase) = said.phase else {
            return;
        };
        let mut journal = self.journal.borrow_mut(py);
        let ended = PhaseEnded {
            t: small(test),
            w: worker,
            at: journal.moment(said.start),
            us: micros(said.seconds),
            o: said.outcome,
            part: said.part,
        };
        journal.write(&Event::phase(phase, ended));
        if phase == Phase::Teardown {
            if worker.is_none() {
                journal.look_at_peak(small(test));
            }
            journal.test_ended();
        }
    }
}

/// A test's number, as events have it.
fn small(test: usize) -> u32 {
    u32::try_from(test).unwrap_or(u32::MAX)
}

fn has_properties(attributes: &Bound<'_, PyDict>) -> PyResult<bool> {
    let properties = attributes.get_item(pyo3::intern!(attributes.py(), "user_properties"))?;
    Ok(properties.is_some_and(|properties| properties.len().is_ok_and(|count| count > 0)))
}
