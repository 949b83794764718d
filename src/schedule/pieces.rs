//! Dividing a collection into pieces of work.
//!
//! A piece consists of consecutive tests, which one worker gets at once, if possible. Pieces are assigned in the order
//! of the collection (`in_order`), or the longest first (`cut`). Longest processing time first (Graham, "Bounds on
//! multiprocessing timing anomalies", 1969) comes close to the best schedule if no piece is long relative to a worker's
//! share, so a piece is a small part of that. But tests that share a fixture set it up once per piece, so their pieces
//! are longer: long enough that the fixture is a small part, and no longer than a share. Tests that failed in the last
//! run come first, for early feedback. If they lead the collection (`--ff`), the user has asked for them, and no other
//! tests come in between.

use crate::schedule::forecast::Estimates;
use crate::schedule::policy::Test;

/// Minimum number of pieces in a worker's share, unless fixtures require longer pieces.
const PIECES_PER_SHARE: f64 = 16.0;

/// Minimum duration of a piece, relative to that of its fixtures.
pub(super) const MIN_RATIO_TO_FIXTURES: f64 = 20.0;

/// Steps of the binary search for the shortest time: to a thousandth of the whole.
const HALVINGS: usize = 10;

/// Consecutive tests that are assigned together.
pub(super) type Piece = Vec<Test>;

/// Divides `tests`, which are in collection order; the pieces to be assigned first come last.
pub(super) fn cut(estimates: &Estimates, tests: &[Test], workers: usize) -> Vec<Piece> {
    let share = share(estimates, tests, workers);
    let mut pieces: Vec<(bool, f64, Piece)> = Vec::new();
    let has_failed = |test: &Test| estimates.forecast().has_failed(*test);
    let (failures, others) = tests.split_at(leading_failures(estimates, tests));
    for bundle in bundles(estimates, failures).chain(bundles(estimates, others)) {
        for piece in cut_bundle(estimates, bundle, share) {
            let failed = piece.iter().any(has_failed);
            pieces.push((failed, estimates.run(None, piece.iter().copied()), piece));
        }
    }
    // The sort is stable and surrounded by reversals, so that of equal pieces the earlier one comes last and is
    // assigned first.
    pieces.reverse();
    pieces.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
    pieces.into_iter().map(|(_, _, piece)| piece).collect()
}

/// Divides `tests`, which are in collection order, without reordering. Pieces are meant to be assigned whole only if
/// fixtures would have to be set up again; the others contain a whole file, except that long tests are pieces of their
/// own.
pub(super) fn in_order(estimates: &Estimates, tests: &[Test], workers: usize) -> Vec<Piece> {
    let share = share(estimates, tests, workers);
    let first_other = tests.get(leading_failures(estimates, tests)).copied();
    let is_long = |test: &Test| estimates.test(*test) * PIECES_PER_SHARE >= share;
    let mut pieces = Vec::new();
    for run in tests.chunk_by(|_, next| Some(*next) != first_other && !estimates.forecast().is_cut(*next)) {
        for bundle in bundles(estimates, run) {
            if costs_of_cuts(estimates, bundle).iter().any(|cost| *cost > 0.0) {
                pieces.append(&mut cut_bundle(estimates, bundle, share));
                continue;
            }
            let parts = bundle.chunk_by(|one, other| !is_long(one) && !is_long(other));
            pieces.extend(parts.map(<[Test]>::to_vec));
        }
    }
    pieces
}

/// Number of tests at the beginning of the collection that failed in the last run.
pub(super) fn leading_failures(estimates: &Estimates, tests: &[Test]) -> usize {
    let has_failed = |test: &&Test| estimates.forecast().has_failed(**test);
    tests.iter().take_while(has_failed).count()
}

/// The boundary between two consecutive tests, best place for a cut first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// They are in different files.
    File,
    /// They are in different classes of one file.
    Class,
    /// None.
    Nothing,
}

/// The boundary between two consecutive tests.
pub(super) fn level(estimates: &Estimates, one: Test, other: Test) -> Level {
    let forecast = estimates.forecast();
    if forecast.file(one) != forecast.file(other) {
        Level::File
    } else if forecast.scope(one) != forecast.scope(other) {
        Level::Class
    } else {
        Level::Nothing
    }
}

