//! What Python asks the engine to do, and what the engine tells Python.

use super::table::Entry;
use crate::schedule::policy::{Definition, Policy, Test, Worker};
use std::collections::HashMap;

/// The number under which the template speaks.
pub const TEMPLATE: Worker = Worker::MAX;

/// What Python asks the engine to do.
pub enum Command {
    /// Watch this worker, which is about to be forked.
    Add(Entry),
    /// Let a worker take part in the scheduling.
    Join(Worker),
    /// Schedule by this policy from now on; all workers that have joined take part. With the numbers that it knows the
    /// definitions of shared fixtures by.
    Schedule(Box<dyn Policy>, HashMap<String, Definition>),
    /// Expect tests to take so many seconds, where that is known, each to be run so many times.
    Expect(Vec<Option<f64>>, usize),
    /// Assign tests by hand (a scheduler written in Python).
    Assign(Worker, Vec<Test>),
    /// Take exactly these tests back by hand.
    Steal(Worker, Vec<Test>),
    /// Close a worker by hand.
    Close(Worker),
    /// Run this test once more.
    Again(Test),
    /// Stop by itself once so many reports have failed; 0 means never.
    FailureLimit(usize),
    /// Let no further test start.
    Stop,
}

/// What the engine tells Python, in the order in which it happened to each worker.
#[derive(Debug)]
pub enum Event {
    /// Frames of a worker, each behind its length as four little-endian bytes.
    Frames(Worker, Vec<u8>),
    /// Lines that a worker has printed.
    Output(Worker, String),
    /// The worker has been forked, as this process.
    Forked(Worker, i64),
    /// The worker is gone.
    Exited {
        /// The worker.
        worker: Worker,
        /// Its exit code, or minus the number of the signal that killed it.
        status: i64,
        /// The test in which it died.
        running: Option<Test>,
        /// Whether its session had finished properly before.
        finished: bool,
    },
    /// The answer to [`Command::Steal`]: the tests taken back.
    Unscheduled(Worker, Vec<Test>),
    /// The template process has been forked, as this process.
    TemplateForked(i64),
    /// The template is gone, with this exit status.
    TemplateExited(i64),
    /// The fork server is gone.
    ServerGone,
    /// A worker sent something that cannot be read; it is killed.
    Broken(Worker, String),
}

impl Event {
    /// About how much memory it holds, as far as it can be large.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Frames(_, bytes) => bytes.len(),
            Self::Output(_, text) => text.len(),
            _ => 0,
        }
    }
}
