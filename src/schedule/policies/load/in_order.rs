//! `--rustpar-plan=collection`, the default: the earliest piece that is left goes out next.
//!
//! A piece is a run of consecutive tests. However short its tests are, a worker's first piece is no more than a fourth of
//! its share of their number, as under pytest-xdist's `load`: so every worker begins near the front. Later pieces get
//! shorter with what is left (guided self-scheduling, Polychronopoulos and Kuck 1987), down to single tests.
//!
//! The hazard it handles: a suite may depend on its order without anybody knowing. In plain pytest a test runs after all
//! that are collected before it, and what those leave behind, it may need. So a worker goes forward through the
//! collection, and gets what lies behind it only when nothing else is left. One exception: a later piece that would
//! prolong the run if it waited any longer goes out now. It ends when the run does, so that its worker hardly has to
//! step back.

use super::dealing::{Long, deal};
use super::piece::{Piece, Place, cheapest_cut};
use super::{Ask, Pending};
use crate::schedule::forecast::Estimates;
use crate::schedule::pieces::{in_order, leading_failures};
use crate::schedule::policy::{REFILLS_PER_WORKER, STALLED, Test, Worker, collection};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// No piece takes more than this part of a worker's share of the remaining work, where cutting it costs little.
const PARTS: f64 = 4.0;

/// A piece that takes less than this part of a worker's share of the remaining work never prolongs the run.
const LONG: f64 = 8.0;

/// So many pieces for each worker are looked at, whether they prolong the run.
const MOST_LONG: usize = 4;

/// This part of a run is not worth leaving the order for. Over all families of the simulator, the median with history is
/// 1.017 of the lower bound with it and 1.019 with 0.004, while 9.2 and 8.6 of 1,000 tests are steps back.
const TOLERANCE: f64 = 0.002;

/// With so many tests left for each worker, or fewer, they go out one by one.
const TAIL: usize = 8;

/// See the module.
#[derive(Debug)]
pub(super) struct InOrder {
    pieces: BTreeMap<Place, Piece>,
    /// The pieces that are not cut, and of which all times are known: only those can be known to be long.
    longest: BTreeSet<Long>,
    /// Number of tests in `pieces`.
    waiting: usize,
    /// What they take.
    seconds: f64,
    /// What the rest of the piece takes that each worker has begun and not got whole.
    begun: BTreeMap<Worker, f64>,
    /// For the next piece's place.
    number: u32,
    /// How many tests a worker's first piece has at most.
    first_piece: usize,
    /// A worker's first piece begins before this test, if one is left there.
    front: Test,
    /// The first test that is not among the failures of the last run with which the collection begins: where somebody has
    /// asked for those (`--ff`), nothing comes in between.
    failures: Test,
    /// A run is not prolonged by less than so many seconds.
    tolerated: f64,
    /// Whether few tests are left.
    is_tail: bool,
    workers: usize,
}

impl InOrder {
    /// All tests, for (about) `workers` workers.
    pub(super) fn new(estimates: &Estimates, workers: usize) -> Self {
        let tests: Vec<Test> = collection(estimates.forecast().tests).collect();
        let mut this = Self {
            pieces: BTreeMap::new(),
            longest: BTreeSet::new(),
            waiting: 0,
            seconds: 0.0,
            begun: BTreeMap::new(),
            number: 0,
            first_piece: (tests.len() / (REFILLS_PER_WORKER * workers)).max(1),
            front: Test::try_from(tests.len().div_ceil(REFILLS_PER_WORKER)).unwrap_or(Test::MAX),
            failures: Test::try_from(leading_failures(estimates, &tests)).unwrap_or(Test::MAX),
            tolerated: 0.0,
            is_tail: false,
            workers,
        };
        for piece in in_order(estimates, &tests, workers) {
            this.add(Piece::new(estimates, piece.into(), None));
        }
        this.tolerated = this.part_of(this.seconds) * TOLERANCE;
        this
    }

    fn add(&mut self, piece: Piece) {
        let Some(&first) = piece.tests.front() else {
            return;
        };
        let (seconds, place) = (piece.seconds, (first, self.number));
        self.number += 1;
        self.waiting += piece.tests.len();
        self.seconds += seconds;
        if piece.is_whole_and_known() {
            self.longest.insert(Long { seconds, place });
        }
        if let Some(worker) = piece.begun_by {
            self.begun.insert(worker, seconds);
        }
        self.pieces.insert(place, piece);
    }

