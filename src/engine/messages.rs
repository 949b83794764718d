//! Commands from Python to the engine, and events from the engine to Python.

use super::limits::Limits;
use super::load_run::{LoadEvent, LoadRun};
use super::watchdog::Settings;
use super::worker_records::Entry;
use crate::schedule::policy::{Definition, Policy, Test, Worker};
use std::collections::HashMap;

/// The worker number of the template.
pub const TEMPLATE: Worker = Worker::MAX;

/// A command to the engine.
pub enum Command {
    /// Register this worker, which is about to be forked.
    Add(Entry),
    /// Include a worker in the scheduling. The second is the first of the workers that replaced one another; if it has
    /// replaced none, the worker itself.
    Join(Worker, Worker),
    /// Schedule with this policy from now on; all workers that have joined take part. The map assigns the policy's
    /// numbers to the keys of shared fixture definitions.
    Schedule(Box<dyn Policy>, HashMap<String, Definition>),
    /// Set the expected duration of each test in seconds, where known, and how often each test is to be run.
    SetExpected(Vec<Option<f64>>, usize),
    /// Assign tests directly (for a scheduler written in Python).
    Assign(Worker, Vec<Test>),
    /// Take back exactly these tests, or none (for a scheduler written in Python).
    Steal(Worker, Vec<Test>),
    /// Close a worker directly (for a scheduler written in Python).
    Close(Worker),
    /// Run this test again.
    RunAgain(Test),
    /// Try a test again, in which this worker has crashed and which was tried so many times before: after a delay in
    /// seconds at the earliest. If tests are assigned directly, the delay has no effect.
    Retry(Worker, Test, u32, f64),
    /// Have the replacement of a worker try a test again, in which that has crashed and which was tried so many times
    /// before. The worker is the first of those that replaced one another.
    RetryInReplacement(Worker, Test, u32),
    /// Do not try a test again in which a worker has crashed.
    Settle(Test),
    /// Stop the run after so many failed reports; 0 means never.
    FailureLimit(usize),
    /// End workers whose tests exceed these time limits.
    TimeLimits(Limits),
    /// Watch the controller in this way from now on.
    Watch(Settings),
    /// Run tests as load tests.
    Load(Box<LoadRun>),
    /// A worker was lost that is not replaced.
    DecideGenerator {
        /// The lost worker.
        worker: Worker,
        /// Whether another worker takes its place.
        is_replaced: bool,
    },
    /// Start no further test.
    Stop,
}

/// An event for Python. The events of one worker come in order.
#[derive(Debug)]
pub enum Event {
    /// Frames of a worker, each preceded by its length as four little-endian bytes.
    Frames(Worker, Vec<u8>),
    /// Lines that a worker has printed.
    Output(Worker, String),
    /// A worker has been forked; its process id.
    Forked(Worker, i64),
    /// A worker has exited.
    Exited {
        /// The worker.
        worker: Worker,
        /// Its exit code, or the negated number of the signal that killed it.
        status: i64,
        /// The test in which it crashed.
        running: Option<Test>,
        /// How often that test was tried before.
        tried: u32,
        /// Whether its session had finished properly.
        finished: bool,
        /// Its peak of resident bytes; 0 if unknown.
        peak: u64,
    },
    /// The answer to [`Command::Steal`]: the tests taken back.
    Unscheduled(Worker, Vec<Test>),
    /// The template has been forked; its process id.
    TemplateForked(i64),
    /// The template has exited with this status.
    TemplateExited(i64),
    /// The fork server has exited.
    ServerGone,
    /// The test of a worker has exceeded its time limit of so many seconds, and the worker is ended.
    TimedOut(Worker, Test, f64),
    /// A load test has something to say.
    Load(LoadEvent),
    /// A worker sent an unreadable frame and is killed.
    Broken(Worker, String),
}

impl Event {
    /// Approximate size in memory; only events of variable size count.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Frames(_, bytes) => bytes.len(),
            Self::Output(_, text) => text.len(),
            _ => 0,
        }
    }
}
