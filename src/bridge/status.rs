//! How far a run is, for Python.

use crate::engine::board::Board;
use crate::schedule::policy::{Test, Worker};
use pyo3::prelude::*;
use std::time::Instant;

/// How far a run is. Where nothing is known of any test, a test is expected to take one second.
#[pyclass(module = "rustpar._core", frozen, get_all)]
pub(super) struct Status {
    /// How many tests there are to run; 0 before they are known.
    tests: usize,
    /// How many have come to their end.
    finished: usize,
    /// Seconds that all of them are expected to take.
    expected: f64,
    /// What of that is done.
    done: f64,
    /// Whether it is known what any of the tests will take.
    is_known: bool,
    /// Seconds that the longest running test still needs, if it takes what is expected.
    least_left: f64,
    /// Seconds since the first tests were handed out.
    elapsed: f64,
    /// Of each worker that takes part: its number, the test it is in or None, and for how many seconds.
    workers: Vec<(Worker, Option<Test>, f64)>,
}

impl Status {
    /// What a board tells `now`.
    pub(super) fn new(board: &Board, now: Instant) -> Self {
        Self {
            tests: board.tests,
            finished: board.finished,
            expected: board.expected,
            done: board.done(now),
            is_known: board.is_known(),
            least_left: board.least_left(now),
            elapsed: now.saturating_duration_since(board.begun).as_secs_f64(),
            workers: board
                .workers
                .iter()
                .map(|activity| (activity.worker, activity.test, activity.lasts(now).as_secs_f64()))
                .collect(),
        }
    }
}
