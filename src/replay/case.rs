//! A failed test, and everything that may be the cause: what ran before it in its process, and what ran in others.

use super::failure::{Failure, Kind};
use super::order::{Step, others, steps};
use crate::journal::event::Worker;
use crate::journal::run::Run;
use crate::journal::{Micros, seconds};
use serde::Serialize;
use std::collections::HashSet;

/// A trial may take this many times as long as its tests took in the run, and this many seconds in addition: a machine
/// with other work, or with slower disks, must not end it.
const TIMES_RECORDED: f64 = 10.0;
const SECONDS_MORE: f64 = 10.0;

/// A test that ran in the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its node id.
    pub id: String,
    /// When it started.
    pub began: Micros,
    /// How long it took.
    pub took: Micros,
}

/// What one process ran, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The process.
    pub worker: Worker,
    /// The tests that ended before the failed test began, in their order.
    pub before: Vec<Ran>,
    /// The tests that ran at the same time; only the failed one in its own process.
    pub beside: Vec<Ran>,
}

/// How trials are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The test runs after others in one process.
    After,
    /// The test is repeated in one process while others are repeated in a second one.
    Beside,
    /// Every process runs what it ran, at the time at which it ran it.
    Whole,
}

/// A test that may be part of the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Element {
    lane: usize,
    is_before: bool,
    index: usize,
}

/// A failed test and what may be the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// How it failed.
    pub failure: Failure,
    /// The processes, that of the failed test first.
    pub lanes: Vec<Lane>,
}

/// What one process does in a trial.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialLane {
    /// The worker that it is; `None` for the main process.
    pub worker: Worker,
    /// The tests that it runs first.
    pub before: Vec<String>,
    /// The tests that it runs when all processes have run the former.
    pub tests: Vec<String>,
    /// Seconds that it waits in between.
    pub delay: f64,
}

/// A trial: processes that run tests at the same time. The first one runs the test in question, last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The processes.
    pub lanes: Vec<TrialLane>,
    /// Whether each process repeats its tests: the first until it fails, at least as long as the others need for one pass.
    pub repeat: bool,
    /// Seconds after which it is stopped.
    pub limit: f64,
    /// Seconds after its start after which the test in question is stopped.
    pub test_limit: Option<f64>,
}

impl Case {
    /// The case of a test that failed in a process of a run.
    #[must_use]
    pub fn new(run: &Run, process: usize, step: &Step, failure: Failure) -> Self {
        let ran = |step: &Step| Ran {
            id: run.id(step.test).to_owned(),
            began: step.began,
            took: step.took(),
        };
        let all = |steps: &[Step]| steps.iter().map(ran).collect();
        let own = steps(run, process);
        let before = own.iter().take_while(|other| other.test != step.test);
        let mut lanes = vec![Lane {
            worker: run.processes[process].number,
            before: before.map(ran).collect(),
            beside: vec![ran(step)],
        }];
        let others = others(run, process, step).into_iter();
        lanes.extend(others.map(|(other, before, beside)| Lane {
            worker: run.processes[other].number,
            before: all(&before),
            beside: all(&beside),
        }));
        Self { failure, lanes }
    }

    /// The failed test.
    #[must_use]
    pub fn test(&self) -> &Ran {
        &self.lanes[0].beside[0]
    }

    /// All tests that trials may run.
    pub fn tests(&self) -> impl Iterator<Item = &str> {
        let lanes = self.lanes.iter();
        let all = lanes.flat_map(|lane| lane.before.iter().chain(&lane.beside));
        all.map(|ran| &*ran.id)
    }

    /// Leaves out tests that no longer exist. The failed one is not among them.
    pub fn leave_out(&mut self, missing: &HashSet<String>) {
        for lane in &mut self.lanes {
            lane.before.retain(|ran| !missing.contains(&ran.id));
            lane.beside.retain(|ran| !missing.contains(&ran.id));
        }
        self.lanes.retain(|lane| !lane.beside.is_empty());
    }

