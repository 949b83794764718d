//! The tests that took longest.

use super::{Counted, counted};
use crate::journal::Micros;
use crate::journal::merged::Merged;
use crate::journal::run::{Attempt, Run};
use std::cmp::Reverse;

/// The time from which on a test is slow, where the run did not say.
pub const USUAL_LIMIT: Micros = 1_000_000;

/// The time from which on a test of this run is slow.
#[must_use]
pub fn limit(run: &Run) -> Micros {
    run.option_seconds("rustpar_slow").unwrap_or(USUAL_LIMIT)
}

/// Whether a test that took so long is slow. What its worker died in is not: nobody knows how long it ran.
#[must_use]
pub fn is_slow(attempt: &Attempt, limit: Micros) -> bool {
    !attempt.crashed && attempt.took() >= limit
}

/// The attempts of slow tests, the longest first.
#[must_use]
pub fn slow(merged: &Merged) -> Vec<Counted<'_>> {
    let limits: Vec<Micros> = merged.parts.iter().map(|part| limit(&part.run)).collect();
    let is_slow = |one: &Counted<'_>| is_slow(one.attempt, limits[one.part]);
    let mut slow: Vec<Counted<'_>> = counted(merged).filter(is_slow).collect();
    slow.sort_by_key(|one| (Reverse(one.attempt.took()), one.part, one.attempt.test));
    slow
}

/// How many times as long as usual a test took, by the history; `None` when that knows nothing of it. The shared fixtures
/// that happened to be set up in it do not count, here and there.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "exact up to 285 years")]
pub fn times_usual(run: &Run, attempt: &Attempt) -> Option<f64> {
    let usual = run.usual(attempt.test).filter(|usual| *usual > 0)?;
    Some(attempt.own() as f64 / usual as f64)
}
