//! Simulation of a policy in virtual time, in which everything takes its expected duration.
//!
//! No tests are run, and the engine takes no time: it polls whenever an event occurs. While a worker is idle it polls
//! in between, too, because a policy may wait for time to pass before it moves a test.
//!
//! The hazard it handles: a policy that waits for ever, or assigns a test again and again. Both are limited, and end in
//! an error.

use crate::schedule::forecast::{Estimates, Forecast};
use crate::schedule::policy::{Action, Definition, Demand, Fixture, Policy, Test, Worker};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

/// Capacity of a worker's queue in tests, as in the engine.
const CAPACITY: usize = 2047;

/// Interval of the first poll after an event: the engine's shortest. Each later interval is a tenth of the time since
/// the event, so that a test of an hour costs about a hundred polls.
const FIRST_POLL: Duration = Duration::from_millis(5);
const POLL_DIVISOR: u32 = 10;

/// Maximum number of polls without an event: a hundred, and for each worker some failed steals.
const MAX_ROUNDS: usize = 1000;
const MAX_ROUNDS_PER_WORKER: usize = 10;

/// A test in the plan. Times count from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The test.
    pub test: Test,
    /// When it starts.
    pub start: Duration,
    /// When it ends.
    pub end: Duration,
    /// The part of that for shared fixtures.
    pub set_up: Duration,
}

/// Why the simulation failed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimulationError {
    /// The policy neither assigns tests nor closes workers, or assigns too many tests.
    #[error("the simulation of the plan does not terminate: {unfinished} tests are left; please report this")]
    NoEnd {
        /// Number of tests without a result.
        unfinished: usize,
    },
}

/// Simulates a run in which everything takes its expected duration, and returns the steps of each worker, in order. If
/// no test's duration is known, a test takes a second and a shared fixture no time.
///
/// `policy` must be new, and created from `forecast`.
///
/// # Errors
/// If the policy does not terminate.
pub fn simulate_run(
    policy: &mut dyn Policy,
    forecast: Forecast,
    workers: usize,
) -> Result<Vec<Vec<Step>>, SimulationError> {
    let mut run = Run {
        estimates: Estimates::new(forecast),
        stations: (0..workers).map(|_| SimulatedWorker::new()).collect(),
        events: BinaryHeap::new(),
        now: Duration::ZERO,
        last_event: Duration::ZERO,
        rounds: 0,
        startable: 0,
        policy,
    };
    for worker in run.workers() {
        run.policy.add_worker(worker);
    }
    run.startable = run.policy.unfinished();
    run.run()?;
    Ok(run.stations.into_iter().map(|station| station.steps).collect())
}

/// Seconds to set up a shared fixture; 0 while tests are only counted.
pub(super) fn set_up_seconds(estimates: &Estimates, fixture: Fixture) -> f64 {
    if estimates.is_timed() {
        estimates.fixture(fixture)
    } else {
        0.0
    }
}

/// An event on a worker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum EventKind {
    /// A shared fixture has been set up, in so much time.
    SetUp(Definition, Duration),
    /// The current test has ended.
    End,
}

/// The state of a worker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Runs,
    /// Waits for a test, or to be closed.
    Idle,
    /// Has exited.
    Left,
}

/// A simulated worker.
struct SimulatedWorker {
    queue: VecDeque<Test>,
    /// The last test, until its end is reported to the policy.
    held: Option<Step>,
    state: State,
    idle_since: Option<Duration>,
    alive: Vec<Fixture>,
    resting: bool,
    closed: bool,
    steps: Vec<Step>,
}

impl SimulatedWorker {
    fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            held: None,
            state: State::Idle,
            idle_since: None,
            alive: Vec::new(),
            resting: false,
            closed: false,
            steps: Vec::new(),
        }
    }
}

struct Run<'a> {
    policy: &'a mut dyn Policy,
    estimates: Estimates,
    stations: Vec<SimulatedWorker>,
    events: BinaryHeap<Reverse<(Duration, Worker, EventKind)>>,
    now: Duration,
    /// Time of the last event.
    last_event: Duration,
    /// Number of polls since then.
    rounds: usize,
    /// Number of tests that may still start, to detect endless assignments.
    startable: usize,
}

