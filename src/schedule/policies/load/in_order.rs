//! `--rustpar-plan=collection`, the default: the earliest pending piece is assigned next.
//!
//! A piece consists of consecutive tests. However short its tests are, a worker's first piece is no more than a fourth
//! of its share of their number, as under pytest-xdist's `load`: so every worker starts near the front. Later pieces
//! get shorter with the remaining work (guided self-scheduling, Polychronopoulos and Kuck 1987), down to single tests.
//!
//! The hazard it handles: a suite may depend on its order unnoticed. In plain pytest a test runs after all tests
//! collected before it, and may need what they leave behind. So a worker moves forward through the collection, and gets
//! tests before its position only when nothing else is left. One exception: a later piece that would prolong the run if
//! it waited longer is assigned now. It ends when the run does, so that its worker hardly has to step back.
//!
//! After a parallel collection a worker gets the tests of the files that it has collected, and when none of them is
//! left, those at the end of the collection, which their worker would reach last, with its own first.

use super::dealing::{Long, deal};
use super::piece::{Piece, Place, cheapest_cut};
use super::{Ask, Pending};
use crate::schedule::forecast::Estimates;
use crate::schedule::pieces::{in_order, leading_failures};
use crate::schedule::policy::{REFILLS_PER_WORKER, STALLED, Test, Worker, collection};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A piece takes at most this fraction of a worker's share of the remaining work, if cutting it costs little.
const CUT_FRACTION: f64 = 4.0;

/// A piece shorter than this fraction of a worker's share of the remaining work never prolongs the run.
const LONG_FRACTION: f64 = 8.0;

/// Number of long pieces per worker that are checked for prolonging the run.
const LONG_PIECES_PER_WORKER: usize = 4;

/// Fraction of the run's duration that is not worth leaving the order for. Over all families of the simulator, the
/// median with history is 1.017 of the lower bound with it and 1.019 with 0.004, while 9.2 and 8.6 of 1,000 tests are
/// steps back.
const TOLERANCE: f64 = 0.002;

/// With this number of pending tests per worker, or fewer, tests are assigned one by one.
const TAIL_TESTS_PER_WORKER: usize = 8;

/// The plan described above.
#[derive(Debug)]
pub(super) struct InOrder {
    pieces: BTreeMap<Place, Piece>,
    /// The pieces that are not cut, and whose durations are all known: only those can be known to be long.
    longest: BTreeSet<Long>,
    /// Number of tests in `pieces`.
    waiting: usize,
    /// Total duration of `pieces`.
    seconds: f64,
    /// Duration of the rest of the piece that each worker has started and not fully received.
    started: BTreeMap<Worker, f64>,
    /// The number of the next piece, part of its key.
    number: u32,
    /// Maximum number of tests in a worker's first piece.
    first_piece: usize,
    /// A worker's first piece starts before this test, if one is left there.
    front: Test,
    /// The first test after the failures of the last run with which the collection begins: if the user has asked for
    /// those (`--ff`), no other tests come in between.
    failures: Test,
    /// The run is not considered prolonged by fewer seconds than this.
    tolerance: f64,
    /// Workers that are lost: the tests that they have collected are for all others.
    lost: BTreeSet<Worker>,
    /// Whether only few tests are left.
    is_tail: bool,
    workers: usize,
}

