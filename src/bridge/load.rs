//! Python bindings of load tests: plans, the pacing of a worker's users, and results.

use super::text::{Text, texts};
use super::worker_connection::Line;
use crate::engine::load_run::METRIC_KINDS;
use crate::engine::worker_load::{Beginning, Share};
use crate::journal::load::{LoadEnd, LoadResult, LoadSecond, MetricKind};
use crate::load::mark::Mark;
use crate::load::pacer::{Next, Pacer};
use crate::load::plan::{Model, Plan};
use crate::load::profile::{AS_MARKED, Profile};
use crate::platform::clock::nanos;
use crate::platform::timer::Timer;
use crate::protocol::load::SampleValue;
use crate::report::terminal::load::{details, table};
use crate::text::duration;
use parking_lot::{Condvar, Mutex};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

/// The number of no user: it wakes whoever watches the load test.
const NOBODY: u32 = u32::MAX;

fn invalid(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A duration as a mark writes it: seconds, or a text with a unit.
#[derive(FromPyObject)]
enum Time {
    Seconds(f64),
    Text(Text),
}

impl Time {
    fn seconds(&self) -> PyResult<f64> {
        match self {
            Self::Seconds(seconds) if *seconds >= 0.0 => Ok(*seconds),
            Self::Seconds(seconds) => Err(invalid(format!("invalid duration '{seconds}'"))),
            Self::Text(Text(text)) => duration::parse(text).map_err(invalid),
        }
    }
}

/// A pause: a duration, or a text with two of them.
fn pause(think: &Time) -> PyResult<(f64, f64)> {
    if let Time::Text(Text(text)) = think
        && let Some((least, most)) = text.split_once("..")
    {
        let seconds = |text: &str| duration::parse(text).map_err(invalid);
        let (least, most) = (seconds(least)?, seconds(most)?);
        if least > most {
            return Err(invalid(format!(
                "invalid pause '{text}': expected for example 1s..3s"
            )));
        }
        return Ok((least, most));
    }
    let seconds = think.seconds()?;
    Ok((seconds, seconds))
}

fn stages(stages: Option<Vec<(Time, f64)>>) -> PyResult<Vec<(f64, f64)>> {
    let stages = stages.unwrap_or_default();
    let stages = stages.iter().map(|(time, target)| {
        if *target < 0.0 {
            return Err(invalid(format!("invalid target {target} of a stage")));
        }
        Ok((time.seconds()?, *target))
    });
    stages.collect()
}

/// What a load test does; see the stub.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct LoadPlan {
    core: Plan,
}

#[pymethods]
impl LoadPlan {
    #[new]
    #[pyo3(signature = (
        *, users=None, duration=None, stages=None, rate=None, rate_stages=None, iterations=None,
        iterations_per_user=None, think=None, graceful_stop=None, seed=0, thresholds=None, abort=None, weights=vec![],
        sequence=false,
    ))]
    fn new(
        users: Option<f64>,
        duration: Option<Time>,
        stages: Option<Vec<(Time, f64)>>,
        rate: Option<f64>,
        rate_stages: Option<Vec<(Time, f64)>>,
        iterations: Option<u64>,
        iterations_per_user: Option<u64>,
        think: Option<Time>,
        graceful_stop: Option<Time>,
        seed: u64,
        thresholds: Option<Text>,
        abort: Option<Text>,
        weights: Vec<u32>,
        sequence: bool,
    ) -> PyResult<Self> {
        let seconds = |time: Option<Time>| time.map(|time| time.seconds()).transpose();
        let mark = Mark {
            users,
            duration: seconds(duration)?,
            stages: self::stages(stages)?,
            rate,
            rate_stages: self::stages(rate_stages)?,
            iterations,
            iterations_per_user,
            think: think.map(|think| pause(&think)).transpose()?,
            graceful_stop: seconds(graceful_stop)?,
            seed,
            thresholds: thresholds.map_or_else(String::new, |Text(text)| text),
            abort: abort.map(|Text(text)| text),
            weights,
            sequence,
        };
        Ok(Self {
            core: mark.plan().map_err(invalid)?,
        })
    }

    /// The plan in another profile.
    fn in_profile(&self, name: &str, defined: Vec<Text>) -> PyResult<Self> {
        let profile = Profile::named(name, &texts::<Vec<String>>(defined)).map_err(invalid)?;
        let mut core = self.core.clone();
        profile.apply(&mut core).map_err(invalid)?;
        Ok(Self { core })
    }

    /// Checks the name of a profile.
    #[staticmethod]
    fn check_profile(name: &str, defined: Vec<Text>) -> PyResult<()> {
        Profile::named(name, &texts::<Vec<String>>(defined)).map_err(invalid)?;
        Ok(())
    }

    /// As a text, for another process.
    fn dumps(&self) -> PyResult<String> {
        serde_json::to_string(&self.core).map_err(invalid)
    }

    #[staticmethod]
    fn loads(text: &str) -> PyResult<Self> {
        Ok(Self { core: parse(text)? })
    }

    /// What is asked for, in words.
    #[getter]
    fn words(&self) -> String {
        self.core.words()
    }

    /// The highest number of users.
    #[getter]
    fn users(&self) -> u32 {
        self.core.users
    }

    /// Seconds without the graceful stop.
    #[getter]
    fn seconds(&self) -> f64 {
        self.core.seconds()
    }

    /// Seconds for which running iterations may go on at the end.
    #[getter]
    fn graceful_stop(&self) -> f64 {
        self.core.graceful_stop
    }

    #[classattr]
    const AS_MARKED: &str = AS_MARKED;
}

