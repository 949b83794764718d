//! The facts of files, by a digest of their content: after a checkout, times of files say nothing.

use super::facts::Facts;
use super::stored::{self, Format};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const FORMAT: Format = Format {
    name: "rustpar-scans",
    version: 1,
};

/// Bytes of a digest: two of a million files are equal by chance in 10^-27 of all cases.
const DIGEST_BYTES: usize = 16;

/// How many times as many files as were used may be stored: those of other branches and parts of the suite.
const MOST_UNUSED: usize = 3;

/// The files that were scanned.
#[derive(Debug, Default)]
pub struct Scans {
    content: Content,
    used: BTreeSet<String>,
    is_new: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    /// The version of the scanner: of this package and of Python, whose parser it is.
    scanner: String,
    files: BTreeMap<String, Facts>,
}

impl Scans {
    /// Reads what `scanner` has stored in a file; also returns why it could not be used.
    #[must_use]
    pub fn load(path: &Path, scanner: &str) -> (Self, Option<String>) {
        let (content, warning): (Content, _) = stored::load(FORMAT, path);
        let content = if content.scanner == scanner {
            content
        } else {
            Content::default()
        };
        let scans = Self {
            content: Content {
                scanner: scanner.to_owned(),
                ..content
            },
            ..Self::default()
        };
        (scans, warning)
    }

    /// The facts of a file with this digest.
    pub fn find(&mut self, digest: &str) -> Option<&Facts> {
        let found = self.content.files.get(digest)?;
        self.used.insert(digest.to_owned());
        Some(found)
    }

    /// Adds the facts of a file.
    pub fn add(&mut self, digest: String, facts: Facts) {
        self.used.insert(digest.clone());
        self.content.files.insert(digest, facts);
        self.is_new = true;
    }

    /// Writes the file if something was added; returns why it could not be written.
    pub fn save(&mut self, path: &Path) -> Option<String> {
        if !self.is_new {
            return None;
        }
        let Self { content, used, .. } = self;
        if content.files.len() > used.len().saturating_mul(1 + MOST_UNUSED) {
            content.files.retain(|digest, _| used.contains(digest));
        }
        stored::save(FORMAT, path, content)
    }
}

/// The digest of a file's content.
#[must_use]
pub fn digest(content: &[u8]) -> String {
    let hash = blake2b_simd::Params::new()
        .hash_length(DIGEST_BYTES)
        .hash(content);
    hash.to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_are_found_again_by_the_same_scanner() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("scans.json");
        let facts = Facts {
            is_dynamic: true,
            ..Facts::default()
        };
        let (mut scans, warning) = Scans::load(&path, "1");
        assert_eq!(warning, None);
        scans.add(digest(b"a"), facts.clone());
        assert_eq!(scans.save(&path), None);
        let (mut scans, _) = Scans::load(&path, "1");
        assert_eq!(scans.find(&digest(b"a")), Some(&facts));
        assert_eq!(scans.find(&digest(b"b")), None);
        assert_eq!(Scans::load(&path, "2").0.find(&digest(b"a")), None);
    }

    #[test]
    fn files_that_are_no_longer_used_are_forgotten() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("scans.json");
        let (mut scans, _) = Scans::load(&path, "1");
        for number in 0..9 {
            scans.add(number.to_string(), Facts::default());
        }
        scans.save(&path);
        let (mut scans, _) = Scans::load(&path, "1");
        scans.add("new".to_owned(), Facts::default());
        scans.save(&path);
        let (mut scans, _) = Scans::load(&path, "1");
        assert!(scans.find("new").is_some() && scans.find("0").is_none());
    }

    #[test]
    fn a_damaged_file_is_reported_and_replaced_and_a_newer_one_is_left() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("scans.json");
        for (content, is_replaced) in [
            ("{", true),
            (r#"{"format": "rustpar-scans", "version": 99}"#, false),
        ] {
            std::fs::write(&path, content).expect("a file");
            let (mut scans, warning) = Scans::load(&path, "1");
            assert!(warning.expect("a line").contains("the run begins a new one"));
            scans.add("new".to_owned(), Facts::default());
            assert_eq!(scans.save(&path), None);
            let after = std::fs::read_to_string(&path).expect("a file");
            assert_eq!(after != content, is_replaced);
        }
    }
}
