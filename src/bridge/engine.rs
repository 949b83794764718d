//! Python bindings of the controller's engine and the shared memory.

use super::events::{EventKind, to_tuples};
use super::plan::{Facts, mode};
use super::rebuild::{RunObjects, WorkerObjects};
use super::status::Status;
use super::text::texts;
use crate::engine::controller::Engine as CoreEngine;
use crate::engine::limits::Limits;
use crate::engine::load_run::LoadRun;
use crate::engine::messages::{Command, TEMPLATE};
use crate::engine::shared::{Shared as CoreShared, TEMPLATE_SLOT};
use crate::engine::watchdog::Settings;
use crate::platform::os;
use crate::schedule::mode::{policy, with_repeats, with_retries};
use crate::schedule::policy::{Test, Worker};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyType};
use std::collections::HashMap;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The shared memory of a run's processes. Must be created before the fork server is forked.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct Shared {
    pub(super) core: Arc<CoreShared>,
}

#[pymethods]
impl Shared {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self {
            core: CoreShared::new()?,
        })
    }

    /// Allows the worker in this slot to exit after its session; in slot 0, all workers.
    fn dismiss(&self, slot: usize) {
        self.core.slot(slot).dismissed().set(true);
    }

    /// Tells all processes that a signal to the controller ends the run.
    fn terminate(&self) {
        self.core
            .slot(TEMPLATE_SLOT)
            .terminated()
            .store(1, Ordering::SeqCst);
    }

    /// Turns `SIGTERM` and `SIGHUP` into the signal `interrupt` if they end the run.
    fn interrupt_at_termination(&self, interrupt: i32) {
        // The signal handler reads it until the process ends.
        let core: &'static Arc<CoreShared> = Box::leak(Box::new(Arc::clone(&self.core)));
        os::interrupt_at_termination(core.slot(TEMPLATE_SLOT).terminated(), interrupt);
    }

    /// Starts no test, or starts tests again.
    fn pause(&self, is_paused: bool) {
        self.core.slot(TEMPLATE_SLOT).paused().set(is_paused);
    }

    /// Lets the worker in this slot use the terminal.
    fn lend_terminal(&self, slot: usize) {
        self.core.slot(slot).has_terminal().set(true);
    }

    /// Whether the worker in this slot still has the terminal.
    fn has_terminal(&self, slot: usize) -> bool {
        self.core.slot(slot).has_terminal().is_set()
    }

    /// Whether the session of the worker in this slot has received an interrupt.
    fn interrupted(&self, slot: usize) -> bool {
        self.core.slot(slot).interrupted().is_set()
    }
}

/// The controller's I/O thread, and the objects used to build its events.
#[pyclass(module = "rustpar._core")]
pub(super) struct Engine {
    core: CoreEngine,
    run: RunObjects,
    workers: HashMap<Worker, WorkerObjects>,
    /// The groups of the tests from the inventory.
    groups: Vec<Option<String>>,
}

#[pymethods]
impl Engine {
    /// Starts the thread. `control` is the controller's end of the control socket, `output` the reading end of the
    /// template's standard output, or None without a template; both are duplicated.
    #[new]
    #[pyo3(signature = (shared, control, output, *, report_type, id_attribute, make_id, testrun_uid, template_node))]
    fn new(
        py: Python<'_>,
        shared: &Shared,
        control: RawFd,
        output: Option<RawFd>,
        report_type: Py<PyType>,
        id_attribute: Py<PyString>,
        make_id: Option<Py<PyAny>>,
        testrun_uid: Py<PyString>,
        template_node: Py<PyAny>,
    ) -> PyResult<Self> {
        let core = CoreEngine::start(
            Arc::clone(&shared.core),
            duplicate(control)?,
            output.map(duplicate).transpose()?,
        )?;
        let node_ids = PyList::empty(py).unbind();
        let run = RunObjects {
            report_type,
            id_attribute,
            make_id,
            testrun_uid,
            node_ids,
        };
        let template = WorkerObjects::new(template_node, PyString::new(py, "template").unbind());
        Ok(Self {
            core,
            run,
            workers: HashMap::from([(TEMPLATE, template)]),
            groups: Vec::new(),
        })
    }

    /// Registers the worker `gw<worker>` that is about to be forked; returns its slot. `output` is the reading end of
    /// its standard output; it is duplicated.
    fn add_worker(
        &mut self,
        worker: Worker,
        output: RawFd,
        node: Py<PyAny>,
        name: Py<PyString>,
    ) -> PyResult<usize> {
        let slot = self.core.add_worker(worker, duplicate(output)?)?;
        self.workers.insert(worker, WorkerObjects::new(node, name));
        Ok(slot)
    }

    /// Includes a worker in the scheduling: its collection is known, and equals that of the others. `first` is the first
    /// of the workers that replaced one another; if it has replaced none, the worker itself.
    fn join(&self, worker: Worker, first: Worker) -> PyResult<()> {
        Ok(self.core.send(Command::Join(worker, first))?)
    }

