//! Python bindings for what is said of workers that died.

use super::text::Text;
use crate::platform::cgroup;
use crate::report::terminal::crash::{self, Crash};
use crate::text::duration::micros;
use pyo3::prelude::*;
use std::path::Path;

/// How a process ended, from its exit code or minus the signal that killed it.
#[pyfunction]
pub(super) fn describe_exit(status: i64, is_sent: bool) -> String {
    crash::describe_exit(status, is_sent)
}

/// A stack that faulthandler has written, without frames of pytest and of the interpreter's own modules.
#[pyfunction]
pub(super) fn shortened_stack(stack: Text) -> String {
    crash::shortened_stack(&stack.0)
}

/// The text about a test whose own process has ended before the test.
#[pyfunction]
pub(super) fn forked_crash_text(phase: &str, status: i64, stack: Text) -> String {
    crash::of_forked_test(phase, status, &stack.0)
}

/// How often the kernel has killed a process to get memory: of the control group, and of the machine.
#[pyfunction]
pub(super) fn memory_kills() -> (u64, u64) {
    cgroup::memory_kills(Path::new("/proc"), Path::new("/sys/fs/cgroup"))
}

/// The text of a worker's crash; see the stub.
#[pyfunction]
#[pyo3(signature = (worker, test, phase, status, *, is_sent, time_limit, stack, memory, killed_for_memory, has_lost_parent, beside))]
pub(super) fn crash_text(
    worker: &str,
    test: Text,
    phase: &str,
    status: i64,
    is_sent: bool,
    time_limit: Option<f64>,
    stack: Text,
    memory: (u64, u64),
    killed_for_memory: (bool, bool),
    has_lost_parent: bool,
    beside: Vec<(String, Text, f64)>,
) -> String {
    let beside = beside
        .into_iter()
        .map(|(worker, Text(test), seconds)| (worker, test, micros(seconds)));
    Crash {
        worker,
        test: &test.0,
        phase,
        status,
        is_sent,
        time_limit: time_limit.map(micros),
        stack: &stack.0,
        memory,
        killed_for_memory,
        has_lost_parent,
        beside: beside.collect(),
    }
    .text()
}
