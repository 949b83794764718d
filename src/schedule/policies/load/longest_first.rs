//! `--rustpar-plan=duration`: the longest pieces are assigned first, whatever their position in the collection.
//!
//! The hazard it handles: a suite with undeclared dependencies between tests fails under it, differently after each
//! change of the history. So it must be requested explicitly.

use super::{Ask, Pending};
use crate::schedule::forecast::Estimates;
use crate::schedule::pieces::{Piece, cut};
use crate::schedule::policy::{Test, Worker, collection};

/// The plan described above.
#[derive(Debug)]
pub(super) struct LongestFirst {
    /// The pieces to assign next come last.
    pieces: Vec<Piece>,
    /// Number of tests in `pieces`.
    waiting: usize,
}

impl LongestFirst {
    /// Creates the plan for all tests and (about) `workers` workers.
    pub(super) fn new(estimates: &Estimates, workers: usize) -> Self {
        let tests: Vec<Test> = collection(estimates.forecast().tests).collect();
        Self {
            pieces: cut(estimates, &tests, workers),
            waiting: tests.len(),
        }
    }

    /// Puts tests before all others.
    fn put_front(&mut self, tests: Vec<Test>) {
        if !tests.is_empty() {
            self.waiting += tests.len();
            self.pieces.push(tests);
        }
    }
}

impl Pending for LongestFirst {
    fn len(&self) -> usize {
        self.waiting
    }

    /// Takes pieces until there are `ask.most` tests, or `ask.seconds` of them; at least one test.
    fn take(&mut self, estimates: &Estimates, ask: &Ask) -> Vec<Test> {
        let mut tests = Vec::new();
        let mut filled = 0.0;
        while let Some(piece) = self.pieces.pop() {
            if !tests.is_empty() && (tests.len() + piece.len() > ask.most || filled >= ask.seconds) {
                self.pieces.push(piece);
                break;
            }
            filled += estimates.run(None, piece.iter().copied());
            tests.extend(piece);
        }
        self.waiting -= tests.len();
        let rest = tests.split_off(tests.len().min(ask.room));
        self.put_front(rest);
        tests
    }

    fn put_back(&mut self, _estimates: &Estimates, tests: Vec<Test>) {
        self.put_front(tests);
    }

    fn has_started_piece(&self, _worker: Worker) -> bool {
        false
    }

    fn worker_lost(&mut self, _worker: Worker) {}

    fn next(&self, _after: Option<Test>) -> Option<Test> {
        None
    }
}
