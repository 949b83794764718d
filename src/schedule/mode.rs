//! Creating a policy from the distribution mode, the forecast and the constraints.

use crate::schedule::constraints::director::{Class, Director, Job, Remaining};
use crate::schedule::constraints::needs::Needs;
use crate::schedule::forecast::{Estimates, Forecast};
use crate::schedule::policies::each::Each;
use crate::schedule::policies::load::{Load, Plan};
use crate::schedule::policies::units::Units;
use crate::schedule::policies::worksteal::WorkSteal;
use crate::schedule::policy::{Policy, Test, collection};
use crate::schedule::repeats::Repeats;
use crate::schedule::retries::{Retries, RetryBy, RetryRules};
use std::collections::BTreeMap;

/// A value of `--dist`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dist {
    /// `load`.
    Load,
    /// `worksteal`.
    WorkSteal,
    /// `loadscope`.
    LoadScope,
    /// `loadfile`.
    LoadFile,
    /// `loadgroup`.
    LoadGroup,
    /// `each`.
    Each,
}

impl Dist {
    /// Each value, with its name and the name of xdist's scheduler class.
    const NAMES: [(Self, &str, &str); 6] = [
        (Self::Load, "load", "LoadScheduling"),
        (Self::WorkSteal, "worksteal", "WorkStealingScheduling"),
        (Self::LoadScope, "loadscope", "LoadScopeScheduling"),
        (Self::LoadFile, "loadfile", "LoadFileScheduling"),
        (Self::LoadGroup, "loadgroup", "LoadGroupScheduling"),
        (Self::Each, "each", "EachScheduling"),
    ];

    /// The value of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(_, known, _)| *known == name);
        found.map(|(dist, ..)| *dist)
    }

    /// The name of xdist's scheduler class, shown with `-v`.
    #[must_use]
    pub fn scheduler_name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(dist, ..)| *dist == self);
        found.map_or("", |(.., scheduler)| scheduler)
    }

    /// How many of `asked` workers it can use: at most one per test, except for `each`.
    #[must_use]
    pub fn workers_needed(self, asked: usize, tests: usize) -> usize {
        match self {
            Self::Each => asked,
            _ => asked.min(tests).max(1),
        }
    }
}

/// A distribution mode.
#[derive(Debug, Clone)]
pub enum Mode {
    /// `--dist load`, with `--maxschedchunk` and `--rustpar-plan`.
    Load {
        /// Maximum number of tests assigned to a worker at a time.
        max_chunk: Option<usize>,
        /// Which piece is assigned next.
        plan: Plan,
    },
    /// `--dist worksteal`.
    WorkSteal,
    /// `--dist loadscope`, `loadfile` and `loadgroup`.
    Units {
        /// The unit number of each test.
        keys: Vec<u32>,
        /// Whether the units with most tests come first.
        reorder: bool,
    },
    /// `--dist each`.
    Each,
}

impl Mode {
    /// `--dist load` with default options.
    #[must_use]
    pub const fn load() -> Self {
        Self::Load {
            max_chunk: None,
            plan: Plan::Collection,
        }
    }

    /// The same mode with the longest tests first, if this mode keeps the collection order and supports the other.
    #[must_use]
    pub const fn by_duration(&self) -> Option<Self> {
        match *self {
            Self::Load {
                max_chunk,
                plan: Plan::Collection,
            } => Some(Self::Load {
                max_chunk,
                plan: Plan::Duration,
            }),
            _ => None,
        }
    }
}

/// The constraints of the tests, independent of the mode. Empty vectors mean "none".
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The order class of each test: lower classes are assigned first.
    pub classes: Vec<u32>,
    /// The resources that each test needs.
    pub needs: Vec<Needs>,
    /// The number of places of each resource.
    pub places: Vec<u32>,
}

impl Rules {
    /// The order class of a test.
    pub(super) fn class(&self, test: Test) -> u32 {
        self.classes.get(test as usize).copied().unwrap_or_default()
    }

