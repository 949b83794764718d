//! A piece that waits for a worker, and where it is cut.

use crate::schedule::forecast::Estimates;
use crate::schedule::pieces::{Level, WORTH, level};
use crate::schedule::policy::{Test, Worker};
use std::collections::VecDeque;

/// A cut may make a piece shorter by this part, to fall where it costs less.
const SHORTER: usize = 4;

/// The place of a piece: its first test, and a number that tells apart those that begin with the same.
pub(super) type Place = (Test, u32);

/// A run of tests that are handed out together as far as possible.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) tests: VecDeque<Test>,
    /// What it takes, fixtures included.
    pub(super) seconds: f64,
    /// What of that goes into shared fixtures: a part of it is set up once more if the piece is cut.
    set_up: f64,
    /// Whether all of its times are known.
    is_known: bool,
    /// Who has begun it, and has its fixtures alive.
    pub(super) begun_by: Option<Worker>,
}

impl Piece {
    /// A piece of these tests; the one before them, if somebody has begun it with that.
    pub(super) fn new(estimates: &Estimates, tests: VecDeque<Test>, begun: Option<(Worker, Test)>) -> Self {
        let own: f64 = tests.iter().map(|test| estimates.test(*test)).sum();
        let before = begun.map(|(_, before)| before);
        let seconds = estimates.run(before, tests.iter().copied());
        Self {
            is_known: tests.iter().all(|test| estimates.known(*test).is_some()),
            seconds,
            set_up: seconds - own,
            begun_by: begun.map(|(worker, _)| worker),
            tests,
        }
    }

    /// Removes the first tests, for a worker that goes on with the rest where too much would be set up again. What the rest
    /// takes is found without looking at all of it: collections of one file are cut thousands of times.
    pub(super) fn take(&mut self, estimates: &Estimates, count: usize, worker: Worker) -> (Vec<Test>, f64) {
        let is_kept = self.is_kept();
        let part: Vec<Test> = self.tests.drain(..count).collect();
        let (Some(&last), Some(&next)) = (part.last(), self.tests.front()) else {
            return (part, self.seconds);
        };
        let own: f64 = part.iter().map(|test| estimates.test(*test)).sum();
        let all = estimates.run(None, part.iter().copied());
        let alive = estimates.change(None, next) - estimates.change(Some(last), next);
        self.begun_by = is_kept.then_some(worker);
        let again = if is_kept { 0.0 } else { alive };
        self.seconds = (self.seconds - all + again).max(0.0);
        self.set_up = (self.set_up - (all - own) + again).max(0.0);
        (part, all)
    }

    /// Whether it goes out as a whole, and how long that takes is known.
    pub(super) fn is_whole_and_known(&self) -> bool {
        self.is_known && (self.tests.len() == 1 || self.is_kept())
    }

    /// Whether too much would be set up again if it were cut.
    pub(super) fn is_kept(&self) -> bool {
        self.begun_by.is_some() || self.set_up * WORTH > self.seconds
    }
}

/// Where to cut a piece that may have so many tests: between files, then classes, where least is to be set up again; a
/// little earlier than there, if that is better.
pub(super) fn cheapest_cut(estimates: &Estimates, tests: &VecDeque<Test>, most: usize) -> usize {
    let cost = |count: usize| {
        let (Some(&before), Some(&after)) = (tests.get(count - 1), tests.get(count)) else {
            return (0.0, Level::File);
        };
        let set_up = estimates.change(None, after) - estimates.change(Some(before), after);
        (set_up, level(estimates, before, after))
    };
    let counts = (most - most / SHORTER).max(1)..=most.max(1);
    let better =
        |one: &(f64, Level), other: &(f64, Level)| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1));
    let costs = counts.rev().map(|count| (cost(count), count));
    costs
        .min_by(|(one, _), (other, _)| better(one, other))
        .map_or(1, |(_, count)| count)
}
