//! The engine of pytest-rustpar.
//!
//! | room | what is in it | knows |
//! |---|---|---|
//! | [`schedule`] | which worker runs which test, one file per policy | nothing else |
//! | [`protocol`] | what a worker says, and its bytes | nothing else |
//! | [`coverage`] | joining data files of coverage.py | the file system |
//! | [`history`] | what is remembered of tests and fixtures, and its file | `protocol`, the file system |
//! | [`journal`] | every event of a run, appended to a file and read again | `protocol`, the file system |
//! | [`report`] | what journals tell, in the formats of others and for the eye | `journal`, `timing` |
//! | [`timing`] | where the time of a run went, and whether it kept its thresholds | `journal`, `schedule` |
//! | [`clock`] | clocks that no test can set, and what can be believed of others | `protocol` |
//! | [`machine`] | how many workers this machine can feed | the file system |
//! | [`memory`] | how much memory a process holds | the file system |
//! | [`pools`] | filling the free places of CPython's allocator | nothing else |
//! | [`twister`] | whether a random number generator was seeded | nothing else |
//! | `files` | replacing a file as a whole | the file system |
//! | [`audit`] | which audit events tell what must not be shared | nothing else |
//! | [`engine`] | shared memory, the I/O thread, both ends of a worker's line | `schedule`, `protocol` |
//! | `bridge` | Python's view of all of it; the only place that names pyo3 | everything |

pub mod audit;
pub mod clock;
pub mod coverage;
mod files;
pub mod history;
pub mod journal;
pub mod machine;
pub mod memory;
pub mod pools;
pub mod protocol;
pub mod report;
pub mod schedule;
pub mod timing;
pub mod twister;

#[cfg(target_os = "linux")]
pub mod engine;

#[cfg(feature = "python")]
mod bridge;