    /// The constraints of a test, if any.
    pub(super) fn needs(&self, test: Test) -> Option<&Needs> {
        self.needs.get(test as usize).filter(|needs| !needs.is_empty())
    }
}

/// Creates the policy for a run on (about) `workers` workers.
#[must_use]
pub fn policy(mode: &Mode, forecast: Forecast, rules: &Rules, workers: usize) -> Box<dyn Policy> {
    let tests = forecast.tests;
    // A single worker runs one test at a time, so that constraints have no effect.
    let alone = Rules {
        classes: rules.classes.clone(),
        ..Rules::default()
    };
    let rules = if workers == 1 && !is_by_duration(mode) {
        &alone
    } else {
        rules
    };
    if are_free(rules) {
        let all: Vec<Test> = collection(tests).collect();
        return simple(mode, forecast, &all, workers);
    }
    let mut classes: BTreeMap<u32, (Vec<Test>, Vec<Job>)> = BTreeMap::new();
    for test in collection(tests) {
        classes.entry(rules.class(test)).or_default().0.push(test);
    }
    for (tests, jobs) in classes.values_mut() {
        *jobs = jobs_of(mode, tests, rules);
        if !keeps_order(mode) {
            most_urgent_first(jobs, &forecast, &rules.places);
        }
        let mut taken: Vec<Test> = jobs.iter().flat_map(|job| &job.tests).copied().collect();
        taken.sort_unstable();
        tests.retain(|test| taken.binary_search(test).is_err());
    }
    let classes = classes
        .into_values()
        .map(|(tests, jobs)| Class {
            policy: simple(mode, select(&forecast, &tests, &jobs), &tests, workers),
            tests,
            jobs,
        })
        .collect();
    let places = rules.places.clone();
    Box::new(match mode {
        Mode::Each => Director::each(classes, places, workers),
        _ if keeps_order(mode) => {
            let estimates = Estimates::new(forecast);
            let seconds = collection(tests).map(|test| estimates.test(test)).collect();
            Director::in_order(classes, places, Remaining::new(seconds, workers))
        }
        _ => Director::new(classes, places),
    })
}

/// Adds retries of failed tests to a run's policy, which [`policy`] has created. `last` says whether they come after all
/// other tests. With `each`, tests are not tried again
/// by other workers.
#[must_use]
pub fn with_retries(policy: Box<dyn Policy>, mode: &Mode, rules: &Rules, last: bool) -> Box<dyn Policy> {
    let by = match mode {
        Mode::Each => return policy,
        Mode::Units { .. } => RetryBy::Same,
        Mode::Load { .. } | Mode::WorkSteal if are_free(rules) => RetryBy::Another,
        Mode::Load { .. } | Mode::WorkSteal => RetryBy::Policy,
    };
    Box::new(Retries::new(policy, RetryRules { last, by }))
}

/// Creates the policy for a run that repeats all tests so many `times`, or with `None` until it is stopped.
#[must_use]
pub fn with_repeats(
    mode: &Mode,
    forecast: &Forecast,
    rules: &Rules,
    workers: usize,
    times: Option<usize>,
) -> Box<dyn Policy> {
    let in_turns = !are_free(rules);
    let (mode, forecast, rules) = (mode.clone(), forecast.clone(), rules.clone());
    let make = move || policy(&mode, forecast.clone(), &rules, workers);
    Box::new(Repeats::new(Box::new(make), times, in_turns))
}

/// Whether no test has constraints.
fn are_free(rules: &Rules) -> bool {
    let first = rules.classes.first();
    rules.classes.iter().all(|class| Some(class) == first) && rules.needs.iter().all(Needs::is_empty)
}

/// Whether jobs keep their position in the collection.
fn keeps_order(mode: &Mode) -> bool {
    matches!(
        mode,
        Mode::Load {
            plan: Plan::Collection,
            ..
        }
    )
}

fn is_by_duration(mode: &Mode) -> bool {
    matches!(
        mode,
        Mode::Load {
            plan: Plan::Duration,
            ..
        }
    )
}

