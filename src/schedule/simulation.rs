//! A run of a policy in virtual time, in which everything takes what is expected of it.
//!
//! Nothing runs, and the engine takes no time: it looks whenever something happens. While somebody stands idle it looks in
//! between, too, because a policy may wait for time to pass before it moves a test.
//!
//! The hazard it handles: a policy that waits for ever, or hands a test out again and again. Both are bounded, and end in
//! an error.

use crate::schedule::forecast::{Estimates, Forecast};
use crate::schedule::policy::{Action, Definition, Demand, Fixture, Policy, Test, Worker};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

/// How many tests a worker's queue holds: as many as in the engine.
const CAPACITY: usize = 2047;

/// The first look after something has happened, the engine's shortest. Each later one takes a tenth of the time that has
/// passed by then, so that a test of an hour costs about a hundred looks.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LOOKS: u32 = 10;

/// How often everybody is asked before something happens: a hundred looks, and each worker some steals that fail.
const MOST_ROUNDS: usize = 1000;
const MOST_ROUNDS_PER_WORKER: usize = 10;

/// A test in the plan. Times count from the beginning of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The test.
    pub test: Test,
    /// When it starts.
    pub start: Duration,
    /// When it ends.
    pub end: Duration,
    /// How much of that goes into shared fixtures.
    pub set_up: Duration,
}

/// Why there is no plan.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RehearsalError {
    /// The policy neither hands out tests nor closes workers, or hands out too many.
    #[error("the plan comes to no end: {unfinished} tests are left; please report this")]
    NoEnd {
        /// Tests without a result.
        unfinished: usize,
    },
}

/// What each worker runs, in order, if everything takes what is expected. Where nothing is known of any test, a test takes
/// a second and a shared fixture no time.
///
/// `policy` is new, and made from `forecast`.
///
/// # Errors
/// When the policy comes to no end.
pub fn rehearse(
    policy: &mut dyn Policy,
    forecast: Forecast,
    workers: usize,
) -> Result<Vec<Vec<Step>>, RehearsalError> {
    let mut run = Run {
        estimates: Estimates::new(forecast),
        stations: (0..workers).map(|_| Station::new()).collect(),
        events: BinaryHeap::new(),
        now: Duration::ZERO,
        heard: Duration::ZERO,
        rounds: 0,
        startable: 0,
        policy,
    };
    for worker in run.workers() {
        run.policy.add_worker(worker);
    }
    run.startable = run.policy.unfinished();
    run.go()?;
    Ok(run.stations.into_iter().map(|station| station.steps).collect())
}

/// Seconds that a shared fixture takes to set up; none while tests are only counted.
pub(super) fn set_up_seconds(estimates: &Estimates, fixture: Fixture) -> f64 {
    if estimates.is_timed() {
        estimates.fixture(fixture)
    } else {
        0.0
    }
}

/// What happens on a worker by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// A shared fixture is set up; it took so long.
    SetUp(Definition, Duration),
    /// Its test has ended.
    End,
}

/// What a worker does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Runs,
    /// Waits for a test, or to be closed.
    Stands,
    /// Has left for good.
    Left,
}

/// A worker and its queue.
struct Station {
    queue: VecDeque<Test>,
    /// The last test, as long as its end has not been told.
    held: Option<Step>,
    doing: Doing,
    idle_since: Option<Duration>,
    alive: Vec<Fixture>,
    resting: bool,
    closed: bool,
    steps: Vec<Step>,
}

impl Station {
    fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            held: None,
            doing: Doing::Stands,
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
    stations: Vec<Station>,
    events: BinaryHeap<Reverse<(Duration, Worker, Happening)>>,
    now: Duration,
    /// When something has happened last.
    heard: Duration,
    /// How often everybody was asked since.
    rounds: usize,
    /// How many tests may still start.
    startable: usize,
}

impl Run<'_> {
    fn go(&mut self) -> Result<(), RehearsalError> {
        self.ask_all()?;
        while self.stations.iter().any(|station| station.doing != Doing::Left) {
            let mut doing = self.stations.iter().map(|station| station.doing);
            let look = doing.any(|doing| doing == Doing::Stands).then(|| {
                let wait = (self.now.saturating_sub(self.heard) / LOOKS).max(FIRST_LOOK);
                self.now.saturating_add(wait)
            });
            let event = self.events.peek().map(|Reverse((at, ..))| *at);
            self.now = match (event, look) {
                (Some(event), Some(look)) => event.min(look),
                (Some(at), None) | (None, Some(at)) => at,
                (None, None) => return Err(self.no_end()),
            };
            while let Some(Reverse((at, worker, happening))) = self.events.peek().copied()
                && at <= self.now
            {
                self.events.pop();
                self.heard = self.now;
                self.rounds = 0;
                self.happen(worker, happening)?;
            }
            self.ask_all()?;
        }
        match self.policy.unfinished() {
            0 => Ok(()),
            _ => Err(self.no_end()),
        }
    }

    fn happen(&mut self, worker: Worker, happening: Happening) -> Result<(), RehearsalError> {
        match happening {
            Happening::SetUp(definition, took) => {
                self.policy.set_up(worker, definition, took.as_secs_f64());
                Ok(())
            }
            Happening::End => {
                self.station(worker).doing = Doing::Stands;
                self.go_on(worker)
            }
        }
    }

    /// Asks the policy for everybody until nothing changes.
    fn ask_all(&mut self) -> Result<(), RehearsalError> {
        let mut actions = Vec::new();
        let mut changed = true;
        while changed {
            changed = false;
            self.rounds += 1;
            if self.rounds > MOST_ROUNDS + MOST_ROUNDS_PER_WORKER * self.stations.len() {
                return Err(self.no_end());
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
                self.go_on(worker)?;
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
        let idle = queued == 0 && station.doing == Doing::Stands;
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

    /// A worker that stands learns what comes next, if that is known. Only then has its last test been torn down.
    fn go_on(&mut self, worker: Worker) -> Result<(), RehearsalError> {
        let station = self.station(worker);
        if station.doing != Doing::Stands {
            return Ok(());
        }
        let next = station.queue.pop_front();
        if next.is_none() && !station.closed && !station.resting {
            return Ok(());
        }
        station.resting = false;
        station.doing = match next {
            Some(_) => Doing::Runs,
            None if station.closed => Doing::Left,
            None => Doing::Stands,
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

    fn start(&mut self, worker: Worker, test: Test) -> Result<(), RehearsalError> {
        self.startable = self.startable.checked_sub(1).ok_or_else(|| self.no_end())?;
        let estimates = &self.estimates;
        let forecast = estimates.forecast();
        let station = &mut self.stations[worker as usize];
        // pytest has left the modules, classes and packages of the others.
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
                    .push(Reverse((at, worker, Happening::SetUp(definition, took))));
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
        self.events.push(Reverse((step.end, worker, Happening::End)));
        Ok(())
    }

    fn no_end(&self) -> RehearsalError {
        RehearsalError::NoEnd {
            unfinished: self.policy.unfinished(),
        }
    }

    fn station(&mut self, worker: Worker) -> &mut Station {
        &mut self.stations[worker as usize]
    }

    fn workers(&self) -> std::ops::Range<Worker> {
        0..Worker::try_from(self.stations.len()).unwrap_or(Worker::MAX)
    }
}

/// So many seconds; none for what no clock can have measured.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests;
