//! Which trials to run next, and what their results mean: a state machine from the test alone to the whole run.
//!
//! | stage | trial | if the test fails |
//! |---|---|---|
//! | alone | the test in a fresh process | it fails alone |
//! | after | all tests before it in its process, then the test | reduce them: order |
//! | beside | the test, repeated, beside what ran at the same time | reduce them: company |
//! | whole | every process runs all it ran, several times | if always, reduce; otherwise timing |
//!
//! The hazard it handles: a test can fail by chance, and trials that run at the same time can disturb each other. So what
//! was found is confirmed by repeating it with nothing beside it, and so is that the test passes without it.

use super::case::{Case, Mode, Trial};
use super::ddmin::{Ddmin, Outcome};
use super::failure::{Failure, Seen};
use super::verdict::{Cause, Found, Verdict};
use crate::text::counted;

/// How often a result is confirmed.
pub const CONFIRMATIONS: usize = 3;

/// How often the whole run is repeated before the search gives up.
pub const REPETITIONS: usize = 5;

/// Trials of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// In how many the test failed.
    pub failed: usize,
    /// How many were run.
    pub of: usize,
}

impl Count {
    fn add(&mut self, failed: bool) {
        self.of += 1;
        self.failed += usize::from(failed);
    }
}

/// The elements of a mode with which the test fails.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Suspects {
    mode: Mode,
    set: Vec<usize>,
    is_reduced: bool,
}

#[derive(Debug)]
enum Stage {
    Alone,
    All(Mode),
    Reduce(Mode, Ddmin),
    Confirm(Suspects, Count),
    Control(Suspects, Count),
    Done,
}

/// A search for the cause of a failure.
#[derive(Debug)]
pub struct Search {
    case: Case,
    /// How many trials may run at the same time.
    jobs: usize,
    /// Whether a reduction is being repeated with one trial at a time.
    is_repeated: bool,
    stage: Stage,
    alone: Count,
    /// The trials with everything, by mode.
    whole: Vec<(Mode, Count)>,
    /// The first failure that is not the one in question.
    other: Option<Failure>,
    trials: usize,
    lines: Vec<String>,
    verdict: Option<Verdict>,
}

impl Search {
    /// Searches for the cause of a failure, with at most `jobs` trials at the same time.
    #[must_use]
    pub fn new(case: Case, jobs: usize) -> Self {
        Self {
            case,
            jobs,
            is_repeated: false,
            stage: Stage::Alone,
            alone: Count::default(),
            whole: Vec::new(),
            other: None,
            trials: 0,
            lines: Vec::new(),
            verdict: None,
        }
    }

    /// The trials to run now, at the same time; none when the search is over.
    #[must_use]
    pub fn next_trials(&mut self) -> Vec<Trial> {
        let case = &self.case;
        let all = |mode| (0..case.count(mode)).collect::<Vec<_>>();
        let jobs = if self.is_repeated { 1 } else { self.jobs };
        let sets: Vec<(Mode, Vec<usize>)> = match &mut self.stage {
            Stage::Alone | Stage::Control(..) => vec![(Mode::After, Vec::new())],
            Stage::All(mode) => vec![(*mode, all(*mode))],
            Stage::Confirm(suspects, _) => vec![(suspects.mode, suspects.set.clone())],
            Stage::Reduce(mode, ddmin) => {
                // Other trials would be company.
                let most = if *mode == Mode::After { jobs } else { 1 };
                ddmin.next(most).into_iter().map(|set| (*mode, set)).collect()
            }
            Stage::Done => Vec::new(),
        };
        sets.iter().map(|(mode, set)| case.trial(*mode, set)).collect()
    }

