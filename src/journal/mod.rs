//! The journal of a run: every event is appended to a file as it happens. `docs/journal.md` describes the format.
//!
//! | file | what is in it |
//! |---|---|
//! | [`event`] | the events, as they are stored in the file |
//! | [`write`] | appending them |
//! | [`run_writer`] | the journal of a run that is being written: its times, and when it is flushed |
//! | [`numbering`] | the numbers of collected tests |
//! | [`text_limits`] | how much of the failure texts a journal stores |
//! | [`read`] | reading them, up to the last complete one |
//! | [`attempt`] | one execution of a test, with its outcome |
//! | [`run`] | one run built from its events: tests with their attempts, and processes |
//! | [`merged`] | several runs merged into one |
//! | [`join`] | joining several journals into one file |
//! | [`retention`] | how many journals stay in the cache directory |
//! | [`resume`] | which tests a run has finished, to run only the others |
//! | [`kept`] | the journals in the cache directory, and those of earlier runs |
//!
//! The hazard it handles: the writing process can be killed at any byte, and the disk can be full. A reader accepts all
//! complete lines; a writer reports its first error once, and the run goes on.

pub mod attempt;
pub mod event;
pub mod join;
pub mod kept;
pub mod load;
pub mod merged;
pub mod numbering;
pub mod read;
pub mod resume;
pub mod retention;
pub mod run;
pub mod run_writer;
pub mod text_limits;
pub mod write;

#[cfg(test)]
pub(crate) mod example;
#[cfg(test)]
pub(crate) mod tests;

/// Name of the format, in the first event of each run.
pub const FORMAT: &str = "rustpar-journal";

/// Version of the format. A reader refuses a newer one and skips unknown events.
pub const VERSION: u32 = 1;

/// Whole microseconds: durations, and times since the start of the run.
pub use crate::text::duration::{Micros, micros, seconds};
