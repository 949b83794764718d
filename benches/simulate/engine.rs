//! rustpar's engine in virtual time: workers claim from their queues, and the engine polls at intervals and asks the
//! policy, as in `src/engine/`.
//!
//! The hazard it handles: a model that is faster than the engine makes every policy poll good. So this engine polls no
//! more often than the real one: soon after a worker's queue becomes empty, because the worker signals that, and
//! otherwise only after its interval. A test's end is reported after the worker has claimed the next one, because a
//! worker claims before its teardown. Polls at which nothing can have changed are skipped.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use rustpar::schedule::policy::{Action, Demand, Policy, Test, Worker};

use super::machines::{Machines, Outcome};
use super::policies;
use super::suite::Suite;

/// Capacity of a worker's queue in tests.
const CAPACITY: usize = 2047;

/// The engine's polling intervals: the shorter one after an event, doubled up to the longer one while nothing happens.
const BUSY_POLL_INTERVAL: Duration = Duration::from_millis(5);
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(40);

/// Time from a worker's empty queue to its next test: two wake-ups of a sleeping process, with a margin for a busy
/// machine.
const WAKE_LATENCY: Duration = Duration::from_micros(200);

/// A report of a worker.
enum Report {
    SetUp(u32, Duration),
    Done(Test, Duration),
}

/// An event on a worker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum EventKind {
    /// An instance has been set up, in so much time.
    SetUp(u32, Duration),
    /// The current test has ended.
    End,
}

/// A simulated worker and its queue.
#[derive(Default)]
struct SimulatedWorker {
    queue: VecDeque<Test>,
    /// The test claimed last and its start, until its end is reported.
    held: Option<(Test, Duration)>,
    /// When that test ended, if it has.
    ended: Option<Duration>,
    /// Whether it waits for a test, or to be closed.
    is_idle: bool,
    /// When the engine first saw it idle.
    seen_idle: Option<Duration>,
    closed: bool,
    left: bool,
    reports: VecDeque<Report>,
}

struct Run<'a> {
    policy: &'a mut dyn Policy,
    machines: Machines<'a>,
    stations: Vec<SimulatedWorker>,
    events: BinaryHeap<Reverse<(Duration, Worker, EventKind)>>,
    now: Duration,
    /// Time of the next poll, unless nothing can have changed.
    next_poll: Option<Duration>,
    /// Time of the next regular poll, and its interval.
    timer: Duration,
    interval: Duration,
    /// Whether frames have arrived since the last poll.
    arrived: bool,
}

/// Simulates a run of a suite under a policy.
///
/// # Panics
/// If a test does not run exactly once, a worker is never closed, or an action violates the contract.
pub(crate) fn simulate(suite: &Suite, workers: Worker, policy: &mut dyn Policy) -> Outcome {
    let mut run = Run {
        policy,
        machines: Machines::new(suite, workers),
        stations: (0..workers).map(|_| SimulatedWorker::default()).collect(),
        events: BinaryHeap::new(),
        now: Duration::ZERO,
        next_poll: None,
        timer: Duration::ZERO,
        interval: BUSY_POLL_INTERVAL,
        arrived: true,
    };
    for worker in 0..workers {
        run.policy.add_worker(worker);
        run.stations[worker as usize].is_idle = true;
    }
    run.poll();
    run.run();
    assert!(
        run.stations.iter().all(|station| station.left),
        "a worker was never closed"
    );
    assert_eq!(run.policy.unfinished(), 0, "tests are unfinished");
    run.machines.outcome()
}

