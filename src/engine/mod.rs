//! The engine: everything between a worker and the controller's Python.
//!
//! | file | what is in it |
//! |---|---|
//! | [`shared`] | the layout of the shared memory: a slot per worker |
//! | [`queue`] | a slot's test queue: the engine fills and shortens it, the worker empties it |
//! | [`ring`] | a slot's byte ring: the worker writes frames, the engine reads them |
//! | [`worker`] | the worker's end of the line |
//! | [`table`] | what the engine knows of each worker |
//! | [`board`] | how much of the run is done, and what each worker is in, for who looks |
//! | [`output`] | a worker's standard output, cut into whole lines |
//! | [`records`] | what is told of processes that are forked and that exit |
//! | [`messages`] | what Python asks, and what it is told |
//! | [`controller`] | Python's handle on the thread: commands in, events out |
//! | `thread` | the engine's one thread, at the controller's end of all lines |
//!
//! The hazard it handles: processes share memory and any of them can die at any instruction. Shared words are only
//! touched through atomics, every wait has a bound, and what a dead worker left behind is read to its end.

pub mod board;
pub mod controller;
pub mod messages;
pub mod output;
pub mod queue;
pub mod records;
pub mod ring;
pub mod shared;
pub mod table;
mod thread;
pub mod worker;

use crate::platform::os::OsError;

/// Why the engine could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The operating system refused.
    #[error(transparent)]
    Os(#[from] OsError),
    /// A worker sent bytes that cannot be read.
    #[error("worker gw{worker} sent a frame that cannot be read: {source}")]
    Protocol {
        /// The worker.
        worker: u32,
        /// What is wrong with it.
        source: crate::protocol::ProtocolError,
    },
    /// The engine's thread has ended.
    #[error("the engine has stopped")]
    Stopped,
    /// More workers than the shared memory has slots for.
    #[error("no room for more than {0} workers at a time")]
    TooManyWorkers(usize),
}
