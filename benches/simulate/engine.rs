//! rustpar's engine in virtual time: workers claim from their queues, the engine looks now and then and asks the
//! policy, as `src/engine/` does.
//!
//! The hazard it handles: a model that is faster than the engine makes every policy look good. So the engine here
//! looks no more often than the real one: soon after a worker has run dry, because that rings a bell, and otherwise
//! only when its time has come. A test's end is told once the worker has claimed the next one, because a worker
//! claims while it tears down. Looks at which nothing can have changed are left out; they change nothing.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use rustpar::schedule::policy::{Action, Demand, Policy, Test, Worker};

use super::machines::{Machines, Outcome};
use super::policies;
use super::suite::Suite;

/// How many tests a worker's queue holds.
const CAPACITY: usize = 2047;

/// The engine's times between looks: the shorter after something has arrived, doubled up to the longer after nothing.
const SHORTEST_LOOK: Duration = Duration::from_millis(5);
const LONGEST_LOOK: Duration = Duration::from_millis(40);

/// From a worker's empty queue to the test that the engine gives it: two wake-ups of a sleeping process, with room
/// for a busy machine.
const BELL: Duration = Duration::from_micros(200);

/// What a worker tells.
enum Report {
    SetUp(u32, Duration),
    Done(Test, Duration),
}

/// What happens on a worker by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// An instance is set up; it took so long.
    SetUp(u32, Duration),
    /// Its test has ended.
    End,
}

/// A worker and both ends of its queue.
#[derive(Default)]
struct Station {
    queue: VecDeque<Test>,
    /// The test claimed last and when it started, until its end is told.
    held: Option<(Test, Duration)>,
    /// When that test ended, if it has.
    ended: Option<Duration>,
    /// Waits for a test, or to be closed.
    stands: bool,
    /// When the engine first saw it stand.
    seen_idle: Option<Duration>,
    closed: bool,
    left: bool,
    reports: VecDeque<Report>,
}

struct Run<'a> {
    policy: &'a mut dyn Policy,
    machines: Machines<'a>,
    stations: Vec<Station>,
    events: BinaryHeap<Reverse<(Duration, Worker, Happening)>>,
    now: Duration,
    /// The next look, unless nothing would have changed.
    look_at: Option<Duration>,
    /// When the engine looks at the latest, and how long it has waited then.
    timer: Duration,
    interval: Duration,
    /// Whether frames have arrived since the last look.
    arrived: bool,
}

/// Runs a suite to its end under a policy; what came of it.
///
/// # Panics
/// When a test does not run exactly once, a worker is never closed, or an action is against the contract.
pub(crate) fn simulate(suite: &Suite, workers: Worker, policy: &mut dyn Policy) -> Outcome {
    let mut run = Run {
        policy,
        machines: Machines::new(suite, workers),
        stations: (0..workers).map(|_| Station::default()).collect(),
        events: BinaryHeap::new(),
        now: Duration::ZERO,
        look_at: None,
        timer: Duration::ZERO,
        interval: SHORTEST_LOOK,
        arrived: true,
    };
    for worker in 0..workers {
        run.policy.add_worker(worker);
        run.stations[worker as usize].stands = true;
    }
    run.look();
    run.go_on();
    assert!(
        run.stations.iter().all(|station| station.left),
        "a worker was never closed"
    );
    assert_eq!(run.policy.unfinished(), 0, "tests are unfinished");
    run.machines.outcome()
}

impl Run<'_> {
    fn go_on(&mut self) {
        loop {
            let event = self.events.peek().map(|Reverse((at, ..))| *at);
            match (event, self.look_at) {
                (Some(at), look) if look.is_none_or(|look| at <= look) => {
                    self.now = at;
                    if let Some(Reverse((_, worker, happening))) = self.events.pop() {
                        self.happen(worker, happening);
                    }
                }
                (_, Some(at)) => {
                    self.now = at;
                    self.look();
                }
                (_, None) => return,
            }
        }
    }

    fn happen(&mut self, worker: Worker, happening: Happening) {
        self.arrived = true;
        self.look_in_time();
        let station = &mut self.stations[worker as usize];
        match happening {
            Happening::SetUp(instance, cost) => station.reports.push_back(Report::SetUp(instance, cost)),
            Happening::End => {
                station.ended = Some(self.now);
                self.claim(worker);
                if self.stations[worker as usize].stands {
                    let bell = self.now + BELL;
                    self.look_at = self.look_at.map(|look| look.min(bell));
                }
            }
        }
    }

    /// The worker takes the next test from its queue, stands and waits, or leaves.
    fn claim(&mut self, worker: Worker) {
        let station = &mut self.stations[worker as usize];
        let test = station.queue.pop_front();
        station.stands = test.is_none() && !station.closed;
        if station.stands {
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
                events.push(Reverse((at, worker, Happening::SetUp(instance, cost))));
            });
            events.push(Reverse((end, worker, Happening::End)));
        }
    }

    /// Something has changed: the next look, at the latest when its time comes, is not left out.
    fn look_in_time(&mut self) {
        if self.look_at.is_none() {
            while self.timer < self.now {
                self.interval = (self.interval * 2).min(LONGEST_LOOK);
                self.timer += self.interval;
            }
            self.look_at = Some(self.timer);
        }
    }

    /// The engine reads what has arrived, asks the policy until nothing changes, and wakes who got a test.
    fn look(&mut self) {
        self.look_at = None;
        self.interval = if std::mem::take(&mut self.arrived) {
            SHORTEST_LOOK
        } else {
            (self.interval * 2).min(LONGEST_LOOK)
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
            if station.stands && (station.closed || !station.queue.is_empty()) {
                self.claim(worker);
                self.look_in_time();
            }
        }
        if self.stations.iter().any(|station| station.seen_idle.is_some()) {
            // What the policy leaves where it is for now, it may move when somebody has waited longer.
            self.look_in_time();
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
        let idle = queued == 0 && station.stands;
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

/// Carries out one action of the answer to `demand`.
fn act(stations: &mut [Station], policy: &mut dyn Policy, demand: Demand, action: Action) {
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
        Action::Rest { worker } => panic!("worker {worker} is to rest, and nobody waits for it"),
        Action::Close { worker } => {
            assert!(
                worker == demand.worker && demand.idle,
                "{demand:?} closes {worker}"
            );
            stations[worker as usize].closed = true;
        }
    }
}
