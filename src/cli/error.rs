//! Errors of commands: one line that says what to do.

use crate::analysis::parse::ParseError;
use crate::history::file::Warning;
use crate::journal::join::CannotJoin;
use crate::journal::read::Problem;
use crate::replay::choice::NotFound;
use crate::report::timeline::problem;
use crate::text::duration::InvalidDuration;
use crate::text::path::shown;
use std::io;
use std::path::PathBuf;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Its arguments are invalid.
    #[error("{problem}; see rustpar {command} --help")]
    Arguments {
        /// What is wrong with them.
        problem: String,
        /// The command.
        command: String,
    },
    /// No history file was found.
    #[error("there is no history.json in .pytest_cache here or above: run the tests first, or name a file")]
    NoHistory,
    /// No journals were found in pytest's cache.
    #[error("there is no journal in .pytest_cache here or above: run the tests first, or name a directory")]
    NoJournal,
    /// The given directory has no journals.
    #[error("there is no journal in {}", shown(.0))]
    NoJournalIn(PathBuf),
    /// There are journals, but none is readable.
    #[error("there is no journal that can be read")]
    NoReadableJournal,
    /// A given file does not exist.
    #[error("there is no file {}", shown(.0))]
    NoFile(PathBuf),
    /// No run, or several, match an id.
    #[error("{count} of the kept runs have an id that begins with '{begin}'; `rustpar runs` lists them")]
    AmbiguousRun {
        /// Number of matching runs.
        count: usize,
        /// The given beginning of the id.
        begin: String,
    },
    /// A journal has no complete line.
    #[error("the journal is cut off in its first line; there is nothing to report")]
    NoRun,
    /// From reading or writing a history.
    #[error(transparent)]
    History(#[from] Warning),
    /// From reading a journal.
    #[error(transparent)]
    Journal(#[from] Problem),
    /// From joining journals.
    #[error(transparent)]
    Join(#[from] CannotJoin),
    /// From choosing a worker or a test.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The test to bisect has not failed.
    #[error("{0} did not fail; name a run in which it did: `rustpar runs` lists them")]
    NotFailed(String),
    /// The tests of the journal are not in this project.
    #[error("there is no {0} here or above: run the command in the project whose tests the journal is about")]
    NoProject(String),
    /// From the thresholds in a journal.
    #[error(transparent)]
    Thresholds(#[from] ParseError),
    /// From making a timeline.
    #[error(transparent)]
    Timeline(#[from] problem::Problem),
    /// The results cannot be represented in a format.
    #[error("could not serialize the output: {0}")]
    Format(Box<dyn std::error::Error + Send + Sync>),
    /// Opening the pipe for writing would block for ever.
    #[error("the pipe {} has no reader", shown(.0))]
    NoReader(PathBuf),
    /// A file cannot be written.
    #[error("could not write {}: {source}", shown(.path))]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// From a time limit.
    #[error(transparent)]
    Duration(#[from] InvalidDuration),
    /// Tests can only be scheduled where rustpar runs them.
    #[error(
        "only available on Linux: elsewhere pytest-xdist schedules tests, in an order not known in advance"
    )]
    OnlyOnLinux,
    /// pytest could not be started, or not be waited for.
    #[error("could not run pytest: {0}")]
    CannotRun(io::Error),
    /// pytest has failed to collect.
    #[error("pytest could not collect the tests (exit status {status}):\n{output}")]
    NotCollected {
        /// Its exit status.
        status: i32,
        /// What it has printed about it.
        output: String,
    },
    /// There is nothing to schedule, or no schedule.
    #[error("{0}")]
    NoSchedule(String),
    /// A run of pytest ended before its session had finished.
    #[error("the run '{name}' ended with status {status}:\n{output}")]
    RunFailed {
        /// The run.
        name: &'static str,
        /// Its exit status.
        status: i32,
        /// The end of its output.
        output: String,
    },
    /// Standard output cannot be written.
    #[error("could not write to standard output: {0}")]
    Output(io::Error),
    /// The current directory was deleted or is not accessible.
    #[error("could not find the current directory: {0}")]
    CurrentDirectory(io::Error),
    /// A signal has interrupted the command.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Whether the reader has closed the pipe, which is not a failure.
    pub(super) fn is_closed_pipe(&self) -> bool {
        match self {
            Self::Output(source) | Self::Unwritable { source, .. } => {
                source.kind() == io::ErrorKind::BrokenPipe
            }
            _ => false,
        }
    }
}
