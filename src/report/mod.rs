//! Reports of a run. They read its journal and nothing else, so that each can be made at any time later.
//!
//! | file | what is in it |
//! |---|---|
//! | [`memory`] | what each process held, and where it grew |

pub mod memory;
