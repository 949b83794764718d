//! Where the time of a run went: how long tests took, what workers did, what the run could not be shorter than, and
//! whether it kept its thresholds. All of that comes from a journal, at the end of the run or later. And how long a run will
//! still take, and how runs of one suite differ, from what `rustpar doctor` has recorded of them.
//!
//! | file | what is in it |
//! |---|---|
//! | [`durations`] | percentiles of durations, whole and by phase |
//! | [`slow`] | the tests that took longest, beside what the history expected |
//! | [`usage`] | how long each worker was busy, set up and idle |
//! | [`bound`] | what the run could not be shorter than, and what decided that |
//! | [`threshold`] | expressions that a run has to keep; [`parse`] reads them |
//! | [`judge`] | whether it did |
//! | [`time_left`] | of a run that goes on: how long it will still take |
//! | [`trials`] | which tests differ between runs of one suite, and what that points to |
//!
//! The hazard it handles: a test can have several attempts, in several runs, and one that was skipped took no time worth
//! comparing. What counts is decided once, in [`counted`].

pub mod bound;
pub mod durations;
pub mod judge;
pub mod parse;
pub mod slow;
pub mod threshold;
pub mod time_left;
pub mod trials;
pub mod usage;

#[cfg(test)]
mod made;
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

/// The attempts that count: those that decide about their tests, unless these were skipped.
pub fn counted(merged: &Merged) -> impl Iterator<Item = Counted<'_>> {
    let attempts = merged.results.iter().flat_map(|result| {
        let part = result.part;
        let run = &merged.parts[part].run;
        let attempts = merged.last(result);
        attempts.map(move |attempt| Counted { part, run, attempt })
    });
    attempts.filter(|counted| counted.attempt.verdict() != Verdict::Skipped)
}