    /// Takes what was seen of the test in each of the trials that [`Search::next_trials`] has returned.
    pub fn answer(&mut self, seen: Vec<Seen>) {
        self.trials += seen.len();
        let outcomes: Vec<Outcome> = seen.into_iter().map(|seen| self.outcome(seen)).collect();
        let failed = outcomes.first() == Some(&Outcome::Fails);
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Alone => self.alone_was_tried(failed, &outcomes),
            Stage::All(mode) => self.all_were_tried(mode, failed),
            Stage::Reduce(mode, mut ddmin) => {
                let before = ddmin.current().len();
                ddmin.answer(&outcomes);
                let left = ddmin.current().len();
                if left < before {
                    self.lines.push(format!("  it fails with {left} of them"));
                }
                self.reduce(mode, ddmin);
            }
            Stage::Confirm(suspects, mut count) => {
                count.add(failed);
                self.confirm(suspects, count);
            }
            Stage::Control(suspects, count) => {
                self.alone.add(failed);
                self.control(suspects, count);
            }
            Stage::Done => {}
        }
    }

    fn outcome(&mut self, seen: Seen) -> Outcome {
        match seen {
            Seen::Passed => Outcome::Passes,
            Seen::NotReached => Outcome::Unresolved,
            Seen::Failed(failure) if failure.is_like(&self.case.failure) => Outcome::Fails,
            Seen::Failed(failure) => {
                self.other.get_or_insert(failure);
                Outcome::Unresolved
            }
        }
    }

    fn alone_was_tried(&mut self, failed: bool, outcomes: &[Outcome]) {
        self.alone.add(failed);
        let word = match outcomes.first() {
            Some(Outcome::Fails) => "fails",
            Some(Outcome::Passes) => "passes",
            _ => "does not fail in the same way",
        };
        self.lines.push(format!("alone, it {word}"));
        if failed {
            let suspects = Suspects {
                mode: Mode::After,
                set: Vec::new(),
                is_reduced: true,
            };
            let count = self.alone;
            self.confirm(suspects, count);
        } else {
            self.try_all(Mode::After);
        }
    }

    /// Goes on with the trial of everything in a mode, or with the next mode if there is nothing in it.
    fn try_all(&mut self, mode: Mode) {
        let is_empty = self.case.count(mode) == 0;
        match mode {
            Mode::After if is_empty => self.try_all(Mode::Beside),
            Mode::Beside if is_empty => self.try_all(Mode::Whole),
            _ => self.stage = Stage::All(mode),
        }
    }

    fn all_were_tried(&mut self, mode: Mode, failed: bool) {
        match self.whole.last_mut().filter(|(last, _)| *last == mode) {
            Some((_, count)) => count.add(failed),
            None => self.whole.push((
                mode,
                Count {
                    failed: usize::from(failed),
                    of: 1,
                },
            )),
        }
        let times = self.whole.last().map_or(0, |(_, count)| count.of);
        let count = self.case.count(mode);
        let place = match mode {
            Mode::After => format!("after the {} that ran before it", counted(count, "test")),
            Mode::Beside => format!("beside the {} that ran at the same time", counted(count, "test")),
            Mode::Whole => format!("with everything as in the run, time {times}"),
        };
        let word = if failed { "fails" } else { "does not fail" };
        self.lines.push(format!("{place}, it {word}"));
        match mode {
            Mode::After | Mode::Beside if failed => self.reduce(mode, Ddmin::new(count)),
            Mode::After => self.try_all(Mode::Beside),
            Mode::Beside => self.try_all(Mode::Whole),
            Mode::Whole if failed => {
                let suspects = Suspects {
                    mode,
                    set: (0..count).collect(),
                    is_reduced: false,
                };
                // It counts only if nothing failed before: otherwise it is known to be a matter of chance.
                self.confirm(suspects, Count { failed: 1, of: times });
            }
            Mode::Whole if times < REPETITIONS => self.try_all(mode),
            Mode::Whole => self.give_up(),
        }
    }

    fn reduce(&mut self, mode: Mode, ddmin: Ddmin) {
        let mut ddmin = ddmin;
        if ddmin.next(1).is_empty() {
            let suspects = Suspects {
                mode,
                set: ddmin.current().to_vec(),
                is_reduced: true,
            };
            self.stage = Stage::Confirm(suspects, Count::default());
        } else {
            self.stage = Stage::Reduce(mode, ddmin);
        }
    }

    fn confirm(&mut self, suspects: Suspects, count: Count) {
        if count.of < CONFIRMATIONS {
            self.stage = Stage::Confirm(suspects, count);
        } else if count.failed == 0 && self.jobs > 1 && !self.is_repeated {
            self.lines
                .push("trials disturb each other; again with one at a time".to_owned());
            self.is_repeated = true;
            let all = Ddmin::new(self.case.count(suspects.mode));
            self.reduce(suspects.mode, all);
        } else if count.failed < count.of {
            self.conclude(Cause::Timing, &suspects, count);
        } else if suspects.set.is_empty() {
            self.conclude(Cause::Alone, &suspects, count);
        } else if suspects.is_reduced {
            self.control(suspects, count);
        } else {
            let all = Ddmin::new(suspects.set.len());
            self.reduce(suspects.mode, all);
        }
    }

    fn control(&mut self, suspects: Suspects, count: Count) {
        if self.alone.of < CONFIRMATIONS {
            self.stage = Stage::Control(suspects, count);
            return;
        }
        let (_, others) = self.case.named(suspects.mode, &suspects.set);
        let cause = match (self.alone.failed, others.is_empty()) {
            (1.., _) => Cause::Timing,
            (0, true) => Cause::Order,
            (0, false) => Cause::Company,
        };
        self.conclude(cause, &suspects, count);
    }

    fn conclude(&mut self, cause: Cause, suspects: &Suspects, count: Count) {
        self.stage = Stage::Done;
        let (before, beside) = self.case.named(suspects.mode, &suspects.set);
        let owned = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect();
        let found = Found {
            cause,
            mode: suspects.mode,
            before: owned(before),
            beside: owned(beside),
            is_minimal: suspects.is_reduced,
            with: count,
            alone: self.alone,
        };
        self.verdict = Some(Verdict::Found(found));
    }

    fn give_up(&mut self) {
        self.stage = Stage::Done;
        self.verdict = Some(Verdict::NotReproduced {
            alone: self.alone,
            whole: self.whole.clone(),
            other: self.other.clone(),
        });
    }

    /// Ends the search because its time is up: with the fewest tests so far, or without a result.
    pub fn stop(&mut self) {
        self.lines.push("the time limit is reached".to_owned());
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Reduce(mode, ddmin) => {
                let suspects = Suspects {
                    mode,
                    set: ddmin.current().to_vec(),
                    is_reduced: false,
                };
                self.conclude_early(&suspects, Count { failed: 1, of: 1 });
            }
            Stage::Confirm(suspects, count) | Stage::Control(suspects, count) if count.failed > 0 => {
                self.conclude_early(&suspects, count);
            }
            Stage::Done => {}
            _ => self.give_up(),
        }
    }

    fn conclude_early(&mut self, suspects: &Suspects, count: Count) {
        let (_, others) = self.case.named(suspects.mode, &suspects.set);
        let cause = match (suspects.set.is_empty(), others.is_empty()) {
            (true, _) => Cause::Alone,
            (false, true) => Cause::Order,
            (false, false) => Cause::Company,
        };
        let cause = if count.failed < count.of {
            Cause::Timing
        } else {
            cause
        };
        self.conclude(cause, suspects, count);
    }

    /// The lines about what has become known since the last call.
    #[must_use]
    pub fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// How many trials were run.
    #[must_use]
    pub fn trials(&self) -> usize {
        self.trials
    }

    /// The result; `None` while the search is not over.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// The case that is searched.
    #[must_use]
    pub fn case(&self) -> &Case {
        &self.case
    }
}

#[cfg(test)]
mod tests;
