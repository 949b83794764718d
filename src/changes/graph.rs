//! Which file depends on which, starting from the tests. Only files that a test reaches are scanned.

use super::files::{Files, Number};
use super::kind::{directories_above, directory_of, is_for_tests, is_python};
use super::memory::Memory;
use std::collections::{BTreeMap, BTreeSet, HashSet};

mod facts;

/// How a file depends on another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It imports it.
    Import,
    /// It has a literal that may mean it.
    Name,
    /// It is in the package.
    Package,
    /// It has opened it in an earlier run.
    Opened,
    /// It has the same content, as a symbolic link.
    SymbolicLink,
}

/// Tests with the same dependencies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group {
    /// The file that the tests are in; `None` if it is not in the repository.
    pub file: Option<Number>,
    /// Other files that they depend on: of fixtures and base classes.
    pub others: Vec<Number>,
}

/// Why all tests depend on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForAll {
    /// pytest has loaded it as a plugin.
    Plugin,
    /// It was imported, but no import leads to it.
    Dynamic,
}

/// The graph of files.
#[derive(Debug, Default)]
pub struct Graph {
    /// The files of the repository.
    pub files: Files,
    groups: Vec<Group>,
    for_all: BTreeMap<Number, ForAll>,
    links: BTreeMap<Number, BTreeMap<Number, Link>>,
    reached: HashSet<Number>,
    waiting: Vec<Number>,
    /// Directories in which everything may be imported by a file.
    dynamic: BTreeMap<Number, BTreeSet<String>>,
    /// Directories whose files may be found by a file.
    listed: BTreeMap<Number, BTreeSet<String>>,
    /// Files that depend on everything, as they start processes or are no Python.
    everything: BTreeSet<Number>,
    /// Conftests of which fixtures start processes, and nothing else does.
    starting_fixtures: BTreeSet<Number>,
    /// Whether tests may use fixtures that pytest does not know of.
    requests_fixtures: bool,
    /// Directories with tests.
    test_directories: BTreeSet<String>,
    /// Files of fixtures and base classes.
    used_by_tests: BTreeSet<Number>,
    memory: Memory,
}

impl Graph {
    /// Uses what earlier runs have imported and opened. Must be called before files are scanned.
    pub fn remember(&mut self, memory: Memory) {
        for path in &memory.imported {
            let file = self.files.add(path);
            self.add_for_all(file, ForAll::Dynamic);
        }
        self.memory = memory;
    }

    /// Adds tests with the same dependencies; returns the number of their group.
    pub fn add_group(&mut self, group: Group) -> usize {
        if let Some(file) = group.file {
            self.test_directories
                .insert(directory_of(self.files.path(file)).to_owned());
        }
        self.used_by_tests.extend(&group.others);
        for file in self.files_of(&group) {
            self.reach(file);
        }
        self.groups.push(group);
        self.groups.len() - 1
    }

    /// The files with which the dependencies of tests begin.
    #[must_use]
    pub fn files_of(&self, group: &Group) -> Vec<Number> {
        let mut found: Vec<Number> = group.file.iter().chain(&group.others).copied().collect();
        if let Some(file) = group.file {
            found.extend(self.files.above(self.files.path(file), "conftest.py"));
        }
        found
    }

    /// Adds a file that all tests depend on.
    pub fn add_for_all(&mut self, file: Number, reason: ForAll) {
        self.for_all.entry(file).or_insert(reason);
        self.reach(file);
    }

    /// Adds a symbolic link to a file.
    pub fn add_symbolic_link(&mut self, link: Number, target: Number) {
        self.link(link, target, Link::SymbolicLink);
        self.link(target, link, Link::SymbolicLink);
    }

    /// Adds modules that are imported; all tests depend on those that no import leads to.
    pub fn add_loaded(&mut self, loaded: impl IntoIterator<Item = Number>) {
        let unknown: Vec<Number> = loaded
            .into_iter()
            .filter(|file| !self.is_reached(*file))
            .collect();
        for file in unknown {
            self.add_for_all(file, ForAll::Dynamic);
        }
    }

    /// The files that a test reaches and that have not been scanned. Each is returned once.
    pub fn take_unscanned(&mut self) -> Vec<Number> {
        let mut files = std::mem::take(&mut self.waiting);
        files.sort_unstable();
        files
    }

    fn link_all(&mut self, file: Number, targets: &[Number], link: Link) {
        for target in targets {
            self.link(file, *target, link);
        }
    }

    fn link(&mut self, file: Number, target: Number, link: Link) {
        if file != target {
            self.links.entry(file).or_default().entry(target).or_insert(link);
            if self.is_reached(file) {
                self.reach(target);
            }
        }
    }

