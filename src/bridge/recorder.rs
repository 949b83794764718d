//! The records of a run: each report is read once, for the history and for the journal.

use super::history::History;
use super::journal::Journal;
use super::report_contents::{Contents, ReportValues};
use super::resume::EarlierRun;
use super::text::Text;
use crate::history::file;
use crate::history::run::{Reported, Run};
use crate::journal::event::{Event, Outcome, PhaseEnded};
#[cfg(target_os = "linux")]
use crate::journal::load::{LoadResult, LoadSecond};
use crate::journal::numbering::Numbering;
use crate::journal::{micros, seconds as in_seconds};
use crate::protocol::phase_clock::{PhaseClock, Span};
use crate::protocol::report::Phase;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::collections::HashMap;
use std::path::PathBuf;

/// The records of a run.
#[pyclass(module = "rustpar._core")]
pub(super) struct Recorder {
    run: Run,
    journal: Py<Journal>,
    numbering: Numbering,
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

/// An outcome for the history.
fn reported(outcome: Outcome) -> Reported {
    match outcome {
        // A test that fails as expected is reported as skipped; but it has run.
        Outcome::Passed | Outcome::Xpassed | Outcome::Xfailed => Reported::Passed,
        Outcome::Skipped => Reported::Skipped,
        Outcome::Failed | Outcome::Quarantined => Reported::Failed,
        Outcome::Rerun => Reported::Rerun,
    }
}

#[pymethods]
impl Recorder {
    #[new]
    fn new(journal: Py<Journal>) -> Self {
        Self {
            run: Run::default(),
            journal,
            numbering: Numbering::default(),
            last: None,
            worker: None,
            clock: PhaseClock::new(),
            measured: HashMap::new(),
        }
    }

    /// Writes the collection, and numbers the tests in this order; see the stub.
    #[pyo3(signature = (node_ids, deselected, groups, serial, history))]
    fn collected(
        &mut self,
        py: Python<'_>,
        node_ids: Vec<Bound<'_, PyString>>,
        deselected: usize,
        groups: Vec<Option<Text>>,
        serial: Vec<u32>,
        history: Option<PyRef<'_, History>>,
    ) -> PyResult<()> {
        self.clock.test_begins();
        let texts = node_ids.iter().map(|id| Ok(id.extract::<Text>()?.0));
        let texts = texts.collect::<PyResult<Vec<String>>>()?;
        self.numbering = Numbering::new(&texts);
        let firsts = self.numbering.firsts();
        let ids: Vec<String> = firsts
            .iter()
            .map(|place| node_ids[*place].to_string_lossy().into_owned())
            .collect();
        let usual = history.map_or_else(Vec::new, |history| history.expected_of(&ids));
        let written = firsts.iter().map(|place| texts[*place].clone()).collect();
        let (groups, serial) = if self.numbering.has_duplicates() {
            // Places are no numbers.
            (Vec::new(), Vec::new())
        } else {
            let groups = groups.into_iter().map(|group| group.map(|Text(name)| name));
            (groups.collect(), serial)
        };
        self.journal
            .borrow_mut(py)
            .run
            .write_collected(written, usual, groups, serial, deselected);
        for (place, id) in ids.into_iter().enumerate() {
            let number = self.run.test(&id);
            if number != place {
                self.write_test_number(py, number, id);
            }
        }
        Ok(())
    }

    /// Writes the seconds of a load test.
    #[cfg(target_os = "linux")]
    fn load_seconds(&self, py: Python<'_>, seconds: &super::load_results::LoadSeconds) {
        let mut journal = self.journal.borrow_mut(py);
        for second in &seconds.core {
            let event = LoadSecond {
                t: self.number_of_place(second.t),
                at: journal.run.since_start(second.at),
                ..second.clone()
            };
            journal.run.write(&Event::LoadSecond(event));
        }
        journal.run.end_batch();
    }

    /// Writes the result of a load test.
    #[cfg(target_os = "linux")]
    fn load_result(&self, py: Python<'_>, result: &super::load_results::LoadOutcome) {
        let mut journal = self.journal.borrow_mut(py);
        let result = &result.core;
        let event = LoadResult {
            t: self.number_of_place(result.t),
            at: journal.run.since_start(result.at),
            began: journal.run.since_start(result.began),
            ..result.clone()
        };
        journal.run.write_and_flush(&Event::LoadResult(event));
    }

    /// Writes which tests carry the markers that thresholds name, given by their places in the collection.
    fn marked(&self, py: Python<'_>, marks: HashMap<Text, Vec<u32>>) {
        let marks = marks
            .into_iter()
            .map(|(Text(name), places)| (name, self.numbering.of_places(&places)));
        let event = Event::Marks {
            marks: marks.collect(),
        };
        self.journal.borrow_mut(py).run.write_and_flush(&event);
    }

    /// Records a report; one that is not a test report is ignored. Returns the numbers of the test and the worker if
    /// the report contains more than the result of a phase and captured output.
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
        let test = self.number_of(&id)?;
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
            .report(test, values.phase, reported(values.outcome), values.seconds);
        let contents = match values.outcome {
            Outcome::Passed => Contents::of(report, &attributes)?,
            _ => Contents::More,
        };
        let says_more = matches!(contents, Contents::More);
        self.write(py, test, worker, &values, contents);
        Ok(says_more.then_some((test, worker)))
    }

