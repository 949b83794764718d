//! `rustpar runs`: the runs whose journals are kept.

use super::console::Console;
use super::error::Error;
use super::journal_lookup::Directory;
use super::json;
use crate::journal::merged::Merged;
use crate::journal::run::Verdict;
use crate::journal::{Micros, seconds};
use crate::platform::local_time::local_time;
use crate::report::moment::rfc3339;
use crate::report::text::{counts_in_words, workers_in_words};
use crate::text::duration::spoken;
use crate::text::shell;
use clap::Args;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::path::Path;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    directory: Directory,
    /// write them as JSON
    #[arg(long)]
    json: bool,
}

/// A run in the JSON output.
#[derive(Serialize)]
struct Run<'a> {
    id: &'a str,
    /// In seconds since the epoch.
    began: f64,
    command: &'a [String],
    environment: &'a str,
    #[serde(serialize_with = "by_verdict")]
    counts: [usize; Verdict::ALL.len()],
    seconds: f64,
    workers: usize,
    /// `None` if the journal has no end event.
    exit: Option<i32>,
    journal: Box<RawValue>,
}

/// Serializes the verdicts that occurred.
fn by_verdict<S: Serializer>(counts: &[usize; Verdict::ALL.len()], serializer: S) -> Result<S::Ok, S::Error> {
    let counts = Verdict::ALL.into_iter().zip(counts);
    let counted = counts.filter(|(_, count)| **count > 0);
    serializer.collect_map(counted.map(|(verdict, count)| (verdict.name(), count)))
}

/// Runs the command.
pub(super) fn run(options: &Options, console: &mut Console<'_>) -> Result<(), Error> {
    let journals = options.directory.read(console)?;
    if options.json {
        let mut runs = Vec::new();
        for (path, merged) in &journals {
            runs.extend(described(path, merged).map_err(|error| Error::Format(error.into()))?);
        }
        let text = json::ascii(&runs).map_err(|error| Error::Format(error.into()))?;
        return console.line(&text);
    }
    let lines = journals.iter().flat_map(|(_, merged)| lines(merged, &moment));
    lines.into_iter().try_for_each(|line| console.line(&line))
}

fn described<'a>(path: &Path, merged: &'a Merged) -> serde_json::Result<Vec<Run<'a>>> {
    let runs = merged.parts.iter().map(|part| {
        let (run, head) = (&part.run, &part.run.head);
        Ok(Run {
            id: &head.id,
            began: seconds(head.began),
            command: &head.command,
            environment: &merged.environments[part.environment].name,
            counts: run.counts(),
            seconds: seconds(run.lasted),
            workers: run.workers(),
            exit: run.exit,
            journal: json::path(path)?,
        })
    });
    runs.collect()
}

/// Two lines for each run of a journal; `moment` formats a time.
fn lines(merged: &Merged, moment: &dyn Fn(Micros) -> String) -> Vec<String> {
    let lines = merged.parts.iter().flat_map(|part| {
        let (run, head) = (&part.run, &part.run.head);
        let end = run.exit.map_or_else(
            || "incomplete".to_owned(),
            |status| format!("exit status {status}"),
        );
        [
            format!(
                "{}  {:>10}  {}  {}",
                moment(head.began),
                spoken(run.lasted),
                head.id,
                shell::joined(&head.command)
            ),
            format!(
                "  {}; {}, {}, {end}",
                counts_in_words(run.counts()).join(", "),
                workers_in_words(run),
                merged.environments[part.environment].name
            ),
        ]
    });
    lines.collect()
}

/// Formats microseconds since the epoch in local time, or in UTC if that is unknown.
pub(super) fn moment(micros: Micros) -> String {
    let local = i64::try_from(micros / 1_000_000).ok().and_then(local_time);
    local.unwrap_or_else(|| rfc3339(micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::example::{ONE_PROCESS, TWO_WORKERS, journal, merged};
    use insta::assert_snapshot;

    fn two_runs() -> Merged {
        let first = journal("first", 1_000_000, &[], TWO_WORKERS);
        merged(&(first + &journal("second", 100_000_000_000_000, &[], ONE_PROCESS)))
    }

    #[test]
    fn a_run_has_two_lines() {
        assert_snapshot!(lines(&two_runs(), &rfc3339).join("\n"), @r"
        1970-01-01T00:00:01.000000+00:00      3.50 s  first  pytest -k 'one or two'
          3 passed; 2 workers, Python 3.12.1, incomplete
        1973-03-03T09:46:40.000000+00:00     40.0 ms  second  pytest -k 'one or two'
          1 passed, 1 failed; one process, Python 3.12.1, exit status 1
        ");
    }

    #[test]
    fn the_json_output_is_complete() {
        let runs = two_runs();
        let runs = described(Path::new("runs/é.jsonl"), &runs).unwrap();
        assert_snapshot!(json::ascii(&runs).unwrap(), @r#"
        [
         {
          "id": "first",
          "began": 1.0,
          "command": [
           "pytest",
           "-k",
           "one or two"
          ],
          "environment": "Python 3.12.1",
          "counts": {
           "passed": 3
          },
          "seconds": 3.5,
          "workers": 2,
          "exit": null,
          "journal": "runs/\u00e9.jsonl"
         },
         {
          "id": "second",
          "began": 100000000.0,
          "command": [
           "pytest",
           "-k",
           "one or two"
          ],
          "environment": "Python 3.12.1",
          "counts": {
           "passed": 1,
           "failed": 1
          },
          "seconds": 0.04,
          "workers": 0,
          "exit": 1,
          "journal": "runs/\u00e9.jsonl"
         }
        ]
        "#);
    }
}
