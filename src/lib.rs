//! The engine of pytest-rustpar.
//!
//! | room | what is in it | knows |
//! |---|---|---|
//! | [`platform`] | the operating system and Python's runtime; the only unsafe code | nothing else |
//! | [`schedule`] | which worker runs which test, one file per policy | `text` |
//! | [`protocol`] | what a worker says, and its bytes | `platform` |
//! | [`text`] | durations, sizes and tables as people read them, and their width | nothing else |
//! | [`coverage`] | joining data files of coverage.py | the file system |
//! | [`history`] | what is remembered of tests and fixtures, and its file | `platform`, `protocol` |
//! | [`journal`] | every event of a run, appended to a file and read again | `platform`, `protocol`, `text` |
//! | [`analysis`] | where the time of a run went, and whether it kept its thresholds | `journal`, `schedule`, `text` |
//! | [`report`] | what journals tell, in the formats of others and for the eye | `journal`, `analysis`, `schedule`, `text` |
//! | [`cli`] | the commands that read journals and the history | all above but `schedule` and `coverage` |
//! | [`engine`] | shared memory, the I/O thread, both ends of a worker's line | `platform`, `schedule`, `protocol` |
//! | `bridge` | Python's view of all of it; the only place that names pyo3 | everything |

pub mod analysis;
pub mod cli;
pub mod coverage;
pub mod history;
pub mod journal;
pub mod platform;
pub mod protocol;
pub mod report;
pub mod schedule;
pub mod text;

#[cfg(target_os = "linux")]
pub mod engine;

#[cfg(feature = "python")]
mod bridge;
