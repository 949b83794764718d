//! The engine: everything between a worker and the controller's Python.
//!
//! | file | what is in it |
//! |---|---|
//! | [`shared`] | the layout of the shared memory: a slot per worker |
//! | [`queue`] | a slot's test queue: the engine fills and shortens it, the worker empties it |
//! | [`ring`] | a slot's byte ring: the worker writes frames, the engine reads them |
//! | [`worker`] | the worker's end of its connection to the engine |
//! | [`worker_records`] | the engine's record of each worker |
//! | [`progress`] | progress of the run for status displays |
//! | [`limits`] | time limits of tests |
//! | [`watchdog`] | a hook of the controller that hangs |
//! | [`load_run`] | load tests: beginning, seconds and end for all workers |
//! | [`paced_users`] | when the users of a worker wait, and for what |
//! | [`worker_load`] | a worker's end of a load test |
//! | [`output`] | splitting a worker's standard output into lines |
//! | [`records`] | records of forked and exited processes |
//! | [`messages`] | commands from Python and events to Python |
//! | [`controller`] | Python's handle on the thread: commands in, events out |
//! | `thread` | the engine's I/O thread, at the controller's end of all connections |
//!
//! The hazard it handles: processes share memory and any of them can die at any instruction. Shared words are only
//! accessed as atomics, every wait has a timeout, and whatever a dead worker has written is still read.

pub mod controller;
pub mod limits;
pub mod load_run;
pub mod messages;
pub mod output;
pub mod paced_users;
pub mod progress;
pub mod queue;
pub mod records;
pub mod ring;
pub mod shared;
mod thread;
pub mod watchdog;
pub mod worker;
pub mod worker_load;
pub mod worker_records;

use crate::platform::os::OsError;

/// Errors of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A system call failed.
    #[error(transparent)]
    Os(#[from] OsError),
    /// A worker sent an unreadable frame.
    #[error("worker gw{worker} sent a frame that cannot be read: {source}")]
    Protocol {
        /// The worker.
        worker: u32,
        /// What is wrong with the frame.
        source: crate::protocol::ProtocolError,
    },
    /// The engine's thread has ended.
    #[error("the engine has stopped")]
    Stopped,
    /// All slots of the shared memory are in use.
    #[error("no room for more than {0} workers at a time")]
    TooManyWorkers(usize),
}
