//! Reading a journal: all complete events of each run in it.
//!
//! The hazard it handles: the writing process can have been killed at any byte. An incomplete last line is ignored; a
//! complete line that cannot be parsed is reported as damage, with its line number.

use super::event::{Event, Head, PhaseEnded};
use super::{FORMAT, VERSION};
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The first bytes of every journal, even of one cut off in its first line.
const BEGIN: &[u8] = b"{\"e\":\"run\",\"format\":\"rustpar-journal\"";

/// The fields that the heads of all versions have in common.
#[derive(Deserialize)]
struct Claim {
    format: String,
    version: u32,
}

/// One run in a journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// The description of the run.
    pub head: Head,
    /// Its events, in the order in which the controller received them.
    pub events: Vec<Event>,
}

/// Why a journal cannot be read: one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file cannot be read.
    #[error("the journal {} cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not a journal.
    #[error("{} is not the journal of a run; `rustpar runs` lists those that are kept", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A line is damaged.
    #[error("the journal {} is damaged in line {line}: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The file was written by a later version.
    #[error("the journal {} has format {version}, known here is {VERSION}: update pytest-rustpar", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

/// Reads the bytes of a file.
///
/// # Errors
/// [`Problem::Unreadable`].
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, Problem> {
    fs::read(path).map_err(|source| Problem::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// Whether a file looks like a journal, judged by its first bytes. An empty file counts as one, since it may become
/// one.
///
/// # Errors
/// The system's error.
pub fn is_journal(path: &Path) -> io::Result<bool> {
    let mut begin = Vec::new();
    File::open(path)?
        .take(BEGIN.len() as u64)
        .read_to_end(&mut begin)?;
    Ok(BEGIN.starts_with(&begin))
}

/// Reads the runs in a file, in file order; none if the file was cut off in its first line.
///
/// # Errors
/// [`Problem`].
pub fn read(path: &Path) -> Result<Vec<Log>, Problem> {
    parse(&bytes(path)?, path)
}

/// Parses the runs in the bytes of a file; `path` is used in messages only.
///
/// # Errors
/// [`Problem`], but not [`Problem::Unreadable`].
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<Log>, Problem> {
    let mut logs: Vec<Log> = Vec::new();
    each_line(bytes, path, |event, _| match (event, logs.last_mut()) {
        (Event::Run(head), _) => logs.push(Log {
            head,
            events: Vec::new(),
        }),
        (Event::Unknown, _) | (_, None) => {}
        (event, Some(log)) => log.events.push(event),
    })?;
    Ok(logs)
}

/// The heads of the runs in the bytes of a file, and the byte range of each run; `path` is used in messages only.
///
/// # Errors
/// [`Problem`], but not [`Problem::Unreadable`].
pub(super) fn runs_with_ranges(bytes: &[u8], path: &Path) -> Result<Vec<(Head, Range<usize>)>, Problem> {
    let mut runs_with_ranges: Vec<(Head, Range<usize>)> = Vec::new();
    let mut end = 0;
    each_line(bytes, path, |event, line| {
        if let Event::Run(head) = event {
            runs_with_ranges.push((head, end..end));
        }
        end += line.len() + 1;
        if let Some((_, place)) = runs_with_ranges.last_mut() {
            place.end = end;
        }
    })?;
    Ok(runs_with_ranges)
}

/// Calls `take` with each complete line and its event; the first event is the head of a run.
fn each_line(bytes: &[u8], path: &Path, mut take: impl FnMut(Event, &[u8])) -> Result<(), Problem> {
    let foreign = || Problem::Foreign {
        path: path.to_owned(),
    };
    if !(bytes.contains(&b'\n') || bytes.starts_with(BEGIN) || BEGIN.starts_with(bytes)) {
        return Err(foreign());
    }
    // Tests that were not collected are numbered consecutively: any other number is damage, and a large one would use
    // up all memory.
    let mut known = 0;
    for (index, line) in whole_lines(bytes).enumerate() {
        let damaged = |reason: String| Problem::Damaged {
            path: path.to_owned(),
            line: index + 1,
            reason,
        };
        let event = event(line).map_err(|error| match claimed_version(line) {
            Some(version) if version > VERSION => newer(version, path),
            _ if index == 0 => foreign(),
            _ => damaged(error.to_string()),
        })?;
        match &event {
            Event::Run(head) if head.format != FORMAT => return Err(foreign()),
            Event::Run(head) if head.version > VERSION => return Err(newer(head.version, path)),
            Event::Run(_) => known = 0,
            _ if index == 0 => return Err(foreign()),
            Event::Collected(collected) => known = known.max(collected.ids.len()),
            Event::Test { t, .. } if *t as usize > known => {
                return Err(damaged(format!("test {t} comes after {known} others")));
            }
            Event::Test { t, .. } => known = known.max(*t as usize + 1),
            _ => {}
        }
        take(event, line);
    }
    Ok(())
}

/// The lines that end in a newline.
fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = bytes
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    bytes[..end]
        .split_inclusive(|&byte| byte == b'\n')
        .map(|line| &line[..line.len() - 1])
}

/// The format version in the head of a run, whatever else the head contains.
fn claimed_version(line: &[u8]) -> Option<u32> {
    let claim: Claim = serde_json::from_slice(line).ok()?;
    (claim.format == FORMAT).then_some(claim.version)
}

fn newer(version: u32, path: &Path) -> Problem {
    Problem::Newer {
        path: path.to_owned(),
        version,
    }
}

/// Most events of a journal are ends of phases: they are parsed directly as such, three times as fast as a generic
/// event.
fn event(line: &[u8]) -> Result<Event, serde_json::Error> {
    type Make = fn(PhaseEnded) -> Event;
    let phases: [(&[u8], Make); 3] = [
        (b"{\"e\":\"setup\"", Event::Setup),
        (b"{\"e\":\"call\"", Event::Call),
        (b"{\"e\":\"teardown\"", Event::Teardown),
    ];
    for (begin, make) in phases {
        if line.starts_with(begin) {
            return serde_json::from_slice(line).map(make);
        }
    }
    serde_json::from_slice(line)
}
