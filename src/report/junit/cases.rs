//! The cases of a `JUnit` report: when pytest writes a `testcase`, with which failures, errors and skips.
//!
//! The hazard it handles: a test is not one case. A failed call and a failed teardown are two, an attempt that was rerun
//! is part of the next, and the details of a failure may be missing.

use crate::journal::Micros;
use crate::journal::event::{Detail, Outcome};
use crate::journal::merged::{Merged, TestResult};
use crate::journal::run::{Attempt, Run};
use crate::protocol::report::Phase;

/// Maximum number of characters of a message, as in pytest; the element contains the full text.
const MAX_MESSAGE_LENGTH: usize = 500;

/// The type of the element for a failure of a test in the quarantine.
const QUARANTINE: &str = "rustpar.quarantine";

/// A failure, error or skip in a `testcase`.
pub(super) struct Problem<'a> {
    pub(super) tag: &'static str,
    pub(super) kind: Option<&'static str>,
    pub(super) message: String,
    pub(super) text: String,
    pub(super) detail: Option<&'a Detail>,
}

/// A `testcase` element.
pub(super) struct Case<'a> {
    pub(super) id: &'a str,
    pub(super) took: Micros,
    pub(super) properties: &'a [(String, String)],
    pub(super) problems: Vec<Problem<'a>>,
    /// The failures of earlier attempts.
    pub(super) retried: Vec<Problem<'a>>,
}

/// The cases of an environment: the reports of collectors, and then the tests.
pub(super) fn cases(merged: &Merged, environment: usize) -> Vec<Case<'_>> {
    let reports = merged.collect_reports().into_iter();
    let reports = reports.filter(|&(part, _)| merged.parts[part].environment == environment);
    let mut cases: Vec<Case<'_>> = reports.map(|(_, detail)| collected(detail)).collect();
    let results = merged.results.iter();
    for result in results.filter(|result| result.environment == environment) {
        add_cases(&mut cases, merged, result);
    }
    cases
}

fn collected(detail: &Detail) -> Case<'_> {
    let (tag, message) = match detail.o {
        Some(Outcome::Failed) => ("error", "collection failure"),
        _ => ("skipped", "collection skipped"),
    };
    Case {
        id: detail.id.as_deref().unwrap_or_default(),
        took: 0,
        properties: &[],
        retried: Vec::new(),
        problems: vec![Problem {
            tag,
            kind: None,
            message: message.to_owned(),
            text: if detail.text.is_empty() {
                reason_with_place(detail)
            } else {
                detail.text.clone()
            },
            detail: None,
        }],
    }
}

/// Adds the `testcase` elements that pytest writes for a test: one for each attempt, two if call and teardown failed.
/// An attempt that was rerun is merged into the next one.
fn add_cases<'a>(cases: &mut Vec<Case<'a>>, merged: &'a Merged, result: &'a TestResult) {
    let run = &merged.parts[result.part].run;
    let id = merged.id(result);
    let mut took = 0;
    let mut retried = Vec::new();
    for &index in &result.attempts.all {
        let attempt = &run.attempts[index];
        took += attempt.took();
        if attempt.will_rerun {
            let mut details = attempt.details.iter().map(|&index| &run.details[index]);
            let error = details.find(|detail| detail.o == Some(Outcome::Rerun));
            let error = error.map(|detail| failed(detail, "failure", None));
            retried.extend(or_placeholder(error.into_iter().collect(), "failure"));
            continue;
        }
        let mut case = Case {
            id,
            took: std::mem::take(&mut took),
            properties: &attempt.properties,
            retried: std::mem::take(&mut retried),
            problems: Vec::new(),
        };
        for phase in Phase::ALL {
            let Some(ran) = attempt.phases[phase as usize] else {
                continue;
            };
            let problems = problems(run, attempt, phase, ran.outcome);
            let is_second = case.problems.iter().any(|problem| problem.tag == "failure");
            if phase == Phase::Teardown && is_second && ran.outcome == Outcome::Failed {
                let problems_before = std::mem::replace(&mut case.problems, problems);
                cases.push(Case {
                    took: case.took - ran.took,
                    problems: problems_before,
                    retried: std::mem::take(&mut case.retried),
                    ..case
                });
                case.took = ran.took;
            } else {
                case.problems.extend(problems);
            }
        }
        if attempt.crashed {
            let died = details(run, attempt, "crash").map(|detail| match detail.o {
                Some(Outcome::Quarantined) => quarantined(detail),
                _ => failed(detail, "error", None),
            });
            case.problems.extend(or_placeholder(died.collect(), "error"));
        }
        keep_one_quarantined(&mut case.problems);
        cases.push(case);
    }
}

