//! Comparison of runs of one suite in several ways: their records, the tests that differ, and likely causes.
//!
//! The hazard it handles: a run may hang or be killed, so its record can end anywhere, even within a line.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The outcome of a test that is not in the record of a run.
pub const NOT_RUN: &str = "not run";

/// The outcome of a test that was running when its run was stopped.
pub const STUCK: &str = "did not end";

/// Outcomes of phases in ascending order; a test has the highest one. Outcomes defined by plugins rank above all of
/// these.
const RANKS: [&str; 7] = [
    "passed", "skipped", "rerun", "xfailed", "xpassed", "failed", "error",
];

/// How a suite was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// In plain pytest.
    Plain,
    /// With pytest-xdist's engine.
    Xdist,
    /// With a template, without a history.
    First,
    /// With a template and known durations.
    Second,
    /// With early workers.
    Early,
    /// With plain pytest again, because something differs.
    PlainAgain,
}

impl Way {
    /// Whether it uses workers, and is therefore compared with plain pytest.
    #[must_use]
    pub const fn has_workers(self) -> bool {
        !matches!(self, Self::Plain | Self::PlainAgain)
    }
}

/// The record that a run has written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The outcome of each test and of each failed collector, by node id.
    pub outcomes: BTreeMap<String, String>,
    /// Reasons why a template must not be forked.
    pub reasons: Vec<String>,
    /// pytest's exit status; `None` for a run that did not complete its session.
    pub status: Option<i32>,
}

/// A line of a record.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Phase { test: String, outcome: String },
    Begun { begun: String },
    Finished { finished: String },
    End { reasons: Vec<String>, exitstatus: i32 },
}

impl Record {
    /// Parses the lines of JSON written by `rustpar.cli.outcome_recorder`. If the run was stopped, the tests that were
    /// running are [`STUCK`], and its exit status is ignored.
    #[must_use]
    pub fn parse(lines: &str, was_stopped: bool) -> Self {
        let mut record = Self::default();
        let mut under_way = BTreeSet::new();
        // The last line of a killed run may be incomplete.
        let entries = lines.lines().filter_map(|line| serde_json::from_str(line).ok());
        for entry in entries {
            match entry {
                Entry::Phase { test, outcome } => {
                    let worst = record.outcomes.entry(test).or_insert_with(|| outcome.clone());
                    if rank(worst) < rank(&outcome) {
                        *worst = outcome;
                    }
                }
                Entry::Begun { begun } => {
                    under_way.insert(begun);
                }
                Entry::Finished { finished } => {
                    under_way.remove(&finished);
                }
                Entry::End { reasons, exitstatus } => {
                    (record.reasons, record.status) = (reasons, Some(exitstatus));
                }
            }
        }
        if was_stopped {
            (record.reasons, record.status) = (Vec::new(), None);
            let stuck = under_way.into_iter().map(|test| (test, STUCK.to_owned()));
            record.outcomes.extend(stuck);
        }
        record
    }
}

fn rank(outcome: &str) -> usize {
    let rank = RANKS.iter().position(|rank| *rank == outcome);
    rank.unwrap_or(RANKS.len())
}

/// A run of the suite.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// How it was run.
    pub way: Way,
    /// The name shown for that.
    pub name: String,
    /// Its duration.
    pub seconds: f64,
    /// The time limit after which it was stopped; `None` if it was not stopped.
    pub limit: Option<f64>,
    /// Its record.
    pub record: Record,
}

impl Trial {
    /// The outcome of a test.
    #[must_use]
    pub fn outcome(&self, node_id: &str) -> &str {
        self.record.outcomes.get(node_id).map_or(NOT_RUN, String::as_str)
    }

    /// Speed of this run relative to another; `None` if either did not complete, or took no time.
    #[must_use]
    pub fn speed_relative_to(&self, other: &Self) -> Option<f64> {
        let ended = self.limit.is_none() && other.limit.is_none();
        (ended && self.seconds > 0.0).then(|| other.seconds / self.seconds)
    }
}

/// The likely cause of a test's differing outcomes, in display order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A run was stopped during the test, or before it.
    Stuck,
    /// It differs between two runs of plain pytest.
    Flaky,
    /// pytest-xdist differs, too: tests that run before it or at the same time.
    Parallel,
    /// State shared by forked workers.
    Sharing,
    /// The order of tests.
    Order,
    /// Only runs with rustpar differ, and all of them do.
    Rustpar,
    /// No pattern.
    Unclear,
}