/// The forecast for these tests, which are renumbered, with the positions of jobs between them.
fn select(forecast: &Forecast, tests: &[Test], jobs: &[Job]) -> Forecast {
    let mut firsts: Vec<Test> = jobs.iter().filter_map(|job| job.tests.first().copied()).collect();
    firsts.sort_unstable();
    let jobs_before = |test: Test| firsts.partition_point(|first| *first < test);
    let pairs = tests.iter().zip(tests.iter().skip(1)).zip(1..);
    let cuts = pairs.filter(|((one, next), _)| jobs_before(**one) < jobs_before(**next));
    Forecast {
        cuts: cuts.map(|(_, number)| number).collect(),
        ..forecast.select(tests)
    }
}

/// Creates the mode's policy for these tests, without constraints.
fn simple(mode: &Mode, forecast: Forecast, tests: &[Test], workers: usize) -> Box<dyn Policy> {
    match mode {
        Mode::Load { max_chunk, plan } => Box::new(Load::new(forecast, workers, *max_chunk, *plan)),
        Mode::WorkSteal => Box::new(WorkSteal::new(tests.len(), workers)),
        Mode::Units { keys, reorder } => {
            let keys = tests.iter().map(|test| keys[*test as usize]).collect();
            Box::new(Units::new(keys, workers, *reorder))
        }
        Mode::Each => Box::new(Each::new(tests.len(), workers)),
    }
}

/// The tests with constraints, as jobs. If a test of a unit has constraints, the whole unit becomes a job with the
/// combined constraints of its tests, because it must stay on one worker.
fn jobs_of(mode: &Mode, tests: &[Test], rules: &Rules) -> Vec<Job> {
    let mut units: BTreeMap<u32, Job> = BTreeMap::new();
    for &test in tests {
        let key = match mode {
            Mode::Units { keys, .. } => keys[test as usize],
            _ => test,
        };
        let job = units.entry(key).or_insert_with(|| Job {
            tests: Vec::new(),
            needs: Needs::default(),
        });
        job.tests.push(test);
        if let Some(needs) = rules.needs(test) {
            job.needs = job.needs.union(needs);
        }
    }
    let mut jobs: Vec<Job> = units.into_values().filter(|job| !job.needs.is_empty()).collect();
    jobs.sort_by_key(|job| job.tests.first().copied());
    jobs
}

/// Sorts the jobs by the time for which their resource will be occupied, longest first: nothing else can shorten that
/// time.
fn most_urgent_first(jobs: &mut [Job], forecast: &Forecast, places: &[u32]) {
    let mut busy = vec![0.0; places.len()];
    for job in jobs.iter() {
        let seconds: f64 = job
            .tests
            .iter()
            .map(|test| forecast.seconds_of(*test).unwrap_or(1.0))
            .sum();
        for &(resource, _) in &job.needs.holds {
            let resource = resource as usize;
            busy[resource] += seconds / f64::from(places[resource].max(1));
        }
    }
    let urgency = |job: &Job| {
        let busy = job
            .needs
            .holds
            .iter()
            .map(|(resource, _)| busy[*resource as usize]);
        busy.fold(0.0, f64::max)
    };
    jobs.sort_by(|one, other| urgency(other).total_cmp(&urgency(one)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_for_one_mode() {
        for (dist, name, scheduler) in Dist::NAMES {
            assert_eq!(Dist::from_name(name), Some(dist));
            assert_eq!(dist.scheduler_name(), scheduler);
        }
        assert_eq!(Dist::from_name("no"), None);
    }

    #[test]
    fn only_each_uses_more_workers_than_tests() {
        assert_eq!(
            [0, 2, 9].map(|tests| Dist::Load.workers_needed(4, tests)),
            [1, 2, 4]
        );
        assert_eq!(
            [0, 2, 9].map(|tests| Dist::Each.workers_needed(4, tests)),
            [4, 4, 4]
        );
    }
}
