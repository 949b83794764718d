//! One time that a test was begun, and what came of it.

use super::Micros;
use super::event::{Outcome, Test};
use crate::protocol::report::Phase;
use serde::Serialize;

/// What came of an attempt, for the eye: pytest's categories, and the death of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It passed.
    Passed,
    /// It failed in its call.
    Failed,
    /// It failed in its set-up or its teardown.
    Error,
    /// It was skipped.
    Skipped,
    /// It was expected to fail, and did.
    Xfailed,
    /// It was expected to fail, and passed.
    Xpassed,
    /// It failed, and the test began anew.
    Rerun,
    /// Its worker died in it.
    Crashed,
}

impl Verdict {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Passed,
        Self::Failed,
        Self::Error,
        Self::Skipped,
        Self::Xfailed,
        Self::Xpassed,
        Self::Rerun,
        Self::Crashed,
    ];

    /// What pytest's closing line calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Skipped => "skipped",
            Self::Xfailed => "xfailed",
            Self::Xpassed => "xpassed",
            Self::Rerun => "rerun",
            Self::Crashed => "crashed",
        }
    }

    /// What pytest counts for a phase; `None` for a set-up or teardown that passed, which it does not count.
    #[must_use]
    pub fn of_phase(phase: Phase, outcome: Outcome) -> Option<Self> {
        match (outcome, phase) {
            (Outcome::Passed, Phase::Call) => Some(Self::Passed),
            (Outcome::Passed, _) => None,
            (Outcome::Failed, Phase::Call) => Some(Self::Failed),
            (Outcome::Failed, _) => Some(Self::Error),
            (Outcome::Skipped, _) => Some(Self::Skipped),
            (Outcome::Xfailed, _) => Some(Self::Xfailed),
            (Outcome::Xpassed, _) => Some(Self::Xpassed),
            (Outcome::Rerun, _) => Some(Self::Rerun),
        }
    }

    /// Which of two decides what an attempt is called.
    pub(super) fn weight(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Skipped => 1,
            Self::Xfailed => 2,
            Self::Xpassed => 3,
            Self::Rerun => 4,
            Self::Error => 5,
            Self::Failed => 6,
            Self::Crashed => 7,
        }
    }
}

/// A phase that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseRun {
    /// When it began.
    pub at: Micros,
    /// How long it took.
    pub took: Micros,
    /// What came of it.
    pub outcome: Outcome,
}

/// One time that a test was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The test.
    pub test: Test,
    /// The process, as an index into [`Run::processes`].
    pub process: usize,
    /// Set-up, call and teardown, as far as they were reported.
    pub phases: [Option<PhaseRun>; 3],
    /// What came of the subtests that were reported.
    pub parts: Vec<Outcome>,
    /// Details of its phases and subtests, as indices into [`Run::details`].
    pub details: Vec<usize>,
    /// What it has recorded of the test.
    pub properties: Vec<(String, String)>,
    /// Whether its worker died in it.
    pub crashed: bool,
    /// Whether it failed, and a plugin has the test begin anew.
    pub begins_anew: bool,
    /// Bytes by which the peak of its process's memory grew in it.
    pub growth: u64,
    /// What set-ups of shared fixtures took in it, as a part of its phases.
    pub shared: Micros,
}

impl Attempt {
    pub(super) fn new(test: Test, process: usize) -> Self {
        Self {
            test,
            process,
            phases: [None; 3],
            parts: Vec::new(),
            details: Vec::new(),
            properties: Vec::new(),
            crashed: false,
            begins_anew: false,
            growth: 0,
            shared: 0,
        }
    }

    /// When it began; `None` when no phase was reported.
    #[must_use]
    pub fn began(&self) -> Option<Micros> {
        self.phases.iter().flatten().map(|phase| phase.at).min()
    }

    /// When its last phase ended.
    #[must_use]
    pub fn ended(&self) -> Option<Micros> {
        self.phases
            .iter()
            .flatten()
            .map(|phase| phase.at + phase.took)
            .max()
    }

    /// What its phases took together.
    #[must_use]
    pub fn took(&self) -> Micros {
        self.phases.iter().flatten().map(|phase| phase.took).sum()
    }

    /// What it took itself, without the shared fixtures that were set up in it: what the history remembers.
    #[must_use]
    pub fn own(&self) -> Micros {
        self.took().saturating_sub(self.shared)
    }

    /// Whether nothing more can come of it.
    pub(super) fn is_over(&self) -> bool {
        self.crashed || self.phases[Phase::Teardown as usize].is_some() || self.begins_anew
    }

    /// Whether it came to a result: the process that wrote may have been killed before.
    #[must_use]
    pub fn has_result(&self) -> bool {
        !self.begins_anew && self.counted().next().is_some()
    }

    /// What pytest counts for it: mostly one thing, but a test can pass and have an error in its teardown, and subtests that
    /// failed count for themselves. Others pytest counts with `-v` and `-q` only.
    pub fn counted(&self) -> impl Iterator<Item = Verdict> {
        let failed = self.parts.iter().filter(|part| **part == Outcome::Failed);
        failed.map(|_| Verdict::Failed).chain(self.whole())
    }

    /// What pytest counts for it as a whole.
    fn whole(&self) -> impl Iterator<Item = Verdict> {
        let phases = Phase::ALL.into_iter().zip(self.phases);
        let verdicts = phases.filter_map(|(phase, run)| Verdict::of_phase(phase, run?.outcome));
        // pytest counts a test in which a worker died as failed, whatever came before, or as what a plugin makes of that.
        let crash = if self.begins_anew {
            Verdict::Rerun
        } else {
            Verdict::Failed
        };
        verdicts.chain(self.crashed.then_some(crash))
    }

    /// What it is called. Of its subtests, those that failed decide about that.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.crashed {
            return Verdict::Crashed;
        }
        let failed = self.parts.contains(&Outcome::Failed).then_some(Verdict::Failed);
        let worst = self.whole().chain(failed).max_by_key(|verdict| verdict.weight());
        worst.unwrap_or(Verdict::Passed)
    }
}
