//! What tests have imported and opened while they ran, as far as no file says it; stored between runs.

use super::stored::{self, Format};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const FORMAT: Format = Format {
    name: "rustpar-imports",
    version: 1,
};

/// What was imported and opened. Paths are relative to the top of the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Modules that were imported although no import of the tests leads to them.
    pub imported: BTreeSet<String>,
    /// The files that the code of a file has opened.
    pub opened: BTreeMap<String, BTreeSet<String>>,
}

impl Memory {
    /// Reads a file; also returns why it could not be used.
    #[must_use]
    pub fn load(path: &Path) -> (Self, Option<String>) {
        stored::load(FORMAT, path)
    }

    /// Adds this to what a file has; returns why it could not be written. Of two runs that end at the same time, one
    /// may lose what is new, and the next run sees it again.
    #[must_use]
    pub fn add_to(&self, path: &Path) -> Option<String> {
        let (before, _) = Self::load(path);
        let mut both = before.clone();
        both.imported.extend(self.imported.iter().cloned());
        for (file, opened) in &self.opened {
            let known = both.opened.entry(file.clone()).or_default();
            known.extend(opened.iter().cloned());
        }
        if both == before {
            None
        } else {
            stored::save(FORMAT, path, &both)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_runs_have_seen_is_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("imports.json");
        let seen = |module: &str, data: &str| Memory {
            imported: [module.to_owned()].into(),
            opened: [("test_a.py".to_owned(), [data.to_owned()].into())].into(),
        };
        assert_eq!(Memory::default().add_to(&path), None);
        assert!(!path.exists());
        for one in [seen("a.py", "1.json"), seen("b.py", "2.json")] {
            assert_eq!(one.add_to(&path), None);
        }
        let (known, warning) = Memory::load(&path);
        assert_eq!(warning, None);
        assert_eq!(known.imported.len(), 2);
        assert_eq!(known.opened["test_a.py"].len(), 2);
    }
}
