//! The lower bound of a run's duration, given the durations of its tests, and what limits it.
//!
//! [`crate::schedule::lower_bound`] computes it for a plan from expected durations; this one uses measured durations.
//!
//! The hazard it handles: a bound that is too high hides possible savings. A shared fixture that several workers set up
//! would be set up once by a plan that keeps its tests together. So only the worker that spent most time on it counts.

use super::usage;
use crate::journal::Micros;
use crate::journal::event::Test;
use crate::journal::run::{Attempt, Run};
use crate::schedule::policies::scope::{file_key, scope_key};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What limits a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Limit {
    /// The total work, split evenly.
    #[default]
    Work,
    /// The duration of a single test.
    Test(Test),
    /// The duration of tests that must stay on one worker.
    Group {
        /// The group, class or file.
        name: String,
        /// How many tests.
        tests: usize,
    },
    /// This number of tests ran serially.
    Serial(usize),
}

/// The duration of a run and its lower bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bound {
    /// Time from the first test to the last.
    pub took: Micros,
    /// The lower bound.
    pub least: Micros,
    /// The total work split evenly.
    pub even: Micros,
    /// Number of workers used for the even split.
    pub workers: usize,
    /// What determines `least`.
    pub limit: Limit,
}

impl Bound {
    /// Computes the bound of a run.
    #[must_use]
    pub fn new(run: &Run) -> Self {
        let window = usage::window(run);
        let workers = workers(run);
        let work = work(run);
        let even = work / workers as Micros;
        let mut bound = Self {
            took: window.end - window.start,
            least: even,
            even,
            workers,
            limit: Limit::Work,
        };
        let serial: HashSet<Test> = run.collected.serial.iter().copied().collect();
        let alone = run.attempts.iter().filter(|one| serial.contains(&one.test));
        let alone: Micros = alone.map(Attempt::own).sum();
        let around = alone + work.saturating_sub(alone) / workers as Micros;
        if alone > 0 {
            bound.raise(around, || Limit::Serial(serial.len()));
        }
        if let Some((whole, took)) = longest_unit(run) {
            bound.raise(took, || whole.limit());
        }
        bound
    }

    fn raise(&mut self, least: Micros, limit: impl FnOnce() -> Limit) {
        if least > self.least {
            (self.least, self.limit) = (least, limit());
        }
    }
}

/// Number of concurrent workers.
fn workers(run: &Run) -> usize {
    let seen = || run.processes.iter().filter(|process| process.number.is_some());
    let workers = run
        .start
        .as_ref()
        .map_or_else(|| seen().count(), |start| start.workers);
    workers.max(1)
}

/// The total work.
fn work(run: &Run) -> Micros {
    if run.dist() == "each" {
        return run.attempts.iter().map(Attempt::took).sum();
    }
    let mut spent: HashMap<(&str, usize), Micros> = HashMap::new();
    for fixture in &run.fixtures {
        *spent.entry((&fixture.key, fixture.process)).or_default() += fixture.took;
    }
    let mut most: HashMap<&str, Micros> = HashMap::new();
    for ((key, _), took) in spent {
        let most = most.entry(key).or_default();
        *most = took.max(*most);
    }
    let own: Micros = run.attempts.iter().map(Attempt::own).sum();
    own + most.values().sum::<Micros>()
}

/// A unit of tests that must run on one worker one after the other.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Group(&'a str),
    Test(Test),
    /// With `--dist each`: a test in one process.
    Each(Test, usize),
}

struct Unit<'a> {
    key: Key<'a>,
    tests: Vec<Test>,
}

impl Unit<'_> {
    fn limit(&self) -> Limit {
        match self.key {
            Key::Group(name) if self.tests.len() > 1 => Limit::Group {
                name: name.to_owned(),
                tests: self.tests.len(),
            },
            _ => Limit::Test(self.tests[0]),
        }
    }
}

/// The unit with the longest total duration, counting all attempts of its tests.
fn longest_unit(run: &Run) -> Option<(Unit<'_>, Micros)> {
    let dist = run.dist();
    let mut units: BTreeMap<Key<'_>, (Vec<Test>, Micros)> = BTreeMap::new();
    for attempt in &run.attempts {
        let (tests, took) = units.entry(key(run, dist, attempt)).or_default();
        tests.push(attempt.test);
        *took += attempt.took();
    }
    let longest_unit = units.into_iter().max_by_key(|(_, (_, took))| *took);
    longest_unit.map(|(key, (mut tests, took))| {
        tests.sort_unstable();
        tests.dedup();
        (Unit { key, tests }, took)
    })
}

fn key<'a>(run: &'a Run, dist: &str, attempt: &Attempt) -> Key<'a> {
    let test = attempt.test;
    let group = match dist {
        "each" => return Key::Each(test, attempt.process),
        "loadfile" => Some(file_key(run.id(test))),
        "loadscope" => Some(scope_key(run.id(test))),
        "loadgroup" => run.collected.groups.get(test as usize).and_then(Option::as_deref),
        _ => None,
    };
    group.map_or(Key::Test(test), Key::Group)
}
