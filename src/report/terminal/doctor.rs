//! Output of `rustpar doctor`: one line per run as it ends, then the tests that differ, likely causes, and advice.

use crate::analysis::trials::{Cause, Trial, Trials, Way};
use crate::text::duration::{micros, spoken};
use crate::text::{counted, table};
use std::collections::BTreeMap;

/// Maximum number of differing tests listed; the rest are counted.
const MAX_LISTED: usize = 50;

/// The line about a finished run: its duration, its speed relative to plain pytest, and the outcomes of its tests.
#[must_use]
pub fn ended(trial: &Trial, plain: &Trial) -> String {
    let speed = trial
        .speed_relative_to(plain)
        .filter(|_| trial.way.has_workers())
        .map_or_else(String::new, |speed| format!("{speed:.1}x"));
    let took = spoken(micros(trial.seconds));
    format!("{:14}  {took:>9}{speed:>8}  {}", trial.name, outcomes(trial))
}

/// Number of tests for each outcome.
fn outcomes(trial: &Trial) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for outcome in trial.record.outcomes.values() {
        *counts.entry(outcome).or_default() += 1;
    }
    let mut found: Vec<String> = counts
        .iter()
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    if found.is_empty() {
        found.push("no tests".to_owned());
    }
    let stopped = if trial.limit.is_some() {
        "; stopped because it did not end"
    } else {
        ""
    };
    found.join(", ") + stopped
}

/// The comparison of all runs.
#[must_use]
pub fn comparison(trials: &Trials) -> Vec<String> {
    let differing = trials.differing();
    let mut lines = Vec::new();
    for node_id in differing.iter().take(MAX_LISTED) {
        lines.push((*node_id).to_owned());
        let rows = trials.0.iter();
        let rows = rows.map(|trial| vec![trial.name.clone(), trial.outcome(node_id).to_owned()]);
        let rows = table::aligned(&rows.collect::<Vec<_>>(), &[0, 1]);
        lines.extend(rows.into_iter().map(|row| format!("    {row}")));
    }
    if differing.len() > MAX_LISTED {
        lines.push(format!("and {} more", differing.len() - MAX_LISTED));
    }
    lines.extend(stopped(trials));
    if differing.is_empty() {
        lines.extend(same(trials));
    } else {
        lines.extend(causes(trials, &differing));
    }
    lines.extend(speed(trials));
    lines.extend(start(trials));
    lines
}

fn stopped(trials: &Trials) -> impl Iterator<Item = String> {
    let stopped = trials
        .0
        .iter()
        .filter_map(|trial| trial.limit.zip(Some(&trial.name)));
    stopped.map(|(limit, name)| format!("The run '{name}' was stopped after {}.", spoken(micros(limit))))
}

fn same(trials: &Trials) -> Vec<String> {
    let tests = trials
        .of(Way::Plain)
        .map_or(0, |plain| plain.record.outcomes.len());
    let (all, have) = if tests == 1 {
        ("The test".to_owned(), "has")
    } else {
        (format!("All {}", counted(tests, "test")), "have")
    };
    let mut lines = vec![format!(
        "{all} {have} the same outcome in all {} runs.",
        trials.0.len()
    )];
    let ended = trials.0.iter().all(|trial| trial.limit.is_none());
    if ended && !trials.have_same_status() {
        let statuses = trials.0.iter().filter_map(|trial| {
            let status = trial.record.status?;
            Some(format!("{}: {status}", trial.name))
        });
        let statuses: Vec<String> = statuses.collect();
        lines.push(format!("The exit status differs: {}.", statuses.join(", ")));
    }
    lines
}

fn causes(trials: &Trials, differing: &[&str]) -> Vec<String> {
    let mut counts: BTreeMap<Cause, usize> = BTreeMap::new();
    for cause in trials.causes(differing) {
        *counts.entry(cause).or_default() += 1;
    }
    let all = differing.len();
    let lines = counts
        .into_iter()
        .map(|(cause, count)| format!("{count} of {all} differing tests {}.", advice(cause)));
    lines.collect()
}