    /// What may be the cause in a mode, in a fixed order.
    fn elements(&self, mode: Mode) -> Vec<Element> {
        let lanes = self.lanes.iter().enumerate();
        let all = lanes.flat_map(|(lane, tests)| {
            let element = move |is_before| {
                move |index| Element {
                    lane,
                    is_before,
                    index,
                }
            };
            let beside = if lane == 0 { 0 } else { tests.beside.len() };
            let before = (0..tests.before.len()).map(element(true));
            before.chain((0..beside).map(element(false)))
        });
        let is_in = |element: &Element| match mode {
            Mode::After => element.lane == 0,
            Mode::Beside => !element.is_before,
            Mode::Whole => true,
        };
        all.filter(is_in).collect()
    }

    /// How many tests may be the cause in a mode.
    #[must_use]
    pub fn count(&self, mode: Mode) -> usize {
        self.elements(mode).len()
    }

    /// The lanes with only the chosen elements of a mode.
    fn chosen(&self, mode: Mode, set: &[usize]) -> Vec<Lane> {
        let elements = self.elements(mode);
        let mut lanes: Vec<Lane> = self.lanes.clone();
        for lane in &mut lanes {
            lane.before.clear();
            lane.beside.clear();
        }
        lanes[0].beside.push(self.test().clone());
        for element in set.iter().map(|&index| elements[index]) {
            let (from, to) = (&self.lanes[element.lane], &mut lanes[element.lane]);
            if element.is_before {
                to.before.push(from.before[element.index].clone());
            } else {
                to.beside.push(from.beside[element.index].clone());
            }
        }
        lanes
    }

    /// The chosen elements of a mode: those that run before the test in its process, and those in other processes.
    #[must_use]
    pub fn named(&self, mode: Mode, set: &[usize]) -> (Vec<&str>, Vec<&str>) {
        let elements = self.elements(mode);
        let chosen = set.iter().map(|&index| elements[index]);
        let (own, other): (Vec<Element>, Vec<Element>) = chosen.partition(|element| element.lane == 0);
        let id = |element: Element| {
            let lane = &self.lanes[element.lane];
            let list = if element.is_before {
                &lane.before
            } else {
                &lane.beside
            };
            &*list[element.index].id
        };
        (
            own.into_iter().map(id).collect(),
            other.into_iter().map(id).collect(),
        )
    }

    /// The trial with the chosen elements of a mode; without any it runs the test alone.
    #[must_use]
    pub fn trial(&self, mode: Mode, set: &[usize]) -> Trial {
        let mut lanes = self.chosen(mode, set);
        let mut others = lanes.split_off(1);
        others.retain(|lane| !(lane.before.is_empty() && lane.beside.is_empty()));
        if mode == Mode::Beside && !others.is_empty() {
            others = vec![in_one(others)];
        }
        lanes.extend(others);
        let begins = lanes.iter().filter_map(|lane| lane.beside.first());
        let first = begins.map(|ran| ran.began).min().unwrap_or(0);
        let is_timed = mode == Mode::Whole;
        let longest = lanes.iter().map(Lane::took).max().unwrap_or(0);
        let ids = |list: &[Ran]| list.iter().map(|ran| ran.id.clone()).collect();
        let in_trial = lanes.iter().map(|lane| {
            let begin = lane.beside.first().map_or(first, |ran| ran.began);
            TrialLane {
                worker: lane.worker,
                before: ids(&lane.before),
                tests: ids(&lane.beside),
                delay: if is_timed { seconds(begin - first) } else { 0.0 },
            }
        });
        let repeat = mode == Mode::Beside && lanes.len() > 1;
        Trial {
            lanes: in_trial.collect(),
            repeat,
            limit: limit(longest + if repeat { self.test().took } else { 0 }),
            test_limit: (self.failure.kind == Kind::Timeout).then(|| seconds(self.test().took).max(0.1)),
        }
    }
}

