//! The engine of pytest-rustpar.
//!
//! | module | what is in it | uses |
//! |---|---|---|
//! | [`platform`] | the operating system and Python's native runtime; the only unsafe code | nothing else |
//! | [`schedule`] | which worker runs which test, one file per policy | `text` |
//! | [`protocol`] | the messages of workers and their encoding | `platform` |
//! | [`text`] | formatting of durations, sizes and tables, and the width of texts | nothing else |
//! | [`coverage`] | joining data files of coverage.py | the file system |
//! | [`history`] | durations and outcomes of tests and fixtures, stored between runs | `platform`, `protocol` |
//! | [`journal`] | the events of a run: writing and reading them | `platform`, `protocol`, `text` |
//! | [`analysis`] | where the time of a run went, and whether it met its thresholds | `journal`, `schedule`, `text` |
//! | [`load`] | load tests: when users start iterations, and what is measured | `analysis`, `journal`, `text` |
//! | [`leaks`] | what a test leaves behind | `platform`, `text` |
//! | [`fork_safety`] | what tells whether a process may be forked | nothing else |
//! | [`changes`] | which tests depend on files that have changed | `platform`, `text` |
//! | [`watch`] | which files have changed, and what to run then | `text` |
//! | [`report`] | reports made from journals: files, terminal texts and the timeline page | `journal`, `analysis`, `leaks`, `load`, `schedule`, `text` |
//! | [`replay`] | running again what a worker ran, and finding the tests that make one fail | `journal`, `text` |
//! | [`cli`] | the commands that read journals and the history, or run pytest | all above but `schedule` and `coverage` |
//! | [`engine`] | shared memory, the I/O thread, both ends of a worker's connection | `platform`, `schedule`, `protocol`, `journal`, `load`, `text` |
//! | `bridge` | the Python bindings; the only module that names pyo3 | everything |

pub mod analysis;
pub mod changes;
pub mod cli;
pub mod coverage;
pub mod fork_safety;
pub mod history;
pub mod journal;
pub mod leaks;
pub mod load;
pub mod platform;
pub mod protocol;
pub mod replay;
pub mod report;
pub mod schedule;
pub mod text;
#[cfg(unix)]
pub mod watch;

#[cfg(target_os = "linux")]
pub mod engine;

#[cfg(feature = "python")]
mod bridge;
