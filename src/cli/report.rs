//! `rustpar report`: reports from a journal, for a terminal and in the formats of other programs.

use super::console::Console;
use super::document;
use super::error::Error;
use super::journal_lookup::RunChoice;
use crate::analysis::parse::ParseError;
use crate::analysis::threshold_check::judge;
use crate::journal::merged::Merged;
use crate::report::terminal::timing;
use crate::report::{ctrf, github, junit, load_export, text, timeline, trace};
use clap::Args;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Number of tests in the list of the slowest.
const SLOWEST_TESTS: usize = 10;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    run: RunChoice,
    #[arg(
        long,
        value_name = "FILE",
        help = "write JUnit XML, as pytest's own --junitxml"
    )]
    junit: Option<PathBuf>,
    /// write the Common Test Report Format (JSON)
    #[arg(long, value_name = "FILE")]
    ctrf: Option<PathBuf>,
    /// write a Chrome trace, which Perfetto can open
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// write an HTML page with a timeline of the run, compared with the previous run
    #[arg(long, value_name = "FILE")]
    timeline: Option<PathBuf>,
    /// write what load tests have measured, in total and in each second (JSON)
    #[arg(long, value_name = "FILE")]
    load_json: Option<PathBuf>,
    /// write the seconds of load tests, with a row for each metric
    #[arg(long, value_name = "FILE")]
    load_csv: Option<PathBuf>,
    #[arg(
        long,
        help = "print annotations for GitHub Actions, and append a job summary to the file $GITHUB_STEP_SUMMARY"
    )]
    github: bool,
}

/// Runs the command.
pub(super) fn run(options: &Options, console: &mut Console<'_>) -> Result<(), Error> {
    let journal = options.run.journal(console)?;
    let merged = Merged::read(&journal)?;
    if merged.parts.is_empty() {
        return Err(Error::NoRun);
    }
    let is_written = documents(options, &journal, &merged, console)?;
    if options.github {
        console.print(&github::annotations(&merged))?;
        if let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) {
            append(file.into(), &github::summary(&merged), console)?;
        }
    } else if !is_written {
        console.print(&summary(&merged)?)?;
    }
    Ok(())
}

/// Writes the requested files; returns whether there were any.
fn documents(
    options: &Options,
    journal: &Path,
    merged: &Merged,
    console: &mut Console<'_>,
) -> Result<bool, Error> {
    type Made = Result<Vec<u8>, Error>;
    let as_json = |made: serde_json::Result<Vec<u8>>| made.map_err(|error| Error::Format(error.into()));
    let junit = || junit::write(merged).map_err(|error| Error::Format(error.into()));
    let ctrf = || as_json(ctrf::write(merged));
    let trace = || as_json(trace::write(merged));
    let timeline = || Ok(timeline::page_of(journal, merged)?.into_bytes());
    let load_json = || as_json(load_export::json(merged));
    let load_csv = || Ok(load_export::csv(merged).into_bytes());
    let formats: [(&Option<PathBuf>, &dyn Fn() -> Made); 6] = [
        (&options.junit, &junit),
        (&options.ctrf, &ctrf),
        (&options.trace, &trace),
        (&options.timeline, &timeline),
        (&options.load_json, &load_json),
        (&options.load_csv, &load_csv),
    ];
    let mut is_written = false;
    for (file, content) in formats {
        if let Some(file) = file {
            document::write(file, &content()?, console)?;
            is_written = true;
        }
    }
    Ok(is_written)
}

fn append(path: PathBuf, text: &str, console: &mut Console<'_>) -> Result<(), Error> {
    let opened = File::options().append(true).create(true).open(&path);
    let unwritable = |source: io::Error| Error::Unwritable { path, source };
    match opened {
        Ok(file) => console.write_to(file, text.as_bytes(), unwritable),
        Err(source) => Err(unwritable(source)),
    }
}

