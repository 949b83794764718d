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
//! | [`timing`] | where the time of a run went, and whether it kept its thresholds |

pub mod coverage;
pub mod doctor;
pub mod live_block;
pub mod memory;
pub mod notices;
pub mod plan;
pub mod status;
pub mod timing;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its text.
    pub text: String,
    /// Whether it is to catch the eye, by its colour.
    pub stands_out: bool,
}
