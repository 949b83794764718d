//! Runs each suite under every policy and records how far from the lower bound each run ended.

use rustpar::schedule::policy::Worker;

use super::bound::lower_bound;
use super::suite::Suite;
use super::xdist::{self, Scheduler};
use super::{engine, policies};

/// rustpar's policies, with the titles of their columns.
pub(crate) const RUSTPAR: [(&str, policies::Make); 5] = [
    ("load", policies::load),
    ("+history", policies::load_with_history),
    ("duration", policies::longest_first),
    ("worksteal", policies::worksteal),
    ("loadscope", policies::loadscope),
];

/// Number of rustpar's policies, from the first on, that are compared with each of xdist's.
pub(crate) const COMPARED: usize = 2;

type MakeXdist = fn(&Suite, Worker) -> Box<dyn Scheduler>;

/// xdist's schedulers.
pub(crate) const XDIST: [(&str, MakeXdist); 3] = [
    ("load", |suite, workers| {
        Box::new(xdist::load::Load::new(suite, workers))
    }),
    ("worksteal", |suite, workers| {
        Box::new(xdist::worksteal::WorkSteal::new(suite, workers))
    }),
    ("loadscope", |suite, workers| {
        Box::new(xdist::loadscope::LoadScope::new(suite, workers))
    }),
];

/// A difference of less than this fraction of the time is a tie.
const TIE: f64 = 0.001;

/// The results for the suites of one family.
#[derive(Default)]
pub(crate) struct Contest {
    /// Makespan over lower bound of each suite, per policy: rustpar's, then xdist's.
    ratios: Vec<[f64; RUSTPAR.len() + XDIST.len()]>,
    /// Tests run after a later one of the collection, per 1,000 tests; for each suite and policy.
    steps_back: Vec<[f64; RUSTPAR.len() + XDIST.len()]>,
    /// Number of tests and of files of each suite.
    sizes: Vec<(usize, usize)>,
}

impl Contest {
    /// Runs the suite under every policy.
    pub(crate) fn run_suite(&mut self, suite: &Suite, workers: Worker) {
        let bound = lower_bound(suite, workers);
        let mut ratios = [0.0; RUSTPAR.len() + XDIST.len()];
        let mut steps_back = [0.0; RUSTPAR.len() + XDIST.len()];
        let rustpar = RUSTPAR
            .iter()
            .map(|(_, make)| engine::simulate(suite, workers, make(suite, workers).as_mut()));
        let xdist = XDIST
            .iter()
            .map(|(_, make)| xdist::simulate(suite, workers, make(suite, workers).as_mut()));
        for (place, outcome) in rustpar.chain(xdist).enumerate() {
            ratios[place] = outcome.took.as_secs_f64() / bound;
            #[expect(clippy::cast_precision_loss, reason = "suites are small")]
            let tests = suite.len() as f64;
            steps_back[place] = f64::from(outcome.steps_back) * 1000.0 / tests;
        }
        self.ratios.push(ratios);
        self.steps_back.push(steps_back);
        let mut files = suite.files.clone();
        files.sort_unstable();
        files.dedup();
        self.sizes.push((suite.len(), files.len()));
    }

    /// Appends the results for other suites.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.ratios.append(&mut other.ratios);
        self.steps_back.append(&mut other.steps_back);
        self.sizes.append(&mut other.sizes);
    }

    /// Number of suites.
    pub(crate) fn suites(&self) -> usize {
        self.ratios.len()
    }

    /// The smallest and the largest number of tests, and of files, of a suite.
    pub(crate) fn sizes(&self) -> [(usize, usize); 2] {
        [|size: &(usize, usize)| size.0, |size: &(usize, usize)| size.1].map(|part| {
            let least = self.sizes.iter().map(part).min();
            let most = self.sizes.iter().map(part).max();
            (least.unwrap_or(0), most.unwrap_or(0))
        })
    }

    /// For each policy, the ratio not exceeded by this percentage of the suites.
    pub(crate) fn percentiles(&self, percent: usize) -> Vec<f64> {
        let policies = 0..RUSTPAR.len() + XDIST.len();
        let of_policy = |policy: usize| {
            let mut ratios: Vec<f64> = self.ratios.iter().map(|ratios| ratios[policy]).collect();
            ratios.sort_by(f64::total_cmp);
            let rank = (ratios.len() * percent).div_ceil(100).max(1);
            ratios.get(rank - 1).copied().unwrap_or(f64::NAN)
        };
        policies.map(of_policy).collect()
    }

    /// For each policy, the mean number of tests per 1,000 that run in a worker after a later test of the collection.
    pub(crate) fn steps_back(&self) -> Vec<f64> {
        #[expect(clippy::cast_precision_loss, reason = "suites are few")]
        let suites = self.suites().max(1) as f64;
        let policies = 0..RUSTPAR.len() + XDIST.len();
        policies
            .map(|policy| self.steps_back.iter().map(|steps| steps[policy]).sum::<f64>() / suites)
            .collect()
    }

    /// The percentages of suites that one of rustpar's policies finishes earlier and later than one of xdist's.
    pub(crate) fn earlier_and_later(&self, rustpar: usize, xdist: usize) -> (usize, usize) {
        let pairs = self
            .ratios
            .iter()
            .map(|ratios| (ratios[rustpar], ratios[RUSTPAR.len() + xdist]));
        let earlier = pairs
            .clone()
            .filter(|(ours, theirs)| *ours < theirs * (1.0 - TIE));
        let later = pairs
            .clone()
            .filter(|(ours, theirs)| *ours > theirs * (1.0 + TIE));
        let percent = |count: usize| (count * 100 + self.suites() / 2) / self.suites().max(1);
        (percent(earlier.count()), percent(later.count()))
    }
}
