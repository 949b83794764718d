//! Python bindings of a worker's connection: reports out, tests in.
//!
//! This is the hot path of a worker. A report with exactly the attributes that pytest itself sets is encoded here; any
//! other goes through `pytest_report_to_serializable` in Python and arrives as plain values.

use super::engine::Shared;
use super::plain_report::{same, span_of};
use super::text::Text;
use super::text::to_bytes;
use super::value::to_value;
use crate::engine::worker::{Claim, Line as CoreLine};
use crate::protocol::frame::{Entry, Frame, Topic};
use crate::protocol::phase_clock::PhaseClock;
use crate::protocol::report::{Location, Outcome, Phase, PlainReport, StringId};
use crate::protocol::value::Value;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyString, PyType};
use std::sync::Arc;

/// A worker's connection to the controller.
#[pyclass(module = "rustpar._core")]
pub(super) struct Line {
    pub(super) core: CoreLine,
    pub(super) report_type: Py<PyType>,
    pub(super) id_attribute: Py<PyString>,
    pub(super) one: Py<PyInt>,
    /// The strings sent so far, with their numbers.
    strings: Py<PyDict>,
    /// The keywords sent last.
    pub(super) keywords: Option<Vec<Py<PyAny>>>,
    /// How often the test that was claimed last was tried before.
    tried: u32,
    /// The test that was started last.
    pub(super) current: Option<Started>,
    /// Created when the first test starts.
    clock: Option<PhaseClock>,
}

/// A test that was started.
pub(super) struct Started {
    pub(super) test: u32,
    pub(super) id: Py<PyAny>,
    pub(super) location: Py<PyAny>,
}

#[pymethods]
impl Line {
    /// Sends the measured duration of a phase if its report has implausible times.
    fn measure(&mut self, report: &Bound<'_, PyAny>) -> PyResult<()> {
        let (phase, said) = span_of(report)?;
        let Some(measured) = self.clock.get_or_insert_default().reported(phase, said) else {
            return Ok(());
        };
        let mut body = Vec::new();
        Value::Tuple(vec![Value::Float(measured.start), Value::Float(measured.seconds)]).encode(&mut body);
        let topic = Topic::Measured;
        self.core.send(&Frame::Message { topic, body: &body }, false);
        Ok(())
    }

    /// Creates the connection of the worker in `slot`. `report_type` is pytest's TestReport, `id_attribute` the name of
    /// the attribute in which it stores the node id.
    #[new]
    fn new(
        py: Python<'_>,
        shared: &Shared,
        slot: usize,
        report_type: Py<PyType>,
        id_attribute: Py<PyString>,
    ) -> PyResult<Self> {
        Ok(Self {
            core: CoreLine::new(Arc::clone(&shared.core), slot),
            report_type,
            id_attribute,
            one: 1u8.into_pyobject(py)?.unbind(),
            strings: PyDict::new(py).unbind(),
            keywords: None,
            tried: 0,
            current: None,
            clock: None,
        })
    }

    /// Whether this process created the connection. In a process forked from it, the connection returns no tests and
    /// sends nothing.
    fn is_own(&self) -> bool {
        self.core.is_own()
    }

    /// Claims the next test; None if there are no more. Blocks until there is one.
    fn claim(&mut self, py: Python<'_>) -> PyResult<Option<u32>> {
        loop {
            match self.wait_for_claim(py)? {
                Claim::Test(test, _) => return Ok(Some(test)),
                Claim::Rest => py.check_signals()?,
                _ => return Ok(None),
            }
        }
    }