    fn remove(&mut self, place: Place) -> Option<Piece> {
        let piece = self.pieces.remove(&place)?;
        self.longest.remove(&Long {
            seconds: piece.seconds,
            place,
        });
        self.waiting -= piece.tests.len();
        self.seconds -= piece.seconds;
        if let Some(worker) = piece.begun_by {
            self.begun.remove(&worker);
        }
        Some(piece)
    }

    /// In the tail tests go out one by one, but for those that are kept together.
    fn begin_tail(&mut self, estimates: &Estimates) {
        if self.is_tail || self.waiting > TAIL * self.workers {
            return;
        }
        self.is_tail = true;
        let pieces = self.pieces.iter().filter(|(_, piece)| !piece.is_kept());
        let places: Vec<Place> = pieces.map(|(place, _)| *place).collect();
        for place in places {
            for test in self.remove(place).into_iter().flat_map(|piece| piece.tests) {
                self.add(Piece::new(estimates, VecDeque::from([test]), None));
            }
        }
    }

    /// Whether a piece is not kept for another worker, which has begun it.
    fn may_run(&self, worker: Worker, place: Place) -> bool {
        let begun_by = self.pieces.get(&place).and_then(|piece| piece.begun_by);
        begun_by.is_none_or(|by| by == worker)
    }

    /// The piece that a worker gets next: the earliest behind its last test that nobody else has begun, or the earliest.
    fn place_for(&self, estimates: &Estimates, ask: &Ask) -> Option<Place> {
        let behind = ask.last.map_or((0, 0), |last| (last + 1, 0));
        let may_run = |(_, piece): &(&Place, &Piece)| piece.begun_by.is_none_or(|by| by == ask.worker);
        let ahead = || self.pieces.range(behind..);
        let free = ahead().find(may_run).filter(|((first, _), _)| {
            // What is kept for others is not passed by for long before it is known to be worth it.
            ask.last.is_some() || *first < self.front || estimates.knows_fixtures_of(*first)
        });
        let free = free.or_else(|| self.pieces.iter().find(may_run));
        let any = || ahead().next().or_else(|| self.pieces.iter().next());
        // Who has begun it is asked soon, and if not, it goes to whoever is there.
        let found = free.or_else(|| any().filter(|_| ask.waited >= STALLED));
        found.map(|(place, _)| *place)
    }

    /// A later piece that goes out before the one at `head`, because the run would be prolonged if all later ones waited.
    ///
    /// Few pieces can do that, those that take much of a worker's share of the remaining work. They are dealt out, the
    /// longest first, each to the worker that has least to do, once with the asking worker free for them at once, and
    /// once after the piece at `head`. If that makes a difference, what the asking worker was dealt goes out: the
    /// earliest of it, since only what a worker gets matters, and not when.
    fn urgent(&self, ask: &Ask, head: Place) -> Option<Vec<Place>> {
        if self.workers == 1 || head.0 < self.failures || self.has_begun(ask.worker) {
            return None;
        }
        let share = self.share(ask);
        let long: Vec<&Long> = self
            .longest
            .iter()
            .rev()
            .take_while(|long| long.seconds * LONG >= share)
            .filter(|long| self.may_run(ask.worker, long.place))
            .take(MOST_LONG * self.workers)
            .collect();
        if long.is_empty() {
            return None;
        }
        // What they have begun is theirs.
        let begun = |worker: &Worker| self.begun.get(worker).copied().unwrap_or_default();
        let others: Vec<f64> = ask
            .others
            .iter()
            .map(|(worker, left)| left + begun(worker))
            .collect();
        let (end, own) = deal(&long, None, 0.0, &others);
        let end = end.max(share) + self.tolerated;
        let head_piece = self.pieces.get(&head)?;
        let seconds = if head_piece.is_kept() {
            head_piece.seconds
        } else {
            head_piece.seconds.min(share / PARTS)
        };
        let after: f64 = own
            .iter()
            .filter(|place| **place != head)
            .map(|place| self.pieces[place].seconds)
            .sum();
        let may_wait = seconds + after <= end || deal(&long, Some(head), seconds, &others).0 <= end;
        (!may_wait).then_some(own)
    }

