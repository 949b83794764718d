//! One execution of a test, with its phases and its outcome.

use super::Micros;
use super::event::{Outcome, Test};
use crate::protocol::report::Phase;
use serde::Serialize;

/// The outcome of an attempt as reports show it: pytest's categories, and the crash of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It passed.
    Passed,
    /// It failed in its call phase.
    Failed,
    /// It failed in setup or teardown.
    Error,
    /// It was skipped.
    Skipped,
    /// It was expected to fail, and failed.
    Xfailed,
    /// It was expected to fail, and passed.
    Xpassed,
    /// It failed, and the test was tried again.
    Rerun,
    /// Its worker crashed while the test ran.
    Crashed,
    /// It passed after an attempt that failed.
    Flaky,
    /// It failed, and the test is in the quarantine.
    Quarantined,
}

impl Verdict {
    /// All verdicts, in the order of their discriminants.
    pub const ALL: [Self; 10] = [
        Self::Passed,
        Self::Failed,
        Self::Error,
        Self::Skipped,
        Self::Xfailed,
        Self::Xpassed,
        Self::Rerun,
        Self::Crashed,
        Self::Flaky,
        Self::Quarantined,
    ];

    /// The word for it in pytest's summary line.
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
            Self::Flaky => "flaky",
            Self::Quarantined => "quarantined",
        }
    }

    /// The category in which pytest counts a phase; `None` for a passed setup or teardown, which pytest does not count.
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
            (Outcome::Quarantined, _) => Some(Self::Quarantined),
        }
    }

    /// Rank used to choose the verdict of an attempt: the highest one counts.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Flaky => 1,
            Self::Skipped => 2,
            Self::Xfailed => 3,
            Self::Xpassed => 4,
            Self::Rerun => 5,
            Self::Quarantined => 6,
            Self::Error => 7,
            Self::Failed => 8,
            Self::Crashed => 9,
        }
    }
}

/// A completed phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseRun {
    /// When it started.
    pub at: Micros,
    /// How long it took.
    pub took: Micros,
    /// Its outcome.
    pub outcome: Outcome,
}

/// One execution of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The test.
    pub test: Test,
    /// The process, as an index into [`Run::processes`].
    pub process: usize,
    /// Setup, call and teardown; `None` for a phase that was not reported.
    pub phases: [Option<PhaseRun>; 3],
    /// Outcomes of the reported subtests.
    pub subtests: Vec<Outcome>,
    /// Details of its phases and subtests, as indices into [`Run::details`].
    pub details: Vec<usize>,
    /// The test's `user_properties`.
    pub properties: Vec<(String, String)>,
    /// Whether its worker crashed while the test ran.
    pub crashed: bool,
    /// The outcome that was reported of the crash.
    pub crash_outcome: Option<Outcome>,
    /// Whether it failed and the test was tried again.
    pub will_rerun: bool,
    /// Whether it follows an attempt that failed.
    pub is_retry: bool,
    /// Bytes by which the peak memory of its process grew during the attempt.
    pub growth: u64,
    /// Time spent in setting up shared fixtures, which its phases include.
    pub shared: Micros,
    /// What was left behind: the fixture that has left it, if it was not the test, and the text.
    pub leaks: Vec<(Option<String>, String)>,
}

impl Attempt {
    pub(super) fn new(test: Test, process: usize) -> Self {
        Self {
            test,
            process,
            phases: [None; 3],
            subtests: Vec::new(),
            details: Vec::new(),
            properties: Vec::new(),
            crashed: false,
            crash_outcome: None,
            will_rerun: false,
            is_retry: false,
            growth: 0,
            shared: 0,
            leaks: Vec::new(),
        }
    }

    /// When its first phase started; `None` when no phase was reported.
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

    /// Total duration of its phases.
    #[must_use]
    pub fn took(&self) -> Micros {
        self.phases.iter().flatten().map(|phase| phase.took).sum()
    }

    /// Duration without the setup of shared fixtures; this is what the history stores.
    #[must_use]
    pub fn own(&self) -> Micros {
        self.took().saturating_sub(self.shared)
    }

    /// Whether the attempt is complete.
    pub(super) fn is_over(&self) -> bool {
        self.crashed || self.phases[Phase::Teardown as usize].is_some() || self.will_rerun
    }

    /// Whether it has a result. It has none if the process that wrote the journal was killed first.
    #[must_use]
    pub fn has_result(&self) -> bool {
        !self.will_rerun && self.counted().next().is_some()
    }

    /// Categories in which pytest counts the attempt. Usually one, but a passed test can have an error in its teardown,
    /// and each failed subtest counts separately. pytest counts other subtests only with `-v` and `-q`.
    ///
    /// An attempt after which the test was tried again is one rerun, however many of its phases and subtests failed.
    pub fn counted(&self) -> impl Iterator<Item = Verdict> {
        let subtests = self.subtests.iter().copied().filter(|_| !self.will_rerun);
        subtests.filter_map(of_subtest).chain(self.whole())
    }

    /// Categories in which pytest counts the test itself, without its subtests.
    fn whole(&self) -> impl Iterator<Item = Verdict> {
        let phases = Phase::ALL.into_iter().zip(self.phases);
        let verdicts = phases.filter_map(|(phase, run)| Verdict::of_phase(phase, run?.outcome));
        let verdicts = verdicts.map(|verdict| match verdict {
            Verdict::Passed if self.is_retry => Verdict::Flaky,
            other => other,
        });
        // pytest counts a test whose worker crashed as failed, whatever its phases reported, unless it is tried again.
        let crash = self
            .crashed
            .then_some(if self.crash_outcome == Some(Outcome::Quarantined) {
                Verdict::Quarantined
            } else {
                Verdict::Failed
            });
        let verdicts = verdicts.chain(crash).filter(|_| !self.will_rerun);
        verdicts.chain(self.will_rerun.then_some(Verdict::Rerun))
    }

    /// The verdict of the attempt. Failed subtests count, all others do not.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.crashed && self.crash_outcome != Some(Outcome::Quarantined) {
            return Verdict::Crashed;
        }
        let failed = self.subtests.iter().copied().filter_map(of_subtest);
        let worst = self.whole().chain(failed).max_by_key(|verdict| verdict.rank());
        worst.unwrap_or(Verdict::Passed)
    }
}

/// The category in which pytest counts a subtest, with any verbosity.
fn of_subtest(outcome: Outcome) -> Option<Verdict> {
    match outcome {
        Outcome::Failed => Some(Verdict::Failed),
        Outcome::Quarantined => Some(Verdict::Quarantined),
        _ => None,
    }
}
