//! The engine's end of load tests: all workers begin at the same time, samples are added up, each second ends for all.
//!
//! A load test begins when every worker has set up its users, and it ends when no worker runs an iteration any more.
//! Only then does a worker tear down, so that load tests do not overlap.
//!
//! The hazard it handles: any worker may fail or die before or after the beginning, and no other may wait for it. Then the
//! load would be less than was asked for, so it does not begin, or it is stopped.

mod current;

use super::shared::{Shared, TEMPLATE_SLOT};
use crate::journal::load::{LoadEnd, LoadResult, LoadSecond, MetricKind};
use crate::load::measurement::{LoadStatus, Measurement, Totals};
use crate::load::metric::Value;
use crate::load::plan::Plan;
use crate::platform::clock::nanos;
use crate::protocol::frame::Frame;
use crate::protocol::load::{LoadFrame, Sample, SampleValue};
use crate::schedule::policy::{Test, Worker};
use current::Current;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Nanoseconds between the decision to begin and the beginning: all workers have to notice it.
const DELAY: u64 = 50_000_000;

const SECOND: u64 = 1_000_000_000;

/// Why a load test has ended after an interrupt.
const STOPPED: &str = "the run was stopped";

/// What a load test has to say. Times are those of the monotonic clock, in microseconds.
#[derive(Debug)]
pub enum LoadEvent {
    /// A second has ended.
    Second(Vec<LoadSecond>),
    /// The load test has ended.
    Result(Box<LoadResult>),
}

/// The load tests of a run.
#[derive(Debug, Default)]
pub struct LoadRun {
    plans: HashMap<Test, Plan>,
    /// How many workers there were at the beginning.
    total: usize,
    /// Those that were lost and are not replaced. They may have been running a load test that others still run.
    gone: BTreeSet<Worker>,
    /// Those that were lost, and of which it is not known yet whether they are replaced.
    undecided: BTreeSet<Worker>,
    /// Workers that have asked for a share of a test's users since then, with their slots.
    waiting: Vec<(Worker, usize, Test)>,
    current: BTreeMap<Test, Current>,
    /// The test for which each worker was ready last.
    tests: HashMap<Worker, Test>,
    stopped: bool,
    events: Vec<LoadEvent>,
}

impl LoadRun {
    /// Runs each test with a plan on so many workers.
    #[must_use]
    pub fn new(plans: HashMap<Test, Plan>, generators: usize) -> Self {
        Self {
            plans,
            total: generators,
            ..Self::default()
        }
    }

    /// Takes the events that have happened.
    pub fn take_events(&mut self) -> Vec<LoadEvent> {
        std::mem::take(&mut self.events)
    }

    /// The state of the load test that is running.
    #[must_use]
    pub fn status(&self) -> Option<(Test, LoadStatus)> {
        let running = self
            .current
            .iter()
            .find(|(_, current)| current.begin.is_some() && !current.is_told);
        running.map(|(test, current)| (*test, current.measurement.status().clone()))
    }

    /// The time until a second ends, if a load test is running.
    #[must_use]
    pub fn until_tick(&self) -> Option<Duration> {
        let running = self
            .current
            .values()
            .filter(|current| current.begin.is_some() && !current.is_told);
        let tick = running.map(|current| current.tick).min()?;
        Some(Duration::from_nanos(tick.saturating_sub(nanos())))
    }

    /// Handles a frame of a worker in this slot; returns whether it was one of a load test.
    pub fn handle(&mut self, worker: Worker, slot: usize, frame: &Frame<'_>, shared: &Shared) -> bool {
        let test = self.tests.get(&worker).copied();
        match frame {
            Frame::Load(LoadFrame::Join { test }) => {
                self.tests.insert(worker, *test);
                self.waiting.push((worker, slot, *test));
                self.deal(shared);
            }
            Frame::Load(LoadFrame::Ready { test }) => {
                if let Some(current) = self.of(*test) {
                    current.ready.insert(worker);
                }
                self.begin_if_all_ready(*test, shared);
            }
            Frame::Load(LoadFrame::Finished { test, interrupted }) => {
                if shared.slot(slot).interrupted().is_set() {
                    // A Ctrl-C has reached it before this process.
                    self.stop_test(*test, LoadEnd::Interrupted, STOPPED, shared);
                }
                if let Some(current) = self.of(*test) {
                    current.finished.insert(worker);
                    current.interrupted += interrupted;
                }
                self.end_if_all_finished(*test, shared);
            }
            Frame::Load(LoadFrame::Metric { number, kind, name }) => {
                if let (Some(current), Some(kind)) = (test.and_then(|test| self.of(test)), metric_kind(*kind))
                {
                    current.measurement.name((worker, *number), kind, name);
                }
            }
            Frame::Load(LoadFrame::Sample(sample)) => {
                if let Some(current) = test.and_then(|test| self.of(test)) {
                    add(&mut current.measurement, worker, sample);
                }
            }
            Frame::Load(LoadFrame::Stop { why }) => {
                if let Some(test) = test {
                    self.stop_test(test, LoadEnd::Stopped, why, shared);
                }
            }
            _ => return false,
        }
        true
    }