    /// Takes pieces as they are, as far as there is room.
    fn take_whole(&mut self, estimates: &Estimates, places: &[Place], ask: &Ask) -> Vec<Test> {
        let mut tests = Vec::new();
        for place in places {
            let Some(mut piece) = self.remove(*place) else {
                continue;
            };
            let count = piece.tests.len().min(ask.room - tests.len());
            tests.extend(piece.take(estimates, count, ask.worker).0);
            self.add(piece);
        }
        tests
    }

    /// A worker's share of the remaining work, in seconds.
    fn share(&self, ask: &Ask) -> f64 {
        let others: f64 = ask.others.iter().map(|(_, left)| left).sum();
        self.part_of(self.seconds + others + ask.own)
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of workers are small")]
    fn part_of(&self, seconds: f64) -> f64 {
        seconds / self.workers as f64
    }

    /// How many tests of a piece go out now, behind `taken` others; none, or at least one where nothing is taken.
    ///
    /// It is cut where it is too long, unless it is set up again then for what is not much longer. `limit` is in seconds.
    fn part(&self, estimates: &Estimates, piece: &Piece, taken: usize, limit: f64, ask: &Ask) -> usize {
        let is_kept = piece.is_kept();
        let most = match ask.last {
            None => ask.most.min(self.first_piece),
            Some(_) if is_kept => ask.room,
            Some(_) => ask.most,
        };
        let most = most.min(ask.room).saturating_sub(taken);
        if piece.tests.len() <= most && (is_kept || piece.seconds <= limit) {
            return piece.tests.len();
        }
        if taken > 0 {
            return 0;
        }
        let (mut count, mut filled) = (0, 0.0);
        for test in piece.tests.iter().take(most) {
            filled += estimates.test(*test);
            if count > 0 && !is_kept && filled > limit {
                break;
            }
            count += 1;
        }
        cheapest_cut(estimates, &piece.tests, count)
    }
}

impl Pending for InOrder {
    fn len(&self) -> usize {
        self.waiting
    }

    fn take(&mut self, estimates: &Estimates, ask: &Ask) -> Vec<Test> {
        self.begin_tail(estimates);
        let Some(mut place) = self.place_for(estimates, ask) else {
            return Vec::new();
        };
        if let Some(mut own) = self.urgent(ask, place) {
            own.sort_unstable();
            if ask.last.is_some() {
                return self.take_whole(estimates, &own, ask);
            }
            place = own.first().copied().unwrap_or(place);
        }
        let grain = self.share(ask) / PARTS;
        let mut tests: Vec<Test> = Vec::new();
        let mut filled = 0.0;
        while let Some(mut piece) = self.remove(place) {
            let limit = grain - filled;
            let count = self.part(estimates, &piece, tests.len(), limit, ask);
            if count == 0 {
                self.add(piece);
                break;
            }
            let (part, seconds) = piece.take(estimates, count, ask.worker);
            let is_cut = !piece.tests.is_empty();
            self.add(piece);
            filled += seconds;
            tests.extend(part);
            if is_cut || filled >= ask.seconds.min(grain) {
                break;
            }
            // Only what follows at once: there may be a piece in between that another worker has begun.
            let Some(&last) = tests.last() else {
                break;
            };
            match self.pieces.range((last + 1, 0)..).next() {
                Some((next, piece)) if piece.begun_by.is_none() && !estimates.forecast().is_cut(next.0) => {
                    place = *next;
                }
                _ => break,
            }
        }
        tests
    }

    fn put_back(&mut self, estimates: &Estimates, mut tests: Vec<Test>) {
        tests.sort_unstable();
        for run in tests.chunk_by(|one, next| one + 1 == *next) {
            self.add(Piece::new(estimates, run.iter().copied().collect(), None));
        }
    }

    fn has_begun(&self, worker: Worker) -> bool {
        self.begun.contains_key(&worker)
    }

    fn forget(&mut self, worker: Worker) {
        self.begun.remove(&worker);
        for piece in self.pieces.values_mut() {
            piece.begun_by.take_if(|by| *by == worker);
        }
    }

    fn next(&self, after: Option<Test>) -> Option<Test> {
        let behind = after.map_or((0, 0), |last| (last + 1, 0));
        let mut ahead = self.pieces.range(behind..);
        ahead
            .next()
            .or_else(|| self.pieces.iter().next())
            .map(|(place, _)| place.0)
    }
}
