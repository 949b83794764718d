//! Why a command cannot do what it was asked for: one line that says what to do.

use crate::analysis::parse::ParseError;
use crate::history::file::Warning;
use crate::journal::join::CannotJoin;
use crate::journal::read::Problem;
use crate::report::timeline::problem;
use crate::text::path::shown;
use std::io;
use std::path::PathBuf;

/// Why a command cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Its arguments make no sense.
    #[error("{problem}; see rustpar {command} --help")]
    Arguments {
        /// What is wrong with them.
        problem: String,
        /// The command.
        command: String,
    },
    /// No tests have run here, or they remember nothing.
    #[error("there is no history.json in .pytest_cache here or above: run the tests first, or name a file")]
    NoHistory,
    /// No tests have run here, or no journals are kept.
    #[error("there is no journal in .pytest_cache here or above: run the tests first, or name a directory")]
    NoJournal,
    /// A directory that was named has no journals.
    #[error("there is no journal in {}", shown(.0))]
    NoJournalIn(PathBuf),
    /// There are journals, and none of them can be read.
    #[error("there is no journal that can be read")]
    NoReadableJournal,
    /// A file that was named is not there.
    #[error("there is no file {}", shown(.0))]
    NoFile(PathBuf),
    /// Not one run is meant, but none or several.
    #[error("{count} of the kept runs have an id that begins with '{begin}'; `rustpar runs` lists them")]
    NotOneRun {
        /// How many.
        count: usize,
        /// What their ids begin with.
        begin: String,
    },
    /// A journal has no whole line.
    #[error("the journal was cut before it said of which run it is; there is nothing to tell")]
    NoRun,
    /// Of the history in a file.
    #[error(transparent)]
    History(#[from] Warning),
    /// Of a journal.
    #[error(transparent)]
    Journal(#[from] Problem),
    /// Of several journals.
    #[error(transparent)]
    Join(#[from] CannotJoin),
    /// Of the thresholds that a journal names.
    #[error(transparent)]
    Thresholds(#[from] ParseError),
    /// Of a timeline.
    #[error(transparent)]
    Timeline(#[from] problem::Problem),
    /// What was measured cannot be said in a format.
    #[error("could not make the document: {0}")]
    Format(Box<dyn std::error::Error + Send + Sync>),
    /// Who writes to the pipe would wait for ever.
    #[error("nobody reads from the pipe {}", shown(.0))]
    NoReader(PathBuf),
    /// A file cannot be written.
    #[error("could not write {}: {source}", shown(.path))]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Standard output cannot be written.
    #[error("could not write to standard output: {0}")]
    Output(io::Error),
    /// The current directory is gone, or closed to us.
    #[error("could not find the current directory: {0}")]
    CurrentDirectory(io::Error),
    /// Somebody wants the command to end.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Whether whoever reads has closed the pipe, which is no failure.
    pub(super) fn is_of_a_closed_pipe(&self) -> bool {
        match self {
            Self::Output(source) | Self::Unwritable { source, .. } => {
                source.kind() == io::ErrorKind::BrokenPipe
            }
            _ => false,
        }
    }
}