/// The results of the runs for a terminal, in sections.
fn summary(merged: &Merged) -> Result<String, ParseError> {
    let mut durations = timing::percentiles(merged);
    let bound = timing::lower_bound(merged, &str::to_owned);
    if !bound.is_empty() && !timing::workers(merged).is_empty() {
        durations.push(String::new());
        durations.extend(bound);
    }
    let thresholds = timing::thresholds(&judge(merged)?);
    let thresholds: Vec<String> = thresholds.into_iter().map(|line| line.text).collect();
    let sections = [
        text::failed(merged),
        text::flaky_and_missing(merged),
        text::slowest(merged, SLOWEST_TESTS),
        text::workers(merged),
        section("durations", &durations),
        section("thresholds", &thresholds),
        text::overview(merged),
    ];
    let text: Vec<String> = sections
        .into_iter()
        .filter(|section| !section.is_empty())
        .collect();
    Ok(text.join("\n"))
}

/// A section of indented lines; empty without lines.
fn section(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = format!("{title}\n");
    for line in lines {
        text.push_str(format!("  {line}").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::example::{ONE_PROCESS, TWO_WORKERS, journal, merged};
    use insta::assert_snapshot;

    #[test]
    fn the_report_of_a_run_with_workers_has_its_bound_and_thresholds() {
        let options = [("rustpar_thresholds", "max<1s, count==3")];
        let run = merged(&journal("one", 951_782_400_000_000, &options, TWO_WORKERS));
        assert_snapshot!(summary(&run).unwrap(), @r"
        slowest tests
              3.50 s  a.py::slow
              1.00 s  a.py::test
              0.00 s  b.py::test

        workers
                 gw0       1 test        3.50 s busy
                 gw1       2 tests       1.00 s busy

        durations
                    count     p50     p95     p99     max
          tests         3  1.00 s  3.50 s  3.50 s  3.50 s
          set-up        2    0 us  500 ms  500 ms  500 ms
          call          3  1.00 s  2.90 s  2.90 s  2.90 s
          teardown      1  100 ms  100 ms  100 ms  100 ms

          tests ran for 3.50 s; lower bound 3.50 s (0 % above)
          limited by: a.py::slow alone takes 3.50 s; an even split over 2 workers would take 2.25 s

        thresholds
          broken  max<1s    3.50 s
          kept    count==3       3

        2000-02-29 00:00:00 UTC, Python 3.12.1, pytest 8.3.0, linux
          pytest -k one or two
          3.50 s, 2 workers, incomplete: the end is not in the journal
        3 passed in 3.50 s
        ");
    }

    #[test]
    fn the_report_of_a_run_in_one_process_has_its_failures() {
        let run = merged(&journal("one", 951_782_400_000_000, &[], ONE_PROCESS));
        assert_snapshot!(summary(&run).unwrap(), @r"
        ___________________________ a.py::test_fails: failed ___________________________
        main, 0.02 s, started 0.01 s into the run
        no other test was running

            def test_fails():
        >       assert 0


        slowest tests
              0.02 s  a.py::test_fails
              0.01 s  a.py::test_passes

        workers
                main       2 tests       0.03 s busy

        durations
                 count      p50      p95      p99      max
          tests      2  10.0 ms  20.0 ms  20.0 ms  20.0 ms
          call       2  10.0 ms  20.0 ms  20.0 ms  20.0 ms

        2000-02-29 00:00:00 UTC, Python 3.12.1, pytest 8.3.0, linux
          pytest -k one or two
          0.04 s, one process, exit status 1
        1 passed, 1 failed in 0.04 s
        ");
    }

    #[test]
    fn an_interrupted_run_is_reported_as_far_as_recorded() {
        let events: Vec<&str> = ONE_PROCESS.trim().lines().take(2).collect();
        let run = merged(&journal("one", 0, &[], &(events.join("\n") + "\n")));
        assert_snapshot!(summary(&run).unwrap(), @r"
        did not finish: 1
          a.py::test_fails


        slowest tests
              0.01 s  a.py::test_passes

        workers
                main       1 test        0.01 s busy

        durations
                 count      p50      p95      p99      max
          tests      1  10.0 ms  10.0 ms  10.0 ms  10.0 ms
          call       1  10.0 ms  10.0 ms  10.0 ms  10.0 ms

        1970-01-01 00:00:00 UTC, Python 3.12.1, pytest 8.3.0, linux
          pytest -k one or two
          0.01 s, one process, incomplete: the end is not in the journal
        1 passed in 0.01 s
        ");
    }
}
