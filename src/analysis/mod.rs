//! Where the time of a run went: durations of tests, usage of workers, the lower bound, and thresholds. All of these
//! are computed from a journal, at the end of the run or later. Also the estimated time left of a run, and differences
//! between the runs recorded by `rustpar doctor`.
//!
//! | file | what is in it |
//! |---|---|
//! | [`durations`] | percentiles of durations, in total and by phase |
//! | [`slow`] | the slowest tests, compared with the history |
//! | [`usage`] | how long each worker was busy, setting up and idle |
//! | [`bound`] | the lower bound of a run's duration and what limits it |
//! | [`threshold`] | expressions that a run must satisfy; [`parse`] parses them |
//! | [`judge`] | checking them |
//! | [`completeness`] | collected tests that were lost |
//! | [`flakiness`] | tests that passed and failed although the code was the same |
//! | [`quarantine`] | tests whose failures do not fail the run, until a date |
//! | [`time_left`] | estimated time left of a running suite |
//! | [`trials`] | tests that differ between runs of one suite, and likely causes |
//!
//! The hazard it handles: a test can have several attempts, in several runs, and the duration of a skipped test is
//! meaningless. The choice of attempts is made once, in [`counted`].

pub mod bound;
pub mod completeness;
pub mod durations;
pub mod flakiness;
pub mod parse;
pub mod quarantine;
pub mod slow;
pub mod threshold;
pub mod threshold_check;
pub mod time_left;
pub mod trials;
pub mod usage;

#[cfg(test)]
mod run_builder;
#[cfg(test)]
mod tests;

use crate::journal::merged::Merged;
use crate::journal::run::{Attempt, Run, Verdict};

/// An attempt that counts.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// The run, as an index into [`Merged::parts`].
    pub part: usize,
    /// The run.
    pub run: &'a Run,
    /// The attempt.
    pub attempt: &'a Attempt,
}

/// The attempts that determine the results of their tests, except skipped ones.
pub fn counted(merged: &Merged) -> impl Iterator<Item = Counted<'_>> {
    let attempts = merged.results.iter().flat_map(|result| {
        let part = result.part;
        let run = &merged.parts[part].run;
        let attempts = merged.last(result);
        attempts.map(move |attempt| Counted { part, run, attempt })
    });
    attempts.filter(|counted| counted.attempt.verdict() != Verdict::Skipped)
}
