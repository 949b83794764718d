//! Locating the journals that a command reads.
//!
//! The hazard it handles: a journal that is damaged or from a later version must not prevent reading the others.

use super::cache::in_cache;
use super::console::Console;
use super::error::Error;
use crate::journal::kept::journals_in;
use crate::journal::merged::Merged;
use clap::Args;
use std::ffi::OsString;
use std::path::{MAIN_SEPARATOR, PathBuf};

/// The argument that selects the latest run.
const LATEST: &str = "latest";

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

/// The run that a command reads.
#[derive(Debug, Args)]
pub(super) struct RunChoice {
    /// a journal, or the id of a kept run or its beginning; latest selects the latest run
    #[arg(default_value = LATEST)]
    run: OsString,
    #[command(flatten)]
    directory: Directory,
}

impl RunChoice {
    /// The path of the selected journal.
    pub(super) fn journal(&self, console: &mut Console<'_>) -> Result<PathBuf, Error> {
        let wanted = &self.run;
        if wanted == LATEST {
            return self.directory.journals()?.pop().ok_or(Error::NoJournal);
        }
        let path = PathBuf::from(wanted);
        if path.exists() {
            return Ok(path);
        }
        let begin = wanted.to_string_lossy();
        if begin.is_empty() || begin.contains(MAIN_SEPARATOR) || begin.ends_with(".jsonl") {
            return Err(Error::NoFile(path));
        }
        let mut found = self.directory.read(console)?;
        found.retain(|(_, merged)| is_named(merged, &begin));
        match found.len() {
            1 => Ok(found.remove(0).0),
            count => Err(Error::AmbiguousRun {
                count,
                begin: begin.into_owned(),
            }),
        }
    }

    /// Reads the selected journal, which has at least one run.
    pub(super) fn read(&self, console: &mut Console<'_>) -> Result<Merged, Error> {
        let merged = Merged::read(&self.journal(console)?)?;
        if merged.parts.is_empty() {
            return Err(Error::NoRun);
        }
        Ok(merged)
    }

    /// The paths of the selected journal, or of all journals, the latest run first, if none was selected.
    pub(super) fn latest_first(&self, console: &mut Console<'_>) -> Result<Vec<PathBuf>, Error> {
        if self.run != LATEST {
            return Ok(vec![self.journal(console)?]);
        }
        let mut journals = self.directory.journals()?;
        journals.reverse();
        Ok(journals)
    }

    /// The arguments with which another command selects a run of these.
    pub(super) fn words(&self, merged: &Merged) -> Vec<String> {
        let mut words = match (&self.run, merged.parts.first()) {
            (run, Some(part)) if run == LATEST => vec![part.run.head.id.clone()],
            (run, _) => vec![run.to_string_lossy().into_owned()],
        };
        if let Some(directory) = &self.directory.path {
            words.extend(["--path".to_owned(), directory.to_string_lossy().into_owned()]);
        }
        words
    }
}

/// Whether a journal contains a run whose id begins with `begin`.
fn is_named(merged: &Merged, begin: &str) -> bool {
    let mut parts = merged.parts.iter();
    parts.any(|part| part.run.head.id.starts_with(begin))
}
