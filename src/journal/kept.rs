//! The journals in the cache directory, and the earlier runs among them.
//!
//! A journal whose name the user chose can be a shard of the same run. Only journals with a generated name are
//! therefore counted as successive runs, in the order of their start times.

use crate::platform::atomic_file::directory_of;
use serde::Deserialize;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Lists the journals in a directory, the oldest run first; empty if it cannot be read.
#[must_use]
pub fn journals_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let journals = paths.filter(|path| path.as_os_str().as_encoded_bytes().ends_with(b".jsonl"));
    let mut journals: Vec<(f64, PathBuf)> = journals.map(|path| (began(&path), path)).collect();
    journals.sort_by(|(left, one), (right, other)| left.total_cmp(right).then_with(|| one.cmp(other)));
    journals.into_iter().map(|(_, path)| path).collect()
}

/// Lists the journals of the runs before that of `journal`, the latest first.
#[must_use]
pub fn kept_before(journal: &Path) -> Vec<PathBuf> {
    let name = journal.file_name();
    if !name.is_some_and(is_own_name) {
        return Vec::new();
    }
    let mut kept = journals_in(directory_of(journal));
    kept.retain(|path| path.file_name().is_some_and(is_own_name) && began(path) > 0.0);
    let place = kept.iter().position(|path| path.file_name() == name);
    kept.truncate(place.unwrap_or(0));
    kept.reverse();
    kept
}

/// Whether the name was generated: `20260131T090500-4711.jsonl`, or `…-4711-2.jsonl` for another run of the process.
fn is_own_name(name: &OsStr) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = || {
        let (moment, numbers) = name.to_str()?.strip_suffix(".jsonl")?.split_once('-')?;
        let (date, time) = moment.split_once('T')?;
        let (process, run) = numbers.split_once('-').unwrap_or((numbers, "2"));
        let is_moment = (date.len(), time.len()) == (8, 6) && is_number(date) && is_number(time);
        Some(is_moment && is_number(process) && is_number(run))
    };
    parts() == Some(true)
}

/// When the run of a journal started, in microseconds since the epoch (file names are only exact to the second); 0 if
/// unknown.
fn began(journal: &Path) -> f64 {
    #[derive(Deserialize)]
    struct Began {
        began: f64,
    }
    let line = || {
        let mut line = Vec::new();
        BufReader::new(File::open(journal).ok()?)
            .read_until(b'\n', &mut line)
            .ok()?;
        serde_json::from_slice::<Began>(&line).ok()
    };
    line().map_or(0.0, |head| head.began)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a directory of journals with these names; their runs started one after the other.
    fn directory(names: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, began) in names.iter().zip(1..) {
            let head = format!("{{\"e\":\"run\",\"began\":{began}}}\n");
            fs::write(directory.path().join(name), head).unwrap();
        }
        directory
    }

    fn names(paths: Vec<PathBuf>) -> Vec<String> {
        let names = paths.into_iter().map(|path| {
            let name = path.file_name().unwrap();
            name.to_string_lossy().into_owned()
        });
        names.collect()
    }

    #[test]
    fn journals_are_sorted_by_the_start_of_their_runs() {
        let directory = directory(&["b.jsonl", "notes.txt", "a.jsonl"]);
        fs::write(directory.path().join("z.jsonl"), "damaged").unwrap();
        assert_eq!(
            names(journals_in(directory.path())),
            ["z.jsonl", "b.jsonl", "a.jsonl"]
        );
        assert!(journals_in(&directory.path().join("none")).is_empty());
    }

    #[test]
    fn earlier_runs_are_those_with_a_generated_name() {
        let [first, second, third] = [
            "20260131T090500-7.jsonl",
            "20260131T090500-7-2.jsonl",
            "20260131T090501-8.jsonl",
        ];
        let directory = directory(&[first, "shard.jsonl", second, "20260131T09-7.jsonl", third]);
        let before = |name| names(kept_before(&directory.path().join(name)));
        assert_eq!(before(third), [second, first]);
        assert!(before(first).is_empty());
        assert!(before("shard.jsonl").is_empty());
        assert!(before("20990131T090500-7.jsonl").is_empty());
    }
}
