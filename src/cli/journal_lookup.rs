//! Locating the journals that a command reads.
//!
//! The hazard it handles: a journal that is damaged or from a later version must not prevent reading the others.

use super::cache::in_cache;
use super::console::Console;
use super::error::Error;
use crate::journal::kept::journals_in;
use crate::journal::merged::Merged;
use clap::Args;
use std::path::PathBuf;

/// The directory of the journals.
#[derive(Debug, Args)]
pub(super) struct Directory {
    /// the directory of the journals (default: that of pytest's cache, in this directory or one above it)
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

impl Directory {
    /// The journals in it, oldest run first; at least one.
    pub(super) fn journals(&self) -> Result<Vec<PathBuf>, Error> {
        let Some(path) = &self.path else {
            let found = in_cache("runs", |runs| !journals_in(runs).is_empty())?;
            return Ok(journals_in(&found.ok_or(Error::NoJournal)?));
        };
        let journals = journals_in(path);
        if journals.is_empty() {
            return Err(Error::NoJournalIn(path.clone()));
        }
        Ok(journals)
    }

    /// Reads the journals in it, at least one; prints a warning for each that cannot be read.
    pub(super) fn read(&self, console: &mut Console<'_>) -> Result<Vec<(PathBuf, Merged)>, Error> {
        let mut found = Vec::new();
        for journal in self.journals()? {
            match Merged::read(&journal) {
                Ok(merged) => found.push((journal, merged)),
                Err(problem) => console.warn(&problem.into()),
            }
        }
        if found.is_empty() {
            return Err(Error::NoReadableJournal);
        }
        Ok(found)
    }
}
