//! `rustpar history`: show, merge, prune or export the history.

use super::cache::in_cache;
use super::console::Console;
use super::error::Error;
use super::export::{self, Format};
use crate::history::file::{self, Warning};
use crate::history::{Fixture, History, KEPT_DAYS, Seconds, Test};
use crate::journal::Micros;
use crate::text::counted;
use crate::text::duration::spoken;
use crate::text::path::shown;
use crate::text::table::aligned;
use clap::{Args, Subcommand};
use std::cmp::Reverse;
use std::path::{Path, PathBuf};

/// Name of the file in pytest's cache.
const IN_CACHE: &str = "history.json";

/// Default number of rows per table.
pub(super) const DEFAULT_ROWS: usize = 10;

/// Maximum for the options `--slowest` and `--days`.
const LARGEST: u32 = 999_999;

#[derive(Debug, Args)]
#[command(arg_required_else_help = false)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// the slowest tests and fixtures, and the tests that fail or are flaky
    Show {
        /// lines of each table
        #[arg(long, value_name = "N", default_value_t = DEFAULT_ROWS, value_parser = number::<usize>)]
        #[arg(allow_negative_numbers = true)]
        slowest: usize,
        #[command(flatten)]
        file: HistoryFile,
    },
    /// merge the records of other files into OUT, which is created if it does not exist
    Merge {
        /// the file to write
        #[arg(value_name = "OUT")]
        out: PathBuf,
        /// the files to read
        #[arg(value_name = "IN", required = true)]
        files: Vec<PathBuf>,
    },
    /// delete records of tests and fixtures that no run has seen recently
    Prune {
        /// keep records that a run has seen within so many days; every run prunes with the default
        #[arg(long, value_name = "N", default_value_t = KEPT_DAYS, value_parser = number::<u64>)]
        #[arg(allow_negative_numbers = true)]
        days: u64,
        #[command(flatten)]
        file: HistoryFile,
    },
    /// write everything to standard output; durations are in seconds
    Export {
        /// csv contains only the tests
        #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Json)]
        format: Format,
        #[command(flatten)]
        file: HistoryFile,
    },
}

#[derive(Debug, Args)]
struct HistoryFile {
    /// the history file (default: that of pytest's cache, in this directory or one above it)
    path: Option<PathBuf>,
}

impl HistoryFile {
    /// The path of the file, which must exist.
    fn existing(self) -> Result<PathBuf, Error> {
        let Some(path) = self.path else {
            return in_cache(IN_CACHE, Path::exists)?.ok_or(Error::NoHistory);
        };
        existing(path)
    }
}

fn existing(path: PathBuf) -> Result<PathBuf, Error> {
    if path.exists() {
        Ok(path)
    } else {
        Err(Error::NoFile(path))
    }
}

/// Parses a number of rows or days.
pub(super) fn number<T: TryFrom<u32>>(text: &str) -> Result<T, String> {
    let number = text.parse::<u32>().ok().filter(|number| *number <= LARGEST);
    let number = number.filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("expected a number from 0 to {LARGEST}"))
}

/// Runs the command.
pub(super) fn run(options: Options, console: &mut Console<'_>) -> Result<(), Error> {
    match options.action {
        Action::Show { slowest, file } => {
            let path = file.existing()?;
            let history = file::read(&path)?;
            let lines = overview(&shown(&path), &history, slowest);
            lines.iter().try_for_each(|line| console.line(line))
        }
        Action::Merge { out, files } => merge(&out, files, console),
        Action::Prune { days, file } => {
            let path = file.existing()?;
            let (gone, left) = file::update(&path, |history| {
                let gone = history.prune(file::now(), days);
                (gone, history.tests().len())
            })?;
            console.line(&pruned(&shown(&path), gone, left))
        }
        Action::Export { format, file } => {
            let history = file::read(&file.existing()?)?;
            console.print(&export::text(&history, format)?)
        }
    }
}

fn merge(out: &Path, files: Vec<PathBuf>, console: &mut Console<'_>) -> Result<(), Error> {
    let files: Vec<PathBuf> = files.into_iter().map(existing).collect::<Result<_, _>>()?;
    let others = files.iter().map(|path| file::read(path));
    let others: Vec<History> = others.collect::<Result<_, Warning>>()?;
    let tests = file::update(out, |history| {
        for other in others {
            history.merge(other);
        }
        history.tests().len()
    })?;
    console.line(&format!("{}: {}", shown(out), counted(tests, "test")))
}

fn pruned(path: &str, gone: usize, left: usize) -> String {
    let gone = match gone {
        1 => "1 test or fixture".to_owned(),
        gone => format!("{gone} tests and fixtures"),
    };
    format!("{path}: {gone} deleted, {} left", counted(left, "test"))
}

/// Reads a counter of a test.
type Count = fn(&Test) -> u32;

