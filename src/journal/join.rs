//! Joining the runs of several journals into one file.
//!
//! The hazard it handles: events of a later version must not be lost. Lines are copied byte for byte, up to the last
//! complete line of each run.

use super::read::{self, Problem};
use super::{Micros, event::Head};
use crate::platform::atomic_file::replace;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Why journals cannot be joined: one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CannotJoin {
    /// A journal cannot be read.
    #[error(transparent)]
    Input(#[from] Problem),
    /// None of the journals contains a complete first line.
    #[error("there is no run in any of these journals; each was cut in its first line")]
    Empty,
    /// The output file exists and is not a journal.
    #[error("{} is not a journal, and is not overwritten; choose another path", .0.display())]
    InTheWay(PathBuf),
    /// The output file cannot be written.
    #[error("{} cannot be written: {source}", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Joins the runs of some journals (see [`joined`]) and writes them to the file `out`; returns their heads. `out` may
/// be one of the inputs.
///
/// # Errors
/// [`CannotJoin`]; the output file is then unchanged.
pub fn join(inputs: &[PathBuf], out: &Path) -> Result<Vec<Head>, CannotJoin> {
    let (heads, lines) = joined(inputs)?;
    let unwritable = |source| CannotJoin::Unwritable {
        path: out.to_owned(),
        source,
    };
    if out.is_file() && !read::is_journal(out).map_err(unwritable)? {
        return Err(CannotJoin::InTheWay(out.to_owned()));
    }
    replace(out, &lines).map_err(unwritable)?;
    Ok(heads)
}

/// Reads all runs of some journals, sorted by start time and without duplicates; returns their heads and their lines.
///
/// # Errors
/// [`CannotJoin`].
pub fn joined(inputs: &[PathBuf]) -> Result<(Vec<Head>, Vec<u8>), CannotJoin> {
    let files = inputs.iter().map(|path| read::bytes(path));
    let files: Vec<Vec<u8>> = files.collect::<Result<_, _>>()?;
    let mut runs: BTreeMap<(Micros, String), (Head, &[u8])> = BTreeMap::new();
    for (path, bytes) in inputs.iter().zip(&files) {
        for (head, place) in read::runs_with_ranges(bytes, path)? {
            let key = (head.began, head.id.clone());
            let lines = &bytes[place];
            // If a run occurs twice, keep the longer copy: the shorter one is its truncated beginning.
            if runs.get(&key).is_none_or(|(_, known)| known.len() < lines.len()) {
                runs.insert(key, (head, lines));
            }
        }
    }
    if runs.is_empty() {
        return Err(CannotJoin::Empty);
    }
    let (heads, lines): (Vec<Head>, Vec<&[u8]>) = runs.into_values().unzip();
    Ok((heads, lines.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn run(id: &str, began: u64) -> String {
        let about =
            format!(r#""format":"rustpar-journal","version":1,"id":"{id}","began":{began},"command":[]"#);
        format!("{{\"e\":\"run\",{about}}}\n")
    }

    /// Joins files with these contents and returns the result.
    fn content_of(contents: &[String]) -> Result<String, CannotJoin> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |number: usize| directory.path().join(number.to_string());
        for (number, content) in contents.iter().enumerate() {
            fs::write(path(number), content).expect("a file");
        }
        let inputs: Vec<PathBuf> = (0..contents.len()).map(path).collect();
        let out = directory.path().join("out");
        join(&inputs, &out)?;
        Ok(fs::read_to_string(out).expect("what was written"))
    }

    #[test]
    fn events_of_a_later_version_are_kept() {
        let new = "{\"e\":\"dance\",\"steps\":3}\n";
        let (one, two) = (run("one", 1) + new, run("two", 0));
        assert_eq!(
            content_of(&[one.clone(), two.clone()]).expect("a journal"),
            two + &one
        );
    }

    #[test]
    fn the_longer_of_two_copies_of_a_run_is_kept() {
        let whole = run("one", 1) + "{\"e\":\"end\",\"at\":5,\"exit\":0,\"warnings\":0}\n";
        for cut in 0..whole.len() {
            let begin = whole[..cut].to_owned();
            let found = content_of(&[begin.clone(), whole.clone(), begin]);
            assert_eq!(found.expect("a journal"), whole);
        }
    }

    #[test]
    fn journals_without_a_run_are_not_joined() {
        let cut = run("one", 1)[..20].to_owned();
        assert!(matches!(
            content_of(&[cut, String::new()]),
            Err(CannotJoin::Empty)
        ));
    }
}
