//! Locating pytest's cache, for commands without a path.

use super::error::Error;
use std::path::{Path, PathBuf};

/// The plugin's directory in the cache.
const PLUGIN_DIRECTORY: &str = ".pytest_cache/d/rustpar";

/// Finds a file or directory in pytest's cache, in the current directory or the nearest one above it for which
/// `is_there` holds.
pub(super) fn in_cache(name: &str, is_there: impl Fn(&Path) -> bool) -> Result<Option<PathBuf>, Error> {
    let here = std::env::current_dir().map_err(Error::CurrentDirectory)?;
    Ok(from(&here, name, is_there))
}

fn from(here: &Path, name: &str, is_there: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let places = here
        .ancestors()
        .map(|directory| directory.join(PLUGIN_DIRECTORY).join(name));
    places.into_iter().find(|place| is_there(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_nearest_cache_with_the_file_is_used() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("tests/unit");
        fs::create_dir_all(below.join(PLUGIN_DIRECTORY)).unwrap();
        fs::create_dir_all(directory.path().join(PLUGIN_DIRECTORY)).unwrap();
        let file = directory.path().join(PLUGIN_DIRECTORY).join("history.json");
        assert_eq!(from(&below, "history.json", Path::exists), None);
        fs::write(&file, "").unwrap();
        assert_eq!(from(&below, "history.json", Path::exists), Some(file));
    }
}