/// Parses what [`LoadPlan::dumps`] has returned.
pub(super) fn parse(text: &str) -> PyResult<Plan> {
    serde_json::from_str(text).map_err(invalid)
}

struct Waiting {
    pacer: Pacer,
    /// Users that sleep until a time of the monotonic clock in nanoseconds, the earliest first.
    sleeping: BinaryHeap<Reverse<(u64, u32)>>,
    /// The numbers of metrics.
    numbers: HashMap<(u8, String), u16>,
}

/// The users of a worker in a load test; see the stub.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct LoadGenerator {
    line: Py<Line>,
    test: u32,
    state: Mutex<State>,
    stopped: Condvar,
    timer: Timer,
    state_of_users: Mutex<Waiting>,
}

#[derive(Default)]
struct State {
    /// The beginning, in nanoseconds of the monotonic clock.
    begin: u64,
    /// Whether no user starts an iteration any more.
    is_stopped: bool,
    /// Whether nothing is sent any more.
    is_closed: bool,
}

#[expect(clippy::cast_precision_loss, reason = "exact to a microsecond for years")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of floats saturates"
)]
fn to_nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

#[pymethods]
impl LoadGenerator {
    fn sleep_until(&self, at: u64, user: u32) -> PyResult<()> {
        let mut users = self.state_of_users.lock();
        let earliest = users.sleeping.peek().map(|Reverse((at, _))| *at);
        users.sleeping.push(Reverse((at, user)));
        if earliest.is_none_or(|earliest| at < earliest) {
            self.timer.set(Some(at))?;
        }
        Ok(())
    }

    /// Waits for this worker's share of the users; None if the run is being stopped.
    #[staticmethod]
    fn join(py: Python<'_>, line: Py<Line>, test: u32, plan: &LoadPlan) -> PyResult<Option<Self>> {
        line.borrow_mut(py).core.load_join(test);
        let (rank, generators) = loop {
            let share = line.borrow(py).core.load_share();
            match share {
                Share::Waiting if !line.borrow(py).core.may_start() => return Ok(None),
                Share::Waiting => {
                    py.detach(|| std::thread::sleep(Duration::from_millis(1)));
                    py.check_signals()?;
                }
                Share::None => return Ok(None),
                Share::Of { place, workers } => break (place, workers),
            }
        };
        Ok(Some(Self {
            line,
            test,
            state: Mutex::default(),
            stopped: Condvar::new(),
            timer: Timer::new()?,
            state_of_users: Mutex::new(Waiting {
                pacer: Pacer::new(plan.core.clone(), rank, generators),
                sleeping: BinaryHeap::new(),
                numbers: HashMap::new(),
            }),
        }))
    }

