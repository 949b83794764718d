//! What a run could not be shorter than, by what its tests took, and what that is due to.
//!
//! [`crate::schedule::lower_bound`] tells it of a plan, by what is expected; this tells it of a run, by what was measured.
//!
//! The hazard it handles: a bound that is too high tells somebody that nothing is left to gain. A shared fixture that
//! several workers set up would be set up once by a plan that keeps its tests together. So of each only the worker counts
//! that spent most on it.

use super::usage;
use crate::journal::Micros;
use crate::journal::event::Test;
use crate::journal::run::{Attempt, Run};
use crate::schedule::policies::scope::{file_key, scope_key};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Why a run could not be shorter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Decider {
    /// The work as a whole, divided evenly.
    #[default]
    Work,
    /// This test alone takes as long.
    Test(Test),
    /// So do the tests that stay together.
    Group {
        /// The group, class or file.
        name: String,
        /// How many tests.
        tests: usize,
    },
    /// So many tests ran while no other did.
    Serial(usize),
}

/// How close a run came to the shortest that it could have been.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bound {
    /// How long tests ran.
    pub took: Micros,
    /// What that could not be less than.
    pub least: Micros,
    /// All the work, divided evenly.
    pub even: Micros,
    /// The workers that it was divided by.
    pub workers: usize,
    /// What `least` is due to.
    pub decider: Decider,
}

impl Bound {
    /// The bound of a run.
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
            decider: Decider::Work,
        };
        let serial: HashSet<Test> = run.collected.serial.iter().copied().collect();
        let alone = run.attempts.iter().filter(|one| serial.contains(&one.test));
        let alone: Micros = alone.map(Attempt::own).sum();
        let around = alone + work.saturating_sub(alone) / workers as Micros;
        if alone > 0 {
            bound.raise(around, || Decider::Serial(serial.len()));
        }
        if let Some((whole, took)) = longest(run) {
            bound.raise(took, || whole.decider());
        }
        bound
    }

    fn raise(&mut self, least: Micros, decider: impl FnOnce() -> Decider) {
        if least > self.least {
            (self.least, self.decider) = (least, decider());
        }
    }
}

/// How many workers there were at a time.
fn workers(run: &Run) -> usize {
    let seen = || run.processes.iter().filter(|process| process.number.is_some());
    let workers = run
        .start
        .as_ref()
        .map_or_else(|| seen().count(), |start| start.workers);
    workers.max(1)
}

/// All that there was to do.
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

/// What has to stay on one worker, one test after the other.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Group(&'a str),
    Test(Test),
    /// With `--dist each`: a test in a process.
    Each(Test, usize),
}

struct Whole<'a> {
    key: Key<'a>,
    tests: Vec<Test>,
}

impl Whole<'_> {
    fn decider(&self) -> Decider {
        match self.key {
            Key::Group(name) if self.tests.len() > 1 => Decider::Group {
                name: name.to_owned(),
                tests: self.tests.len(),
            },
            _ => Decider::Test(self.tests[0]),
        }
    }
}

/// What takes longest of all that has to stay together, all attempts of a test included.
fn longest(run: &Run) -> Option<(Whole<'_>, Micros)> {
    let dist = run.dist();
    let mut wholes: BTreeMap<Key<'_>, (Vec<Test>, Micros)> = BTreeMap::new();
    for attempt in &run.attempts {
        let (tests, took) = wholes.entry(key(run, dist, attempt)).or_default();
        tests.push(attempt.test);
        *took += attempt.took();
    }
    let longest = wholes.into_iter().max_by_key(|(_, (_, took))| *took);
    longest.map(|(key, (mut tests, took))| {
        tests.sort_unstable();
        tests.dedup();
        (Whole { key, tests }, took)
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
