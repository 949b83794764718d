//! Selection of slow tests.

use super::{Counted, counted};
use crate::journal::Micros;
use crate::journal::merged::Merged;
use crate::journal::run::{Attempt, Run};
use std::cmp::Reverse;

/// The default duration from which on a test is slow.
pub const DEFAULT_LIMIT: Micros = 1_000_000;

/// The duration from which on a test of this run is slow.
#[must_use]
pub fn limit(run: &Run) -> Micros {
    run.option_seconds("rustpar_slow").unwrap_or(DEFAULT_LIMIT)
}

/// Whether an attempt was slow. A crashed one is not: its duration is unknown.
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

/// Ratio of a test's duration to its usual duration in the history; `None` if that is unknown. Shared fixtures set up
/// in the test are excluded on both sides.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "exact up to 285 years")]
pub fn times_usual(run: &Run, attempt: &Attempt) -> Option<f64> {
    let usual = run.usual(attempt.test).filter(|usual| *usual > 0)?;
    Some(attempt.own() as f64 / usual as f64)
}