    /// The same for a worker before the teardown of a test: False if it is to finish that without knowing the next
    /// test.
    fn claim_or_rest<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self.wait_for_claim(py)? {
            Claim::Test(test, _) => test.into_pyobject(py)?.into_any(),
            Claim::Rest => PyBool::new(py, false).to_owned().into_any(),
            _ => py.None().into_bound(py),
        })
    }

    /// The next test, if known; it may still be taken back.
    fn peek(&self) -> Option<u32> {
        self.core.peek()
    }

    /// Whether a claimed test may still start.
    fn may_start(&self) -> bool {
        self.core.may_start()
    }

    /// Whether this worker may exit after its session has finished.
    fn may_exit(&self) -> bool {
        self.core.may_exit()
    }

    /// Whether this worker must exit while others still run tests.
    fn must_exit_early(&self) -> bool {
        self.core.must_exit_early()
    }

    /// Publishes which test this worker is running, in case it crashes, and how often it was tried before.
    #[pyo3(signature = (test, tried=0))]
    fn set_running(&mut self, test: Option<u32>, tried: u32) {
        self.core.set_running(test, tried);
    }

    /// How often the test that was claimed last was tried before.
    fn tried(&self) -> u32 {
        self.tried
    }

    /// Whether this worker may use the terminal for a debugger.
    fn has_terminal(&self) -> bool {
        self.core.has_terminal()
    }

    /// Gives the terminal back.
    fn return_terminal(&self) {
        self.core.return_terminal();
    }

    /// Whether a failed test is tried again by the engine's choice, and not by this worker on its own.
    fn leaves_retries(&self) -> bool {
        self.core.leaves_retries()
    }

    /// Sends that the running test has failed, and is to be tried again `delay` seconds after its end; it has been tried
    /// `tried` times.
    fn retry(&mut self, test: u32, tried: u32, delay: f64) {
        self.core.send(&Frame::Retry { test, tried, delay }, true);
    }

    /// Publishes in which process this worker has its test run; None before that is waited for.
    fn set_forked(&self, process: Option<u32>) {
        self.core.set_forked(process);
    }

    /// Whether that process was ended at the time limit of its test.
    fn is_timed_out(&self) -> bool {
        self.core.is_timed_out()
    }

    /// Publishes that this worker has received an interrupt.
    fn set_interrupted(&self) {
        self.core.set_interrupted();
    }

    /// Sends the collection: node ids, their groups (None without), and any plain value.
    fn inventory(
        &mut self,
        node_ids: Vec<Bound<'_, PyString>>,
        groups: Vec<Option<Text>>,
        extras: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let mut body = Vec::new();
        to_value(extras, &mut Vec::new())?.encode(&mut body);
        let node_ids: Vec<_> = node_ids.iter().map(to_bytes).collect::<PyResult<_>>()?;
        let entries = node_ids.iter().zip(&groups);
        let entries = entries
            .map(|(id, group)| Entry {
                node_id: id,
                group: group.as_ref().map(|Text(group)| group.as_str()),
            })
            .collect();
        self.core.send(
            &Frame::Inventory {
                entries,
                extras: &body,
            },
            true,
        );
        Ok(())
    }

    /// Sends a plain value under a topic; returns the types of objects that were replaced by their repr.
    fn message(&mut self, topic: u8, object: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
        let (mut lost, mut body) = (Vec::new(), Vec::new());
        to_value(object, &mut lost)?.encode(&mut body);
        let topic = Topic::try_from(topic)?;
        let frame = Frame::Message { topic, body: &body };
        if topic == Topic::Warning {
            // Those of a test come after its teardown.
            self.core.send_in_order(&frame, true);
        } else {
            self.core.send(&frame, true);
        }
        Ok(lost)
    }

    /// Sends pytest_runtest_logstart for the test with this node id object and location.
    fn start(&mut self, test: u32, id: Py<PyAny>, location: Bound<'_, PyAny>) -> PyResult<()> {
        let py = location.py();
        let (path, line, domain) = self.location(&location)?;
        let frame = Frame::Start {
            test,
            location: Location {
                path,
                line,
                domain: &domain,
            },
        };
        self.core.send(&frame, false);
        self.clock.get_or_insert_default().test_begins();
        drop(self.current.replace(Started {
            test,
            id,
            location: location.unbind(),
        }));
        py.check_signals()
    }

    /// Sends pytest_runtest_logfinish.
    fn finish(&mut self, test: u32, location: &Bound<'_, PyAny>) -> PyResult<()> {
        let started = self.current.as_ref().filter(|started| started.test == test);
        let same = match started {
            Some(started) => same(location, started.location.bind(location.py()))?,
            None => false,
        };
        if same {
            self.core
                .send_in_order(&Frame::Finish { test, location: None }, false);
        } else {
            let (path, line, domain) = self.location(location)?;
            let location = Some(Location {
                path,
                line,
                domain: &domain,
            });
            self.core.send_in_order(&Frame::Finish { test, location }, false);
        }
        Ok(())
    }

    /// Sends that the test's protocol is complete; it took `duration` seconds.
    fn done(&mut self, test: u32, duration: f64) {
        self.core.done(test, duration);
    }

    /// Starts monitoring the memory of this process, before its first test. If it uses more than `limit` bytes after a
    /// test, it gets no further one; the limit is ignored if it is already exceeded.
    #[pyo3(signature = (limit))]
    fn monitor_memory(&mut self, limit: Option<u64>) {
        self.core.monitor_memory(limit);
    }

    /// Sends the report if it is a plain one of the test started last; returns whether it was.
    fn report(&mut self, test: u32, report: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.measure(report)?;
        match self.plain(test, report)? {
            None => Ok(false),
            Some((plain, extras)) => {
                let is_last = plain.phase == Phase::Teardown && plain.outcome == Outcome::Passed;
                let failed = plain.outcome == Outcome::Failed;
                let frame = Frame::Plain(PlainReport {
                    extras: &extras,
                    ..plain
                });
                if is_last {
                    self.core.send_with_next(&frame);
                } else {
                    self.core.send(&frame, failed);
                }
                Ok(true)
            }
        }
    }

    /// Sends a report in serialized form, with the end of the test if it is its last; returns the types of objects that
    /// were replaced by their repr.
    fn serialized(
        &mut self,
        test: u32,
        failed: bool,
        is_last: bool,
        data: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<String>> {
        let (mut lost, mut body) = (Vec::new(), Vec::new());
        to_value(data, &mut lost)?.encode(&mut body);
        let body = &body;
        let frame = Frame::Report { test, failed, body };
        if is_last {
            self.core.send_with_next(&frame);
        } else {
            self.core.send(&frame, failed);
        }
        Ok(lost)
    }

    #[classattr]
    const READY: u8 = Topic::Ready as u8;
    #[classattr]
    const COLLECT_REPORT: u8 = Topic::CollectReport as u8;
    #[classattr]
    const WARNING: u8 = Topic::Warning as u8;
    #[classattr]
    const INTERNAL_ERROR: u8 = Topic::InternalError as u8;
    #[classattr]
    const FINISHED: u8 = Topic::Finished as u8;
    #[classattr]
    const INTERRUPTED: u8 = Topic::Interrupted as u8;
    #[classattr]
    const SUITE_PROPERTY: u8 = Topic::SuiteProperty as u8;
    #[classattr]
    const NOTICE: u8 = Topic::Notice as u8;
    #[classattr]
    const COLLECTING: u8 = Topic::Collecting as u8;
    #[classattr]
    const USAGE_ERROR: u8 = Topic::UsageError as u8;
    #[classattr]
    const REASON: u8 = Topic::Reason as u8;
    #[classattr]
    const FIXTURE: u8 = Topic::Fixture as u8;
    #[classattr]
    const MEASURED: u8 = Topic::Measured as u8;
    #[classattr]
    const SAVED: u8 = Topic::Saved as u8;
    #[classattr]
    const ONCE: u8 = Topic::Once as u8;
    #[classattr]
    const DEBUGGER: u8 = Topic::Debugger as u8;
    #[classattr]
    const LOAD: u8 = Topic::Load as u8;
    #[classattr]
    const FILES: u8 = Topic::Files as u8;
}

