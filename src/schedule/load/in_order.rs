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

use super::{Ask, Pending};
use crate::schedule::forecast::Estimates;
use crate::schedule::pieces::{Level, WORTH, in_order, level};
use crate::schedule::{REFILLS_PER_WORKER, Test, Worker, collection};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// A cut may make a piece shorter by this part, to fall where it costs less.
const SHORTER: usize = 4;

/// The place of a piece: its first test, and a number that tells apart those that begin with the same.
type Place = (Test, u32);

/// A run of tests that are handed out together as far as possible.
#[derive(Debug)]
struct Piece {
    tests: VecDeque<Test>,
    /// What it takes, fixtures included.
    seconds: f64,
    /// What of that goes into shared fixtures: a part of it is set up once more if the piece is cut.
    set_up: f64,
    /// Who has begun it, and has its fixtures alive.
    begun_by: Option<Worker>,
}

/// A piece by what it takes; it may be gone, or shorter by now.
#[derive(Debug, PartialEq)]
struct Long {
    seconds: f64,
    place: Place,
}

/// See the module.
#[derive(Debug)]
pub(super) struct InOrder {
    pieces: BTreeMap<Place, Piece>,
    /// The pieces of which all times are known: only those can be known to be long.
    longest: BinaryHeap<Long>,
    /// Number of tests in `pieces`.
    waiting: usize,
    /// What they take.
    seconds: f64,
    /// For the next piece's place.
    number: u32,
    /// How many tests a worker's first piece has at most.
    first_piece: usize,
    /// A worker's first piece begins before this test, if one is left there.
    front: Test,
    workers: usize,
}

impl InOrder {
    /// All tests, for (about) `workers` workers.
    pub(super) fn new(estimates: &Estimates, workers: usize) -> Self {
        let tests: Vec<Test> = collection(estimates.forecast().tests).collect();
        let mut this = Self {
            pieces: BTreeMap::new(),
            longest: BinaryHeap::new(),
            waiting: 0,
            seconds: 0.0,
            number: 0,
            first_piece: (tests.len() / (REFILLS_PER_WORKER * workers)).max(1),
            front: Test::try_from(tests.len().div_ceil(REFILLS_PER_WORKER)).unwrap_or(Test::MAX),
            workers,
        };
        for piece in in_order(estimates, &tests, workers) {
            this.add(estimates, piece.into(), None);
        }
        this
    }

    fn add(&mut self, estimates: &Estimates, tests: VecDeque<Test>, begun_by: Option<Worker>) {
        let Some(&first) = tests.front() else {
            return;
        };
        let own: f64 = tests.iter().map(|test| estimates.test(*test)).sum();
        let seconds = estimates.run(None, tests.iter().copied());
        let place = (first, self.number);
        self.number += 1;
        if tests.iter().all(|test| estimates.known(*test).is_some()) {
            self.longest.push(Long { seconds, place });
        }
        self.waiting += tests.len();
        self.seconds += seconds;
        let piece = Piece {
            tests,
            seconds,
            set_up: seconds - own,
            begun_by,
        };
        self.pieces.insert(place, piece);
    }

    fn remove(&mut self, place: Place) -> Option<Piece> {
        let piece = self.pieces.remove(&place)?;
        self.waiting -= piece.tests.len();
        self.seconds -= piece.seconds;
        Some(piece)
    }

    /// The piece that a worker gets next: the earliest behind its last test that nobody else has begun, or the earliest.
    fn place_for(&self, ask: &Ask) -> Option<Place> {
        let behind = ask.last.map_or((0, 0), |last| (last + 1, 0));
        let mut ahead = self.pieces.range(behind..);
        let earliest = ahead.clone().next().or_else(|| self.pieces.iter().next());
        let own = ahead.find(|(_, piece)| piece.begun_by.is_none_or(|worker| worker == ask.worker));
        let own = own.filter(|(place, _)| ask.last.is_some() || place.0 < self.front);
        own.or(earliest).map(|(place, _)| *place)
    }

