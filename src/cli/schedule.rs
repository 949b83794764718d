//! `rustpar schedule`: collects without running tests, and prints how many tests each worker would run, when the run
//! would end, and which tests limit its duration.

use super::PytestArguments;
use super::console::Console;
use super::error::Error;
use super::pytest::{self, Run};
use serde::Deserialize;
use std::ffi::OsString;
use std::time::Duration;

const USAGE: &str = "usage: rustpar schedule [pytest arguments]

show how a suite would be divided among workers, and what limits its speed; no test is run. -n, --dist and all other \
options mean the same as for pytest; without -n there is one worker per CPU.
";

/// How many lines of pytest's output are shown if it has no ERRORS section.
const MAX_LINES: usize = 15;

/// pytest's exit status if no tests were collected.
const NO_TESTS: i32 = 5;

/// What `rustpar.cli.collection_recorder` has written.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Found {
    Lines(Vec<String>),
    Problem(String),
}

/// Runs the command.
pub(super) fn run(options: PytestArguments, console: &mut Console<'_>) -> Result<(), Error> {
    let PytestArguments { arguments } = options;
    if pytest::asks_for_help(&arguments) {
        return console.print(USAGE);
    }
    if !cfg!(target_os = "linux") {
        return Err(Error::OnlyOnLinux);
    }
    let directory = pytest::temporary_directory()?;
    let collecting = Run {
        plugin: "collection_recorder",
        variable: "RUSTPAR_REHEARSAL",
        directory: directory.path(),
        limit: Duration::MAX,
    };
    let only_collect = ["--collect-only", "-qq"].map(OsString::from);
    let done = collecting.execute(arguments.into_iter().chain(only_collect), console)?;
    let status = done.status.unwrap_or_default();
    let plan = done.written.filter(|_| [0, NO_TESTS].contains(&status));
    let Some(plan) = plan else {
        return Err(Error::NotCollected {
            status,
            output: errors(&done.output),
        });
    };
    match serde_json::from_str(&plan).map_err(|error| Error::NoSchedule(error.to_string()))? {
        Found::Lines(lines) => lines.iter().try_for_each(|line| console.line(line)),
        Found::Problem(problem) => Err(Error::NoSchedule(problem)),
    }
}

/// The ERRORS section of pytest's output, without the list of tests before it.
fn errors(output: &str) -> String {
    let is_title = |line: &&str| line.starts_with('=') && line.trim_matches(['=', ' ']) == "ERRORS";
    let title = output.trim().lines().find(is_title);
    let section = title.and_then(|title| output.find(&format!("{title}\n")));
    section.map_or_else(
        || pytest::last_lines(output, MAX_LINES),
        |begin| output[begin..].trim_end().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_failed_collection_the_errors_are_shown() {
        let output = "test_it.py::test_one\n\n=== ERRORS ===\nE   no module\n=== short summary ===\n\n";
        assert_eq!(
            errors(output),
            "=== ERRORS ===\nE   no module\n=== short summary ==="
        );
    }

    #[test]
    fn of_other_output_the_last_lines_are_shown() {
        let lines: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(errors(&(lines.join("\n") + "\n")), lines[5..].join("\n"));
        assert_eq!(errors("\nusage: pytest\n"), "usage: pytest");
    }
}
