//! Which run is resumed: one that was named, or the last one that is unfinished.

use super::earlier::Earlier;
use crate::journal::kept::journals_in;
use crate::journal::read::{Problem, read};
use crate::journal::write::is_written;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why a run that was named cannot be resumed: one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// The journal cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Problem),
    /// The run is still in progress.
    #[error("the run in {} is still in progress; wait for it or end it", .0.display())]
    InProgress(PathBuf),
    /// There is no such file, and no run whose id begins so.
    #[error(
        "there is no journal and no single run '{0}'; `rustpar runs` lists the runs that are kept, and paths of tests are \
         given before the option"
    )]
    Unknown(String),
    /// The run has no results.
    #[error("the run in {} was killed before it had collected tests; run all tests", .0.display())]
    Empty(PathBuf),
}

/// The last unfinished run among the journals in a directory; `None` if there is none, or if the same tests have been
/// run to the end since. Complete runs of other tests are skipped, as are journals that cannot be read or are still
/// being written.
#[must_use]
pub fn latest(directory: &Path, selection: &BTreeMap<String, String>) -> Option<Earlier> {
    for path in journals_in(directory).into_iter().rev() {
        if is_written(&path) {
            continue;
        }
        let Some(earlier) = load(&path) else {
            continue;
        };
        let (finished, collected) = earlier.progress();
        if finished < collected {
            return Some(earlier);
        }
        if earlier.head.selection == *selection {
            return None;
        }
    }
    None
}

/// The run in the journal `name`, relative to `here`, or the run in `directory` whose id begins with `name`.
///
/// # Errors
/// [`NotFound`].
pub fn named(name: &str, here: &Path, directory: Option<&Path>) -> Result<Earlier, NotFound> {
    let path = here.join(name);
    let path = if path.is_file() {
        path
    } else {
        with_id(name, directory).ok_or_else(|| NotFound::Unknown(name.to_owned()))?
    };
    if is_written(&path) {
        return Err(NotFound::InProgress(path));
    }
    let log = read(&path)?.pop();
    log.and_then(|log| Earlier::new(path.clone(), log))
        .ok_or(NotFound::Empty(path))
}

fn load(path: &Path) -> Option<Earlier> {
    Earlier::new(path.to_owned(), read(path).ok()?.pop()?)
}

/// The only journal in a directory whose run's id begins with `begin`.
fn with_id(begin: &str, directory: Option<&Path>) -> Option<PathBuf> {
    let has_id = |path: &PathBuf| {
        let logs = read(path).unwrap_or_default();
        logs.last().is_some_and(|log| log.head.id.starts_with(begin))
    };
    let mut found = journals_in(directory?).into_iter().filter(has_id);
    found
        .next()
        .filter(|_| !begin.is_empty() && found.next().is_none())
}
