//! Python bindings for the notices of a run.

use super::text::{Text, texts};
use crate::report::terminal::coverage::{self, Joined};
use crate::report::terminal::notices::{self, Start};
use crate::report::terminal::status::{self, Activity};
use crate::text::duration::micros;
use pyo3::prelude::*;

/// The lines about how workers start.
#[pyfunction]
pub(super) fn start_lines(name: &str, reasons: Vec<Text>, remembered: bool, verbosity: i32) -> Vec<String> {
    let reasons: Vec<String> = texts(reasons);
    let start = Start {
        name,
        reasons: &reasons,
        remembered,
    };
    notices::start(start, verbosity)
}

/// A line if the threads of a numerical library in all workers are more than the CPUs can run; else none.
#[pyfunction]
pub(super) fn thread_pool_lines(
    library: &str,
    threads: usize,
    variable: &str,
    workers: usize,
    cpus: usize,
) -> Vec<String> {
    notices::thread_pool(library, threads, variable, workers, cpus)
}

/// The fixtures that were set up once for all workers, and how many seconds that took.
#[pyfunction]
pub(super) fn set_up_once_line(names: Vec<Text>, seconds: f64) -> String {
    notices::set_up_once(&texts::<Vec<String>>(names), micros(seconds))
}

/// Advice for a run in which tests fail that passed in the last run.
#[pyfunction]
pub(super) fn new_failures_line(tests: usize, with_template: bool) -> String {
    notices::new_failures(tests, with_template)
}

/// The progress of a run.
#[pyfunction]
pub(super) fn progress_line(finished: usize, tests: usize) -> String {
    status::progress(finished, tests)
}

/// Describes the activity of a process; see the stub.
#[pyfunction]
pub(super) fn process_line(
    name: &str,
    process: Option<u32>,
    collects: Option<(Text, f64)>,
    runs: Option<(Option<Text>, f64)>,
) -> String {
    let activity = match (&runs, &collects) {
        (Some((Some(Text(test)), seconds)), _) => Activity::Runs(test, micros(*seconds)),
        (Some((None, seconds)), _) => Activity::Idle(micros(*seconds)),
        (None, Some((Text(file), seconds))) => Activity::Collects(file, micros(*seconds)),
        (None, None) => Activity::Forked,
    };
    status::process(name, process, activity)
}

/// The line about total coverage, and the time that measuring took after the last test.
#[pyfunction]
pub(super) fn coverage_line(total: Option<f64>, seconds: f64, files: usize, joining: f64) -> String {
    let joined = Joined {
        files,
        took: micros(joining),
    };
    coverage::line(total, micros(seconds), joined)
}