    /// Seconds for which iterations may still start; less than 0 after the planned end.
    fn seconds_left(&self) -> f64 {
        let seconds = self.state_of_users.lock().pacer.plan().seconds();
        seconds - self.now()
    }

    /// The numbers of this worker's users.
    fn users(&self) -> Vec<u32> {
        self.state_of_users.lock().pacer.users()
    }

    /// Reports that the users are set up, and waits for the beginning; False if the load test does not begin.
    fn wait_for_beginning(&self, py: Python<'_>) -> PyResult<bool> {
        self.line.borrow_mut(py).core.load_ready(self.test);
        loop {
            let beginning = self.line.borrow(py).core.load_beginning();
            match beginning {
                Beginning::Waiting if !self.line.borrow(py).core.may_start() => return Ok(false),
                Beginning::Waiting => {
                    py.detach(|| std::thread::sleep(Duration::from_millis(2)));
                    py.check_signals()?;
                }
                Beginning::Cancelled => return Ok(false),
                Beginning::At(begin) => {
                    self.state.lock().begin = begin;
                    return Ok(true);
                }
            }
        }
    }

    /// Seconds until the next iteration of a user is due; None if it has none left.
    fn next(&self, py: Python<'_>, user: u32) -> Option<f64> {
        let at = self.next_at(py, user)?;
        let now = self.now();
        Some((at - now).max(0.0))
    }

    /// The same; the user is among those that `due` returns then, unless it is due at once.
    fn sleep(&self, py: Python<'_>, user: u32) -> PyResult<Option<bool>> {
        let Some(at) = self.next_at(py, user) else {
            return Ok(None);
        };
        if at <= self.now() {
            return Ok(Some(false));
        }
        let at = self.state.lock().begin + to_nanos(at);
        self.sleep_until(at, user)?;
        Ok(Some(true))
    }

    /// The descriptor that is readable when a sleeping user is due.
    fn timer_descriptor(&self) -> i32 {
        self.timer.descriptor()
    }

    /// Has `due` return None after so many seconds.
    fn wake_after(&self, seconds: f64) -> PyResult<()> {
        self.sleep_until(nanos() + to_nanos(seconds), NOBODY)
    }

    /// The sleeping users that are due, None for what `wake_after` has asked for; all of them if the load test is stopped.
    fn due(&self) -> PyResult<Vec<Option<u32>>> {
        let is_stopped = self.state.lock().is_stopped;
        let now = nanos();
        let mut due = Vec::new();
        let mut users = self.state_of_users.lock();
        while let Some(Reverse((at, user))) = users.sleeping.peek().copied() {
            if at > now && !is_stopped {
                break;
            }
            users.sleeping.pop();
            due.push((user != NOBODY).then_some(user));
        }
        self.timer
            .set(users.sleeping.peek().map(|Reverse((at, _))| *at))?;
        Ok(due)
    }

    /// Waits in a thread until a user's next iteration is due; False if it has none left.
    fn wait(&self, py: Python<'_>, user: u32) -> bool {
        let Some(at) = self.next_at(py, user) else {
            return false;
        };
        if at <= self.now() {
            return !self.state.lock().is_stopped;
        }
        py.detach(|| {
            let mut state = self.state.lock();
            let at = state.begin + to_nanos(at);
            loop {
                let now = nanos();
                if state.is_stopped || now >= at {
                    return !state.is_stopped;
                }
                self.stopped.wait_for(&mut state, Duration::from_nanos(at - now));
            }
        })
    }

    /// Starts the iteration of a user; returns the number of its task.
    fn begin(&self, py: Python<'_>, user: u32) -> usize {
        let now = self.now();
        let mut users = self.state_of_users.lock();
        let task = users.pacer.begin(user, now);
        self.publish(py, &users.pacer);
        task
    }

    /// Ends the iteration of a user.
    fn end(&self, py: Python<'_>, user: u32, failed: bool) {
        let now = self.now();
        let mut users = self.state_of_users.lock();
        let ended = users.pacer.end(user, now, false);
        self.publish(py, &users.pacer);
        drop(users);
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
        let now = self.now();
        let mut users = self.state_of_users.lock();
        users.pacer.end(user, now, true);
        self.publish(py, &users.pacer);
    }

