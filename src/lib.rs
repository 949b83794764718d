//! The engine of pytest-rustpar.
//!
//! | room | what is in it | knows |
//! |---|---|---|
//! | [`schedule`] | which worker runs which test, one file per policy | nothing else |
//! | [`protocol`] | what a worker says, and its bytes | nothing else |
//! | [`coverage`] | joining data files of coverage.py | the file system |
//! | [`history`] | what is remembered of tests and fixtures, and its file | `protocol`, the file system |
//! | [`journal`] | every event of a run, appended to a file and read again | `protocol`, the file system |
//! | [`machine`] | how many workers this machine can feed | the file system |
//! | [`memory`] | how much memory a process holds | the file system |
//! | [`report`] | what a run's journal says, put together for people | `journal` |
//! | [`audit`] | which audit events tell what must not be shared | nothing else |
//! | [`engine`] | shared memory, the I/O thread, both ends of a worker's line | `schedule`, `protocol` |
//! | `bridge` | Python's view of all of it; the only place that names pyo3 | everything |

pub mod audit;
pub mod coverage;
pub mod history;
pub mod journal;
pub mod machine;
pub mod memory;
pub mod protocol;
pub mod report;
pub mod schedule;

#[cfg(target_os = "linux")]
pub mod engine;

#[cfg(feature = "python")]
mod bridge;
