//! The files of a repository, and those that the name of a module may mean.
//!
//! Names are resolved in the repository, not on Python's path: the tests may import an installed copy of the package,
//! while the change is in the sources. So `a.b` means `b.py` and `b/__init__.py` in every directory `a` that is at a
//! plausible place: in a directory that is no package itself, or that is on Python's path.

use super::kind::{directories_above, directory_of, name_of};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The number of a file.
pub type Number = usize;

/// The file that makes a directory a package.
const PACKAGE: &str = "__init__.py";

/// The files of a repository. Paths are relative to its top, and have slashes.
#[derive(Debug, Default)]
pub struct Files {
    paths: Vec<String>,
    numbers: HashMap<String, Number>,
    /// Modules by the last part of their name.
    modules: HashMap<String, Vec<Number>>,
    /// Files by their name.
    names: HashMap<String, Vec<Number>>,
    /// All files in the order of their paths, so that those below a directory are neighbours.
    sorted: BTreeMap<String, Number>,
    /// Directories by their name.
    directories: HashMap<String, BTreeSet<String>>,
    /// Directories on Python's path.
    roots: HashSet<String>,
}

impl Files {
    /// Adds a file, and returns its number.
    pub fn add(&mut self, path: &str) -> Number {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        let number = self.paths.len();
        self.paths.push(path.to_owned());
        self.numbers.insert(path.to_owned(), number);
        self.sorted.insert(path.to_owned(), number);
        for directory in directories_above(path).filter(|directory| !directory.is_empty()) {
            let known = self.directories.entry(name_of(directory).to_owned()).or_default();
            if !known.insert(directory.to_owned()) {
                break;
            }
        }
        self.names
            .entry(name_of(path).to_owned())
            .or_default()
            .push(number);
        if let Some(name) = module_path(path).map(name_of)
            && !name.is_empty()
        {
            self.modules.entry(name.to_owned()).or_default().push(number);
        }
        number
    }

    /// Adds a directory that is on Python's path.
    pub fn add_root(&mut self, directory: &str) {
        self.roots.insert(directory.to_owned());
    }

    /// The number of a file.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Number> {
        self.numbers.get(path).copied()
    }

    /// The path of a file.
    #[must_use]
    pub fn path(&self, number: Number) -> &str {
        self.paths.get(number).map_or("", String::as_str)
    }

    /// The number of files.
    #[must_use]
    pub fn count(&self) -> usize {
        self.paths.len()
    }

    /// The files with this name in any directory.
    #[must_use]
    pub fn named(&self, name: &str) -> &[Number] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }

    /// The files in a directory and below.
    pub fn below(&self, directory: &str) -> impl Iterator<Item = Number> {
        let start = if directory.is_empty() {
            String::new()
        } else {
            format!("{directory}/")
        };
        let from = self.sorted.range(start.clone()..);
        from.take_while(move |(path, _)| path.starts_with(&start))
            .map(|(_, number)| *number)
    }

    /// Whether a directory is a package.
    #[must_use]
    pub fn is_package(&self, directory: &str) -> bool {
        self.numbers.contains_key(&joined(directory, PACKAGE))
    }

    /// The files of the packages that a file is in.
    #[must_use]
    pub fn packages_of(&self, path: &str) -> Vec<Number> {
        let packages = directories_above(path).filter_map(|directory| self.find(&joined(directory, PACKAGE)));
        packages.collect()
    }

    /// The files of this name that apply to a file because they are in a directory above it.
    pub fn above(&self, path: &str, name: &str) -> impl Iterator<Item = Number> {
        directories_above(path).filter_map(move |directory| self.find(&joined(directory, name)))
    }

    /// The modules that an absolute name may mean, without those of its packages.
    #[must_use]
    pub fn modules(&self, name: &str) -> Vec<Number> {
        let wanted = name.replace('.', "/");
        let found = self.modules.get(name_of(&wanted)).map_or(&[][..], Vec::as_slice);
        let found = found.iter().copied().filter(|number| {
            let root = module_path(self.path(*number)).and_then(|path| before(path, &wanted));
            root.is_some_and(|root| self.roots.contains(root) || !self.is_package(root))
        });
        found.collect()
    }

    /// The modules that a name may mean in a directory.
    #[must_use]
    pub fn modules_in(&self, directory: &str, name: &str) -> Vec<Number> {
        let path = joined(directory, &name.replace('.', "/"));
        let candidates = [format!("{path}.py"), joined(&path, PACKAGE)];
        candidates.iter().filter_map(|path| self.find(path)).collect()
    }

    /// The modules and packages with this last part of the name, anywhere.
    #[must_use]
    pub fn modules_named(&self, name: &str) -> &[Number] {
        self.modules.get(name).map_or(&[], Vec::as_slice)
    }

    /// The directories whose paths end with this path.
    pub fn directories(&self, path: &str) -> impl Iterator<Item = &str> {
        let path = path.trim_matches('/');
        let found = self.directories.get(name_of(path)).into_iter().flatten();
        found
            .map(String::as_str)
            .filter(move |directory| before(directory, path).is_some())
    }

    /// The outermost package that a directory is in; the directory itself if that is no package.
    #[must_use]
    pub fn outermost_package<'a>(&self, directory: &'a str) -> &'a str {
        let above =
            directories_above(directory).take_while(|above| !above.is_empty() && self.is_package(above));
        let packages = above.filter(|_| self.is_package(directory));
        packages.last().unwrap_or(directory)
    }

    /// The files of which an installed package may have a copy, by the path in the directory of installed packages.
    #[must_use]
    pub fn copied_to(&self, installed: &str) -> Vec<Number> {
        let found = self.named(name_of(installed)).iter().copied();
        let found = found.filter(|number| {
            let root = before(self.path(*number), installed);
            root.is_some_and(|root| self.roots.contains(root) || !self.is_package(root))
        });
        found.collect()
    }
}

