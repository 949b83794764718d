//! Python bindings of a worker's users in a load test: pacing in, samples out.
//!
//! This is the hot path of a load test: three calls for an iteration.

use super::load_plan::LoadPlan;
use super::worker_connection::Line;
use crate::engine::load_run::METRIC_KINDS;
use crate::engine::paced_users::{PacedUsers, to_nanos};
use crate::engine::worker_load::{Beginning, Share};
use crate::journal::load::MetricKind;
use crate::platform::clock::nanos;
use crate::protocol::load::SampleValue;
use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// How often to look whether the engine has answered: it does within milliseconds, or when all users are set up.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// The users of a worker in a load test; see the stub.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct LoadGenerator {
    line: Py<Line>,
    test: u32,
    users: PacedUsers,
    /// The numbers of metrics, by kind and name.
    numbers: Mutex<HashMap<(u8, String), u16>>,
}

#[pymethods]
impl LoadGenerator {
    /// Waits for this worker's share of the users; None if the run is being stopped.
    #[staticmethod]
    fn join(py: Python<'_>, line: Py<Line>, test: u32, plan: &LoadPlan) -> PyResult<Option<Self>> {
        line.borrow_mut(py).core.load_join(test);
        let (rank, generators) = loop {
            let share = line.borrow(py).core.load_share();
            match share {
                Share::Waiting if line.borrow(py).core.may_start() => look_again(py)?,
                Share::Waiting | Share::None => return Ok(None),
                Share::Of { place, workers } => break (place, workers),
            }
        };
        Ok(Some(Self {
            line,
            test,
            users: PacedUsers::new(plan.core.clone(), rank, generators)?,
            numbers: Mutex::default(),
        }))
    }

    /// The numbers of this worker's users.
    fn users(&self) -> Vec<u32> {
        self.users.pacer().users()
    }

    /// Reports that the users are set up, and waits for the beginning; False if the load test does not begin.
    fn wait_for_beginning(&self, py: Python<'_>) -> PyResult<bool> {
        self.line.borrow_mut(py).core.load_ready(self.test);
        loop {
            let beginning = self.line.borrow(py).core.load_beginning();
            match beginning {
                Beginning::Waiting if self.line.borrow(py).core.may_start() => look_again(py)?,
                Beginning::Waiting | Beginning::Cancelled => return Ok(false),
                Beginning::At(begin) => {
                    self.users.begin_at(begin);
                    return Ok(true);
                }
            }
        }
    }

    /// Seconds for which iterations may still start; less than 0 after the planned end.
    fn seconds_left(&self) -> f64 {
        let planned = self.users.pacer().plan().seconds();
        planned - self.users.now()
    }

    /// Seconds until the next iteration of a user is due; None if it has none left.
    fn next(&self, py: Python<'_>, user: u32) -> Option<f64> {
        let at = self.next_at(py, user)?;
        Some((at - self.users.now()).max(0.0))
    }

    /// The same; the user is among those that `due` returns then, unless it is due at once.
    fn sleep(&self, py: Python<'_>, user: u32) -> PyResult<Option<bool>> {
        match self.next_at(py, user) {
            None => Ok(None),
            Some(at) => Ok(Some(self.users.sleep(user, at)?)),
        }
    }

    /// Has `due` return None after so many seconds.
    fn wake_after(&self, seconds: f64) -> PyResult<()> {
        Ok(self.users.wake_after(seconds)?)
    }

    /// The descriptor that is readable when a sleeping user is due.
    fn timer_descriptor(&self) -> i32 {
        self.users.fd().as_raw_fd()
    }

    /// The sleeping users that are due, None for what `wake_after` has asked for; all of them if the load test is stopped.
    fn due(&self) -> PyResult<Vec<Option<u32>>> {
        Ok(self.users.due()?)
    }

    /// Waits in a thread until a user's next iteration is due; False if it has none left.
    fn wait(&self, py: Python<'_>, user: u32) -> bool {
        match self.next_at(py, user) {
            None => false,
            Some(at) if at <= self.users.now() => !self.users.is_stopped(),
            Some(at) => py.detach(|| self.users.wait_until(at)),
        }
    }

    /// Starts the iteration of a user; returns the number of its task.
    fn begin(&self, py: Python<'_>, user: u32) -> usize {
        let now = self.users.now();
        let task = self.users.pacer().begin(user, now);
        self.publish(py);
        task
    }

    /// Ends the iteration of a user.
    fn end(&self, py: Python<'_>, user: u32, failed: bool) {
        let ended = self.users.end(user, false);
        self.publish(py);
        if let Some(ended) = ended {
            let value = SampleValue::Time {
                nanos: to_nanos(ended.took),
                lag: to_nanos(ended.lag),
                failed,
            };
            self.send(py, 0, value);
        }
    }

    /// Forgets the iteration of a user, which was interrupted.
    fn cancel(&self, py: Python<'_>, user: u32) {
        self.users.end(user, true);
        self.publish(py);
    }

    /// The number of the iteration that a user is running, from 0.
    fn iteration(&self, user: u32) -> u64 {
        self.users.pacer().iteration(user)
    }