    /// The number of the test at a place of the collection.
    fn number(&self, place: usize) -> usize {
        self.numbering
            .number(place)
            .map_or(place, |number| number as usize)
    }

    /// The number of a test; an unknown test is added to the journal.
    fn test(&mut self, py: Python<'_>, node_id: Text) -> usize {
        self.number_or_register(py, &node_id.0)
    }

    /// Sets the times that a worker measured for its next report: start in seconds since the epoch, and duration.
    fn measured(&mut self, worker: u32, start: f64, seconds: f64) {
        self.measured.insert(worker, Span { start, seconds });
    }

    /// Records the setup of a shared fixture for a test. Called before the report of the phase in which it was set up,
    /// from whose duration it is subtracted, unless it was set up `once` for all workers.
    #[pyo3(signature = (node_id, key, seconds, worker, once = false))]
    fn fixture(
        &mut self,
        py: Python<'_>,
        node_id: &Bound<'_, PyString>,
        key: &Bound<'_, PyString>,
        seconds: f64,
        worker: Option<u32>,
        once: bool,
    ) {
        let (node_id, key) = (node_id.to_string_lossy(), key.to_string_lossy());
        let test = self.number_or_register(py, &node_id);
        if once {
            self.run.fixture_for_all(&key, seconds);
        } else {
            self.run.fixture(&node_id, &key, seconds);
        }
        let event = Event::Fixture {
            t: test_number(test),
            w: worker,
            key: key.into_owned(),
            us: micros(seconds),
            once,
        };
        self.journal.borrow_mut(py).run.write(&event);
    }

    /// Records a leak of a test, or of a fixture, found after the teardown of a test.
    fn leak(
        &mut self,
        py: Python<'_>,
        test: Text,
        worker: Option<&Bound<'_, PyAny>>,
        fixture: Option<Text>,
        kind: String,
        what: Text,
    ) -> PyResult<()> {
        let worker = match worker {
            Some(worker) => self.worker_number(worker)?,
            None => None,
        };
        let test = self.number_or_register(py, &test.0);
        let event = Event::Leak {
            t: test_number(test),
            w: worker,
            kind,
            fixture: fixture.map(|Text(fixture)| fixture),
            text: what.0,
        };
        self.journal.borrow_mut(py).run.write(&event);
        Ok(())
    }

    /// Copies the finished tests of the run that is resumed to the journal, and to the history unless that run has been
    /// added to it.
    fn resume(&mut self, py: Python<'_>, earlier: &EarlierRun) {
        for event in earlier.copied(|id| test_number(self.number_or_register(py, id))) {
            if !earlier.has_ended() {
                self.remember(&event);
            }
            self.journal.borrow_mut(py).run.write_copied(event);
        }
        self.journal.borrow_mut(py).run.write_copied(earlier.resumed());
        self.journal.borrow_mut(py).run.flush();
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
    /// Adds a copied event to the run for the history.
    fn remember(&mut self, event: &Event) {
        let (phase, ended) = match event {
            Event::Setup(ended) => (Phase::Setup, ended),
            Event::Call(ended) => (Phase::Call, ended),
            Event::Teardown(ended) => (Phase::Teardown, ended),
            Event::Fixture {
                key, us, once: true, ..
            } => {
                self.run.fixture_for_all(key, in_seconds(*us));
                return;
            }
            Event::Fixture { t, key, us, .. } => {
                if let Some(id) = self.run.id(*t as usize) {
                    let id = id.to_owned();
                    self.run.fixture(&id, key, in_seconds(*us));
                }
                return;
            }
            _ => return,
        };
        self.run.report(
            ended.t as usize,
            Some(phase),
            reported(ended.o),
            in_seconds(ended.us),
        );
    }

    fn number_of(&mut self, id: &Bound<'_, PyAny>) -> PyResult<usize> {
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
        self.journal.borrow_mut(py).run.write(&event);
    }

    /// The number of the test in this place of the collection.
    #[cfg(target_os = "linux")]
    fn number_of_place(&self, place: u32) -> u32 {
        self.numbering.number(place as usize).unwrap_or(place)
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

    fn write(
        &self,
        py: Python<'_>,
        test: usize,
        worker: Option<u32>,
        values: &ReportValues,
        contents: Contents,
    ) {
        let Some(phase) = values.phase else {
            return;
        };
        let mut journal = self.journal.borrow_mut(py);
        let ended = PhaseEnded {
            t: test_number(test),
            w: worker,
            at: journal.run.moment(values.start),
            us: micros(values.seconds),
            o: values.outcome,
            part: values.part,
        };
        journal.run.write(&Event::phase(phase, ended));
        let says_more = matches!(contents, Contents::More);
        if let Contents::Output(output) = contents {
            journal.run.write_report(ended.t, worker, output);
        }
        if phase == Phase::Teardown {
            if worker.is_none() {
                journal.record_peak_growth(test_number(test));
            }
            if !says_more {
                journal.run.test_ended();
            }
        }
    }
}

/// A test's number as used in events.
fn test_number(test: usize) -> u32 {
    u32::try_from(test).unwrap_or(u32::MAX)
}