    /// Notes that a test depends on a file, and on what that depends on without being scanned.
    fn reach(&mut self, file: Number) {
        if !self.reached.insert(file) {
            return;
        }
        self.waiting.push(file);
        let path = self.files.path(file).to_owned();
        if is_python(&path) {
            for package in self.files.packages_of(&path) {
                self.link(file, package, Link::Package);
            }
            // With `lazy_loader`, it has the imports.
            if let Some(types) = self.files.find(&format!("{path}i")) {
                self.link(file, types, Link::Name);
            }
        }
        let opened = self.memory.opened.get(&path).cloned().unwrap_or_default();
        for path in opened {
            let opened = self.files.add(&path);
            self.link(file, opened, Link::Opened);
        }
        let targets: Vec<Number> = self
            .links
            .get(&file)
            .into_iter()
            .flatten()
            .map(|(to, _)| *to)
            .collect();
        for target in targets {
            self.reach(target);
        }
    }

    /// Whether a test depends on a file.
    #[must_use]
    pub fn is_reached(&self, file: Number) -> bool {
        self.reached.contains(&file)
    }

    /// The groups of tests.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The files that all tests depend on.
    #[must_use]
    pub fn for_all(&self) -> &BTreeMap<Number, ForAll> {
        &self.for_all
    }

    /// The files that each file depends on.
    #[must_use]
    pub fn links(&self) -> &BTreeMap<Number, BTreeMap<Number, Link>> {
        &self.links
    }

    /// The files that may import all modules of some directories.
    #[must_use]
    pub fn dynamic(&self) -> &BTreeMap<Number, BTreeSet<String>> {
        &self.dynamic
    }

    /// The files that may find all files of some directories.
    #[must_use]
    pub fn listed(&self) -> &BTreeMap<Number, BTreeSet<String>> {
        &self.listed
    }

    /// The files that depend on everything.
    #[must_use]
    pub fn everything(&self) -> BTreeSet<Number> {
        let mut found = self.everything.clone();
        if self.requests_fixtures {
            found.extend(&self.starting_fixtures);
        }
        // What imports such a conftest may use all of its code.
        let is_import = |(target, link): (&Number, &Link)| {
            matches!(link, Link::Import | Link::Name | Link::SymbolicLink)
                && self.starting_fixtures.contains(target)
        };
        let importing = self.links.iter().filter(|(_, links)| links.iter().any(is_import));
        found.extend(importing.map(|(file, _)| *file));
        found
    }

    /// Whether a conftest has fixtures that start processes: the tests that use any of its fixtures depend on everything.
    #[must_use]
    pub fn has_starting_fixtures(&self, conftest: Number) -> bool {
        self.starting_fixtures.contains(&conftest)
    }

    /// Whether there are tests directly in a directory.
    #[must_use]
    pub fn has_tests(&self, directory: &str) -> bool {
        self.test_directories.contains(directory)
    }

    /// Whether a file has fixtures, or is in a directory with tests or for tests, or below one. If that is the top of
    /// the repository, only directly.
    #[must_use]
    pub fn is_of_tests(&self, file: Number) -> bool {
        if self.used_by_tests.contains(&file) {
            return true;
        }
        let path = self.files.path(file);
        let own = directory_of(path);
        directories_above(path).any(|directory| {
            is_for_tests(directory)
                || (!directory.is_empty() || own.is_empty()) && self.test_directories.contains(directory)
        })
    }

    /// The modules that may use a file of which nothing is known: those in and below the nearest directory, from its own
    /// upwards, that has some which tests depend on. If that is in a package, those of the outermost one; if it is among
    /// tests, those in the outermost directory of tests. The top of the repository counts only for modules directly in
    /// it: what else is there has nothing to do with them.
    #[must_use]
    pub fn nearest(&self, path: &str) -> Vec<Number> {
        if directory_of(path).is_empty() && is_python(path) {
            let modules = self.reached_below("");
            return modules
                .filter(|file| directory_of(self.files.path(*file)).is_empty())
                .collect();
        }
        let mut directories = directories_above(path).filter(|directory| !directory.is_empty());
        let Some(nearest) = directories.find(|directory| self.reached_below(directory).next().is_some())
        else {
            return Vec::new();
        };
        let is_of_tests =
            |directory: &str| is_for_tests(directory) || self.test_directories.contains(directory);
        let above = directories_above(nearest).filter(|directory| !directory.is_empty());
        let outer = above.filter(|directory| is_of_tests(directory)).last();
        let start = outer.unwrap_or_else(|| self.files.outermost_package(nearest));
        self.reached_below(start).collect()
    }

    fn reached_below(&self, directory: &str) -> impl Iterator<Item = Number> {
        self.files
            .below(directory)
            .filter(|file| is_python(self.files.path(*file)) && self.is_reached(*file))
    }
}
