//! The Python bindings of the engine: `rustpar._core`. The only module that names pyo3.
//!
//! A function here converts its arguments, releases the GIL where it waits, calls the core and maps the error.

#![expect(
    clippy::needless_pass_by_value,
    clippy::too_many_arguments,
    clippy::doc_markdown,
    reason = "signatures and documentation are those of Python functions"
)]

mod analysis;
mod audit;
mod changes;
mod cli;
mod clock;
mod collection;
mod coverage;
mod crash;
#[cfg(target_os = "linux")]
mod engine;
#[cfg(target_os = "linux")]
mod errors;
#[cfg(target_os = "linux")]
mod events;
mod fork_safety;
mod format;
#[cfg(target_os = "linux")]
mod heap;
mod history;
mod journal;
mod leaks;
#[cfg(target_os = "linux")]
mod load_generator;
#[cfg(target_os = "linux")]
mod load_plan;
#[cfg(target_os = "linux")]
mod load_results;
mod memory;
#[cfg(target_os = "linux")]
mod multicall;
mod notices;
#[cfg(target_os = "linux")]
mod plain_report;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
mod process;
mod quarantine;
mod rebuild;
mod recorder;
mod repeats;
mod report;
mod report_contents;
mod resume;
mod retention;
mod retries;
mod seeding;
#[cfg(target_os = "linux")]
mod status;
mod text;
mod value;
#[cfg(unix)]
mod watch;
#[cfg(target_os = "linux")]
mod worker_connection;
mod worker_count;

use pyo3::prelude::*;
use std::path::Path;

/// CPUs of the control group's quota, rounded up; None without a quota.
#[pyfunction]
fn cpu_quota() -> Option<usize> {
    crate::platform::cgroup::cpu_quota(Path::new("/proc"), Path::new("/sys/fs/cgroup"))
}

/// Bytes of memory that the machine and the control group have left; None if unknown.
#[pyfunction]
fn memory_left() -> Option<u64> {
    crate::platform::cgroup::memory_left(Path::new("/proc"), Path::new("/sys/fs/cgroup"))
}

/// Encodes an object as plain values; also returns the types of objects that were replaced by their repr.
#[cfg(target_os = "linux")]
#[pyfunction]
fn dumps(object: &Bound<'_, PyAny>) -> PyResult<(Vec<u8>, Vec<String>)> {
    let (mut lost, mut bytes) = (Vec::new(), Vec::new());
    value::to_value(object, &mut lost)?.encode(&mut bytes);
    Ok((bytes, lost))
}

/// Decodes bytes from `dumps`; raises ValueError for anything else.
#[cfg(target_os = "linux")]
#[pyfunction]
fn loads<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    value::decode_object(py, bytes)
}

/// The engine of pytest-rustpar.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::{cpu_quota, memory_left};

    #[pymodule_export]
    use super::audit::{
        add_audit_hook, audit, record_opened_files, record_temporary_files, set_audit_listener,
        set_use_listener,
    };

    #[pymodule_export]
    use super::changes::{Changes, remember_imports};

    #[pymodule_export]
    use super::cli::{Bisection, commands, prepare_replay, run_command, trial_lines};

    /// The version of the package.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    use super::crash::{crash_text, describe_exit, forked_crash_text, memory_kills, shortened_stack};

    #[pymodule_export]
    use super::clock::{monotonic, since_epoch, sleep};

    #[pymodule_export]
    use super::collection::{Order, Shard, needs, resource_limits};

    #[pymodule_export]
    use super::coverage::Joiner;

    #[pymodule_export]
    use super::fork_safety::{Opcodes, seeds_generator};
    #[cfg(unix)]
    #[pymodule_export]
    use super::fork_safety::{largest_thread_pool, thread_count, unknown_threads};

    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::engine::{Engine, Shared};

    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::process::{
        adopt_orphans, blocking_threads, die_with_parent, drop_clean_pages, exit_process, holds_lock,
        is_exiting, is_in_mask, outlive_parent, reap, share_description, start_of_process,
    };

    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::heap::{clear_namespace, fill_pools};

    #[pymodule_export]
    use super::rebuild::{hide_reports, track_reports};

    #[pymodule_export]
    use super::format::{counted, live_area, parse_duration, parse_size, spoken, spoken_size};

    #[pymodule_export]
    use super::history::History;

    #[pymodule_export]
    use super::journal::Journal;

    #[pymodule_export]
    use super::retention::Retention;

    #[pymodule_export]
    use super::resume::{EarlierReport, EarlierRun, digest};

    #[pymodule_export]
    use super::leaks::{Leftover, ProcessState, leak_kinds, leak_line};

    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::load_generator::LoadGenerator;
    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::load_plan::LoadPlan;
    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::load_results::{LoadOutcome, LoadSeconds};

    #[pymodule_export]
    use super::memory::{
        limit_without_effect, memory_lines, peak_memory, proportional_memory, replaced_because,
        resident_memory,
    };

    #[pymodule_export]
    use super::notices::{
        coverage_line, new_failures_line, process_line, progress_line, set_up_once_line, start_lines,
        thread_pool_lines,
    };

    #[pymodule_export]
    use super::recorder::Recorder;

    #[pymodule_export]
    use super::analysis::{Completeness, Thresholds, Timing};

    #[pymodule_export]
    use super::seeding::was_seeded;

    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::multicall::Multicall;

    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::worker_connection::Line;

    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::plan::{plan_lines, scheduler_name};

    #[pymodule_export]
    use super::report::{timeline, timeline_page, trace};

    #[pymodule_export]
    use super::quarantine::Quarantine;

    #[pymodule_export]
    use super::repeats::Repetitions;
    #[pymodule_export]
    use super::retries::{RetryDelay, retry_lines};

    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::status::Status;

    #[cfg(unix)]
    #[pymodule_export]
    use super::watch::{ProjectFiles, WatchSession};

    #[pymodule_export]
    use super::worker_count::Choice;

    /// The characters beyond ASCII that a live block uses if the terminal supports them.
    #[pymodule_export]
    const LIVE_BLOCK_CHARACTERS: &str = crate::report::terminal::live_block::DRAWN_CHARACTERS;

    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::{dumps, loads};
}