/// The runs of a suite, in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trials(pub Vec<Trial>);

impl Trials {
    /// The run made in a certain way.
    #[must_use]
    pub fn of(&self, way: Way) -> Option<&Trial> {
        self.0.iter().find(|trial| trial.way == way)
    }

    /// The tests that do not have the same outcome in all runs.
    #[must_use]
    pub fn differing(&self) -> Vec<&str> {
        let node_ids = self.0.iter().flat_map(|trial| trial.record.outcomes.keys());
        let node_ids: BTreeSet<&str> = node_ids.map(String::as_str).collect();
        let differs = |node_id: &&str| {
            let mut outcomes = self.0.iter().map(|trial| trial.outcome(node_id));
            let first = outcomes.next();
            outcomes.any(|outcome| Some(outcome) != first)
        };
        node_ids.into_iter().filter(differs).collect()
    }

    /// Whether all runs ended with the same exit status.
    #[must_use]
    pub fn have_same_status(&self) -> bool {
        let mut statuses = self.0.iter().map(|trial| trial.record.status);
        let first = statuses.next();
        statuses.all(|status| Some(status) == first)
    }

    /// Whether all runs completed with equal outcomes and exit statuses.
    #[must_use]
    pub fn agree(&self) -> bool {
        let ended = self.0.iter().all(|trial| trial.limit.is_none());
        ended && self.have_same_status() && self.differing().is_empty()
    }

    /// The likely cause for each of these differing tests.
    #[must_use]
    pub fn causes(&self, differing: &[&str]) -> Vec<Cause> {
        let first_differs = self.first_differs();
        let cause = |node_id: &&str| self.cause(node_id, first_differs);
        differing.iter().map(cause).collect()
    }

    fn outcome(&self, way: Way, node_id: &str) -> &str {
        self.of(way).map_or(NOT_RUN, |trial| trial.outcome(node_id))
    }

    fn cause(&self, node_id: &str, first_differs: bool) -> Cause {
        let outcome = |way| self.outcome(way, node_id);
        let [plain, xdist] = [Way::Plain, Way::Xdist].map(outcome);
        let ours = [Way::First, Way::Second, Way::Early].map(outcome);
        let [first, second, early] = ours;
        let is_stuck = |trial: &Trial| {
            let outcome = trial.outcome(node_id);
            outcome == STUCK || (trial.limit.is_some() && outcome == NOT_RUN)
        };
        let again = self
            .of(Way::PlainAgain)
            .map_or(plain, |again| again.outcome(node_id));
        if self.0.iter().any(is_stuck) {
            Cause::Stuck
        } else if again != plain {
            Cause::Flaky
        } else if xdist != plain && ours.iter().all(|&ours| ours == plain || ours == xdist) {
            Cause::Parallel
        } else if early == xdist && xdist == plain {
            // If workers share state, it is a matter of chance which of the tests that use it fail.
            if first_differs {
                Cause::Sharing
            } else {
                Cause::Order
            }
        } else if first != second {
            Cause::Order
        } else if second == early && xdist == plain {
            Cause::Rustpar
        } else {
            Cause::Unclear
        }
    }