/// The failures and skips reported for a phase; subtests have reports of their own.
fn problems<'a>(run: &'a Run, attempt: &Attempt, phase: Phase, outcome: Outcome) -> Vec<Problem<'a>> {
    let (tag, failed_on) = match phase {
        Phase::Call => ("failure", None),
        Phase::Setup | Phase::Teardown => ("error", Some(phase.name())),
    };
    let details = details(run, attempt, phase.name());
    let found = details.filter_map(|detail| match detail.o? {
        Outcome::Passed | Outcome::Xpassed => None,
        Outcome::Skipped => Some(skipped(detail, "pytest.skip", reason_with_place(detail))),
        Outcome::Xfailed => Some(skipped(detail, "pytest.xfail", String::new())),
        Outcome::Quarantined => Some(quarantined(detail)),
        Outcome::Failed | Outcome::Rerun => Some(failed(detail, tag, failed_on)),
    });
    let found: Vec<_> = found.collect();
    match outcome {
        Outcome::Failed | Outcome::Rerun => or_placeholder(found, tag),
        _ => found,
    }
}

/// Returns `found`, or a placeholder if it is empty.
fn or_placeholder<'a>(mut found: Vec<Problem<'a>>, tag: &'static str) -> Vec<Problem<'a>> {
    if found.is_empty() {
        found.push(Problem {
            tag,
            kind: None,
            message: "no details available".to_owned(),
            text: String::new(),
            detail: None,
        });
    }
    found
}

fn failed<'a>(detail: &'a Detail, tag: &'static str, failed_on: Option<&str>) -> Problem<'a> {
    Problem {
        tag,
        kind: None,
        message: shortened(&match failed_on {
            None => detail.message.clone(),
            Some(phase) => format!("failed on {phase} with \"{}\"", detail.message),
        }),
        text: detail.text.clone(),
        detail: Some(detail),
    }
}

fn skipped<'a>(detail: &Detail, kind: &'static str, text: String) -> Problem<'a> {
    Problem {
        tag: "skipped",
        kind: Some(kind),
        message: detail.message.clone(),
        text,
        detail: None,
    }
}

/// A failure of a test in the quarantine: for other tools, it is skipped.
fn quarantined<'a>(detail: &Detail) -> Problem<'a> {
    let message = detail.message.lines().next().unwrap_or_default();
    Problem {
        message: format!("quarantined: {message}"),
        ..skipped(detail, QUARANTINE, detail.text.clone())
    }
}

/// Keeps the first one: a case is skipped once.
fn keep_one_quarantined(problems: &mut Vec<Problem<'_>>) {
    let mut count = 0;
    problems.retain(|problem| {
        count += usize::from(problem.kind == Some(QUARANTINE));
        problem.kind != Some(QUARANTINE) || count == 1
    });
}

/// A message as in pytest: the lines that fit, or the beginning of the first, and a note about the rest.
fn shortened(message: &str) -> String {
    let mut lines = message.lines();
    let mut kept = lines.next().unwrap_or_default().to_owned();
    let mut size = kept.chars().count();
    let is_cut = size > MAX_MESSAGE_LENGTH;
    if is_cut {
        kept = kept
            .chars()
            .take(MAX_MESSAGE_LENGTH)
            .chain("...".chars())
            .collect();
    }
    let mut more = 0;
    for line in lines {
        size += 1 + line.chars().count();
        if more == 0 && size < MAX_MESSAGE_LENGTH {
            kept.extend(["\n", line]);
        } else {
            more += 1;
        }
    }
    let note = match more {
        0 if !is_cut => return message.to_owned(),
        0 => "truncated".to_owned(),
        1 => "+1 more line".to_owned(),
        more => format!("+{more} more lines"),
    };
    format!("{kept}\n[{note}; full report in element text]")
}

fn details<'a>(run: &'a Run, attempt: &Attempt, when: &str) -> impl Iterator<Item = &'a Detail> {
    let details = attempt.details.iter().map(|&index| &run.details[index]);
    details.filter(move |detail| detail.when == when)
}

fn reason_with_place(detail: &Detail) -> String {
    match (&detail.path, detail.line) {
        (Some(path), Some(line)) => format!("{path}:{line}: {}", detail.message),
        _ => detail.message.clone(),
    }
}
