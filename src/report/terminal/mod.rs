//! The lines that a run and the commands show in a terminal. Python prints them, and makes none.
//!
//! | file | what it tells |
//! |---|---|
//! | [`coverage`] | what is covered, and how long measuring took at the end |
//! | [`doctor`] | how runs of `rustpar doctor` differ, and what that points to |
//! | [`live_block`] | how far a run is, and which tests take longest, while it goes on |
//! | [`memory`] | what workers held, and which were replaced |
//! | [`notices`] | how workers start, and how to look into new failures |
//! | [`plan`] | who would run how much, for `rustpar schedule` |
//! | [`status`] | what each process is doing |

pub mod coverage;
pub mod doctor;
pub mod live_block;
pub mod memory;
pub mod notices;
pub mod plan;
pub mod status;
