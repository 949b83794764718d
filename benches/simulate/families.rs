//! Families of random suites, each modelling one property of real suites. A family must not be removed because a policy
//! performs badly on it.
//!
//! The hazard it handles: a suite that pytest cannot collect. An instance of class, module or package scope is used by
//! every test of its class, module or package, like an `autouse` fixture, so that it does not matter how long pytest
//! keeps it; tests with session parameters are in the order in which pytest sorts them.

use super::dice::Dice;
use super::suite::{Builder, Suite};

/// Makes one suite.
pub(crate) type Family = fn(&mut Dice) -> Suite;

/// All families, with their names.
pub(crate) const FAMILIES: [(&str, Family); 12] = [
    ("uniform", uniform),
    ("lognormal", lognormal),
    ("pareto", pareto),
    ("skewed", skewed),
    ("trivial", trivial),
    ("long-last", long_last),
    ("one-very-long", one_very_long),
    ("modules", modules),
    ("fixtures", fixtures),
    ("nested", nested),
    ("parameters", parameters),
    ("cheap-fixtures", cheap_fixtures),
];

/// Minimum duration of a test in seconds: pytest's own overhead.
const MIN_SECONDS: f64 = 0.0002;

/// Tests with these durations and no fixtures, in files of different sizes.
fn plain(dice: &mut Dice, seconds: impl IntoIterator<Item = f64>) -> Suite {
    let mut suite = Builder::default();
    let mut left = 0;
    for seconds in seconds {
        if left == 0 {
            suite.file();
            left = dice.integer(1, 40);
        }
        left -= 1;
        suite.test(seconds.max(MIN_SECONDS), &[]);
    }
    suite.done()
}

/// A random number of tests of a suite.
fn size(dice: &mut Dice) -> u32 {
    let exponent = dice.integer(0, 5);
    dice.integer(30 << exponent, 60 << exponent)
}

/// Durations uniformly distributed between zero and twice the mean.
fn uniform(dice: &mut Dice) -> Suite {
    let mean = dice.magnitude(0.005, 0.5);
    let seconds: Vec<f64> = (0..size(dice)).map(|_| dice.between(0.0, 2.0 * mean)).collect();
    plain(dice, seconds)
}

/// The most common shape of recorded suites: a few tests take most of the time, and slow tests share files.
fn lognormal(dice: &mut Dice) -> Suite {
    let (median, tests) = (dice.magnitude(0.002, 0.1), size(dice));
    let mut seconds = Vec::new();
    while seconds.len() < tests as usize {
        let of_file = dice.lognormal(median, 1.0);
        seconds.extend((0..dice.integer(1, 40)).map(|_| dice.lognormal(of_file, 1.0)));
    }
    plain(dice, seconds)
}

/// A heavy tail: single tests may take as long as hundreds of others.
fn pareto(dice: &mut Dice) -> Suite {
    let (least, shape) = (dice.magnitude(0.002, 0.05), dice.between(1.1, 1.8));
    let seconds: Vec<f64> = (0..size(dice))
        .map(|_| dice.pareto(least, shape).min(60.0))
        .collect();
    plain(dice, seconds)
}

/// The row "skewed" of `benches/compare`: 120 s in all, the longest 3 s, shuffled.
fn skewed(dice: &mut Dice) -> Suite {
    let shape = [(2, 3.0), (10, 1.5), (60, 0.5), (690, 0.1)];
    let mut seconds: Vec<f64> = shape
        .into_iter()
        .flat_map(|(count, seconds)| std::iter::repeat_n(seconds, count))
        .collect();
    dice.shuffle(&mut seconds);
    plain(dice, seconds)
}

/// The rows "trivial" of `benches/compare`: 10,000 tests that do nearly nothing.
fn trivial(dice: &mut Dice) -> Suite {
    plain(dice, std::iter::repeat_n(MIN_SECONDS, 10_000))
}

/// The slow tests, 1 to 10 in 100, are collected last, as from `test_zz_end_to_end.py`.
fn long_last(dice: &mut Dice) -> Suite {
    let (tests, mean) = (size(dice), dice.magnitude(0.005, 0.1));
    let slow = (tests * dice.integer(1, 10) / 100).max(2);
    let factor = dice.magnitude(5.0, 100.0);
    let seconds: Vec<f64> = (0..tests)
        .map(|test| {
            let mean = if test + slow < tests { mean } else { mean * factor };
            dice.between(0.5 * mean, 1.5 * mean)
        })
        .collect();
    plain(dice, seconds)
}

