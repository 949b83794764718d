//! Where the time of a run went: how long tests took, what workers did, what the run could not be shorter than, and
//! whether it kept its thresholds. All of it comes from a journal, at the end of the run or later.
//!
//! | file | what is in it |
//! |---|---|
//! | [`durations`] | percentiles of durations, whole and by phase |
//! | [`slow`] | the tests that took longest, beside what the history expected |
//! | [`usage`] | how long each worker was busy, set up and idle |
//! | [`bound`] | what the run could not be shorter than, and what decided that |
//! | [`thresholds`] | expressions that a run has to keep; [`parse`] reads them |
//! | [`judge`] | whether it did |
//! | [`spoken`] | durations as text |
//!
//! The hazard it handles: a test can have several attempts, and one that was skipped took no time worth comparing. What
//! counts is decided once, in [`counted`].

pub mod bound;
pub mod durations;
pub mod judge;
pub mod parse;
pub mod slow;
pub mod spoken;
pub mod thresholds;
pub mod usage;

#[cfg(test)]
mod made;
#[cfg(test)]
mod tests;

use crate::journal::run::{Attempt, Run, Verdict};
use std::collections::HashMap;

/// The attempts that count: the last one of each test, or with `--dist each`, of each test in each worker. Tests that were
/// skipped, and those that came to no result, do not count.
#[must_use]
pub fn counted(run: &Run) -> Vec<&Attempt> {
    let each = dist(run) == "each";
    let mut places = HashMap::new();
    let mut last: Vec<&Attempt> = Vec::new();
    let has_result = |attempt: &&Attempt| attempt.crashed || attempt.began().is_some();
    for attempt in run.attempts.iter().filter(has_result) {
        let place = places.entry((attempt.test, each.then_some(attempt.process)));
        let place = *place.or_insert(last.len());
        if place == last.len() {
            last.push(attempt);
        } else {
            last[place] = attempt;
        }
    }
    last.retain(|attempt| attempt.verdict() != Verdict::Skipped);
    last
}

/// The distribution mode; `no` where nothing was distributed.
fn dist(run: &Run) -> &str {
    let asked = || run.head.options.get("dist").map(String::as_str);
    let settled = run.start.as_ref().map(|start| start.dist.as_str());
    settled.or_else(asked).unwrap_or("no")
}