    /// The number of the iteration that a user is running, from 0.
    fn iteration(&self, user: u32) -> u64 {
        self.state_of_users.lock().pacer.iteration(user)
    }

    /// The users that are running an iteration.
    fn running(&self) -> Vec<u32> {
        let users = self.state_of_users.lock();
        let numbers = users.pacer.users().into_iter();
        numbers.filter(|user| users.pacer.is_running(*user)).collect()
    }

    /// The number of users that is asked for at this moment; of the open model, the rate.
    fn target(&self) -> f64 {
        let now = self.now();
        self.state_of_users.lock().pacer.plan().curve.value(now)
    }

    /// Whether users start their next iteration when the last one has ended.
    fn is_closed_model(&self) -> bool {
        self.state_of_users.lock().pacer.plan().model == Model::Closed
    }

    /// The monotonic clock in nanoseconds.
    #[staticmethod]
    fn clock() -> u64 {
        nanos()
    }

    /// Adds a duration in nanoseconds to a metric, that happened in an iteration of a user.
    fn add_time(&self, py: Python<'_>, name: &str, user: u32, nanos: u64, failed: bool) -> PyResult<()> {
        let lag = self.state_of_users.lock().pacer.lag(user);
        let value = SampleValue::Time {
            nanos,
            lag: to_nanos(lag),
            failed,
        };
        self.add(py, MetricKind::Time, name, value)
    }

    /// Adds a number to a trend, counter or gauge.
    fn add_number(&self, py: Python<'_>, kind: &str, name: &str, number: f64) -> PyResult<()> {
        let kind = match kind {
            "trend" => MetricKind::Trend,
            "counter" => MetricKind::Counter,
            "gauge" => MetricKind::Gauge,
            _ => return Err(invalid(format!("unknown kind of metric '{kind}'"))),
        };
        self.add(py, kind, name, SampleValue::Number(number))
    }

    /// Adds true or false to a rate or a check.
    fn add_truth(&self, py: Python<'_>, kind: &str, name: &str, truth: bool) -> PyResult<()> {
        let kind = match kind {
            "rate" => MetricKind::Rate,
            "check" => MetricKind::Check,
            _ => return Err(invalid(format!("unknown kind of metric '{kind}'"))),
        };
        self.add(py, kind, name, SampleValue::Truth(truth))
    }

    /// Asks for the end of the load test in all workers.
    fn ask_to_stop(&self, py: Python<'_>, why: &str) {
        if !self.state.lock().is_closed {
            self.line.borrow_mut(py).core.stop_load(why);
        }
    }

    /// Lets no further iteration start in this worker, and wakes the users that wait.
    fn stop(&self) -> PyResult<()> {
        self.state.lock().is_stopped = true;
        self.state_of_users.lock().pacer.stop();
        self.stopped.notify_all();
        // At once.
        Ok(self.timer.set(Some(1))?)
    }

    /// Whether no further iteration starts in this worker.
    fn is_stopped(&self) -> bool {
        self.state.lock().is_stopped
    }

    /// Whether the load test is to be stopped, by the controller or in any worker; publishes the used CPU time.
    fn should_stop(&self, py: Python<'_>) -> bool {
        let line = self.line.borrow(py);
        line.core.publish_cpu_time();
        line.core.load_is_stopped()
    }

