//! The journal of a run: every event, appended to a file once, as it happens. `docs/journal.md` describes the file.
//!
//! | file | what is in it |
//! |---|---|
//! | [`event`] | the events, as they stand in the file |
//! | [`write`] | appending them |
//! | [`text_limits`] | how much of what failures say goes into it |
//! | [`read`] | reading them, up to the last whole one |
//! | [`attempt`] | one time that a test was begun, and what came of it |
//! | [`run`] | what they amount to: tests with their attempts, workers with their lives |
//! | [`merged`] | several runs told as one |
//! | [`join`] | writing several journals into one |
//! | [`kept`] | the journals in a directory, and those of earlier runs |
//!
//! The hazard it handles: the process that writes can be killed at any byte, and the disk can be full. A reader takes
//! what is whole; a writer that fails says so once, and the run goes on.

pub mod attempt;
pub mod event;
pub mod join;
pub mod kept;
pub mod merged;
pub mod read;
pub mod run;
pub mod text_limits;
pub mod write;

#[cfg(test)]
pub(crate) mod example;
#[cfg(test)]
pub(crate) mod tests;

/// What a journal calls itself, in the first event of each run in it.
pub const FORMAT: &str = "rustpar-journal";

/// Version of the format. A reader refuses a newer one, and skips events that it does not know.
pub const VERSION: u32 = 1;

/// Whole microseconds: durations, and moments since the run began.
pub use crate::text::duration::{Micros, micros, seconds};
