//! A lower bound of every schedule: the largest of three bounds, all of them cheap to compute:
//!
//! - **the longest test** with all its fixtures;
//! - **the pigeon hole**: of the `k * workers + 1` longest tests, some worker runs `k + 1`, and these take at least
//!   as long as the `k + 1` shortest of them (it matters with few equal tests, for which `total / workers` is too
//!   good to be true);
//! - **the area**: everything that is run and set up must fit into `workers * time`. How often must an instance be
//!   set up at least? In `time`, a worker that sets it up has `time - set-up` left for the tests that need it, so
//!   they spread over at least `work / (time - set-up)` workers. The shorter the time, the more often everything is
//!   set up: the bound is the shortest time at which the area fits. With each instance once it is
//!   `total / workers`.

use super::suite::Suite;

/// Steps of the binary search for the shortest time: 2^-40 of the time is far below the precision of the table.
const HALVINGS: usize = 40;

/// Lower bound for a run on `workers` workers, in seconds.
pub(crate) fn lower_bound(suite: &Suite, workers: u32) -> f64 {
    let longest = (0..).take(suite.len()).map(|test| {
        let setups = suite.needs(test).iter().map(|&instance| suite.setup(instance));
        suite.seconds[test as usize] + setups.sum::<f64>()
    });
    let least = longest.fold(pigeon_hole(&suite.seconds, workers as usize), f64::max);
    Area::of(suite, workers).shortest(least)
}

/// The pigeonhole bound described above.
fn pigeon_hole(seconds: &[f64], workers: usize) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(|one, other| other.total_cmp(one));
    let mut bound = 0.0_f64;
    let mut pigeons = workers + 1;
    let mut holes = 1;
    // Long sums are no better than the area bound, and would take quadratic time.
    while pigeons <= sorted.len() && holes <= 32 {
        bound = bound.max(sorted[pigeons - holes - 1..pigeons].iter().sum());
        pigeons += workers;
        holes += 1;
    }
    bound
}

/// The work that must fit into `workers * time`.
struct Area {
    workers: f64,
    /// Seconds of all tests.
    tests: f64,
    instances: Vec<Instance>,
}

#[derive(Clone, Default)]
struct Instance {
    /// Seconds to set it up.
    setup: f64,
    /// Seconds that a worker has spent before its first test that needs it can start, `setup` included.
    before: f64,
    /// Seconds of the tests that need it, and of the instances inside it, each set up once.
    work: f64,
    /// The instances before it in every test that needs it. `None` until a test has been seen.
    outer: Option<Vec<u32>>,
}

impl Area {
    fn of(suite: &Suite, workers: u32) -> Self {
        let mut instances = vec![Instance::default(); suite.kinds.len()];
        for (test, seconds) in (0..).zip(&suite.seconds) {
            let needs = suite.needs(test);
            for (place, &instance) in needs.iter().enumerate() {
                let instance = &mut instances[instance as usize];
                instance.work += seconds;
                match &mut instance.outer {
                    None => instance.outer = Some(needs[..place].to_vec()),
                    Some(outer) => outer.retain(|other| needs[..place].contains(other)),
                }
            }
        }
        for number in (0..).take(instances.len()) {
            let setup = suite.setup(number);
            let outer = instances[number as usize].outer.clone().unwrap_or_default();
            let mut before = setup;
            for other in outer {
                before += suite.setup(other);
                instances[other as usize].work += setup;
            }
            let instance = &mut instances[number as usize];
            instance.setup = setup;
            instance.before = before;
        }
        instances.retain(|instance| instance.outer.is_some());
        Self {
            workers: f64::from(workers),
            tests: suite.seconds.iter().sum(),
            instances,
        }
    }

    /// Whether everything may fit if the run takes this long.
    fn fits(&self, time: f64) -> bool {
        let setups = self.instances.iter().map(|instance| {
            // The bound is at least a worker's longest test, so there is time left. The tolerance prevents rounding
            // from adding a worker to a whole quotient.
            let workers = instance.work / (time - instance.before).max(f64::MIN_POSITIVE) - 1e-9;
            instance.setup * workers.ceil().max(1.0)
        });
        self.tests + setups.sum::<f64>() <= self.workers * time * (1.0 + 1e-12)
    }

    /// The shortest time, at least `least`, into which everything may fit.
    fn shortest(&self, least: f64) -> f64 {
        if self.fits(least) {
            return least;
        }
        let (mut short, mut long) = (least, 2.0 * least);
        while !self.fits(long) {
            (short, long) = (long, 2.0 * long);
        }
        for _ in 0..HALVINGS {
            let middle = short.midpoint(long);
            if self.fits(middle) {
                long = middle;
            } else {
                short = middle;
            }
        }
        short
    }
}