impl Line {
    /// Waits until there is a test or an end for this worker; a worker over its memory limit is closed.
    fn wait_for_claim(&mut self, py: Python<'_>) -> PyResult<Claim> {
        loop {
            match py.detach(|| self.core.claim()) {
                Claim::Wait => py.check_signals()?,
                Claim::OverMemoryLimit(resident) => {
                    self.core.report_over_memory_limit(resident);
                    return Ok(Claim::Closed);
                }
                claim => {
                    if let Claim::Test(_, tried) = claim {
                        self.tried = tried;
                    }
                    return Ok(claim);
                }
            }
        }
    }

    /// The number of a string; a new string is sent first.
    pub(super) fn string_id(&mut self, text: &Bound<'_, PyString>) -> PyResult<StringId> {
        let strings = self.strings.bind(text.py()).clone();
        if let Some(number) = strings.get_item(text)? {
            return number.extract();
        }
        let number = u32::try_from(strings.len()).map_err(|_| PyValueError::new_err("too many strings"))?;
        self.core.send_in_order(&Frame::Text(&to_bytes(text)?), false);
        strings.set_item(text, number)?;
        Ok(number)
    }

    fn location(&mut self, location: &Bound<'_, PyAny>) -> PyResult<(StringId, Option<u32>, String)> {
        let (path, line, domain): (Bound<'_, PyAny>, Option<i64>, Bound<'_, PyAny>) = location.extract()?;
        let path = match path.cast_into::<PyString>() {
            Ok(path) => path,
            Err(error) => error.into_inner().str()?,
        };
        let path = self.string_id(&path)?;
        let line = line
            .and_then(|line| u32::try_from(line).ok())
            .filter(|&line| line < u32::MAX);
        Ok((path, line, domain.str()?.to_string_lossy().into_owned()))
    }
}