/// The pattern in the outcomes that points to a cause, and advice.
fn advice(cause: Cause) -> &'static str {
    match cause {
        Cause::Stuck => {
            "belong to a run that was stopped because it did not end: look at those with 'did not end' first"
        }
        Cause::Flaky => "differ between two runs of plain pytest: they are flaky even without workers",
        Cause::Parallel => {
            "differ under pytest-xdist in the same way: they depend on tests that run at the same time or before, or check for \
             a worker. Try --dist loadfile, or mark them with serial or resource (docs/scheduling.md)"
        }
        Cause::Sharing => {
            "differ with a template and not with early workers: state shared by workers is the cause. Until it is found, \
             set rustpar_start = early in the configuration file"
        }
        Cause::Order => {
            "differ between the first run and the second, which knows how long tests take: test order or parallel \
             execution is the cause, or they are flaky. Run one alone, and then with the tests before it in its file"
        }
        Cause::Rustpar => {
            "differ under rustpar, however its workers are started, and not under pytest-xdist: test order or parallel execution is the \
             cause, because rustpar distributes tests differently, or they are flaky. Run them alone, and run doctor again"
        }
        Cause::Unclear => {
            "differ without a pattern: some may be flaky; run doctor again before looking for a cause"
        }
    }
}

/// Speed of the second run relative to the others; `None` if one of them did not end.
fn speed(trials: &Trials) -> Option<String> {
    let [plain, xdist, second] = [Way::Plain, Way::Xdist, Way::Second].map(|way| trials.of(way));
    let second = second?;
    let (plain, xdist) = (
        second.speed_relative_to(plain?)?,
        second.speed_relative_to(xdist?)?,
    );
    Some(format!(
        "With known durations, rustpar is {plain:.1} times as fast as plain pytest, and {xdist:.1} times as fast as \
         pytest-xdist."
    ))
}