    /// Deals users to the workers that have asked for them, unless it is not known among how many.
    fn deal(&mut self, shared: &Shared) {
        if !self.undecided.is_empty() && !self.stopped {
            return;
        }
        let (stopped, workers) = (self.stopped, self.generators() as u64);
        for (worker, slot, test) in std::mem::take(&mut self.waiting) {
            let share = self.of(test).filter(|_| !stopped).map(|current| {
                current.slots.insert(worker, slot);
                current.joined += 1;
                if current.joined == 1 {
                    current.workers = workers;
                }
                current.workers << 32 | current.joined
            });
            let word = share.unwrap_or(u64::MAX);
            shared.slot(slot).load_share().store(word, Ordering::SeqCst);
        }
    }

    /// A worker has ended a test: if it was never ready, its set-up has failed or the test was skipped.
    pub fn done(&mut self, worker: Worker, test: Test, shared: &Shared) {
        if let Some(current) = self.of(test) {
            current.out.insert(worker);
            // It may be in the next test when the others are told.
            current.slots.remove(&worker);
            self.begin_if_all_ready(test, shared);
            self.forget_if_over(test);
        }
    }

    /// A worker was lost while it was running a test.
    pub fn lost(&mut self, worker: Worker, test: Option<Test>, shared: &Shared) {
        self.undecided.insert(worker);
        self.waiting.retain(|(waiting, _, _)| *waiting != worker);
        let Some(test) = test.filter(|test| self.plans.contains_key(test)) else {
            return;
        };
        if let Some(current) = self.of(test) {
            current.out.insert(worker);
            current.slots.remove(&worker);
            let is_running = current.begin.is_some() && !current.finished.contains(&worker);
            current.finished.insert(worker);
            if is_running {
                let why = format!("worker gw{worker} was lost, so the load was less than asked for");
                self.stop_test(test, LoadEnd::Lost, &why, shared);
            }
        }
        self.begin_if_all_ready(test, shared);
        self.end_if_all_finished(test, shared);
        self.forget_if_over(test);
    }

    /// It is known whether a lost worker is replaced. If not, the remaining load tests run on one less.
    pub fn decide(&mut self, worker: Worker, is_replaced: bool, shared: &Shared) {
        self.undecided.remove(&worker);
        if is_replaced {
            self.deal(shared);
            return;
        }
        self.gone.insert(worker);
        self.deal(shared);
        for test in self.current.keys().copied().collect::<Vec<_>>() {
            self.begin_if_all_ready(test, shared);
            self.forget_if_over(test);
        }
    }

    /// Stops all load tests, because the run is stopped.
    pub fn stop(&mut self, shared: &Shared) {
        self.stopped = true;
        for test in self.current.keys().copied().collect::<Vec<_>>() {
            self.stop_test(test, LoadEnd::Interrupted, STOPPED, shared);
            self.begin_if_all_ready(test, shared);
        }
        self.deal(shared);
    }

    /// Ends the seconds that are over.
    pub fn tick(&mut self, shared: &Shared) {
        let now = nanos();
        for current in self.current.values_mut() {
            if current.begin.is_some() && current.tick <= now && current.users.is_none() {
                // The last second stays open for a while, in which users leave.
                current.users = Some(current.users_now(shared));
            }
        }
        let due = self.current.iter().filter(|(_, current)| {
            current.begin.is_some() && !current.is_told && current.tick + current.delay() <= now
        });
        for test in due.map(|(test, _)| *test).collect::<Vec<_>>() {
            let Some(current) = self.current.get_mut(&test) else {
                continue;
            };
            let at = current.tick / 1000;
            current.tick += SECOND;
            let mut moment = current.moment(shared);
            moment.users = current.users.take().unwrap_or(moment.users);
            let (seconds, should_abort) = current.measurement.end_second(test, at, moment);
            self.events.push(LoadEvent::Second(seconds));
            if should_abort {
                let abort = current.measurement.plan().abort.as_ref().map(ToString::to_string);
                let why = format!("aborted: {}", abort.unwrap_or_default());
                self.stop_test(test, LoadEnd::Aborted, &why, shared);
            }
        }
    }

    /// How many workers run the next load test.
    fn generators(&self) -> usize {
        self.total.saturating_sub(self.gone.len())
    }