    /// Reports that no user runs an iteration any more; later calls of users have no effect.
    fn finish(&self, py: Python<'_>, interrupted: u64) {
        let now = self.now();
        self.state.lock().is_closed = true;
        let mut users = self.state_of_users.lock();
        users.pacer.finish(now);
        self.publish_counts(py, &users.pacer);
        drop(users);
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
    /// Seconds since the beginning.
    fn now(&self) -> f64 {
        let begin = self.state.lock().begin;
        let now = nanos();
        if now >= begin {
            seconds(now - begin)
        } else {
            -seconds(begin - now)
        }
    }

    fn next_at(&self, py: Python<'_>, user: u32) -> Option<f64> {
        let now = self.now();
        let mut users = self.state_of_users.lock();
        let line = self.line.borrow(py);
        let next = users.pacer.next(user, now, || line.core.claim_iteration());
        drop(line);
        self.publish(py, &users.pacer);
        match next {
            Next::At(at) => Some(at),
            Next::Over => None,
        }
    }

    fn publish(&self, py: Python<'_>, pacer: &Pacer) {
        if !self.state.lock().is_closed {
            self.publish_counts(py, pacer);
        }
    }

    fn publish_counts(&self, py: Python<'_>, pacer: &Pacer) {
        let line = self.line.borrow(py);
        line.core
            .publish_load(pacer.active() as u64, pacer.started(), pacer.dropped());
    }

    fn add(&self, py: Python<'_>, kind: MetricKind, name: &str, value: SampleValue) -> PyResult<()> {
        if self.state.lock().is_closed {
            return Ok(());
        }
        let place = METRIC_KINDS
            .iter()
            .position(|known| *known == kind)
            .unwrap_or_default();
        let kind = u8::try_from(place).unwrap_or_default();
        let mut users = self.state_of_users.lock();
        let known = users.numbers.get(&(kind, name.to_owned())).copied();
        let number = if let Some(number) = known {
            number
        } else {
            let number = u16::try_from(users.numbers.len() + 1)
                .map_err(|_| PyRuntimeError::new_err("too many metrics: use fewer names and tags"))?;
            users.numbers.insert((kind, name.to_owned()), number);
            self.line.borrow_mut(py).core.name_metric(number, kind, name);
            number
        };
        drop(users);
        self.send(py, number, value);
        Ok(())
    }

    fn send(&self, py: Python<'_>, metric: u16, value: SampleValue) {
        if !self.state.lock().is_closed {
            self.line.borrow_mut(py).core.sample(metric, value);
        }
    }
}

/// The seconds of the metrics of a load test, for the journal.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct LoadSeconds {
    pub(super) core: Vec<LoadSecond>,
}

#[pymethods]
impl LoadSeconds {
    /// The index of the test.
    #[getter]
    fn test(&self) -> u32 {
        self.core.first().map_or(0, |second| second.t)
    }

    /// For exporters: name (None for the iterations), kind, values, failures, percentiles 50, 95, 99 and 100 (of
    /// durations in microseconds), and the sum of a counter or the value of a gauge.
    #[expect(clippy::type_complexity, reason = "a tuple for Python")]
    fn values(
        &self,
    ) -> Vec<(
        Option<&str>,
        &'static str,
        u64,
        u64,
        Option<(u64, u64, u64, u64)>,
        Option<f64>,
    )> {
        let values = self.core.iter();
        values
            .map(|second| {
                let took = second.took.map(|[p50, p95, p99, most]| (p50, p95, p99, most));
                (
                    second.step.as_deref(),
                    second.kind.name(),
                    second.n,
                    second.failed,
                    took,
                    second.value,
                )
            })
            .collect()
    }

    /// For exporters: users, target, iterations started and dropped in this second.
    fn level(&self) -> Option<(u32, f64, u64, u64)> {
        let level = self.core.first()?.load.as_ref()?;
        Some((level.users, level.target, level.started, level.dropped))
    }
}

/// The result of a load test; see the stub.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct LoadOutcome {
    pub(super) core: LoadResult,
}

#[pymethods]
impl LoadOutcome {
    /// The index of the test.
    #[getter]
    fn test(&self) -> u32 {
        self.core.t
    }

    /// Why the load test has failed; empty if it has passed.
    #[getter]
    fn problems(&self) -> Vec<String> {
        self.core.problems.clone()
    }

    /// Whether it has ended early because the run was stopped.
    #[getter]
    fn was_interrupted(&self) -> bool {
        self.core.end == LoadEnd::Interrupted
    }

    /// Seconds that it has taken.
    #[getter]
    fn seconds(&self) -> f64 {
        self.core.seconds
    }

    /// The lines of its table, and whether each is highlighted.
    fn table(&self) -> Vec<(String, bool)> {
        let lines = table(&self.core).into_iter();
        lines.map(|line| (line.text, line.is_highlighted)).collect()
    }

    /// The text of its failure: problems and figures.
    fn details(&self) -> String {
        details(&self.core)
    }
}