impl Run<'_> {
    fn run(&mut self) {
        loop {
            let event = self.events.peek().map(|Reverse((at, ..))| *at);
            match (event, self.next_poll) {
                (Some(at), poll) if poll.is_none_or(|poll| at <= poll) => {
                    self.now = at;
                    if let Some(Reverse((_, worker, kind))) = self.events.pop() {
                        self.handle(worker, kind);
                    }
                }
                (_, Some(at)) => {
                    self.now = at;
                    self.poll();
                }
                (_, None) => return,
            }
        }
    }

    fn handle(&mut self, worker: Worker, kind: EventKind) {
        self.arrived = true;
        self.schedule_poll();
        let station = &mut self.stations[worker as usize];
        match kind {
            EventKind::SetUp(instance, cost) => station.reports.push_back(Report::SetUp(instance, cost)),
            EventKind::End => {
                station.ended = Some(self.now);
                self.claim(worker);
                if self.stations[worker as usize].is_idle {
                    let bell = self.now + WAKE_LATENCY;
                    self.next_poll = self.next_poll.map(|poll| poll.min(bell));
                }
            }
        }
    }

    /// The worker takes the next test from its queue, waits, or exits.
    fn claim(&mut self, worker: Worker) {
        let station = &mut self.stations[worker as usize];
        let test = station.queue.pop_front();
        station.is_idle = test.is_none() && !station.closed;
        if station.is_idle {
            return;
        }
        station.left = test.is_none();
        if let (Some((done, started)), Some(ended)) = (station.held.take(), station.ended.take()) {
            station
                .reports
                .push_back(Report::Done(done, ended.saturating_sub(started)));
        }
        if let Some(test) = test {
            station.held = Some((test, self.now));
            let events = &mut self.events;
            let end = self.machines.start(worker, test, self.now, |instance, cost, at| {
                events.push(Reverse((at, worker, EventKind::SetUp(instance, cost))));
            });
            events.push(Reverse((end, worker, EventKind::End)));
        }
    }

    /// Schedules the next poll, at the latest after the regular interval, because something has changed.
    fn schedule_poll(&mut self) {
        if self.next_poll.is_none() {
            while self.timer < self.now {
                self.interval = (self.interval * 2).min(IDLE_POLL_INTERVAL);
                self.timer += self.interval;
            }
            self.next_poll = Some(self.timer);
        }
    }

    /// Polls: reads reports, asks the policy until nothing changes, and wakes workers that got a test.
    fn poll(&mut self) {
        self.next_poll = None;
        self.interval = if std::mem::take(&mut self.arrived) {
            BUSY_POLL_INTERVAL
        } else {
            (self.interval * 2).min(IDLE_POLL_INTERVAL)
        };
        self.timer = self.now + self.interval;
        self.read_reports();
        let mut actions = Vec::new();
        let mut changed = true;
        while changed {
            changed = false;
            for worker in (0..).take(self.stations.len()) {
                let Some(demand) = self.demand(worker) else {
                    continue;
                };
                self.policy.demand(demand, &mut actions);
                changed |= !actions.is_empty();
                for action in actions.drain(..) {
                    act(&mut self.stations, self.policy, demand, action);
                }
            }
        }
        for worker in (0..).take(self.stations.len()) {
            let station = &self.stations[worker as usize];
            if station.is_idle && (station.closed || !station.queue.is_empty()) {
                self.claim(worker);
                self.schedule_poll();
            }
        }
        if self.stations.iter().any(|station| station.seen_idle.is_some()) {
            // A policy may move a test later, when a worker has waited longer.
            self.schedule_poll();
        }
    }

    fn read_reports(&mut self) {
        for (worker, station) in (0..).zip(&mut self.stations) {
            for report in station.reports.drain(..) {
                match report {
                    Report::SetUp(instance, cost) => {
                        let definition = self.machines.definition(instance);
                        policies::set_up(self.policy, worker, definition, cost.as_secs_f64());
                    }
                    Report::Done(test, took) => {
                        policies::finished(self.policy, worker, test, took.as_secs_f64());
                    }
                }
            }
        }
    }

    /// As `Entry::demand` in the engine.
    fn demand(&mut self, worker: Worker) -> Option<Demand> {
        let station = &mut self.stations[worker as usize];
        if station.closed {
            station.seen_idle = None;
            return None;
        }
        let queued = station.queue.len();
        let idle = queued == 0 && station.is_idle;
        station.seen_idle = idle.then(|| station.seen_idle.unwrap_or(self.now));
        Some(Demand {
            worker,
            queued,
            room: CAPACITY - queued,
            idle,
            waited: station
                .seen_idle
                .map_or(0.0, |since| self.now.saturating_sub(since).as_secs_f64()),
            now: self.now.as_secs_f64(),
        })
    }
}

/// Executes one action of the answer to `demand`.
fn act(stations: &mut [SimulatedWorker], policy: &mut dyn Policy, demand: Demand, action: Action) {
    match action {
        Action::Assign { worker, tests } => {
            assert!(
                worker == demand.worker && tests.len() <= demand.room,
                "{demand:?}: {tests:?}"
            );
            stations[worker as usize].queue.extend(tests);
        }
        Action::TakeBack { worker, count, whole } => {
            assert!(worker != demand.worker && demand.idle, "{demand:?} robs {worker}");
            let queue = &mut stations[worker as usize].queue;
            let left = queue.len();
            let taken = if whole && count > left { 0 } else { count.min(left) };
            let tests = Vec::from(queue.split_off(left - taken));
            policy.returned(worker, &tests);
        }
        Action::Rest { worker } => panic!("worker {worker} is to rest, but does not wait"),
        Action::Close { worker } => {
            assert!(
                worker == demand.worker && demand.idle,
                "{demand:?} closes {worker}"
            );
            stations[worker as usize].closed = true;
        }
    }
}
