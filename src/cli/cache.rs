//! Where pytest's cache is, for commands that are not told.

use super::error::Error;
use std::path::{Path, PathBuf};

/// What the plugin keeps in the cache.
const OWN: &str = ".pytest_cache/d/rustpar";

/// A file or directory in pytest's cache, in the current directory or one above it; `None` where it `is_there` in none.
pub(super) fn in_cache(name: &str, is_there: impl Fn(&Path) -> bool) -> Result<Option<PathBuf>, Error> {
    let here = std::env::current_dir().map_err(Error::CurrentDirectory)?;
    Ok(from(&here, name, is_there))
}

fn from(here: &Path, name: &str, is_there: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let places = here.ancestors().map(|directory| directory.join(OWN).join(name));
    places.into_iter().find(|place| is_there(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_nearest_cache_counts_that_has_what_is_looked_for() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("tests/unit");
        fs::create_dir_all(below.join(OWN)).unwrap();
        fs::create_dir_all(directory.path().join(OWN)).unwrap();
        let file = directory.path().join(OWN).join("history.json");
        assert_eq!(from(&below, "history.json", Path::exists), None);
        fs::write(&file, "").unwrap();
        assert_eq!(from(&below, "history.json", Path::exists), Some(file));
    }
}