impl Trial {
    /// The tests that it runs, each once, in order.
    pub fn tests(&self) -> impl Iterator<Item = &str> {
        let mut seen = HashSet::new();
        let all = self
            .lanes
            .iter()
            .flat_map(|lane| lane.before.iter().chain(&lane.tests));
        all.map(String::as_str).filter(move |id| seen.insert(*id))
    }
}

impl Lane {
    /// How long its tests took.
    fn took(&self) -> Micros {
        let all = self.before.iter().chain(&self.beside);
        all.map(|ran| ran.took).sum()
    }
}

/// The tests of several processes in one, in the order in which they started.
fn in_one(lanes: Vec<Lane>) -> Lane {
    let worker = lanes[0].worker;
    let mut beside: Vec<Ran> = lanes.into_iter().flat_map(|lane| lane.beside).collect();
    beside.sort_by_key(|ran| ran.began);
    let mut seen = HashSet::new();
    beside.retain(|ran| seen.insert(ran.id.clone()));
    Lane {
        worker,
        before: Vec::new(),
        beside,
    }
}

/// Seconds that a trial may take whose tests took this long in the run.
#[must_use]
pub fn limit(recorded: Micros) -> f64 {
    TIMES_RECORDED * seconds(recorded) + SECONDS_MORE
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// `t` failed on gw0 after `a0` … ; beside it ran `b1` on gw1 (after `b0`) and `c0`, `c1` on gw2.
    pub(in crate::replay) fn example(before: usize) -> Case {
        let ran = |id: &str, began| Ran {
            id: id.to_owned(),
            began,
            took: 500_000,
        };
        let lane = |number, before: Vec<Ran>, beside: Vec<Ran>| Lane {
            worker: Some(number),
            before,
            beside,
        };
        let own = (0..before).map(|index| ran(&format!("a{index}"), index as u64));
        Case {
            failure: Failure {
                kind: Kind::Call,
                message: "assert 0".to_owned(),
            },
            lanes: vec![
                lane(0, own.collect(), vec![ran("t", 9_000_000)]),
                lane(1, vec![ran("b0", 0)], vec![ran("b1", 9_200_000)]),
                lane(2, Vec::new(), vec![ran("c0", 8_750_000), ran("c1", 9_300_000)]),
            ],
        }
    }

    fn shown(trial: &Trial) -> Vec<String> {
        let lanes = trial.lanes.iter().map(|lane| {
            let (before, tests) = (lane.before.join(" "), lane.tests.join(" "));
            format!("{:?} +{} [{before}] {tests}", lane.worker, lane.delay)
        });
        lanes.collect()
    }

    #[test]
    fn a_trial_without_elements_runs_the_test_alone() {
        for mode in [Mode::After, Mode::Beside, Mode::Whole] {
            let trial = example(2).trial(mode, &[]);
            assert_eq!(shown(&trial), ["Some(0) +0 [] t"]);
            assert!(!trial.repeat);
        }
    }

    #[test]
    fn companions_run_in_one_process_and_are_repeated() {
        let trial = example(2).trial(Mode::Beside, &[0, 1]);
        assert_eq!(shown(&trial), ["Some(0) +0 [] t", "Some(1) +0 [] c0 b1"]);
        assert!(trial.repeat);
        assert!((trial.limit - 25.0).abs() < 1e-9);
    }

    #[test]
    fn all_processes_start_at_their_recorded_distance() {
        let case = example(2);
        let all: Vec<usize> = (0..case.count(Mode::Whole)).collect();
        assert_eq!(
            shown(&case.trial(Mode::Whole, &all)),
            [
                "Some(0) +0.25 [a0 a1] t",
                "Some(1) +0.45 [b0] b1",
                "Some(2) +0 [] c0 c1"
            ]
        );
        assert_eq!(case.named(Mode::Whole, &[1, 3]), (vec!["a1"], vec!["b1"]));
    }

    #[test]
    fn tests_that_no_longer_exist_are_left_out() {
        let mut case = example(2);
        case.leave_out(&["a0", "b1", "c1"].map(str::to_owned).into());
        assert_eq!(case.tests().collect::<Vec<_>>(), ["a1", "t", "c0"]);
    }
}