    /// Sets the tests that several workers have collected together: their node ids, and their groups.
    fn use_collection(&mut self, node_ids: Py<PyList>, groups: Vec<Option<String>>) {
        self.run.node_ids = node_ids;
        self.groups = groups;
    }

    /// Schedules the tests of the inventory with xdist's distribution mode `dist`, and `load` with `--rustpar-plan`;
    /// `facts` is the result of `inventory.facts`, with `seconds`, `failed` and `setup_seconds` from the history.
    /// `retries_last` says whether failed tests are tried again after all others; None if no test is tried again.
    /// `repeats` is how often every test runs, 0 if until the run is stopped; None for once, then without retries.
    #[pyo3(signature = (dist, workers, *, max_chunk, reorder, plan, facts, retries_last, repeats=None))]
    fn schedule(
        &self,
        py: Python<'_>,
        dist: &str,
        workers: usize,
        max_chunk: Option<usize>,
        reorder: bool,
        plan: &str,
        facts: Facts,
        retries_last: Option<bool>,
        repeats: Option<usize>,
    ) -> PyResult<()> {
        let node_ids: Vec<String> = texts(self.run.node_ids.extract(py)?);
        let mode = mode(dist, &node_ids, &self.groups, max_chunk, reorder, plan)?;
        let kinds = facts.keys().zip(0..).collect();
        let policy = py.detach(|| {
            let (rules, forecast) = facts.into_plan(&node_ids);
            if let Some(times) = repeats {
                let times = (times > 0).then_some(times);
                return with_repeats(&mode, &forecast, &rules, workers, times);
            }
            let policy = policy(&mode, forecast, &rules, workers);
            match retries_last {
                None => policy,
                Some(last) => with_retries(policy, &mode, &rules, last),
            }
        });
        Ok(self.core.send(Command::Schedule(policy, kinds))?)
    }

    /// Sets the expected `seconds` of tests, None if unknown; each test is to be run so many `times`.
    fn set_expected(&self, seconds: Vec<Option<f64>>, times: usize) -> PyResult<()> {
        Ok(self.core.send(Command::SetExpected(seconds, times))?)
    }

    /// Sets the time limits in seconds: of all tests, and of single ones by index; 0 or None for no limit.
    fn time_limits(&self, default: Option<f64>, own: Vec<(Test, f64)>) -> PyResult<()> {
        Ok(self.core.send(Command::TimeLimits(Limits::new(default, &own)))?)
    }

    /// Reports on standard error if Python is busy with one batch of events for `limit` seconds, and ends a run that is
    /// busy when it has `left` seconds and some more: sends it `interrupt_signal`, and at last exits with `status`.
    /// `errors` is standard error, which is duplicated; on `stack_signal` the main thread writes its stack to it.
    #[pyo3(signature = (limit, left, *, status, errors, stack_signal, interrupt_signal))]
    fn watch(
        &self,
        limit: f64,
        left: Option<f64>,
        status: i32,
        errors: RawFd,
        stack_signal: Option<i32>,
        interrupt_signal: i32,
    ) -> PyResult<()> {
        let seconds = |seconds: f64| {
            Duration::try_from_secs_f64(seconds.max(0.0))
                .map_err(|error| PyValueError::new_err(error.to_string()))
        };
        let end = left
            .map(seconds)
            .transpose()?
            .and_then(|left| Instant::now().checked_add(left));
        let settings = Settings {
            limit: seconds(limit)?,
            end,
            status,
            stack_signal,
            interrupt_signal,
            errors: duplicate(errors)?,
        };
        Ok(self.core.send(Command::Watch(settings))?)
    }

    /// The progress of the run.
    fn status(&self) -> Status {
        Status::new(&self.core.board(), Instant::now())
    }

    /// Assigns tests to a worker directly.
    fn assign(&self, worker: Worker, tests: Vec<Test>) -> PyResult<()> {
        Ok(self.core.send(Command::Assign(worker, tests))?)
    }

    /// Takes back exactly these tests, or none; answered by UNSCHEDULED.
    fn steal(&self, worker: Worker, tests: Vec<Test>) -> PyResult<()> {
        Ok(self.core.send(Command::Steal(worker, tests))?)
    }

    /// Closes a worker directly: nothing more is assigned to it.
    fn close(&self, worker: Worker) -> PyResult<()> {
        Ok(self.core.send(Command::Close(worker))?)
    }

    /// Runs a test again that ended in a crash; if tests are assigned directly, only the progress is updated.
    fn run_again(&self, test: Test) -> PyResult<()> {
        Ok(self.core.send(Command::RunAgain(test))?)
    }

    /// Tries a test again in which this worker has crashed, and which was tried so many times before, after `delay`
    /// seconds at the earliest.
    fn retry(&self, worker: Worker, test: Test, tried: u32, delay: f64) -> PyResult<()> {
        Ok(self.core.send(Command::Retry(worker, test, tried, delay))?)
    }

