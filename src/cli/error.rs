//! Errors of commands: one line that says what to do.

use crate::analysis::parse::ParseError;
use crate::history::file::Warning;
use crate::journal::join::CannotJoin;
use crate::journal::read::Problem;
use crate::report::timeline::problem;
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
