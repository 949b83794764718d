//! Resuming a run: which tests an earlier run has finished, whether its results still hold, and what to copy of them.
//!
//! | file | what is in it |
//! |---|---|
//! | [`finished`] | the executions of tests in a journal, and which of them are finished |
//! | [`earlier`] | the run that is resumed: comparison with the current run, the events to copy |
//! | [`search`] | which of the journals in the cache is resumed |
//! | [`record`] | what a journal records to make reports again
//! | [`code`] | digests of the project's own files |
//!
//! The hazard it handles: a result must not be counted twice, nor one that no longer holds. So a test counts as finished
//! only if everything about it is in the journal, and a run is only resumed if nothing that finished tests depend on has
//! changed.

pub mod code;
pub mod earlier;
pub mod finished;
pub mod record;
pub mod search;