    /// Has the replacement of a worker try a test again, in which that has crashed and which was tried so many times
    /// before; `first` is as of `join`.
    fn retry_in_replacement(&self, first: Worker, test: Test, tried: u32) -> PyResult<()> {
        Ok(self.core.send(Command::RetryInReplacement(first, test, tried))?)
    }

    /// Does not try a test again in which a worker has crashed.
    fn settle(&self, test: Test) -> PyResult<()> {
        Ok(self.core.send(Command::Settle(test))?)
    }

    /// Makes the engine stop the run after so many failed reports; 0 means never.
    fn failure_limit(&self, limit: usize) -> PyResult<()> {
        Ok(self.core.send(Command::FailureLimit(limit))?)
    }

    /// Runs these tests as load tests on so many workers; each with what `LoadPlan.dumps` has returned.
    fn load(&self, plans: Vec<(Test, String)>, generators: usize) -> PyResult<()> {
        let plans = plans
            .iter()
            .map(|(test, text)| Ok((*test, super::load_plan::parse(text)?)));
        let load = LoadRun::new(plans.collect::<PyResult<_>>()?, generators);
        Ok(self.core.send(Command::Load(Box::new(load)))?)
    }

    /// Runs the remaining load tests without a worker that was lost, unless it is replaced.
    fn decide_generator(&self, worker: Worker, is_replaced: bool) -> PyResult<()> {
        Ok(self.core.send(Command::DecideGenerator { worker, is_replaced })?)
    }

    /// Starts no further test.
    fn stop(&self) -> PyResult<()> {
        Ok(self.core.send(Command::Stop)?)
    }

    /// Appends the next batch of events to the list `into`, each `(kind, worker, value, value)`; nothing if none
    /// arrived within `limit` seconds. A signal that arrives meanwhile cannot lose a batch.
    fn events(&mut self, py: Python<'_>, into: &Bound<'_, PyList>, limit: f64) -> PyResult<()> {
        let limit =
            Duration::try_from_secs_f64(limit).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let batch = py.detach(|| self.core.events(limit))?;
        for event in batch {
            to_tuples(event, &mut self.run, &mut self.workers, &mut self.groups, into)?;
        }
        Ok(())
    }

    /// Stops the thread.
    fn shut_down(&mut self, py: Python<'_>) {
        py.detach(|| self.core.shut_down());
    }

    /// For the garbage collector: the nodes, which refer to the whole run, also refer to the engine.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.workers
            .values()
            .try_for_each(|worker| visit.call(&worker.node))
    }

    fn __clear__(&mut self) {
        self.workers.clear();
    }

    #[classattr]
    const TEMPLATE: Worker = TEMPLATE;
    #[classattr]
    const INVENTORY: u8 = EventKind::Inventory as u8;
    #[classattr]
    const START: u8 = EventKind::Start as u8;
    #[classattr]
    const PASSED: u8 = EventKind::Passed as u8;
    #[classattr]
    const PASSED_CALL: u8 = EventKind::PassedCall as u8;
    #[classattr]
    const REPORT: u8 = EventKind::Report as u8;
    #[classattr]
    const SERIALIZED: u8 = EventKind::Serialized as u8;
    #[classattr]
    const FINISH: u8 = EventKind::Finish as u8;
    #[classattr]
    const RETRY: u8 = EventKind::Retry as u8;
    #[classattr]
    const DONE: u8 = EventKind::Done as u8;
    #[classattr]
    const MESSAGE: u8 = EventKind::Message as u8;
    #[classattr]
    const OUTPUT: u8 = EventKind::Output as u8;
    #[classattr]
    const FORKED: u8 = EventKind::Forked as u8;
    #[classattr]
    const EXITED: u8 = EventKind::Exited as u8;
    #[classattr]
    const UNSCHEDULED: u8 = EventKind::Unscheduled as u8;
    #[classattr]
    const TEMPLATE_FORKED: u8 = EventKind::TemplateForked as u8;
    #[classattr]
    const TEMPLATE_EXITED: u8 = EventKind::TemplateExited as u8;
    #[classattr]
    const SERVER_GONE: u8 = EventKind::ServerGone as u8;
    #[classattr]
    const TIMED_OUT: u8 = EventKind::TimedOut as u8;
    #[classattr]
    const LOAD_SECOND: u8 = EventKind::LoadSecond as u8;
    #[classattr]
    const LOAD_RESULT: u8 = EventKind::LoadResult as u8;
    #[classattr]
    const BROKEN: u8 = EventKind::Broken as u8;
    #[classattr]
    const PEAK: u8 = EventKind::Peak as u8;
    #[classattr]
    const OVER_MEMORY_LIMIT: u8 = EventKind::OverMemoryLimit as u8;
}

/// Duplicates a descriptor that the caller keeps.
fn duplicate(fd: RawFd) -> PyResult<OwnedFd> {
    Ok(os::duplicate(fd)?)
}
