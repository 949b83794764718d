//! pytest-xdist 3.8 in virtual time: its messages, its workers, and a scheduler from [`load`], [`worksteal`] or
//! [`loadscope`].
//!
//! The hazard it handles: the model must not make xdist slower than it is. Its workers are modelled exactly: a worker
//! starts a test only when it knows the next one or was told to shut down, so that one test per worker is held back; a
//! thief gets all of the tests that it asked for or none; all communication between workers and scheduler is by
//! messages.

pub(crate) mod load;
pub(crate) mod loadscope;
pub(crate) mod worksteal;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use rustpar::schedule::policy::{Test, Worker};

use super::machines::{Machines, Outcome};
use super::suite::Suite;

/// Time from a decision in one process to the reaction of the other. A bare message takes 0.05 ms (execnet, half of the
/// median round trip through a pipe on an idle machine); the rest is the work of both sides before it: five messages
/// per test, each through its hooks.
const LATENCY: Duration = Duration::from_millis(1);

/// A message of the controller.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Command {
    Run(Vec<Test>),
    Steal(Vec<Test>),
    Shutdown,
}

/// The kinds of events; simultaneous events are processed in order of their causes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum EventKind {
    /// A command reaches the worker.
    Arrives(Command),
    /// The worker's test has ended.
    Ends,
    /// The controller is told that a test has ended, and its duration.
    Complete(Test, Duration),
    /// The controller is told which tests the worker has given up.
    Unscheduled(Vec<Test>),
}

/// An xdist scheduler; the names are those of its methods.
pub(crate) trait Scheduler {
    /// All workers are ready: makes the first distribution.
    fn schedule(&mut self, nodes: &mut Nodes);

    /// The worker has run the test, in so many seconds.
    fn mark_test_complete(&mut self, worker: Worker, test: Test, seconds: f64, nodes: &mut Nodes);

    /// The worker has given up these tests, in answer to a steal.
    fn remove_pending_tests_from_node(&mut self, worker: Worker, tests: &[Test], nodes: &mut Nodes);

    /// Whether every worker has at most its last test.
    fn tests_finished(&self) -> bool;
}

/// The controller's view of the workers, through which a scheduler sends.
pub(crate) struct Nodes {
    shutting_down: Vec<bool>,
    sent: Vec<(Worker, Command)>,
}

impl Nodes {
    /// The numbers of all workers.
    pub(crate) fn all(&self) -> std::ops::Range<Worker> {
        0..Worker::try_from(self.shutting_down.len()).unwrap_or(Worker::MAX)
    }

    /// Whether the worker was told to shut down.
    pub(crate) fn shutting_down(&self, worker: Worker) -> bool {
        self.shutting_down[worker as usize]
    }

    /// Tells the worker to shut down after its tests; only once.
    pub(crate) fn shutdown(&mut self, worker: Worker) {
        if !std::mem::replace(&mut self.shutting_down[worker as usize], true) {
            self.sent.push((worker, Command::Shutdown));
        }
    }

    fn run(&mut self, worker: Worker, tests: Vec<Test>) {
        self.sent.push((worker, Command::Run(tests)));
    }

    fn steal(&mut self, worker: Worker, tests: Vec<Test>) {
        self.sent.push((worker, Command::Steal(tests)));
    }
}

/// An item of a worker's queue.
#[derive(Clone, Copy)]
enum Item {
    Test(Test),
    Shutdown,
}

#[derive(Default)]
struct SimulatedWorker {
    queue: VecDeque<Item>,
    /// The test to run, and the next item. It runs as soon as both are known.
    current: Option<Item>,
    next: Option<Item>,
    /// When the current test started.
    started: Option<Duration>,
}

struct Run<'a> {
    machines: Machines<'a>,
    nodes: Nodes,
    stations: Vec<SimulatedWorker>,
    events: BinaryHeap<Reverse<(Duration, usize, Worker, EventKind)>>,
    /// Numbers the events, so that simultaneous ones keep their order.
    count: usize,
}