/// The path of a module without the ending; that of a package is its directory.
fn module_path(path: &str) -> Option<&str> {
    let module = path.strip_suffix(".py")?;
    Some(if name_of(path) == PACKAGE {
        directory_of(path)
    } else {
        module
    })
}

/// The directory in which a path ends with another one.
fn before<'a>(path: &'a str, end: &str) -> Option<&'a str> {
    let root = path.strip_suffix(end)?;
    if root.is_empty() {
        Some("")
    } else {
        root.strip_suffix('/')
    }
}

/// A path in a directory.
#[must_use]
pub fn joined(directory: &str, path: &str) -> String {
    match (directory, path) {
        ("", path) => path.to_owned(),
        (directory, "") => directory.to_owned(),
        (directory, path) => format!("{directory}/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &str) -> Files {
        let mut files = Files::default();
        for path in paths.split(' ') {
            files.add(path);
        }
        files
    }

    fn modules<'a>(files: &'a Files, name: &str) -> Vec<&'a str> {
        files
            .modules(name)
            .into_iter()
            .map(|number| files.path(number))
            .collect()
    }

    #[test]
    fn a_name_means_every_module_at_a_plausible_place() {
        let mut found = files("src/a/__init__.py src/a/b.py lib/a/b/__init__.py c/a/b.py c/__init__.py b.py");
        assert_eq!(modules(&found, "a.b"), ["src/a/b.py", "lib/a/b/__init__.py"]);
        assert_eq!(modules(&found, "c.a.b"), ["c/a/b.py"]);
        // `lib/a` is not a package, so it may be on Python's path.
        assert_eq!(modules(&found, "b"), ["lib/a/b/__init__.py", "c/a/b.py", "b.py"]);
        assert_eq!(modules(&found, "a"), ["src/a/__init__.py"]);
        assert_eq!(modules(&found, "x.b"), Vec::<&str>::new());
        found.add_root("src/a");
        assert_eq!(modules(&found, "b").len(), 4);
    }

    #[test]
    fn a_module_in_a_directory_is_found_below_it() {
        let files = files("a/b.py a/c/__init__.py a/c/d.py");
        let found = |directory, name| files.modules_in(directory, name).len();
        assert_eq!(
            [
                found("a", "b"),
                found("a", "c.d"),
                found("", "a.c"),
                found("a", "d")
            ],
            [1, 1, 1, 0]
        );
        assert_eq!(files.modules_in("a/c", ""), [1]);
    }

    #[test]
    fn directories_are_found_by_the_end_of_their_paths() {
        let files = files("a/data/x.json b/data/y/z.json data.py");
        let found = |path: &str| files.directories(path).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(found("data"), ["a/data", "b/data"]);
        assert_eq!(found("a/data/"), ["a/data"]);
        assert_eq!(found("ata"), [""; 0]);
    }

    #[test]
    fn a_package_in_a_package_is_not_the_outermost() {
        let files = files("src/a/__init__.py src/a/b/__init__.py src/a/data/x.json");
        assert_eq!(files.outermost_package("src/a/b"), "src/a");
        assert_eq!(files.outermost_package("src/a/data"), "src/a/data");
        assert_eq!(files.outermost_package("src"), "src");
    }

    #[test]
    fn the_sources_of_an_installed_copy_are_found() {
        let files = files("src/p/__init__.py src/p/x.json tests/p/q/x.json x.json");
        let found: Vec<_> = files
            .copied_to("p/x.json")
            .into_iter()
            .map(|n| files.path(n))
            .collect();
        assert_eq!(found, ["src/p/x.json"]);
    }

    #[test]
    fn files_below_a_directory_do_not_include_those_of_its_namesakes() {
        let files = files("a/x.py a-b/x.py a/b/x.py ab/x.py");
        assert_eq!(files.below("a").count(), 2);
        assert_eq!(files.below("").count(), 4);
    }
}