    /// The users that are running an iteration.
    fn running(&self) -> Vec<u32> {
        let pacer = self.users.pacer();
        let users = pacer.users().into_iter();
        users.filter(|user| pacer.is_running(*user)).collect()
    }

    /// The number of users that is asked for at this moment; of the open model, the rate.
    fn target(&self) -> f64 {
        let now = self.users.now();
        self.users.pacer().plan().curve.value(now)
    }

    /// The monotonic clock in nanoseconds.
    #[staticmethod]
    fn clock() -> u64 {
        nanos()
    }

    /// Adds a duration in nanoseconds to a metric, that happened in an iteration of a user.
    fn add_time(&self, py: Python<'_>, name: &str, user: u32, nanos: u64, failed: bool) -> PyResult<()> {
        let lag = to_nanos(self.users.pacer().lag(user));
        self.add(
            py,
            MetricKind::Time,
            name,
            SampleValue::Time { nanos, lag, failed },
        )
    }

    /// Adds a number to a trend, counter or gauge.
    fn add_number(&self, py: Python<'_>, kind: &str, name: &str, number: f64) -> PyResult<()> {
        let kind = match kind {
            "trend" => MetricKind::Trend,
            "counter" => MetricKind::Counter,
            "gauge" => MetricKind::Gauge,
            _ => return Err(unknown(kind)),
        };
        self.add(py, kind, name, SampleValue::Number(number))
    }

    /// Adds true or false to a rate or a check.
    fn add_truth(&self, py: Python<'_>, kind: &str, name: &str, truth: bool) -> PyResult<()> {
        let kind = match kind {
            "rate" => MetricKind::Rate,
            "check" => MetricKind::Check,
            _ => return Err(unknown(kind)),
        };
        self.add(py, kind, name, SampleValue::Truth(truth))
    }

    /// Asks for the end of the load test in all workers.
    fn ask_to_stop(&self, py: Python<'_>, why: &str) {
        if !self.users.is_closed() {
            self.line.borrow_mut(py).core.stop_load(why);
        }
    }

    /// Lets no further iteration start in this worker, and wakes the users that wait.
    fn stop(&self) -> PyResult<()> {
        Ok(self.users.stop()?)
    }

    /// Whether no further iteration starts in this worker.
    fn is_stopped(&self) -> bool {
        self.users.is_stopped()
    }

    /// Whether the load test is to be stopped, by the controller or in any worker; publishes the used CPU time.
    fn should_stop(&self, py: Python<'_>) -> bool {
        let line = self.line.borrow(py);
        line.core.publish_cpu_time();
        line.core.load_is_stopped()
    }

    /// Reports that no user runs an iteration any more; later calls of users have no effect.
    fn finish(&self, py: Python<'_>, interrupted: u64) {
        let now = self.users.now();
        self.users.pacer().finish(now);
        self.publish(py);
        self.users.close();
        let mut line = self.line.borrow_mut(py);
        line.core.publish_cpu_time();
        line.core.load_finished(self.test, interrupted);
    }

    /// Whether no worker runs an iteration any more, or the run is stopped.
    fn has_ended(&self, py: Python<'_>) -> bool {
        let line = self.line.borrow(py);
        line.core.load_has_ended() || !line.core.may_start()
    }
}

impl LoadGenerator {
    fn next_at(&self, py: Python<'_>, user: u32) -> Option<f64> {
        let line = self.line.borrow(py);
        let next = self.users.next(user, || line.core.claim_iteration());
        drop(line);
        self.publish(py);
        next
    }

    fn publish(&self, py: Python<'_>) {
        if !self.users.is_closed() {
            let pacer = self.users.pacer();
            let line = self.line.borrow(py);
            line.core
                .publish_load(pacer.active() as u64, pacer.started(), pacer.dropped());
        }
    }

    fn add(&self, py: Python<'_>, kind: MetricKind, name: &str, value: SampleValue) -> PyResult<()> {
        if self.users.is_closed() {
            return Ok(());
        }
        let place = METRIC_KINDS.iter().position(|known| *known == kind);
        let kind = place
            .and_then(|place| u8::try_from(place).ok())
            .unwrap_or_default();
        let mut numbers = self.numbers.lock();
        let known = numbers.get(&(kind, name.to_owned())).copied();
        let number = if let Some(number) = known {
            number
        } else {
            let number = u16::try_from(numbers.len() + 1)
                .map_err(|_| PyRuntimeError::new_err("too many metrics: use fewer names and tags"))?;
            numbers.insert((kind, name.to_owned()), number);
            self.line.borrow_mut(py).core.name_metric(number, kind, name);
            number
        };
        drop(numbers);
        self.send(py, number, value);
        Ok(())
    }

    fn send(&self, py: Python<'_>, metric: u16, value: SampleValue) {
        if !self.users.is_closed() {
            self.line.borrow_mut(py).core.sample(metric, value);
        }
    }
}

fn look_again(py: Python<'_>) -> PyResult<()> {
    py.detach(|| std::thread::sleep(LOOK_INTERVAL));
    py.check_signals()
}

fn unknown(kind: &str) -> PyErr {
    PyValueError::new_err(format!("unknown kind of metric '{kind}'"))
}