/// Simulates a run of a suite under a scheduler.
///
/// # Panics
/// If a test does not run exactly once.
pub(crate) fn simulate(suite: &Suite, workers: Worker, scheduler: &mut dyn Scheduler) -> Outcome {
    let mut run = Run {
        machines: Machines::new(suite, workers),
        nodes: Nodes {
            shutting_down: vec![false; workers as usize],
            sent: Vec::new(),
        },
        stations: (0..workers).map(|_| SimulatedWorker::default()).collect(),
        events: BinaryHeap::new(),
        count: 0,
    };
    scheduler.schedule(&mut run.nodes);
    run.send(Duration::ZERO);
    while let Some(Reverse((now, _, worker, kind))) = run.events.pop() {
        match kind {
            EventKind::Arrives(command) => run.arrive(now, worker, command),
            EventKind::Ends => run.end(now, worker),
            EventKind::Complete(test, took) => {
                scheduler.mark_test_complete(worker, test, took.as_secs_f64(), &mut run.nodes);
                run.after_event(now, scheduler);
            }
            EventKind::Unscheduled(tests) => {
                scheduler.remove_pending_tests_from_node(worker, &tests, &mut run.nodes);
                run.after_event(now, scheduler);
            }
        }
    }
    run.machines.outcome()
}

impl Run<'_> {
    fn push(&mut self, at: Duration, worker: Worker, kind: EventKind) {
        self.count += 1;
        self.events.push(Reverse((at, self.count, worker, kind)));
    }

    /// Corresponds to the end of `DSession.loop_once`.
    fn after_event(&mut self, now: Duration, scheduler: &dyn Scheduler) {
        if scheduler.tests_finished() {
            for worker in self.nodes.all() {
                self.nodes.shutdown(worker);
            }
        }
        self.send(now);
    }

    fn send(&mut self, now: Duration) {
        for (worker, command) in std::mem::take(&mut self.nodes.sent) {
            self.push(now + LATENCY, worker, EventKind::Arrives(command));
        }
    }

    fn arrive(&mut self, now: Duration, worker: Worker, command: Command) {
        let queue = &mut self.stations[worker as usize].queue;
        match command {
            Command::Run(tests) => queue.extend(tests.into_iter().map(Item::Test)),
            Command::Shutdown => queue.push_back(Item::Shutdown),
            Command::Steal(tests) => {
                let wanted = |item: &Item| matches!(item, Item::Test(test) if tests.contains(test));
                let stolen = if queue.iter().filter(|item| wanted(item)).count() == tests.len() {
                    queue.retain(|item| !wanted(item));
                    tests
                } else {
                    Vec::new()
                };
                self.push(now + LATENCY, worker, EventKind::Unscheduled(stolen));
            }
        }
        self.advance(now, worker);
    }

    fn end(&mut self, now: Duration, worker: Worker) {
        let station = &mut self.stations[worker as usize];
        let started = station.started.take().unwrap_or(now);
        let ended = std::mem::replace(&mut station.current, station.next.take());
        if let Some(Item::Test(test)) = ended {
            self.push(
                now + LATENCY,
                worker,
                EventKind::Complete(test, now.saturating_sub(started)),
            );
        }
        self.advance(now, worker);
    }

    /// Starts the worker's test if the worker is free and knows the next one.
    fn advance(&mut self, now: Duration, worker: Worker) {
        let station = &mut self.stations[worker as usize];
        if station.started.is_some() {
            return;
        }
        if station.current.is_none() {
            station.current = station.queue.pop_front();
        }
        if let Some(Item::Test(test)) = station.current {
            station.next = station.queue.pop_front();
            if station.next.is_some() {
                station.started = Some(now);
                let end = self.machines.start(worker, test, now, |_, _, _| ());
                self.push(end, worker, EventKind::Ends);
            }
        }
    }
}