/// A worker's share of all work, at least the longest test.
///
/// A bundle that takes longer is split among workers, each of which sets up its fixtures. So this is the shortest time
/// in which all bundles can be completed, including repeated setups.
fn share(estimates: &Estimates, tests: &[Test], workers: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "numbers of workers are small")]
    let workers = workers.max(1) as f64;
    let bundles: Vec<(&[Test], f64)> = bundles(estimates, tests)
        .map(|bundle| (bundle, estimates.run(None, bundle.iter().copied())))
        .collect();
    let whole: f64 = bundles.iter().map(|(_, whole)| whole).sum();
    let longest = tests.iter().map(|test| estimates.test(*test)).fold(0.0, f64::max);
    let (mut least, mut most) = ((whole / workers).max(longest), whole);
    // Shorter bundles are never split.
    let split = |(bundle, whole): &(&[Test], f64)| {
        (
            *whole,
            if *whole > least {
                mean(&costs_of_cuts(estimates, bundle))
            } else {
                0.0
            },
        )
    };
    let bundles: Vec<(f64, f64)> = bundles.iter().map(split).collect();
    if workers_needed(&bundles, least) <= workers {
        return least;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(least, most);
        if workers_needed(&bundles, middle) <= workers {
            most = middle;
        } else {
            least = middle;
        }
    }
    most
}

/// Number of workers needed to run bundles in `seconds`. Each bundle is a pair of its duration and of the setup time
/// repeated for each split.
fn workers_needed(bundles: &[(f64, f64)], seconds: f64) -> f64 {
    let places = bundles.iter().map(|&(whole, again)| {
        if whole <= seconds {
            return whole / seconds;
        }
        if again >= seconds {
            return f64::INFINITY;
        }
        let work = whole - again;
        let full = (work / (seconds - again)).floor();
        let rest = work - full * (seconds - again);
        full + if rest > 0.0 { (rest + again) / seconds } else { 0.0 }
    });
    places.sum()
}

fn mean(seconds: &[f64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "numbers of tests are small")]
    let count = seconds.len().max(1) as f64;
    seconds.iter().sum::<f64>() / count
}

/// Divides tests into bundles that share fixtures or, without fixtures, a file.
fn bundles<'a>(estimates: &'a Estimates, tests: &'a [Test]) -> impl Iterator<Item = &'a [Test]> {
    let forecast = estimates.forecast();
    let mut reach = 0;
    tests.chunk_by(move |one, other| {
        let fixtures = forecast.fixtures_of(*one).iter();
        reach = fixtures
            .map(|fixture| *estimates.span(*fixture).end())
            .fold(reach, Test::max);
        *other <= reach || forecast.file(*one) == forecast.file(*other)
    })
}

/// Cuts a bundle into pieces of equal length, where the repeated setup is cheapest.
fn cut_bundle(estimates: &Estimates, bundle: &[Test], share: f64) -> Vec<Piece> {
    let costs = costs_of_cuts(estimates, bundle);
    let setup = mean(&costs);
    if !bundle.iter().all(|test| estimates.knows_fixtures_of(*test)) {
        // It is split later, when the cost is known and a worker is idle.
        return vec![bundle.to_vec()];
    }
    let most = (share - setup).max(share / 2.0);
    let grain = (share / PIECES_PER_SHARE)
        .max(MIN_RATIO_TO_FIXTURES * setup)
        .min(most);
    let work: f64 = bundle.iter().map(|test| estimates.test(*test)).sum();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small positive number"
    )]
    let count = ((work / grain).round().max((work / most).ceil()) as usize).clamp(1, bundle.len());
    #[expect(clippy::cast_precision_loss, reason = "numbers of pieces are small")]
    let even = work / count as f64;
    let mut pieces = Vec::new();
    let (mut piece, mut filled) = (Piece::new(), 0.0);
    for (&test, cost) in bundle.iter().zip(std::iter::once(&0.0).chain(&costs)) {
        let seconds = estimates.test(test);
        // A cut that is cheaper than most may make a piece slightly short.
        let limit = if *cost < setup / 2.0 { even * 0.75 } else { even };
        if !piece.is_empty() && filled + seconds / 2.0 > limit {
            pieces.push(std::mem::take(&mut piece));
            filled = 0.0;
        }
        piece.push(test);
        filled += seconds;
    }
    pieces.push(piece);
    pieces
}

