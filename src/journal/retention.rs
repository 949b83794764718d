//! The number and size of the journals in pytest's cache: `rustpar_journals` and `rustpar_journal_size`.
//!
//! The hazard it handles: a journal that a run still writes must not be deleted, nor that of the last run, which people
//! ask about.

use super::kept::journals_in;
use super::text_limits::{self, InvalidLimit};
use super::write::is_written;
use std::fs;
use std::io;
use std::path::Path;

/// The number of journals that `true` stands for.
const DEFAULT: usize = 10;

/// An invalid value in the configuration file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRetention {
    /// `rustpar_journals` is not a number.
    #[error("rustpar_journals: invalid number '{0}': expected for example 10, or 0 for none")]
    Number(String),
    /// `rustpar_journal_size` is not a size.
    #[error("rustpar_journal_size: {0}")]
    Size(#[from] InvalidLimit),
}

/// Limits on the journals in pytest's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How many journals are kept, including that of the current run; 0 for none.
    pub number: usize,
    /// Characters of failure texts in one journal; `None` for no limit.
    pub characters: Option<u64>,
    /// Bytes of all journals together; `None` for no limit.
    bytes: Option<u64>,
}

impl Retention {
    /// Parses both entries: a number, `true` or `false`; and a size or `all`.
    ///
    /// # Errors
    /// [`InvalidRetention`].
    pub fn parse(number: &str, size: &str) -> Result<Self, InvalidRetention> {
        let (characters, bytes) = text_limits::limits(size)?.unzip();
        let number = match number.to_ascii_lowercase().as_str() {
            "true" => DEFAULT,
            "false" => 0,
            digits => Some(digits)
                .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(|| InvalidRetention::Number(crate::text::shortened(number)))?,
        };
        Ok(Self {
            number,
            characters,
            bytes,
        })
    }

    /// Deletes the oldest journals of a directory, to make room for one more.
    ///
    /// A journal that a run still writes is kept, and counted; so is `keep`, that of a run that is being resumed. The
    /// last run's is kept however large it is.
    ///
    /// # Errors
    /// A file cannot be deleted.
    pub fn make_room(&self, directory: &Path, keep: Option<&Path>) -> io::Result<()> {
        let journals = journals_in(directory);
        let size = |path| fs::metadata(path).map_or(0, |about| about.len());
        let sizes: Vec<u64> = journals.iter().map(size).collect();
        let surplus = journals.iter().take(self.surplus(&sizes));
        let is_kept = |journal: &Path| keep.is_some_and(|keep| keep.file_name() == journal.file_name());
        for journal in surplus.filter(|journal| !is_written(journal) && !is_kept(journal)) {
            match fs::remove_file(journal) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// How many of the oldest journals to delete, given the sizes of all, oldest first.
    fn surplus(&self, sizes: &[u64]) -> usize {
        let by_number = (sizes.len() + 1).saturating_sub(self.number).min(sizes.len());
        let Some(limit) = self.bytes else {
            return by_number;
        };
        let last = sizes.len().saturating_sub(1).max(by_number);
        let fits = |number: &usize| sizes[*number..].iter().sum::<u64>() <= limit;
        (by_number..last).find(fits).unwrap_or(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn retention(number: usize, bytes: Option<u64>) -> Retention {
        Retention {
            number,
            characters: None,
            bytes,
        }
    }

    #[test]
    fn both_entries_are_parsed() {
        let read = Retention::parse("3", "1K").unwrap();
        assert_eq!(
            (read.number, read.characters, read.bytes),
            (3, Some(1 << 10), Some(10 << 10))
        );
        assert_eq!(Retention::parse("True", "all"), Ok(retention(DEFAULT, None)));
        assert_eq!(Retention::parse("false", "all"), Ok(retention(0, None)));
    }

    #[test]
    fn an_invalid_entry_is_named() {
        for text in ["few", "-1", "1.5", "", "[3]", "99999999999999999999999"] {
            let message = Retention::parse(text, "10M").unwrap_err().to_string();
            assert_eq!(
                message,
                format!("rustpar_journals: invalid number '{text}': expected for example 10, or 0 for none")
            );
        }
        let message = Retention::parse("3", "much").unwrap_err().to_string();
        assert!(
            message.starts_with("rustpar_journal_size: invalid size 'much'"),
            "{message}"
        );
        assert!(message.ends_with("; or all"), "{message}");
    }

    #[test]
    fn the_oldest_are_deleted_if_there_are_too_many() {
        assert_eq!(retention(3, None).surplus(&[1, 1]), 0);
        assert_eq!(retention(3, None).surplus(&[1, 1, 1, 1]), 2);
        assert_eq!(retention(1, None).surplus(&[1, 1]), 2);
        assert_eq!(retention(0, None).surplus(&[1, 1]), 2);
    }

    #[test]
    fn the_last_runs_journal_is_kept_however_large_it_is() {
        assert_eq!(retention(10, Some(5)).surplus(&[9, 2, 3]), 1);
        assert_eq!(retention(10, Some(5)).surplus(&[2, 3, 9]), 2);
        assert_eq!(retention(10, Some(5)).surplus(&[9]), 0);
    }

    proptest! {
        #[test]
        fn kept_journals_are_within_both_limits(
            number in 1_usize..6, limit in prop::option::of(0_u64..20), sizes in prop::collection::vec(0_u64..9, 0..9)
        ) {
            let surplus = retention(number, limit).surplus(&sizes);
            let kept = &sizes[surplus..];
            prop_assert!(kept.len() < number);
            prop_assert!(kept.len() <= 1 || limit.is_none_or(|limit| kept.iter().sum::<u64>() <= limit));
        }
    }

    #[test]
    fn a_journal_that_is_still_written_is_kept() {
        use crate::journal::write::Writer;

        let directory = tempfile::tempdir().unwrap();
        let path = |name| directory.path().join(name);
        let writer = Writer::create(&path("a.jsonl")).unwrap();
        fs::write(path("b.jsonl"), "old").unwrap();
        fs::write(path("notes.txt"), "no journal").unwrap();
        retention(1, None)
            .make_room(directory.path(), Some(&path("b.jsonl")))
            .unwrap();
        assert!(path("b.jsonl").exists());
        retention(1, None).make_room(directory.path(), None).unwrap();
        assert_eq!(
            ["a.jsonl", "b.jsonl", "notes.txt"].map(|name| path(name).exists()),
            [true, false, true]
        );
        drop(writer);
        retention(1, None).make_room(directory.path(), None).unwrap();
        assert!(!path("a.jsonl").exists());
        retention(1, None).make_room(&path("none"), None).unwrap();
    }
}