    fn of(&mut self, test: Test) -> Option<&mut Current> {
        let plan = self.plans.get(&test)?;
        Some(self.current.entry(test).or_insert_with(|| Current {
            measurement: Measurement::new(plan.clone()),
            ready: BTreeSet::new(),
            joined: 0,
            workers: 0,
            slots: BTreeMap::new(),
            finished: BTreeSet::new(),
            out: BTreeSet::new(),
            begin: None,
            cancelled: false,
            tick: 0,
            users: None,
            published: BTreeMap::new(),
            published_at: 0,
            interrupted: 0,
            end: LoadEnd::Complete,
            why: String::new(),
            is_told: false,
        }))
    }

    /// Begins a load test, or cancels it, when it is known of each worker whether it is ready.
    fn begin_if_all_ready(&mut self, test: Test, shared: &Shared) {
        let (generators, stopped, total) = (self.generators(), self.stopped, self.total);
        let Some(current) = self.current.get_mut(&test) else {
            return;
        };
        let known = &(&current.ready | &current.out) | &self.gone;
        if current.begin.is_some() || (known.len() < total && !stopped) {
            return;
        }
        if stopped || !current.out.is_empty() {
            current.cancelled = true;
        } else if current.workers != generators as u64 {
            // Nobody has the users of a worker that was lost before it asked for them.
            current.cancelled = true;
            let totals = Totals {
                end: LoadEnd::Cancelled,
                why: "a worker was lost before the load test began, and is not replaced".to_owned(),
                generators,
                ..Totals::default()
            };
            let now = nanos() / 1000;
            let result = current.measurement.result(test, now, now, totals);
            self.events.push(LoadEvent::Result(Box::new(result)));
        }
        let begin = nanos() + DELAY;
        if !current.cancelled {
            current.begin = Some(begin);
            current.tick = begin + SECOND;
            // From here on, CPU time counts.
            let _before = current.moment(shared);
            shared.slot(TEMPLATE_SLOT).iterations().store(0, Ordering::SeqCst);
        }
        let word = if current.cancelled { u64::MAX } else { begin };
        for slot in current.slots.values() {
            shared.slot(*slot).load_begin().store(word, Ordering::SeqCst);
        }
    }

    fn stop_test(&mut self, test: Test, end: LoadEnd, why: &str, shared: &Shared) {
        let Some(current) = self.current.get_mut(&test) else {
            return;
        };
        if current.end == LoadEnd::Complete {
            (current.end, current.why) = (end, why.to_owned());
        }
        for slot in current.slots.values() {
            shared.slot(*slot).load_stopped().set(true);
        }
    }

    fn end_if_all_finished(&mut self, test: Test, shared: &Shared) {
        let generators = self.generators();
        let Some(current) = self.current.get_mut(&test) else {
            return;
        };
        let Some(begin) = current.begin.filter(|_| !current.is_told) else {
            return;
        };
        if !current.ready.is_subset(&current.finished) {
            return;
        }
        current.is_told = true;
        let now = nanos().max(begin);
        let mut moment = current.moment(shared);
        moment.users = current.users.take().unwrap_or(moment.users);
        let at = |nanos: u64| nanos / 1000;
        let (seconds, _) = current.measurement.end_second(test, at(now), moment);
        self.events.push(LoadEvent::Second(seconds));
        let totals = Totals {
            end: current.end,
            why: current.why.clone(),
            generators: generators.max(current.ready.len()),
            started: moment.started,
            dropped: moment.dropped,
            interrupted: current.interrupted,
        };
        let result = current.measurement.result(test, at(begin), at(now), totals);
        self.events.push(LoadEvent::Result(Box::new(result)));
        for slot in current.slots.values() {
            shared.slot(*slot).load_ended().set(true);
        }
    }

    fn forget_if_over(&mut self, test: Test) {
        if self
            .current
            .get(&test)
            .is_some_and(|current| current.out.union(&self.gone).count() >= self.total)
        {
            self.current.remove(&test);
        }
    }
}

fn add(measurement: &mut Measurement, worker: Worker, sample: &Sample) {
    match (sample.metric, sample.value) {
        (0, SampleValue::Time { nanos, lag, failed }) => measurement.iteration(nanos, lag, failed),
        (metric, value) => {
            let value = match value {
                SampleValue::Time { nanos, lag, failed } => Value::Time(nanos, lag, failed),
                SampleValue::Number(number) => Value::Number(number),
                SampleValue::Truth(truth) => Value::Truth(truth),
            };
            measurement.add((worker, metric), value);
        }
    }
}

/// The kinds of metrics, in the order of their numbers in frames.
pub const METRIC_KINDS: [MetricKind; 6] = [
    MetricKind::Time,
    MetricKind::Trend,
    MetricKind::Counter,
    MetricKind::Gauge,
    MetricKind::Rate,
    MetricKind::Check,
];

fn metric_kind(number: u8) -> Option<MetricKind> {
    METRIC_KINDS.get(usize::from(number)).copied()
}

#[cfg(test)]
mod tests;
