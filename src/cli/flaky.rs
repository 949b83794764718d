//! `rustpar flaky`: tests that have changed their mind.

use super::console::Console;
use super::error::Error;
use super::history::{DEFAULT_ROWS, number};
use super::journal_lookup::Directory;
use super::json;
use super::runs::moment;
use crate::analysis::flakiness::{Flaky, flaky};
use crate::journal::Micros;
use crate::journal::merged::Merged;
use crate::journal::read::{self, Log};
use crate::journal::run::Run;
use crate::replay::failure::Failure;
use crate::text::counted;
use clap::Args;
use serde::Serialize;
use std::collections::HashSet;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// journals, for example of other machines (default: those that are kept here)
    #[arg(value_name = "JOURNAL", conflicts_with = "path")]
    journals: Vec<PathBuf>,
    #[command(flatten)]
    directory: Directory,
    /// list at most so many tests
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ROWS, value_parser = number::<usize>)]
    #[arg(allow_negative_numbers = true)]
    most: usize,
    /// write all of them as JSON
    #[arg(long)]
    json: bool,
}

/// A test in the JSON output.
#[derive(Serialize)]
struct Test<'a> {
    id: &'a str,
    changes: usize,
    compared: usize,
    executions: usize,
    failures: usize,
    /// `None` if it is expected to fail.
    last_failure: Option<LastFailure<'a>>,
}

/// The last failure of a test.
#[derive(Serialize)]
struct LastFailure<'a> {
    run: &'a str,
    error: String,
}

/// Runs the command.
pub(super) fn run(options: &Options, console: &mut Console<'_>) -> Result<(), Error> {
    let merged = Merged::new(logs(options, console)?);
    let runs: Vec<&Run> = merged.parts.iter().map(|part| &part.run).collect();
    let tests = flaky(&runs);
    if options.json {
        let tests: Vec<Test<'_>> = tests.iter().map(|test| described(test, &runs)).collect();
        let text = json::ascii(&tests).map_err(|error| Error::Format(error.into()))?;
        return console.line(&text);
    }
    let lines = lines(&tests, &runs, options.most, &moment);
    lines.iter().try_for_each(|line| console.line(line))
}

/// The runs in the journals; prints a warning for each kept journal that cannot be read.
fn logs(options: &Options, console: &mut Console<'_>) -> Result<Vec<Log>, Error> {
    let mut logs = Vec::new();
    for journal in &options.journals {
        logs.extend(read::read(journal)?);
    }
    if options.journals.is_empty() {
        for journal in options.directory.journals()? {
            match read::read(&journal) {
                Ok(found) => logs.extend(found),
                Err(problem) => console.warn(&problem.into()),
            }
        }
    }
    if logs.is_empty() {
        return Err(Error::NoReadableJournal);
    }
    Ok(logs)
}