    /// Whether tests differ in the first run with a template, which has no history, and in no other.
    fn first_differs(&self) -> bool {
        let Some(plain) = self.of(Way::Plain) else {
            return false;
        };
        plain.record.outcomes.iter().any(|(node_id, outcome)| {
            let [xdist, early, first] =
                [Way::Xdist, Way::Early, Way::First].map(|way| self.outcome(way, node_id));
            xdist == outcome && early == outcome && first != outcome
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs in which one test has these outcomes, in the order of the ways; missing ones are omitted.
    fn trials(outcomes: &[&str]) -> Trials {
        let ways = [
            Way::Plain,
            Way::Xdist,
            Way::First,
            Way::Second,
            Way::Early,
            Way::PlainAgain,
        ];
        let runs = ways.into_iter().zip(outcomes).map(|(way, outcome)| Trial {
            way,
            name: String::new(),
            seconds: 1.0,
            limit: None,
            record: Record {
                outcomes: BTreeMap::from([("a.py::test_it".to_owned(), (*outcome).to_owned())]),
                reasons: Vec::new(),
                status: Some(0),
            },
        });
        Trials(runs.collect())
    }

    fn cause(outcomes: &[&str]) -> Cause {
        let trials = trials(outcomes);
        trials.causes(&trials.differing())[0]
    }

    #[test]
    fn the_worst_phase_of_a_test_is_its_outcome() {
        let lines = r#"
            {"begun": "a"}
            {"test": "a", "outcome": "passed"}
            {"test": "a", "outcome": "failed"}
            {"test": "a", "outcome": "passed"}
            {"finished": "a"}
            {"test": "b", "outcome": "made up"}
            {"test": "b", "outcome": "error"}
            {"reasons": ["a.py:1 starts a thread"], "exitstatus": 1}
        "#;
        let record = Record::parse(lines, false);
        let outcomes = [("a", "failed"), ("b", "made up")];
        assert!(
            record
                .outcomes
                .iter()
                .map(|(a, b)| (a.as_str(), b.as_str()))
                .eq(outcomes)
        );
        assert_eq!(record.reasons, ["a.py:1 starts a thread"]);
        assert_eq!(record.status, Some(1));
    }

    #[test]
    fn a_stopped_run_marks_the_running_tests() {
        let lines = concat!(
            "{\"begun\": \"a\"}\n{\"test\": \"a\", \"outcome\": \"passed\"}\n{\"finished\": \"a\"}\n",
            "{\"begun\": \"b\"}\n{\"test\": \"b\", \"outcome\": \"passed\"}\n",
            "{\"reasons\": [\"why\"], \"exitstatus\": 2}\n{\"test\": \"c"
        );
        let record = Record::parse(lines, true);
        assert_eq!(record.outcomes["a"], "passed");
        assert_eq!(record.outcomes["b"], STUCK);
        assert_eq!((record.reasons.len(), record.status), (0, None));
    }

    #[test]
    fn outcomes_point_to_causes() {
        let (p, f) = ("passed", "failed");
        assert_eq!(cause(&[p, f, f, f, p, p]), Cause::Parallel);
        assert_eq!(cause(&[p, p, f, f, p, p]), Cause::Sharing);
        assert_eq!(cause(&[p, p, p, f, p, p]), Cause::Order);
        assert_eq!(cause(&[p, p, p, f, f, p]), Cause::Order);
        assert_eq!(cause(&[p, p, f, f, f, p]), Cause::Rustpar);
        assert_eq!(cause(&[p, f, f, f, f, f]), Cause::Flaky);
        assert_eq!(cause(&[p, STUCK, f, f, f, p]), Cause::Stuck);
        assert_eq!(cause(&[p, f, "error", "error", p, p]), Cause::Unclear);
    }

    #[test]
    fn a_test_not_reached_by_a_stopped_run_has_a_known_cause() {
        let mut trials = trials(&["passed"; 5]);
        trials.0[1].limit = Some(1.0);
        trials.0[1].record.outcomes.clear();
        assert_eq!(trials.differing(), ["a.py::test_it"]);
        assert_eq!(trials.causes(&trials.differing()), [Cause::Stuck]);
        assert!(!trials.agree());
    }

    #[test]
    fn runs_agree_only_if_their_exit_statuses_do() {
        let mut trials = trials(&["passed"; 5]);
        assert!(trials.agree());
        trials.0[3].record.status = Some(1);
        assert!(trials.differing().is_empty());
        assert!(!trials.agree());
    }

    #[test]
    fn a_run_that_was_stopped_has_no_speed() {
        let mut trials = trials(&["passed"; 2]);
        trials.0[1].seconds = 0.5;
        let speed = |trials: &Trials| trials.0[1].speed_relative_to(&trials.0[0]);
        assert_eq!(speed(&trials), Some(2.0));
        trials.0[0].limit = Some(1.0);
        assert_eq!(speed(&trials), None);
    }

    proptest! {
        #[test]
        fn parsing_any_record_never_panics(lines in ".*", was_stopped: bool) {
            let _ = Record::parse(&lines, was_stopped);
        }

        #[test]
        fn a_test_differs_unless_all_runs_have_the_same_outcome(
            outcomes in prop::collection::vec(prop::sample::select(&RANKS[..]), 5..=6),
        ) {
            let trials = trials(&outcomes);
            let same = outcomes.iter().all(|outcome| *outcome == outcomes[0]);
            prop_assert_eq!(trials.differing().is_empty(), same);
            prop_assert_eq!(trials.agree(), same);
        }
    }
}