/// The start mode that `--rustpar-start=auto` chooses for the suite, with the reasons.
fn start(trials: &Trials) -> Vec<String> {
    let reasons = trials
        .of(Way::First)
        .map_or(&[][..], |first| &first.record.reasons);
    let (start, end) = if reasons.is_empty() {
        ("template", ".")
    } else {
        ("early", ":")
    };
    let mut lines = vec![format!("--rustpar-start=auto chooses {start} here{end}")];
    lines.extend(reasons.iter().map(|reason| format!("    {reason}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::trials::Record;

    const RUNS: [(Way, &str, f64); 6] = [
        (Way::Plain, "plain pytest", 41.2),
        (Way::Xdist, "pytest-xdist", 19.8),
        (Way::First, "rustpar", 13.1),
        (Way::Second, "rustpar, again", 11.9),
        (Way::Early, "rustpar, early", 17.0),
        (Way::PlainAgain, "plain, again", 83.0),
    ];

    /// Runs in which tests `test_0` and so on have the outcomes that `of` returns for the number of the run.
    fn trials(runs: usize, tests: usize, of: impl Fn(usize, usize) -> &'static str) -> Trials {
        let runs = RUNS.iter().take(runs).enumerate();
        let runs = runs.map(|(run, &(way, name, seconds))| {
            let outcomes = (0..tests).map(|test| (format!("a.py::test_{test:02}"), of(run, test).to_owned()));
            let record = Record {
                outcomes: outcomes.collect(),
                reasons: Vec::new(),
                status: Some(0),
            };
            Trial {
                way,
                name: name.to_owned(),
                seconds,
                limit: None,
                record,
            }
        });
        Trials(runs.collect())
    }

    fn table(trials: &Trials) -> String {
        let lines = trials.0.iter().map(|trial| ended(trial, &trials.0[0]));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_run_is_a_line_with_its_speed() {
        let mut trials = trials(
            6,
            3,
            |run, test| {
                if run > 0 && test == 1 { "failed" } else { "passed" }
            },
        );
        trials.0[2].record.outcomes.clear();
        trials.0[4].limit = Some(17.0);
        insta::assert_snapshot!(table(&trials), @r"
        plain pytest       41.2 s          3 passed
        pytest-xdist       19.8 s    2.1x  1 failed, 2 passed
        rustpar            13.1 s    3.1x  no tests
        rustpar, again     11.9 s    3.5x  1 failed, 2 passed
        rustpar, early     17.0 s          1 failed, 2 passed; stopped because it did not end
        plain, again     1:23 min          1 failed, 2 passed
        ");
    }

    #[test]
    fn equal_runs_are_summarized_in_one_line() {
        insta::assert_snapshot!(comparison(&trials(5, 3, |_, _| "passed")).join("\n"), @r"
        All 3 tests have the same outcome in all 5 runs.
        With known durations, rustpar is 3.5 times as fast as plain pytest, and 1.7 times as fast as pytest-xdist.
        --rustpar-start=auto chooses template here.
        ");
        let one = comparison(&trials(5, 1, |_, _| "passed"));
        assert_eq!(one[0], "The test has the same outcome in all 5 runs.");
    }

    #[test]
    fn a_differing_exit_status_is_shown() {
        let mut trials = trials(5, 2, |_, _| "passed");
        trials.0[4].record.status = Some(1);
        insta::assert_snapshot!(comparison(&trials).join("\n"), @r"
        All 2 tests have the same outcome in all 5 runs.
        The exit status differs: plain pytest: 0, pytest-xdist: 0, rustpar: 0, rustpar, again: 0, rustpar, early: 1.
        With known durations, rustpar is 3.5 times as fast as plain pytest, and 1.7 times as fast as pytest-xdist.
        --rustpar-start=auto chooses template here.
        ");
    }

    #[test]
    fn differing_tests_are_listed_with_the_likely_cause() {
        let trials = trials(6, 3, |run, test| match (run, test) {
            (1..=3, 0) | (5, 1) => "failed",
            _ => "passed",
        });
        insta::assert_snapshot!(comparison(&trials).join("\n"), @r"
        a.py::test_00
            plain pytest    passed
            pytest-xdist    failed
            rustpar         failed
            rustpar, again  failed
            rustpar, early  passed
            plain, again    passed
        a.py::test_01
            plain pytest    passed
            pytest-xdist    passed
            rustpar         passed
            rustpar, again  passed
            rustpar, early  passed
            plain, again    failed
        1 of 2 differing tests differ between two runs of plain pytest: they are flaky even without workers.
        1 of 2 differing tests differ under pytest-xdist in the same way: they depend on tests that run at the same time or before, or check for a worker. Try --dist loadfile, or mark them with serial or resource (docs/scheduling.md).
        With known durations, rustpar is 3.5 times as fast as plain pytest, and 1.7 times as fast as pytest-xdist.
        --rustpar-start=auto chooses template here.
        ");
    }

    #[test]
    fn the_list_of_differing_tests_is_limited() {
        let trials = trials(5, 60, |run, _| if run == 1 { "failed" } else { "passed" });
        let lines = comparison(&trials);
        assert_eq!(lines.iter().filter(|line| line.starts_with("a.py::")).count(), 50);
        assert_eq!(lines[300], "and 10 more");
    }

    #[test]
    fn a_run_that_was_stopped_is_named_and_has_no_speed() {
        let mut trials = trials(5, 1, |run, _| if run == 3 { "did not end" } else { "passed" });
        trials.0[3].limit = Some(60.0);
        trials.0[2].record.reasons = vec!["a.py:2 reads PYTEST_XDIST_WORKER".to_owned()];
        insta::assert_snapshot!(comparison(&trials).join("\n"), @r"
        a.py::test_00
            plain pytest    passed
            pytest-xdist    passed
            rustpar         passed
            rustpar, again  did not end
            rustpar, early  passed
        The run 'rustpar, again' was stopped after 1:00 min.
        1 of 1 differing tests belong to a run that was stopped because it did not end: look at those with 'did not end' first.
        --rustpar-start=auto chooses early here:
            a.py:2 reads PYTEST_XDIST_WORKER
        ");
    }

    #[test]
    fn each_cause_has_advice() {
        let causes = [
            Cause::Stuck,
            Cause::Flaky,
            Cause::Parallel,
            Cause::Sharing,
            Cause::Order,
            Cause::Rustpar,
            Cause::Unclear,
        ];
        insta::assert_snapshot!(causes.map(advice).join("\n"), @r"
        belong to a run that was stopped because it did not end: look at those with 'did not end' first
        differ between two runs of plain pytest: they are flaky even without workers
        differ under pytest-xdist in the same way: they depend on tests that run at the same time or before, or check for a worker. Try --dist loadfile, or mark them with serial or resource (docs/scheduling.md)
        differ with a template and not with early workers: state shared by workers is the cause. Until it is found, set rustpar_start = early in the configuration file
        differ between the first run and the second, which knows how long tests take: test order or parallel execution is the cause, or they are flaky. Run one alone, and then with the tests before it in its file
        differ under rustpar, however its workers are started, and not under pytest-xdist: test order or parallel execution is the cause, because rustpar distributes tests differently, or they are flaky. Run them alone, and run doctor again
        differ without a pattern: some may be flaky; run doctor again before looking for a cause
        ");
    }
}
