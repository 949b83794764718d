//! Which journals a command means.
//!
//! The hazard it handles: one that is damaged, or that a later version has written, says nothing about the others.

use super::cache::in_cache;
use super::console::Console;
use super::error::Error;
use crate::journal::kept::journals_in;
use crate::journal::merged::Merged;
use clap::Args;
use std::path::PathBuf;

/// Where journals are.
#[derive(Debug, Args)]
pub(super) struct Directory {
    /// the directory of the journals (default: that of pytest's cache, in this directory or one above it)
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

impl Directory {
    /// The journals in it, those of earlier runs first: one at least.
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

    /// What the journals in it amount to, of one at least; of one that cannot be read, a line says why.
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
