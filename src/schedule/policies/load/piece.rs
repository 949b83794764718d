//! A pending piece, and where to cut it.

use crate::schedule::forecast::Estimates;
use crate::schedule::pieces::{Level, MIN_RATIO_TO_FIXTURES, level};
use crate::schedule::policy::{Test, Worker};
use std::collections::VecDeque;

/// A cut may shorten a piece by this fraction to fall where it costs less.
const MAX_SHORTENING: usize = 4;

/// The key of a piece: its first test, and a number that distinguishes pieces with the same first test.
pub(super) type Place = (Test, u32);

/// Consecutive tests that are assigned together as far as possible.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) tests: VecDeque<Test>,
    /// Its duration, fixtures included.
    pub(super) seconds: f64,
    /// The part of that for shared fixtures, some of which are set up again if the piece is cut.
    set_up: f64,
    /// Whether all of its durations are known.
    is_known: bool,
    /// The worker that has started it and has its fixtures active.
    pub(super) started_by: Option<Worker>,
}

impl Piece {
    /// Creates a piece; `begun` is the worker that has started it and the test before the piece, if any.
    pub(super) fn new(estimates: &Estimates, tests: VecDeque<Test>, begun: Option<(Worker, Test)>) -> Self {
        let own: f64 = tests.iter().map(|test| estimates.test(*test)).sum();
        let before = begun.map(|(_, before)| before);
        let seconds = estimates.run(before, tests.iter().copied());
        Self {
            is_known: tests.iter().all(|test| estimates.known(*test).is_some()),
            seconds,
            set_up: seconds - own,
            started_by: begun.map(|(worker, _)| worker),
            tests,
        }
    }

    /// Removes the first tests for a worker, which continues with the rest if a cut would repeat too much setup. The
    /// duration of the rest is computed incrementally: collections of one file are cut thousands of times.
    pub(super) fn take(&mut self, estimates: &Estimates, count: usize, worker: Worker) -> (Vec<Test>, f64) {
        let is_kept = self.is_kept();
        let part: Vec<Test> = self.tests.drain(..count).collect();
        let (Some(&last), Some(&next)) = (part.last(), self.tests.front()) else {
            return (part, self.seconds);
        };
        let own: f64 = part.iter().map(|test| estimates.test(*test)).sum();
        let all = estimates.run(None, part.iter().copied());
        let alive = estimates.setup_change(None, next) - estimates.setup_change(Some(last), next);
        self.started_by = is_kept.then_some(worker);
        let again = if is_kept { 0.0 } else { alive };
        self.seconds = (self.seconds - all + again).max(0.0);
        self.set_up = (self.set_up - (all - own) + again).max(0.0);
        (part, all)
    }

    /// Whether it is assigned as a whole, and its duration is known.
    pub(super) fn is_whole_and_known(&self) -> bool {
        self.is_known && (self.tests.len() == 1 || self.is_kept())
    }

    /// Whether cutting it would repeat too much setup.
    pub(super) fn is_kept(&self) -> bool {
        self.started_by.is_some() || self.set_up * MIN_RATIO_TO_FIXTURES > self.seconds
    }
}

/// Where to cut a piece of at most `most` tests: preferably between files, then classes, where the repeated setup is
/// cheapest; slightly earlier if that is better.
pub(super) fn cheapest_cut(estimates: &Estimates, tests: &VecDeque<Test>, most: usize) -> usize {
    let cost = |count: usize| {
        let (Some(&before), Some(&after)) = (tests.get(count - 1), tests.get(count)) else {
            return (0.0, Level::File);
        };
        let set_up = estimates.setup_change(None, after) - estimates.setup_change(Some(before), after);
        (set_up, level(estimates, before, after))
    };
    let counts = (most - most / MAX_SHORTENING).max(1)..=most.max(1);
    let better =
        |one: &(f64, Level), other: &(f64, Level)| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1));
    let costs = counts.rev().map(|count| (cost(count), count));
    costs
        .min_by(|(one, _), (other, _)| better(one, other))
        .map_or(1, |(_, count)| count)
}