/// Setup time repeated if a bundle is cut after its first test, its second, and so on.
fn costs_of_cuts(estimates: &Estimates, bundle: &[Test]) -> Vec<f64> {
    let mut open: Vec<(Test, f64)> = Vec::new();
    let mut costs = Vec::new();
    let mut tests = bundle.iter().peekable();
    while let (Some(&test), Some(&&next)) = (tests.next(), tests.peek()) {
        for &fixture in estimates.forecast().fixtures_of(test) {
            let span = estimates.span(fixture);
            if *span.start() == test {
                open.push((*span.end(), estimates.fixture(fixture)));
            }
        }
        open.retain(|(end, _)| *end >= next);
        costs.push(open.iter().map(|(_, cost)| cost).sum());
    }
    costs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::forecast::Forecast;

    fn pieces(forecast: Forecast, workers: usize) -> Vec<Piece> {
        let tests: Vec<Test> = (0..).take(forecast.tests).collect();
        let mut pieces = cut(&Estimates::new(forecast), &tests, workers);
        pieces.reverse();
        pieces
    }

    fn known(seconds: &[f64]) -> Forecast {
        Forecast {
            seconds: seconds.iter().copied().map(Some).collect(),
            ..Forecast::unknown(seconds.len())
        }
    }

    #[test]
    fn a_long_test_is_a_separate_piece_and_comes_first() {
        let cut = pieces(known(&[1.0, 1.0, 1.0, 9.0, 1.0, 1.0]), 2);
        assert_eq!(cut[0], [3]);
        assert_eq!(cut.iter().map(Vec::len).sum::<usize>(), 6);
    }

    #[test]
    fn without_times_large_files_come_first_and_pieces_keep_to_one_file() {
        let forecast = Forecast {
            files: [vec![0; 2], vec![1; 90], vec![2; 4]].concat(),
            ..Forecast::unknown(96)
        };
        let cut = pieces(forecast.clone(), 4);
        assert!(cut.iter().all(|piece| {
            piece
                .iter()
                .all(|test| forecast.file(*test) == forecast.file(piece[0]))
        }));
        assert!(cut.is_sorted_by_key(|piece| std::cmp::Reverse(piece.len())));
        assert_eq!(cut[0], [0, 1]);
    }

    #[test]
    fn tests_that_failed_come_first() {
        let forecast = Forecast {
            failed: vec![false, false, true],
            files: vec![0, 1, 2],
            ..known(&[5.0, 3.0, 1.0])
        };
        assert_eq!(pieces(forecast, 2), [[2], [0], [1]]);
    }

    #[test]
    fn nothing_comes_between_failures_that_lead_the_collection() {
        let times = [1.0, 2.0, 5.0, 9.0];
        for choice in 0..times.len().pow(5) {
            let seconds: Vec<f64> = (0..5).map(|place| times[(choice >> (2 * place)) % 4]).collect();
            let forecast = Forecast {
                failed: vec![true, true, false, false, false],
                ..known(&seconds)
            };
            let order = pieces(forecast, 1).concat();
            let mut first = order[..2].to_vec();
            first.sort_unstable();
            assert_eq!(first, [0, 1], "{seconds:?}: {order:?}");
        }
    }

    #[test]
    fn tests_with_a_costly_fixture_stay_together_until_they_outweigh_a_share() {
        // The suite of the comparison benchmark: 200 tests of 0.05 s in one module, 180 in 15 more, fixtures of 1 s, 4
        // workers.
        let sizes = [&[200][..], &[12, 8, 16, 4, 20].repeat(3)].concat();
        let files: Vec<u32> = sizes
            .iter()
            .zip(0..)
            .flat_map(|(size, file)| vec![file; *size])
            .collect();
        let forecast = Forecast {
            fixtures: files.iter().map(|file| vec![*file]).collect(),
            kinds: (0..16).collect(),
            setup_seconds: vec![Some(1.0); 16],
            files,
            ..known(&[0.05; 380])
        };
        let cut = pieces(forecast, 4);
        assert_eq!(
            cut.iter().map(Vec::len).take(3).collect::<Vec<_>>(),
            [100, 100, 20]
        );
        assert_eq!(cut.len(), 17);
    }

    #[test]
    fn a_share_includes_repeated_setups() {
        // Four groups of 80 tests of 0.1 s with a fixture of 3 s: with 16 workers, four per group, which set it up and
        // run 20 tests.
        let files: Vec<u32> = (0..320).map(|test| test / 80).collect();
        let forecast = Forecast {
            fixtures: files.iter().map(|file| vec![*file]).collect(),
            kinds: (0..4).collect(),
            setup_seconds: vec![Some(3.0); 4],
            files,
            ..known(&[0.1; 320])
        };
        assert!(pieces(forecast.clone(), 16).iter().all(|piece| piece.len() == 20));
        let estimates = Estimates::new(forecast);
        let tests: Vec<Test> = (0..320).collect();
        for (workers, seconds) in [(1, 44.0), (2, 22.0), (4, 11.0), (8, 7.0), (16, 5.0), (320, 3.1)] {
            let found = share(&estimates, &tests, workers);
            assert!((found - seconds).abs() < 0.05, "{found} with {workers}");
        }
    }

    #[test]
    fn no_tests_have_no_pieces() {
        assert!(pieces(Forecast::unknown(0), 4).is_empty());
    }
}