fn described<'a>(test: &Flaky<'a>, runs: &[&'a Run]) -> Test<'a> {
    let last_failure = test.last_failure.map(|(run, attempt)| LastFailure {
        run: &runs[run].head.id,
        error: Failure::recorded(runs[run], &runs[run].attempts[attempt])
            .map_or_else(String::new, |failure| failure.in_words()),
    });
    Test {
        id: test.id,
        changes: test.changes,
        compared: test.compared,
        executions: test.executions,
        failures: test.failures,
        last_failure,
    }
}

/// A summary, and two lines for each of the first tests; `moment` formats a time.
fn lines(tests: &[Flaky<'_>], runs: &[&Run], most: usize, moment: &dyn Fn(Micros) -> String) -> Vec<String> {
    let ids: HashSet<&str> = runs.iter().flat_map(|run| &run.ids).map(String::as_str).collect();
    let since = runs.first().map_or(0, |run| run.head.began);
    let mut lines = vec![format!(
        "{} since {}, {}",
        counted(runs.len(), "run"),
        moment(since),
        counted(ids.len(), "test")
    )];
    if tests.is_empty() {
        lines.push("no test passed and failed with the same code".to_owned());
        return lines;
    }
    lines.push(String::new());
    lines.push("outcome has changed although the code was the same, of all comparisons".to_owned());
    let shown: Vec<Test<'_>> = tests
        .iter()
        .take(most)
        .map(|test| described(test, runs))
        .collect();
    let shares: Vec<String> = shown
        .iter()
        .map(|test| format!("{} of {}", test.changes, test.compared))
        .collect();
    let width = shares.iter().map(String::len).max().unwrap_or(0);
    for (test, share) in shown.iter().zip(shares) {
        lines.push(format!("{share:>width$}  {}", test.id));
        if let Some(LastFailure { run, error }) = &test.last_failure {
            let end = if error.is_empty() {
                String::new()
            } else {
                format!(": {error}")
            };
            let (failures, executions) = (test.failures, test.executions);
            lines.push(format!(
                "{:width$}  failed {failures} of {executions} times, last in run {run}{end}",
                ""
            ));
        }
    }
    let more = tests.len().saturating_sub(most);
    if more > 0 {
        lines.push(format!(
            "and {}; --most {} lists all",
            counted(more, "more test"),
            tests.len()
        ));
    }
    lines.push(String::new());
    lines.push("rustpar bisect NODEID RUN searches for the cause of a failure".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::example::{ONE_PROCESS, journal, merged};
    use crate::report::moment::rfc3339;
    use insta::assert_snapshot;

    /// Three runs of the same code, of which one passes.
    fn three_runs() -> Merged {
        let code = r#"{"e":"code","files":{"a.py":"1"}}"#;
        let (head, rest) = ONE_PROCESS.trim_start().split_once('\n').unwrap();
        let failing = format!("{head}\n{code}\n{rest}");
        let passing = failing.replace(r#""o":"failed""#, r#""o":"passed""#);
        let journals = [("one", &failing), ("two", &passing), ("six", &failing)];
        let journals = (1..).zip(journals);
        merged(
            &journals
                .map(|(began, (id, events))| journal(id, began * 1_000_000, &[], events))
                .collect::<String>(),
        )
    }

    fn text(merged: &Merged, most: usize) -> String {
        let runs: Vec<&Run> = merged.parts.iter().map(|part| &part.run).collect();
        lines(&flaky(&runs), &runs, most, &rfc3339).join("\n")
    }

    #[test]
    fn a_test_is_listed_with_its_last_failure() {
        assert_snapshot!(text(&three_runs(), 10), @r"
        3 runs since 1970-01-01T00:00:01.000000+00:00, 2 tests

        outcome has changed although the code was the same, of all comparisons
        2 of 2  a.py::test_fails
                failed 2 of 3 times, last in run six: assert 0

        rustpar bisect NODEID RUN searches for the cause of a failure
        ");
        assert_snapshot!(text(&three_runs(), 0), @r"
        3 runs since 1970-01-01T00:00:01.000000+00:00, 2 tests

        outcome has changed although the code was the same, of all comparisons
        and 1 more test; --most 1 lists all

        rustpar bisect NODEID RUN searches for the cause of a failure
        ");
    }

    #[test]
    fn runs_without_a_flaky_test_are_summed_up() {
        assert_snapshot!(text(&merged(&journal("one", 1_000_000, &[], ONE_PROCESS)), 10), @r"
        1 run since 1970-01-01T00:00:01.000000+00:00, 2 tests
        no test passed and failed with the same code
        ");
    }

    #[test]
    fn the_json_output_is_complete() {
        let merged = three_runs();
        let runs: Vec<&Run> = merged.parts.iter().map(|part| &part.run).collect();
        let tests: Vec<Test<'_>> = flaky(&runs).iter().map(|test| described(test, &runs)).collect();
        assert_snapshot!(json::ascii(&tests).unwrap(), @r#"
        [
         {
          "id": "a.py::test_fails",
          "changes": 2,
          "compared": 2,
          "executions": 3,
          "failures": 2,
          "last_failure": {
           "run": "six",
           "error": "assert 0"
          }
         }
        ]
        "#);
    }
}
