//! `rustpar history export`: the whole history in formats for other programs.

use super::error::Error;
use super::json;
use crate::history::{History, Outcome, Seconds};
use crate::report::moment::rfc3339;
use crate::text::csv::quoted;
use clap::ValueEnum;
use serde::Serialize;
use std::fmt::Write as _;

/// Output format: tests and fixtures as JSON, or one line of CSV per test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    // Not a doc comment, which would appear in the help.
    Json,
    Csv,
}

/// A test. Durations are in seconds, times in seconds since the epoch.
#[derive(Serialize)]
struct TestRow<'a> {
    test: &'a str,
    outcome: &'static str,
    runs: u32,
    failed: u32,
    flaky: u32,
    seen: u64,
    setup: Option<f64>,
    call: Option<f64>,
    teardown: Option<f64>,
    last_setup: Option<f64>,
    last_call: Option<f64>,
    last_teardown: Option<f64>,
}

/// A shared fixture.
#[derive(Serialize)]
struct FixtureRow<'a> {
    fixture: &'a str,
    runs: u32,
    seen: u64,
    seconds: f64,
    last: f64,
}

#[derive(Serialize)]
struct All<'a> {
    tests: Vec<TestRow<'a>>,
    fixtures: Vec<FixtureRow<'a>>,
}

/// Formats a history.
pub(super) fn text(history: &History, format: Format) -> Result<String, Error> {
    let tests = tests(history);
    if format == Format::Csv {
        return Ok(csv(&tests));
    }
    let fixtures = history.fixtures().map(|(fixture, about)| FixtureRow {
        fixture,
        runs: about.runs,
        seen: about.seen,
        seconds: about.average.get(),
        last: about.last.get(),
    });
    let fixtures = fixtures.collect();
    let text = json::ascii(&All { tests, fixtures }).map_err(|error| Error::Format(error.into()))?;
    Ok(text + "\n")
}

fn tests(history: &History) -> Vec<TestRow<'_>> {
    let tests = history.tests().map(|(test, about)| {
        let [setup, call, teardown] = about.average.map(|phase| phase.map(Seconds::get));
        let [last_setup, last_call, last_teardown] = about.last.map(|phase| phase.map(Seconds::get));
        TestRow {
            test,
            outcome: match about.outcome {
                Outcome::Passed => "passed",
                Outcome::Skipped => "skipped",
                Outcome::Failed => "failed",
            },
            runs: about.runs,
            failed: about.failed,
            flaky: about.flaky,
            seen: about.seen,
            setup,
            call,
            teardown,
            last_setup,
            last_call,
            last_teardown,
        }
    });
    tests.collect()
}

/// Formats tests as CSV (RFC 4180), but with Unix line ends; times are dates in UTC.
fn csv(tests: &[TestRow<'_>]) -> String {
    let mut text = "test,outcome,runs,failed,flaky,seen,\
                    setup,call,teardown,last_setup,last_call,last_teardown\n"
        .to_owned();
    for test in tests {
        let seen = rfc3339(test.seen.saturating_mul(1_000_000));
        let seen = seen.split_once('.').map_or(&*seen, |(seconds, _)| seconds);
        let _ = write!(
            text,
            "{},{},{},{},{},{seen}Z",
            quoted(test.test),
            test.outcome,
            test.runs,
            test.failed,
            test.flaky
        );
        for time in [
            test.setup,
            test.call,
            test.teardown,
            test.last_setup,
            test.last_call,
            test.last_teardown,
        ] {
            text.push(',');
            if let Some(time) = time {
                let _ = write!(text, "{time:?}");
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod snapshots {
    use super::*;
    use crate::history::run::{Reported, Run};
    use crate::protocol::report::Phase;
    use insta::assert_snapshot;

    fn history() -> History {
        let mut run = Run::default();
        let test = run.test("a.py::test[\"é\", 1]");
        run.report(test, Some(Phase::Setup), Reported::Passed, 0.000_009);
        run.report(test, Some(Phase::Call), Reported::Passed, 1.0);
        run.report(test, Some(Phase::Teardown), Reported::Passed, 0.001);
        let skipped = run.test("a.py::test_skipped");
        run.report(skipped, Some(Phase::Setup), Reported::Skipped, 0.002);
        run.report(skipped, Some(Phase::Teardown), Reported::Passed, 0.0);
        run.fixture("a.py::test_skipped", "a.py::db", 0.5);
        let mut history = History::default();
        history.apply(&run, 951_782_400);
        history
    }

    #[test]
    fn json_has_tests_and_fixtures() {
        assert_snapshot!(text(&history(), Format::Json).unwrap(), @r#"
        {
         "tests": [
          {
           "test": "a.py::test[\"\u00e9\", 1]",
           "outcome": "passed",
           "runs": 1,
           "failed": 0,
           "flaky": 0,
           "seen": 951782400,
           "setup": 9e-6,
           "call": 1.0,
           "teardown": 0.001,
           "last_setup": 9e-6,
           "last_call": 1.0,
           "last_teardown": 0.001
          },
          {
           "test": "a.py::test_skipped",
           "outcome": "skipped",
           "runs": 1,
           "failed": 0,
           "flaky": 0,
           "seen": 951782400,
           "setup": null,
           "call": null,
           "teardown": null,
           "last_setup": 0.002,
           "last_call": null,
           "last_teardown": 0.0
          }
         ],
         "fixtures": [
          {
           "fixture": "a.py::db",
           "runs": 1,
           "seen": 951782400,
           "seconds": 0.5,
           "last": 0.5
          }
         ]
        }
        "#);
    }

    #[test]
    fn csv_has_a_line_for_each_test() {
        assert_snapshot!(text(&history(), Format::Csv).unwrap(), @r#"
        test,outcome,runs,failed,flaky,seen,setup,call,teardown,last_setup,last_call,last_teardown
        "a.py::test[""é"", 1]",passed,1,0,0,2000-02-29T00:00:00Z,9e-6,1.0,0.001,9e-6,1.0,0.001
        a.py::test_skipped,skipped,1,0,0,2000-02-29T00:00:00Z,,,,0.002,,0.0
        "#);
    }
}
