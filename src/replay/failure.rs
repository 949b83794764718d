//! Whether a test fails as it did in the run.
//!
//! The hazard it handles: with fewer tests before it, a test can fail for another reason, for example because nothing has
//! created its table. That is another failure: the same one occurs in the same phase with an error of the same type.

use crate::journal::event::{Detail, Outcome};
use crate::journal::run::{Attempt, Run};
use serde::Deserialize;

/// How a test failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its set-up failed.
    Setup,
    /// The test failed.
    Call,
    /// Its teardown failed.
    Teardown,
    /// Its process died.
    Crash,
    /// It did not end in time.
    Timeout,
}

impl Kind {
    fn of(when: &str) -> Option<Self> {
        match when {
            "setup" => Some(Self::Setup),
            "call" => Some(Self::Call),
            "teardown" => Some(Self::Teardown),
            _ => None,
        }
    }
}

/// A failure of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How it failed.
    pub kind: Kind,
    /// The error; empty if unknown.
    pub message: String,
}

impl Failure {
    /// The failure of an attempt in a run; `None` if it did not fail.
    #[must_use]
    pub fn recorded(run: &Run, attempt: &Attempt) -> Option<Self> {
        let details = attempt.details.iter().map(|&index| &run.details[index]);
        if attempt.crashed {
            let crash = details.clone().find(|detail| detail.when == "crash");
            let message = crash.map_or_else(String::new, |detail| detail.message.clone());
            let is_timeout = message.starts_with("Timeout: ");
            let kind = if is_timeout { Kind::Timeout } else { Kind::Crash };
            return Some(Self { kind, message });
        }
        let is_failure = |detail: &&Detail| {
            matches!(
                detail.o,
                Some(Outcome::Failed | Outcome::Rerun | Outcome::Quarantined)
            )
        };
        let detailed = details.filter(is_failure).find_map(|detail| {
            let kind = Kind::of(&detail.when)?;
            let message = detail.message.clone();
            Some(Self { kind, message })
        });
        let phases = [Kind::Setup, Kind::Call, Kind::Teardown]
            .into_iter()
            .zip(attempt.phases);
        let mut failed = phases.filter(|(_, phase)| {
            phase.is_some_and(|phase| {
                matches!(
                    phase.outcome,
                    Outcome::Failed | Outcome::Rerun | Outcome::Quarantined
                )
            })
        });
        let message = String::new();
        detailed.or_else(|| failed.next().map(|(kind, _)| Self { kind, message }))
    }

    /// Whether it is the same failure, as far as can be known.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        if self.kind != other.kind {
            return false;
        }
        let is_by_type = !matches!(self.kind, Kind::Crash | Kind::Timeout);
        let is_known = !self.message.is_empty() && !other.message.is_empty();
        !(is_by_type && is_known) || error_type(&self.message) == error_type(&other.message)
    }

    /// The failure in a few words: the first line of its error, and its phase if that is not the call.
    #[must_use]
    pub fn in_words(&self) -> String {
        let line = self.message.lines().next().unwrap_or_default();
        match self.kind {
            Kind::Setup => format!("in its set-up, {line}"),
            Kind::Teardown => format!("in its teardown, {line}"),
            Kind::Crash => "its process dies".to_owned(),
            Kind::Timeout => "it does not end".to_owned(),
            Kind::Call => line.to_owned(),
        }
    }
}

/// The type of an error: what is before the colon; the message of a bare `assert` has none.
fn error_type(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    let (name, _) = line.split_once(':').unwrap_or((line, ""));
    let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    if is_name && !name.is_empty() {
        name
    } else if line.starts_with("assert ") {
        "AssertionError"
    } else {
        line
    }
}

/// What was seen of the test in a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It did not fail.
    Passed,
    /// It failed.
    Failed(Failure),
    /// It never started.
    NotReached,
}

/// One line of a trial's record.
#[derive(Deserialize)]
struct Line {
    /// The test has started, or a phase of it has ended, or all of it.
    e: String,
    #[serde(default)]
    when: String,
    #[serde(default)]
    failed: bool,
    #[serde(default)]
    message: String,
    /// The whole failure, and what was printed.
    #[serde(default)]
    text: String,
}

/// The texts of the failures in a record.
#[must_use]
pub fn failure_texts(record: &str) -> Vec<String> {
    let lines = record
        .lines()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok());
    lines.filter(|line| line.failed).map(|line| line.text).collect()
}

impl Seen {
    /// Reads the record of a trial: JSON lines about the test in question. `is_stopped` says that its time was up.
    #[must_use]
    pub fn parse(record: &str, is_stopped: bool) -> Self {
        // The process may have died while it wrote the last line.
        let lines = record
            .lines()
            .filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let lines: Vec<Line> = lines.collect();
        let has = |kind: &str| lines.iter().any(|line| line.e == kind);
        let failed = lines.iter().filter(|line| line.failed).find_map(|line| {
            let kind = Kind::of(&line.when)?;
            let message = line.message.clone();
            Some(Failure { kind, message })
        });
        let kind = if is_stopped { Kind::Timeout } else { Kind::Crash };
        let message = String::new();
        match failed {
            Some(failure) => Self::Failed(failure),
            None if has("finished") => Self::Passed,
            None if has("started") => Self::Failed(Failure { kind, message }),
            None => Self::NotReached,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: Kind, message: &str) -> Failure {
        let message = message.to_owned();
        Failure { kind, message }
    }

    #[test]
    fn the_same_failure_has_the_same_phase_and_type() {
        let recorded = failure(Kind::Call, "assert 3 == 4\n + where");
        for (other, is_like) in [
            (failure(Kind::Call, "AssertionError: assert 3 == 5"), true),
            (failure(Kind::Call, ""), true),
            (failure(Kind::Call, "KeyError: 'assert 3 == 4'"), false),
            (failure(Kind::Setup, "assert 3 == 4"), false),
        ] {
            assert_eq!(recorded.is_like(&other), is_like, "{other:?}");
        }
        assert!(failure(Kind::Crash, "worker 'gw1' crashed").is_like(&failure(Kind::Crash, "")));
        assert!(!failure(Kind::Crash, "").is_like(&failure(Kind::Timeout, "")));
    }

    #[test]
    fn a_trial_is_judged_by_its_record() {
        let started = r#"{"e":"started"}"#;
        let failed = r#"{"e":"phase","when":"teardown","failed":true,"message":"OSError: x"}"#;
        let record = format!("{started}\n{failed}\n");
        let teardown = Seen::Failed(failure(Kind::Teardown, "OSError: x"));
        assert_eq!(Seen::parse(&record, false), teardown);
        assert_eq!(
            Seen::parse(&format!("{started}\n{{\"e\":\"finished\"}}\n"), false),
            Seen::Passed
        );
        assert_eq!(
            Seen::parse(started, false),
            Seen::Failed(failure(Kind::Crash, ""))
        );
        assert_eq!(
            Seen::parse(started, true),
            Seen::Failed(failure(Kind::Timeout, ""))
        );
        assert_eq!(Seen::parse("{\"e\":\"sta", true), Seen::NotReached);
    }
}
