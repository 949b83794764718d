//! Lines that runs and commands show in a terminal. Python prints them; it formats only
//! notices of one line about a process, where they arise.
//!
//! | module | contents |
//! |---|---|
//! | [`coverage`] | total coverage, and how long measuring took at the end |
//! | [`crash`] | how a worker died, and what to do |
//! | [`doctor`] | how runs of `rustpar doctor` differ, and likely causes |
//! | [`live_area`] | control sequences that draw lines below the output |
//! | [`live_block`] | progress and the longest-running tests during a run |
//! | [`load`] | load tests: tables, and the line of one that is running |
//! | [`memory`] | memory use of workers, and which were replaced |
//! | [`notices`] | how workers start, and how to investigate new failures |
//! | [`plan`] | the expected distribution of tests, for `rustpar schedule` |
//! | [`quarantine`] | failures that are in the quarantine, and entries of it to remove |
//! | [`repeats`] | tests that were repeated: failures and durations |
//! | [`retries`] | tests that were tried again |
//! | [`status`] | what each process is doing |
//! | [`timing`] | where the time of a run went, and whether it met its thresholds |

pub mod coverage;
pub mod crash;
pub mod doctor;
pub mod live_area;
pub mod live_block;
pub mod load;
pub mod memory;
pub mod notices;
pub mod plan;
pub mod quarantine;
pub mod repeats;
pub mod retries;
pub mod status;
pub mod timing;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its text.
    pub text: String,
    /// Whether it is to be highlighted.
    pub is_highlighted: bool,
}
