//! pytest-xdist 3.8 in virtual time: its messages, its workers, and a scheduler from [`load`], [`worksteal`] or
//! [`loadscope`].
//!
//! The hazard it handles: xdist must lose only what it really loses. Its workers are modelled as they are: a worker
//! starts a test when it knows the next one or was told to shut down, so that one test per worker is its hostage;
//! a thief gets all of the tests that it asked for or none; every word between worker and scheduler is a message.

pub(crate) mod load;
pub(crate) mod loadscope;
pub(crate) mod worksteal;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use rustpar::schedule::policy::{Test, Worker};

use super::machines::{Machines, Outcome};
use super::suite::Suite;

/// From one process's decision to the other's reaction. A bare message takes 0.05 ms (execnet, half of the median
/// round trip through a pipe on an idle machine); the rest is what both sides do first: five messages per test,
/// each through its hooks.
const LATENCY: Duration = Duration::from_millis(1);

/// What the controller sends.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Command {
    Run(Vec<Test>),
    Steal(Vec<Test>),
    Shutdown,
}

/// What happens, in order of time and then of cause.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// A command reaches the worker.
    Arrives(Command),
    /// The worker's test has ended.
    Ends,
    /// The controller hears that a test has ended, after so long.
    Complete(Test, Duration),
    /// The controller hears which tests the worker has given up.
    Unscheduled(Vec<Test>),
}

/// A scheduler of xdist; the names are those of its methods.
pub(crate) trait Scheduler {
    /// All workers are ready: the first distribution.
    fn schedule(&mut self, nodes: &mut Nodes);

    /// The worker has run the test, in so many seconds.
    fn mark_test_complete(&mut self, worker: Worker, test: Test, seconds: f64, nodes: &mut Nodes);

    /// The worker has given up these tests, in answer to a steal.
    fn remove_pending_tests_from_node(&mut self, worker: Worker, tests: &[Test], nodes: &mut Nodes);

    /// Whether no worker has more than its last test.
    fn tests_finished(&self) -> bool;
}

/// The controller's view of the workers, for a scheduler to send through.
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

    /// Tells the worker to shut down when it has run what it has; once.
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

/// What a worker takes from its queue.
#[derive(Clone, Copy)]
enum Item {
    Test(Test),
    Shutdown,
}

#[derive(Default)]
struct Station {
    queue: VecDeque<Item>,
    /// The test to run, and what follows it. It runs as soon as both are known.
    current: Option<Item>,
    next: Option<Item>,
    /// When the current test started.
    started: Option<Duration>,
}

struct Run<'a> {
    machines: Machines<'a>,
    nodes: Nodes,
    stations: Vec<Station>,
    events: BinaryHeap<Reverse<(Duration, usize, Worker, Happening)>>,
    /// Numbers the events, so that those of one moment keep their order.
    count: usize,
}

/// Runs a suite to its end under a scheduler; what came of it.
///
/// # Panics
/// When a test does not run exactly once.
pub(crate) fn simulate(suite: &Suite, workers: Worker, scheduler: &mut dyn Scheduler) -> Outcome {
    let mut run = Run {
        machines: Machines::new(suite, workers),
        nodes: Nodes {
            shutting_down: vec![false; workers as usize],
            sent: Vec::new(),
        },
        stations: (0..workers).map(|_| Station::default()).collect(),
        events: BinaryHeap::new(),
        count: 0,
    };
    scheduler.schedule(&mut run.nodes);
    run.send(Duration::ZERO);
    while let Some(Reverse((now, _, worker, happening))) = run.events.pop() {
        match happening {
            Happening::Arrives(command) => run.arrive(now, worker, command),
            Happening::Ends => run.end(now, worker),
            Happening::Complete(test, took) => {
                scheduler.mark_test_complete(worker, test, took.as_secs_f64(), &mut run.nodes);
                run.after_news(now, scheduler);
            }
            Happening::Unscheduled(tests) => {
                scheduler.remove_pending_tests_from_node(worker, &tests, &mut run.nodes);
                run.after_news(now, scheduler);
            }
        }
    }
    run.machines.outcome()
}

impl Run<'_> {
    fn push(&mut self, at: Duration, worker: Worker, happening: Happening) {
        self.count += 1;
        self.events.push(Reverse((at, self.count, worker, happening)));
    }

    /// As `DSession.loop_once` after each event.
    fn after_news(&mut self, now: Duration, scheduler: &dyn Scheduler) {
        if scheduler.tests_finished() {
            for worker in self.nodes.all() {
                self.nodes.shutdown(worker);
            }
        }
        self.send(now);
    }

    fn send(&mut self, now: Duration) {
        for (worker, command) in std::mem::take(&mut self.nodes.sent) {
            self.push(now + LATENCY, worker, Happening::Arrives(command));
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
                self.push(now + LATENCY, worker, Happening::Unscheduled(stolen));
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
                Happening::Complete(test, now.saturating_sub(started)),
            );
        }
        self.advance(now, worker);
    }

    /// Starts the worker's test if it is free and knows the next.
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
                self.push(end, worker, Happening::Ends);
            }
        }
    }
}