impl Run<'_> {
    fn run(&mut self) -> Result<(), SimulationError> {
        self.poll_all()?;
        while self.stations.iter().any(|station| station.state != State::Left) {
            let mut state = self.stations.iter().map(|station| station.state);
            let next_poll = state.any(|state| state == State::Idle).then(|| {
                let wait = (self.now.saturating_sub(self.last_event) / POLL_DIVISOR).max(FIRST_POLL);
                self.now.saturating_add(wait)
            });
            let event = self.events.peek().map(|Reverse((at, ..))| *at);
            self.now = match (event, next_poll) {
                (Some(event), Some(next_poll)) => event.min(next_poll),
                (Some(at), None) | (None, Some(at)) => at,
                (None, None) => return Err(self.not_terminating()),
            };
            while let Some(Reverse((at, worker, kind))) = self.events.peek().copied()
                && at <= self.now
            {
                self.events.pop();
                self.last_event = self.now;
                self.rounds = 0;
                self.handle(worker, kind)?;
            }
            self.poll_all()?;
        }
        match self.policy.unfinished() {
            0 => Ok(()),
            _ => Err(self.not_terminating()),
        }
    }

    fn handle(&mut self, worker: Worker, kind: EventKind) -> Result<(), SimulationError> {
        match kind {
            EventKind::SetUp(definition, took) => {
                self.policy.set_up(worker, definition, took.as_secs_f64());
                Ok(())
            }
            EventKind::End => {
                self.station(worker).state = State::Idle;
                self.report_last_test(worker)
            }
        }
    }

    /// Polls the policy for all workers until nothing changes.
    fn poll_all(&mut self) -> Result<(), SimulationError> {
        let mut actions = Vec::new();
        let mut changed = true;
        while changed {
            changed = false;
            self.rounds += 1;
            if self.rounds > MAX_ROUNDS + MAX_ROUNDS_PER_WORKER * self.stations.len() {
                return Err(self.not_terminating());
            }
            for worker in self.workers() {
                let Some(demand) = self.demand(worker) else {
                    continue;
                };
                self.policy.demand(demand, &mut actions);
                changed |= !actions.is_empty();
                for action in actions.drain(..) {
                    self.act(action);
                }
                self.report_last_test(worker)?;
            }
        }
        Ok(())
    }

    fn demand(&mut self, worker: Worker) -> Option<Demand> {
        let now = self.now;
        let station = self.station(worker);
        if station.closed {
            return None;
        }
        let queued = station.queue.len();
        let idle = queued == 0 && station.state == State::Idle;
        station.idle_since = idle.then(|| station.idle_since.unwrap_or(now));
        let waited = station
            .idle_since
            .map_or(Duration::ZERO, |since| now.saturating_sub(since));
        Some(Demand {
            worker,
            queued,
            room: CAPACITY.saturating_sub(queued),
            idle,
            waited: waited.as_secs_f64(),
            now: now.as_secs_f64(),
        })
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Assign { worker, tests } => self.station(worker).queue.extend(tests),
            Action::TakeBack { worker, count, whole } => {
                let queue = &mut self.station(worker).queue;
                let left = queue.len();
                let taken = if whole && count > left { 0 } else { count.min(left) };
                let tests = Vec::from(queue.split_off(left - taken));
                self.policy.returned(worker, &tests);
            }
            Action::Rest { worker } => self.station(worker).resting = true,
            Action::Close { worker } => self.station(worker).closed = true,
        }
    }

    /// Reports the last test of an idle worker once the next one is known: its teardown depends on that.
    fn report_last_test(&mut self, worker: Worker) -> Result<(), SimulationError> {
        let station = self.station(worker);
        if station.state != State::Idle {
            return Ok(());
        }
        let next = station.queue.pop_front();
        if next.is_none() && !station.closed && !station.resting {
            return Ok(());
        }
        station.resting = false;
        station.state = match next {
            Some(_) => State::Runs,
            None if station.closed => State::Left,
            None => State::Idle,
        };
        if next.is_none() {
            station.alive.clear();
        }
        if let Some(done) = station.held.take() {
            let took = done.end.saturating_sub(done.start).as_secs_f64();
            self.policy.finished(worker, done.test, took);
        }
        next.map_or(Ok(()), |test| self.start(worker, test))
    }

    fn start(&mut self, worker: Worker, test: Test) -> Result<(), SimulationError> {
        self.startable = self
            .startable
            .checked_sub(1)
            .ok_or_else(|| self.not_terminating())?;
        let estimates = &self.estimates;
        let forecast = estimates.forecast();
        let station = &mut self.stations[worker as usize];
        // pytest has torn down the fixtures of the modules, classes and packages that it has left.
        station
            .alive
            .retain(|fixture| estimates.span(*fixture).contains(&test));
        let mut at = self.now;
        for &fixture in forecast.fixtures_of(test) {
            if station.alive.contains(&fixture) {
                continue;
            }
            station.alive.push(fixture);
            let took = duration(set_up_seconds(estimates, fixture));
            at = at.saturating_add(took);
            if let Some(&definition) = forecast.kinds.get(fixture as usize)
                && !took.is_zero()
            {
                self.events
                    .push(Reverse((at, worker, EventKind::SetUp(definition, took))));
            }
        }
        let step = Step {
            test,
            start: self.now,
            end: at.saturating_add(duration(estimates.test(test))),
            set_up: at.saturating_sub(self.now),
        };
        station.steps.push(step);
        station.held = Some(step);
        self.events.push(Reverse((step.end, worker, EventKind::End)));
        Ok(())
    }

    fn not_terminating(&self) -> SimulationError {
        SimulationError::NoEnd {
            unfinished: self.policy.unfinished(),
        }
    }

    fn station(&mut self, worker: Worker) -> &mut SimulatedWorker {
        &mut self.stations[worker as usize]
    }

    fn workers(&self) -> std::ops::Range<Worker> {
        0..Worker::try_from(self.stations.len()).unwrap_or(Worker::MAX)
    }
}

/// Converts seconds to a duration; zero for invalid values.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests;