impl InOrder {
    /// Creates the plan for all tests and (about) `workers` workers.
    pub(super) fn new(estimates: &Estimates, workers: usize) -> Self {
        let tests: Vec<Test> = collection(estimates.forecast().tests).collect();
        let mut this = Self {
            pieces: BTreeMap::new(),
            longest: BTreeSet::new(),
            waiting: 0,
            seconds: 0.0,
            started: BTreeMap::new(),
            number: 0,
            first_piece: (tests.len() / (REFILLS_PER_WORKER * workers)).max(1),
            front: Test::try_from(tests.len().div_ceil(REFILLS_PER_WORKER)).unwrap_or(Test::MAX),
            failures: Test::try_from(leading_failures(estimates, &tests)).unwrap_or(Test::MAX),
            tolerance: 0.0,
            lost: BTreeSet::new(),
            is_tail: false,
            workers,
        };
        for piece in in_order(estimates, &tests, workers) {
            this.add(Piece::new(estimates, piece.into(), None));
        }
        this.tolerance = this.per_worker(this.seconds) * TOLERANCE;
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
        if let Some(worker) = piece.started_by {
            self.started.insert(worker, seconds);
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
        if let Some(worker) = piece.started_by {
            self.started.remove(&worker);
        }
        Some(piece)
    }

    /// When few tests are left, splits pieces into single tests, except those that are kept together.
    fn split_tail(&mut self, estimates: &Estimates) {
        if self.is_tail || self.waiting > TAIL_TESTS_PER_WORKER * self.workers {
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

    /// Whether a piece is free, or was started by this worker.
    fn may_run(&self, worker: Worker, place: Place) -> bool {
        let started_by = self.pieces.get(&place).and_then(|piece| piece.started_by);
        started_by.is_none_or(|by| by == worker)
    }

    /// The next piece for a worker: the earliest after its last test that no other worker has started, otherwise the
    /// earliest.
    fn place_for(&self, estimates: &Estimates, ask: &Ask) -> Option<Place> {
        let after = ask.last.map_or((0, 0), |last| (last + 1, 0));
        let may_run = |(_, piece): &(&Place, &Piece)| piece.started_by.is_none_or(|by| by == ask.worker);
        let ahead = || self.pieces.range(after..);
        if !estimates.forecast().owners.is_empty() {
            return self.place_among_owned(estimates, ask);
        }
        let free = ahead().find(may_run).filter(|((first, _), _)| {
            // A worker does not skip far past pieces reserved for others before the cost of their fixtures is known.
            ask.last.is_some() || *first < self.front || estimates.knows_fixtures_of(*first)
        });
        let free = free.or_else(|| self.pieces.iter().find(may_run));
        let any = || ahead().next().or_else(|| self.pieces.iter().next());
        // The worker that started the piece will ask soon; if it does not, an idle worker gets the piece.
        let found = free.or_else(|| any().filter(|_| ask.waited >= STALLED));
        found.map(|(place, _)| *place)
    }

    /// The next piece for a worker after a parallel collection: its own or that of a lost worker, otherwise the last one
    /// of another. But first it waits for as long as it would take to collect a file: that may have become needless.
    fn place_among_owned(&self, estimates: &Estimates, ask: &Ask) -> Option<Place> {
        let forecast = estimates.forecast();
        let is_for = |place: &Place| {
            let owner = forecast.owner(place.0);
            owner.is_none_or(|owner| owner == ask.worker || self.lost.contains(&owner))
        };
        let may_run = |(_, piece): &(&Place, &Piece)| piece.started_by.is_none_or(|by| by == ask.worker);
        let after = ask.last.map_or((0, 0), |last| (last + 1, 0));
        let mut all = self.pieces.range(after..).chain(self.pieces.range(..after));
        let own = all.find(|(place, piece)| is_for(place) && may_run(&(place, piece)));
        let is_patient = ask.waited < forecast.collect_seconds.max(STALLED);
        let others = || self.pieces.iter().rev().filter(|_| !is_patient);
        let found = own.or_else(|| others().find(may_run)).or_else(|| others().next());
        found.map(|(place, _)| *place)
    }

    /// Later pieces that must be assigned before the one at `head`, because the run would be prolonged if all of them
    /// waited.
    ///
    /// Only few pieces can do that: those that take much of a worker's share of the remaining work. They are
    /// distributed, the longest first, each to the worker with least work, once with the asking worker free for them at
    /// once, and once after the piece at `head`. If that makes a difference, the asking worker gets its part of the
    /// distribution, the earliest piece first, since only which pieces it gets matters, and not the order.
    fn urgent(&self, estimates: &Estimates, ask: &Ask, head: Place) -> Option<Vec<Place>> {
        let has_owners = !estimates.forecast().owners.is_empty();
        if has_owners || self.workers == 1 || head.0 < self.failures || self.has_started_piece(ask.worker) {
            return None;
        }
        let share = self.share(ask);
        let long: Vec<&Long> = self
            .longest
            .iter()
            .rev()
            .take_while(|long| long.seconds * LONG_FRACTION >= share)
            .filter(|long| self.may_run(ask.worker, long.place))
            .take(LONG_PIECES_PER_WORKER * self.workers)
            .collect();
        if long.is_empty() {
            return None;
        }
        // The rest of a piece belongs to the worker that started it.
        let started = |worker: &Worker| self.started.get(worker).copied().unwrap_or_default();
        let others: Vec<f64> = ask
            .others
            .iter()
            .map(|(worker, left)| left + started(worker))
            .collect();
        let (end, own) = deal(&long, None, 0.0, &others);
        let end = end.max(share) + self.tolerance;
        let head_piece = self.pieces.get(&head)?;
        let seconds = if head_piece.is_kept() {
            head_piece.seconds
        } else {
            head_piece.seconds.min(share / CUT_FRACTION)
        };
        let after: f64 = own
            .iter()
            .filter(|place| **place != head)
            .map(|place| self.pieces[place].seconds)
            .sum();
        let may_wait = seconds + after <= end || deal(&long, Some(head), seconds, &others).0 <= end;
        (!may_wait).then_some(own)
    }

    /// Takes whole pieces, as far as there is space.
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
        self.per_worker(self.seconds + others + ask.own)
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of workers are small")]
    fn per_worker(&self, seconds: f64) -> f64 {
        seconds / self.workers as f64
    }

    /// Number of tests of a piece to assign now, after `taken` others; 0 if none, but at least one if `taken` is 0.
    ///
    /// The piece is cut if it is too long, unless it is little longer and a cut would repeat its setup. `limit` is in
    /// seconds.
    fn tests_to_assign(
        &self,
        estimates: &Estimates,
        piece: &Piece,
        taken: usize,
        limit: f64,
        ask: &Ask,
    ) -> usize {
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
        self.split_tail(estimates);
        let Some(mut place) = self.place_for(estimates, ask) else {
            return Vec::new();
        };
        if let Some(mut own) = self.urgent(estimates, ask, place) {
            own.sort_unstable();
            if ask.last.is_some() {
                return self.take_whole(estimates, &own, ask);
            }
            place = own.first().copied().unwrap_or(place);
        }
        let piece_limit = self.share(ask) / CUT_FRACTION;
        let mut tests: Vec<Test> = Vec::new();
        let mut filled = 0.0;
        while let Some(mut piece) = self.remove(place) {
            let limit = piece_limit - filled;
            let count = self.tests_to_assign(estimates, &piece, tests.len(), limit, ask);
            if count == 0 {
                self.add(piece);
                break;
            }
            let (taken, seconds) = piece.take(estimates, count, ask.worker);
            let is_cut = !piece.tests.is_empty();
            self.add(piece);
            filled += seconds;
            tests.extend(taken);
            if is_cut || filled >= ask.seconds.min(piece_limit) {
                break;
            }
            // Only the directly following piece: another worker may have started one in between.
            let Some(&last) = tests.last() else {
                break;
            };
            match self.pieces.range((last + 1, 0)..).next() {
                Some((next, piece)) if piece.started_by.is_none() && !estimates.forecast().is_cut(next.0) => {
                    place = *next;
                }
                _ => break,
            }
        }
        tests
    }

    fn put_back(&mut self, estimates: &Estimates, mut tests: Vec<Test>) {
        tests.sort_unstable();
        for run in tests.chunk_by(|one, next| one + 1 == *next && !estimates.forecast().is_cut(*next)) {
            self.add(Piece::new(estimates, run.iter().copied().collect(), None));
        }
    }

    fn has_started_piece(&self, worker: Worker) -> bool {
        self.started.contains_key(&worker)
    }

    fn worker_lost(&mut self, worker: Worker) {
        self.started.remove(&worker);
        self.lost.insert(worker);
        for piece in self.pieces.values_mut() {
            piece.started_by.take_if(|by| *by == worker);
        }
    }

    fn next(&self, after: Option<Test>) -> Option<Test> {
        let after = after.map_or((0, 0), |last| (last + 1, 0));
        let mut ahead = self.pieces.range(after..);
        ahead
            .next()
            .or_else(|| self.pieces.iter().next())
            .map(|(place, _)| place.0)
    }
}
