//! Python bindings for the progress of a run, and the live block that shows it.

use super::text::Text;
use crate::analysis::time_left::Progress;
use crate::engine::progress::Board;
use crate::report::terminal::live_block::{Running, Size, Style, lines};
use crate::report::terminal::load::running;
use crate::schedule::policy::{Test, Worker};
use pyo3::prelude::*;
use std::collections::HashMap;
use std::time::Instant;

/// The progress of a run.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct Status {
    progress: Progress,
    /// The line about the load test that is running.
    load: Option<String>,
    /// For each scheduled worker: its number, the test it is running or None, and for how many seconds.
    #[pyo3(get)]
    workers: Vec<(Worker, Option<Test>, f64)>,
}

impl Status {
    /// Reads the progress from a board.
    pub(super) fn new(board: &Board, now: Instant) -> Self {
        let progress = Progress {
            tests: board.tests,
            finished: board.finished,
            workers: board.workers.len(),
            expected: board.expected,
            done: board.done(now),
            is_known: board.is_known(),
            remaining_of_running: board.remaining_of_running(now),
            elapsed: now.saturating_duration_since(board.begun).as_secs_f64(),
        };
        let workers = board.workers.iter();
        let workers = workers.map(|activity| {
            (
                activity.worker,
                activity.test,
                activity.elapsed(now).as_secs_f64(),
            )
        });
        let load = board.load.as_ref().map(|(_, load)| running(load));
        Self {
            progress,
            load,
            workers: workers.collect(),
        }
    }
}

#[pymethods]
impl Status {
    /// Number of tests to run; 0 before they are known.
    #[getter]
    fn tests(&self) -> usize {
        self.progress.tests
    }

    /// Number of finished tests.
    #[getter]
    fn finished(&self) -> usize {
        self.progress.finished
    }

    /// The lines of the live block for a terminal of that size; empty if it is too low. `counts` are those of pytest's
    /// reporter, by category; `running` has the worker, node id and seconds of each running test. `is_drawn` says
    /// whether the terminal supports `LIVE_BLOCK_CHARACTERS`.
    fn live_block(
        &self,
        counts: HashMap<Text, usize>,
        running: Vec<(Worker, Text, f64)>,
        size: (usize, usize),
        has_colours: bool,
        is_drawn: bool,
    ) -> Vec<String> {
        let counts = counts
            .into_iter()
            .map(|(Text(category), count)| (category, count));
        let running = running
            .into_iter()
            .map(|(worker, Text(node_id), seconds)| Running {
                worker,
                node_id,
                seconds,
            });
        let (columns, height) = size;
        lines(
            &self.progress,
            &counts.collect(),
            self.load.as_deref(),
            running.collect(),
            Size {
                columns,
                lines: height,
            },
            Style {
                has_colours,
                is_drawn,
            },
        )
    }
}
