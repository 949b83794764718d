//! Locating the project to which the tests of a journal belong; the journal may be from another machine.

use super::error::Error;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Finds the rootdir of tests: the current directory or one above it, the nearest of those that have most of their files.
pub(super) fn root(tests: &[String]) -> Result<PathBuf, Error> {
    let here = std::env::current_dir().map_err(Error::CurrentDirectory)?;
    from(&here, tests)
}

fn from(here: &Path, tests: &[String]) -> Result<PathBuf, Error> {
    let file = |id: &str| id.split("::").next().unwrap_or_default().to_owned();
    let files: BTreeSet<String> = tests.iter().map(|id| file(id)).collect();
    let count = |directory: &Path| files.iter().filter(|file| directory.join(file).exists()).count();
    let counts: Vec<(&Path, usize)> = here.ancestors().map(|place| (place, count(place))).collect();
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let nearest = counts.iter().find(|(_, count)| *count == most && most > 0);
    let missing = || Error::NoProject(files.first().cloned().unwrap_or_default());
    nearest.map(|(place, _)| place.to_path_buf()).ok_or_else(missing)
}

/// The path from the current directory to the rootdir: empty, or `../` once or several times.
pub(super) fn prefix(root: &Path) -> Result<String, Error> {
    let here = std::env::current_dir().map_err(Error::CurrentDirectory)?;
    let below = here.strip_prefix(root).unwrap_or(Path::new(""));
    let levels = below
        .components()
        .filter(|part| matches!(part, Component::Normal(_)));
    Ok("../".repeat(levels.count()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_project_is_here_or_above() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("tests/unit");
        fs::create_dir_all(&below).unwrap();
        for file in ["tests/test_a.py", "tests/unit/test_b.py", "test_b.py"] {
            fs::write(directory.path().join(file), "").unwrap();
        }
        let found = |ids: &[&str]| {
            let ids: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
            from(&below, &ids)
        };
        assert_eq!(found(&["tests/test_a.py::test"]).unwrap(), directory.path());
        assert_eq!(found(&["test_b.py::test"]).unwrap(), below);
        assert_eq!(
            found(&["test_b.py::test", "tests/test_a.py::test"]).unwrap(),
            directory.path()
        );
        assert!(found(&["test_c.py::test"]).is_err());
    }
}