    /// A later piece that takes at least what a worker's share of the remaining work takes.
    fn urgent(&mut self, ask: &Ask) -> Option<Place> {
        if self.workers == 1 {
            return None;
        }
        let is_there = |pieces: &BTreeMap<Place, Piece>, long: &Long| {
            let piece = pieces.get(&long.place);
            piece.is_some_and(|piece| piece.seconds.total_cmp(&long.seconds).is_eq())
        };
        while self
            .longest
            .peek()
            .is_some_and(|long| !is_there(&self.pieces, long))
        {
            self.longest.pop();
        }
        let long = self.longest.peek()?;
        let is_small = ask.last.is_some() || self.pieces[&long.place].tests.len() <= self.first_piece;
        (is_small && long.seconds >= self.share(ask)).then_some(long.place)
    }

    /// How many tests of a piece go out now, behind `taken` others; none, or at least one where nothing is taken.
    ///
    /// It is cut where it is too long, unless it is set up again then for what is not much longer. `limit` is in seconds.
    fn part(&self, estimates: &Estimates, piece: &Piece, taken: usize, limit: f64, ask: &Ask) -> usize {
        let is_kept = piece.set_up * WORTH > piece.seconds;
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

    /// A worker's share of the remaining work, in seconds.
    #[expect(clippy::cast_precision_loss, reason = "numbers of workers are small")]
    fn share(&self, ask: &Ask) -> f64 {
        (self.seconds + ask.in_flight) / self.workers as f64
    }
}

/// Where to cut a piece that may have so many tests: between files, then classes, where least is to be set up again; a
/// little earlier than there, if that is better.
fn cheapest_cut(estimates: &Estimates, tests: &VecDeque<Test>, most: usize) -> usize {
    let cost = |count: usize| {
        let (Some(&before), Some(&after)) = (tests.get(count - 1), tests.get(count)) else {
            return (0.0, Level::File);
        };
        let set_up = estimates.change(None, after) - estimates.change(Some(before), after);
        (set_up, level(estimates, before, after))
    };
    let counts = (most - most / SHORTER).max(1)..=most.max(1);
    let better = |one: &(f64, Level), other: &(f64, Level)| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1));
    let costs = counts.rev().map(|count| (cost(count), count));
    costs
        .min_by(|(one, _), (other, _)| better(one, other))
        .map_or(1, |(_, count)| count)
}

impl PartialOrd for Long {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Long {}

/// The longest is the greatest; of equal ones, the earliest.
impl Ord for Long {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_length = self.seconds.total_cmp(&other.seconds);
        by_length.then_with(|| other.place.cmp(&self.place))
    }
}

impl Pending for InOrder {
    fn len(&self) -> usize {
        self.waiting
    }

    fn take(&mut self, estimates: &Estimates, ask: &Ask) -> Vec<Test> {
        let urgent = self.urgent(ask);
        let Some(mut place) = urgent.or_else(|| self.place_for(ask)) else {
            return Vec::new();
        };
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let grain = self.share(ask) / REFILLS_PER_WORKER as f64;
        let mut tests: Vec<Test> = Vec::new();
        let mut filled = 0.0;
        while let Some(mut piece) = self.remove(place) {
            let limit = if urgent.is_some() { f64::INFINITY } else { grain - filled };
            let count = self.part(estimates, &piece, tests.len(), limit, ask);
            let rest = piece.tests.split_off(count);
            let is_cut = !rest.is_empty();
            // What has begun goes on where its fixtures are alive.
            let worker = (piece.set_up > 0.0 && count > 0).then_some(ask.worker);
            self.add(estimates, rest, worker.or(piece.begun_by));
            filled += piece.seconds;
            tests.extend(&piece.tests);
            if is_cut || urgent.is_some() || filled >= ask.seconds.min(grain) {
                break;
            }
            // Only what follows at once: there may be a piece in between that another worker has begun.
            let Some(&last) = tests.last() else {
                break;
            };
            match self.pieces.range((last + 1, 0)..).next() {
                Some((next, piece)) if piece.begun_by.is_none() => place = *next,
                _ => break,
            }
        }
        tests
    }

    fn put_back(&mut self, estimates: &Estimates, mut tests: Vec<Test>) {
        tests.sort_unstable();
        for run in tests.chunk_by(|one, next| one + 1 == *next) {
            self.add(estimates, run.iter().copied().collect(), None);
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