/// The lines that `show` prints: a summary, and tables of at most so many rows each.
fn overview(path: &str, history: &History, most: usize) -> Vec<String> {
    let tests: Vec<(&str, &Test)> = history.tests().collect();
    let fixtures: Vec<(&str, &Fixture)> = history.fixtures().collect();
    let mut lines = vec![format!(
        "{path}: {}, {}",
        counted(tests.len(), "test"),
        counted(fixtures.len(), "shared fixture")
    )];
    let slow_tests = tests.iter().map(|(id, test)| (on_average(test), *id));
    let slow_fixtures = fixtures
        .iter()
        .map(|(key, fixture)| (micros(fixture.average), *key));
    for (title, slow) in [
        ("slowest tests, on average", slow_tests.collect::<Vec<_>>()),
        ("slowest shared fixtures, on average", slow_fixtures.collect()),
    ] {
        let rows = greatest(slow, most).map(|(time, name)| (spoken(time), name));
        lines.extend(table(title, rows));
    }
    let counts: [(&str, Count); 2] = [
        ("failed, of all runs", |test| test.failed),
        ("passed on a second try, of all runs", |test| test.flaky),
    ];
    for (title, count) in counts {
        let counted = tests.iter().filter(|(_, test)| count(test) > 0);
        let counted = counted.map(|(id, test)| (count(test), (*id, test.runs)));
        let rows = greatest(counted.collect(), most)
            .map(|(count, (name, runs))| (format!("{count} of {runs}"), name));
        lines.extend(table(title, rows));
    }
    lines
}

/// Mean duration of all phases together.
fn on_average(test: &Test) -> Micros {
    test.average.into_iter().flatten().map(micros).sum()
}

fn micros(time: Seconds) -> Micros {
    time.into()
}

/// The rows with the greatest numbers, at most so many; rows with equal numbers are sorted by the rest.
fn greatest<N: Ord + Copy, R: Ord + Copy>(
    mut rows: Vec<(N, R)>,
    most: usize,
) -> impl Iterator<Item = (N, R)> {
    rows.sort_unstable_by_key(|&(number, rest)| (Reverse(number), rest));
    rows.into_iter().take(most)
}

/// A table with its title; empty without rows.
fn table<'a>(title: &str, rows: impl Iterator<Item = (String, &'a str)>) -> Vec<String> {
    let rows: Vec<Vec<String>> = rows.map(|(amount, name)| vec![amount, name.to_owned()]).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    [vec![String::new(), title.to_owned()], aligned(&rows, &[1])].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::run::{Reported, Run};
    use crate::protocol::report::Phase;
    use insta::assert_snapshot;

    fn add(run: &mut Run, id: &str, call: Reported, seconds: f64) {
        let test = run.test(id);
        run.report(test, Some(Phase::Setup), Reported::Passed, 0.001);
        run.report(test, Some(Phase::Call), call, seconds);
        run.report(test, Some(Phase::Teardown), Reported::Passed, 0.0);
    }

    /// Two runs: one test fails, and one passes after a rerun.
    fn history() -> History {
        let mut history = History::default();
        for call in [Reported::Failed, Reported::Passed] {
            let mut run = Run::default();
            add(&mut run, "a.py::test_fails", call, 0.25);
            add(&mut run, "b.py::test_flaky", Reported::Rerun, 0.5);
            add(&mut run, "b.py::test_flaky", Reported::Passed, 0.5);
            add(&mut run, "c.py::test_slow", Reported::Passed, 83.4);
            add(&mut run, "c.py::test_ä", Reported::Passed, 0.5);
            run.fixture("a.py::test_fails", "a.py::db", 2.871);
            history.apply(&run, 1_700_000_000);
        }
        history
    }

    #[test]
    fn tables_are_sorted_by_their_numbers() {
        assert_snapshot!(overview("history.json", &history(), 10).join("\n"), @r"
        history.json: 4 tests, 1 shared fixture

        slowest tests, on average
        1:23 min  c.py::test_slow
          501 ms  b.py::test_flaky
          501 ms  c.py::test_ä
          251 ms  a.py::test_fails

        slowest shared fixtures, on average
        2.87 s  a.py::db

        failed, of all runs
        1 of 2  a.py::test_fails

        passed on a second try, of all runs
        2 of 2  b.py::test_flaky
        ");
    }

    #[test]
    fn tables_have_at_most_the_requested_rows() {
        assert_snapshot!(overview("history.json", &history(), 1).join("\n"), @r"
        history.json: 4 tests, 1 shared fixture

        slowest tests, on average
        1:23 min  c.py::test_slow

        slowest shared fixtures, on average
        2.87 s  a.py::db

        failed, of all runs
        1 of 2  a.py::test_fails

        passed on a second try, of all runs
        2 of 2  b.py::test_flaky
        ");
        assert_eq!(overview("h", &history(), 0), ["h: 4 tests, 1 shared fixture"]);
        assert_eq!(
            overview("h", &History::default(), 9),
            ["h: 0 tests, 0 shared fixtures"]
        );
    }

    #[test]
    fn pruned_records_are_counted() {
        assert_eq!(pruned("h", 1, 1), "h: 1 test or fixture deleted, 1 test left");
        assert_eq!(pruned("h", 2, 0), "h: 2 tests and fixtures deleted, 0 tests left");
    }

    #[test]
    fn numbers_are_limited_and_not_negative() {
        assert_eq!(number::<u64>("999999"), Ok(999_999));
        for text in ["", "-1", "+1", "1000000", "1.5", "ten", "99999999999999"] {
            let message = "expected a number from 0 to 999999".to_owned();
            assert_eq!(number::<u64>(text), Err(message), "{text}");
        }
    }
}