/// One test takes between 5 and 30 percent of the total time, at any position.
fn one_very_long(dice: &mut Dice) -> Suite {
    let (tests, mean) = (size(dice), dice.magnitude(0.005, 0.2));
    let mut seconds: Vec<f64> = (0..tests).map(|_| dice.between(0.0, 2.0 * mean)).collect();
    let place = dice.integer(0, tests - 1);
    seconds[place as usize] = mean * f64::from(tests) * dice.between(0.05, 0.43);
    plain(dice, seconds)
}

/// Many modules, each with an instance of one fixture, which takes about as long as the module's tests.
fn modules(dice: &mut Dice) -> Suite {
    let mut suite = Builder::default();
    let (setup, median) = (dice.magnitude(0.1, 2.0), dice.magnitude(0.01, 0.1));
    let kind = suite.definition(setup);
    for _ in 0..dice.integer(10, 60) {
        suite.file();
        let instance = suite.instance(kind);
        for _ in 0..dice.integer(4, 40) {
            suite.test(dice.lognormal(median, 0.7).max(MIN_SECONDS), &[instance]);
        }
    }
    suite.done()
}

/// Like the row "fixtures" of `benches/compare`: few modules, each with an expensive fixture; one of them has about
/// half of all tests.
pub(crate) fn fixtures(dice: &mut Dice) -> Suite {
    let mut suite = Builder::default();
    let (setup, seconds) = (dice.magnitude(0.4, 2.5), dice.magnitude(0.02, 0.12));
    let mut modules: Vec<u32> = (0..dice.integer(4, 20)).map(|_| dice.integer(4, 20)).collect();
    modules.push(dice.integer(100, 300));
    dice.shuffle(&mut modules);
    for tests in modules {
        suite.file();
        let kind = suite.definition(setup * dice.between(0.8, 1.25));
        let instance = suite.instance(kind);
        for _ in 0..tests {
            suite.test(seconds * dice.between(0.8, 1.25), &[instance]);
        }
    }
    suite.done()
}

/// Packages, modules in them and classes in these, each with a fixture of its scope.
fn nested(dice: &mut Dice) -> Suite {
    let mut suite = Builder::default();
    let of_package = suite.definition(dice.magnitude(1.0, 5.0));
    let of_module = suite.definition(dice.magnitude(0.2, 1.0));
    let of_class = suite.definition(dice.magnitude(0.05, 0.3));
    let median = dice.magnitude(0.02, 0.2);
    for _ in 0..dice.integer(2, 6) {
        let package = suite.instance(of_package);
        for _ in 0..dice.integer(2, 8) {
            suite.file();
            let module = suite.instance(of_module);
            for _ in 0..dice.integer(1, 5) {
                suite.class();
                let class = suite.instance(of_class);
                for _ in 0..dice.integer(2, 12) {
                    let seconds = dice.lognormal(median, 0.7).max(MIN_SECONDS);
                    suite.test(seconds, &[package, module, class]);
                }
            }
        }
    }
    suite.done()
}

/// A session fixture with parameters. pytest sorts by parameter first, so that files recur.
fn parameters(dice: &mut Dice) -> Suite {
    let mut suite = Builder::default();
    let kind = suite.definition(dice.magnitude(0.5, 5.0));
    let median = dice.magnitude(0.01, 0.2);
    let files: Vec<u32> = (0..dice.integer(2, 15)).map(|_| dice.integer(3, 30)).collect();
    for _ in 0..dice.integer(2, 6) {
        let parameter = suite.instance(kind);
        for (file, tests) in (0..).zip(&files) {
            for _ in 0..*tests {
                suite.place(
                    dice.lognormal(median, 0.7).max(MIN_SECONDS),
                    file,
                    file,
                    &[parameter],
                );
            }
        }
    }
    suite.done()
}

/// Many module and class fixtures that take less time than most tests: keeping their tests together is hardly worth it.
fn cheap_fixtures(dice: &mut Dice) -> Suite {
    let mut suite = Builder::default();
    let kinds: Vec<u32> = (0..8)
        .map(|_| suite.definition(dice.magnitude(0.001, 0.02)))
        .collect();
    let median = dice.magnitude(0.005, 0.05);
    for _ in 0..dice.integer(20, 100) {
        suite.file();
        let first = dice.integer(0, 4) as usize;
        let used = &kinds[first..first + dice.integer(1, 3) as usize];
        let of_module: Vec<u32> = used.iter().map(|&kind| suite.instance(kind)).collect();
        for _ in 0..dice.integer(1, 4) {
            suite.class();
            let mut needs = of_module.clone();
            needs.push(suite.instance(kinds[7]));
            for _ in 0..dice.integer(2, 12) {
                suite.test(dice.lognormal(median, 1.0).max(MIN_SECONDS), &needs);
            }
        }
    }
    suite.done()
}
