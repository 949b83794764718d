//! The files and directories of a project.

use super::exclusions::{Exclusion, VIRTUAL_ENVIRONMENT, excludes_file, of_directory};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Where to look, and what to leave out. Paths are relative to `top`, with slashes.
#[derive(Debug, Default)]
pub struct Scope {
    /// The top of the repository; without one, the project.
    pub top: PathBuf,
    /// The project, in `top`; empty for `top` itself.
    pub project: String,
    /// The files in git's index.
    pub tracked: Vec<String>,
    /// What git ignores; directories with a slash at the end.
    pub ignored: HashSet<String>,
    /// The patterns of pytest's `norecursedirs`.
    pub not_collected: Vec<String>,
}

/// The files by their paths relative to the top.
pub type Found = BTreeMap<String, PathBuf>;

/// Finds all files. Each directory is passed to `enter` before it is read, so that one who then watches it misses nothing.
///
/// # Errors
/// Those of `enter`.
pub fn walk<E>(scope: &Scope, mut enter: impl FnMut(&Path) -> Result<(), E>) -> Result<Found, E> {
    let mut found = Found::new();
    let mut directories = vec![(scope.project.clone(), scope.top.join(&scope.project))];
    while let Some((path, directory)) = directories.pop() {
        enter(&directory)?;
        let Ok(entries) = fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let path = joined(&path, &name);
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                let is_left_out = of_directory(&name, &scope.not_collected).is_some()
                    || scope.ignored.contains(&format!("{path}/"))
                    || entry.path().join(VIRTUAL_ENVIRONMENT).exists();
                if !is_left_out {
                    directories.push((path, entry.path()));
                }
            } else if is_file(&entry.path(), kind) && !excludes_file(&name) && !scope.ignored.contains(&path)
            {
                found.insert(path, entry.path());
            }
        }
    }
    add_tracked(scope, &mut found, enter)?;
    Ok(found)
}

/// Adds what git has in directories that were left out.
fn add_tracked<E>(
    scope: &Scope,
    found: &mut Found,
    mut enter: impl FnMut(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let project = joined(&scope.project, "");
    let mut entered: HashSet<PathBuf> = HashSet::new();
    for path in &scope.tracked {
        let is_here = path.starts_with(&project) && !found.contains_key(path);
        if !is_here
            || path
                .split('/')
                .any(|part| of_directory(part, &[]) == Some(Exclusion::Always))
        {
            continue;
        }
        let file = scope.top.join(path);
        if let Some(directory) = file.parent().filter(|directory| directory.is_dir())
            && entered.insert(directory.to_owned())
        {
            enter(directory)?;
        }
        let kind = file.symlink_metadata().map(|about| about.file_type());
        if kind.is_ok_and(|kind| is_file(&file, kind))
            && !excludes_file(path.rsplit('/').next().unwrap_or_default())
        {
            found.insert(path.clone(), file);
        }
    }
    Ok(())
}

/// Whether it can be read without waiting: no pipe, no device. Links to directories are not followed, but may change.
fn is_file(path: &Path, kind: fs::FileType) -> bool {
    kind.is_file()
        || (kind.is_symlink() && fs::metadata(path).is_ok_and(|about| about.is_file() || about.is_dir()))
}

/// A path in a directory; the directory with a slash for an empty path.
fn joined(directory: &str, path: &str) -> String {
    if directory.is_empty() {
        path.to_owned()
    } else {
        format!("{directory}/{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn make(top: &Path, files: &[&str]) {
        for file in files {
            let path = top.join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
            fs::write(path, "").expect("a file");
        }
    }

    fn paths(scope: &Scope) -> (Vec<String>, usize) {
        let mut directories = 0;
        let found = walk(scope, |_| {
            directories += 1;
            Ok::<_, Infallible>(())
        });
        let Ok(found) = found;
        (found.into_keys().collect(), directories)
    }

    #[test]
    fn what_is_excluded_or_ignored_is_not_found_unless_git_has_it() {
        let top = tempfile::tempdir().expect("a directory");
        make(
            top.path(),
            &[
                "a.py",
                "p/b.py",
                "p/__pycache__/b.pyc",
                "p/build/c.py",
                "p/build/d.py",
                "env/pyvenv.cfg",
                "env/e.py",
                "p/out/f.py",
                "p/log",
                "other/g.py",
                ".git/h",
                "p/x.py~",
            ],
        );
        std::os::unix::fs::symlink("missing", top.path().join("p/broken")).expect("a link");
        let mut scope = Scope {
            top: top.path().to_owned(),
            ignored: ["p/out/", "p/log"].map(str::to_owned).into(),
            ..Scope::default()
        };
        assert_eq!(
            paths(&scope),
            (["a.py", "other/g.py", "p/b.py"].map(str::to_owned).into(), 3)
        );
        scope.tracked = ["p/build/c.py", "p/gone.py", ".git/h", "a.py", "p/out/f.py"]
            .map(str::to_owned)
            .into();
        scope.project = "p".to_owned();
        assert_eq!(
            paths(&scope),
            (
                ["p/b.py", "p/build/c.py", "p/out/f.py"].map(str::to_owned).into(),
                4
            )
        );
    }
}
