//! What each process of a run ran, in which order, and what ran at the same time.
//!
//! The hazard it handles: a process can die in a test, before any phase of it was reported. Such a test comes last, and
//! lasts until the process was gone.

use crate::journal::Micros;
use crate::journal::event::Test;
use crate::journal::run::{Attempt, Run};
use std::collections::HashSet;

/// One test as a process ran it. A plugin may have rerun it: then this is the first attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its attempt, as an index into [`Run::attempts`].
    pub attempt: usize,
    /// The test.
    pub test: Test,
    /// When it started.
    pub began: Micros,
    /// When it ended.
    pub ended: Micros,
}

impl Step {
    /// How long it took.
    #[must_use]
    pub fn took(&self) -> Micros {
        self.ended.saturating_sub(self.began)
    }

    /// Whether both were running at some time.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.began < other.ended && other.began < self.ended
    }
}

/// The tests of a process (an index into [`Run::processes`]), in the order in which they started, each once.
#[must_use]
pub fn steps(run: &Run, process: usize) -> Vec<Step> {
    let attempts = run.attempts.iter().enumerate();
    let own = attempts.filter(|(_, attempt)| attempt.process == process);
    let (mut known, unknown): (Vec<_>, Vec<_>) = own.partition(|(_, attempt)| attempt.began().is_some());
    known.sort_by_key(|(_, attempt)| attempt.began());
    let mut found: Vec<Step> = Vec::new();
    let mut seen = HashSet::new();
    for (index, attempt) in known.into_iter().chain(unknown) {
        let end_of_last = found.iter().map(|step| step.ended).max();
        let came = run.processes[process].came;
        let began = attempt.began().or(end_of_last).or(came).unwrap_or(0);
        let step = Step {
            attempt: index,
            test: attempt.test,
            began,
            ended: ended(run, attempt).max(began),
        };
        if seen.insert(attempt.test) {
            found.push(step);
        }
    }
    found
}

/// When an attempt ended: with its process or with the run, if that came first.
fn ended(run: &Run, attempt: &Attempt) -> Micros {
    let gone = run.processes[attempt.process].gone.as_ref();
    let is_complete = attempt.phases[2].is_some();
    let known = attempt.ended().filter(|_| is_complete && !attempt.crashed);
    known.or(gone.map(|gone| gone.at)).unwrap_or(run.lasted)
}

/// What the other processes ran before a test ended: those that ended before it began, and those that overlapped with it.
/// Processes without the latter are left out.
#[must_use]
pub fn others(run: &Run, process: usize, step: &Step) -> Vec<(usize, Vec<Step>, Vec<Step>)> {
    let processes = (0..run.processes.len()).filter(|&other| other != process);
    let lanes = processes.map(|other| {
        let steps = steps(run, other).into_iter();
        let (beside, rest): (Vec<_>, Vec<_>) = steps.partition(|other| other.overlaps(step));
        let before = rest.into_iter().filter(|other| other.ended <= step.began);
        (other, before.collect(), beside)
    });
    lanes.filter(|(_, _, beside)| !beside.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::example::{journal, merged};
    use proptest::prelude::*;

    fn run(events: &str) -> Run {
        let mut merged = merged(&journal("one", 0, &[], events));
        merged.parts.remove(0).run
    }

    fn tests(run: &Run, process: usize) -> Vec<Test> {
        steps(run, process).iter().map(|step| step.test).collect()
    }

    /// gw0 runs 1, then 0, and dies in 2; gw1 runs 3 twice. Events of one worker can arrive after those of another.
    const EVENTS: &str = r#"
{"e":"collected","at":0,"ids":["a","b","c","d"]}
{"e":"setup","t":1,"w":0,"at":10,"us":1,"o":"passed"}
{"e":"call","t":1,"w":0,"at":11,"us":1,"o":"passed"}
{"e":"teardown","t":1,"w":0,"at":12,"us":1,"o":"passed"}
{"e":"setup","t":3,"w":1,"at":5,"us":1,"o":"passed"}
{"e":"call","t":3,"w":1,"at":6,"us":10,"o":"rerun"}
{"e":"teardown","t":3,"w":1,"at":16,"us":2,"o":"passed"}
{"e":"setup","t":0,"w":0,"at":20,"us":1,"o":"passed"}
{"e":"call","t":0,"w":0,"at":21,"us":4,"o":"failed"}
{"e":"teardown","t":0,"w":0,"at":25,"us":1,"o":"passed"}
{"e":"setup","t":3,"w":1,"at":24,"us":1,"o":"passed"}
{"e":"call","t":3,"w":1,"at":25,"us":10,"o":"passed"}
{"e":"teardown","t":3,"w":1,"at":35,"us":2,"o":"passed"}
{"e":"gone","w":0,"at":40,"how":"crashed","status":-6,"running":2}
"#;

    #[test]
    fn a_test_in_which_its_process_died_comes_last_and_lasts_until_then() {
        let run = run(EVENTS);
        assert_eq!(tests(&run, 0), [1, 0, 2]);
        let last = steps(&run, 0)[2];
        assert_eq!((last.began, last.ended), (26, 40));
    }

    #[test]
    fn a_test_that_was_rerun_occurs_once() {
        assert_eq!(tests(&run(EVENTS), 1), [3]);
    }

    #[test]
    fn what_ran_beside_a_test_overlaps_with_it() {
        let run = run(EVENTS);
        let [first, second, _] = steps(&run, 0)[..] else {
            panic!()
        };
        let beside = |step| others(&run, 0, step).len();
        assert_eq!((beside(&first), beside(&second)), (1, 0));
    }

    #[test]
    fn a_run_that_was_killed_ends_its_tests() {
        let run = run(r#"
{"e":"collected","at":0,"ids":["a"]}
{"e":"setup","t":0,"at":10,"us":5,"o":"passed"}
{"e":"memory","at":99,"rss":1}
"#);
        assert_eq!(steps(&run, 0)[0].took(), run.lasted - 10);
    }

    proptest! {
        #[test]
        fn overlapping_is_symmetric(a in 0..50_u64, b in 1..50_u64, c in 0..50_u64, d in 1..50_u64) {
            let step = |began, took| Step { attempt: 0, test: 0, began, ended: began + took };
            let (one, two) = (step(a, b), step(c, d));
            prop_assert_eq!(one.overlaps(&two), two.overlaps(&one));
            let both = (0..100).any(|at| [one, two].iter().all(|step| (step.began..step.ended).contains(&at)));
            prop_assert_eq!(one.overlaps(&two), both);
        }
    }
}
