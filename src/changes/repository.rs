//! The graph with the paths of the file system: symbolic links, installed copies, and the content of files.

use super::facts::Facts;
use super::files::Number;
use super::git::{Change, Entry, Event};
use super::graph::{ForAll, Graph, Group};
use super::kind::{is_python, name_of};
use super::scans::{Scans, digest};
use super::selection::{Changed, Reason, select};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{MAIN_SEPARATOR_STR, Path, PathBuf};

/// A repository and the tests in it.
#[derive(Debug, Default)]
pub struct Repository {
    /// The files and what depends on them.
    pub graph: Graph,
    /// The facts of files from earlier runs.
    pub scans: Scans,
    /// The files that have changed.
    pub changes: Vec<Changed>,
    top: PathBuf,
    /// The top as given and without symbolic links, and the directories of installed packages; all with a slash at the
    /// end.
    tops: Vec<String>,
    packages: Vec<String>,
    located: HashMap<String, Vec<Number>>,
    groups: HashMap<Group, usize>,
    /// Files that git ignores.
    ignored: HashSet<Number>,
    digests: HashMap<Number, String>,
}

impl Repository {
    /// The repository with this top, and its files. `packages` are the directories of installed packages, and `path`
    /// the directories on Python's path.
    #[must_use]
    pub fn new(
        top: &Path,
        entries: &[Entry],
        changes: &[Change],
        packages: &[String],
        path: &[String],
    ) -> Self {
        let mut repository = Self {
            top: top.to_owned(),
            tops: both_forms(&top.to_string_lossy()),
            packages: packages.iter().flat_map(|path| both_forms(path)).collect(),
            ..Self::default()
        };
        let mut links: Vec<&str> = Vec::new();
        for entry in entries {
            repository.graph.files.add(&entry.path);
            if entry.is_link {
                links.push(&entry.path);
            }
        }
        for change in changes {
            let is_link = change.is_link || top.join(&change.path).is_symlink();
            if is_link {
                links.push(&change.path);
            }
            repository.changes.push(Changed {
                file: repository.graph.files.add(&change.path),
                event: change.event,
                is_opaque: is_link || change.is_submodule,
                is_named_as_tests: false,
            });
        }
        for link in links {
            repository.add_link(link);
        }
        for directory in path {
            if let Some(directory) = repository.relative(&with_slash(directory)) {
                repository.graph.files.add_root(directory.trim_end_matches('/'));
            }
        }
        repository
    }

    /// Adds modules that git ignores: what they import counts, but not whether they have changed.
    pub fn add_ignored(&mut self, ignored: &[Change]) {
        for change in ignored {
            if is_python(&change.path) && self.graph.files.find(&change.path).is_none() {
                let file = self.graph.files.add(&change.path);
                self.ignored.insert(file);
            }
        }
    }

    /// Adds what a symbolic link leads to: a file, or a directory whose files have a second path.
    fn add_link(&mut self, link: &str) {
        let Ok(target) = fs::canonicalize(self.top.join(link)) else {
            return;
        };
        let Some(target) = self.relative(&target.to_string_lossy()) else {
            return;
        };
        let graph = &mut self.graph;
        let own = graph.files.add(link);
        if let Some(file) = graph.files.find(&target) {
            graph.add_symbolic_link(own, file);
            return;
        }
        let below: Vec<Number> = graph.files.below(&target).collect();
        for file in below {
            let path = graph.files.path(file);
            if !path.starts_with(&with_slash(link)) {
                let alias = format!("{link}{}", &path[target.len()..]);
                let alias = graph.files.add(&alias);
                graph.add_symbolic_link(alias, file);
            }
        }
    }

    /// The path relative to the top, if it is below. A path with `..` may lead out of it again.
    fn relative(&self, path: &str) -> Option<String> {
        let mut found = self.tops.iter().filter_map(|top| path.strip_prefix(top.as_str()));
        let found = found.next()?.replace(MAIN_SEPARATOR_STR, "/");
        (!found.split('/').any(|part| part == "..")).then_some(found)
    }

    /// The files that an absolute path may mean: itself, or the sources of an installed copy.
    pub fn locate(&mut self, path: &str) -> Vec<Number> {
        if let Some(known) = self.located.get(path) {
            return known.clone();
        }
        let found = self.find(path);
        self.located.insert(path.to_owned(), found.clone());
        found
    }

    fn find(&mut self, path: &str) -> Vec<Number> {
        let installed = self
            .packages
            .iter()
            .find_map(|directory| path.strip_prefix(directory.as_str()));
        if let Some(installed) = installed {
            return self
                .graph
                .files
                .copied_to(&installed.replace(MAIN_SEPARATOR_STR, "/"));
        }
        let relative = self.relative(path);
        if let Some(file) = relative.as_deref().and_then(|path| self.graph.files.find(path)) {
            return vec![file];
        }
        let real = fs::canonicalize(path).ok();
        let real = real.and_then(|path| self.relative(&path.to_string_lossy()));
        if let Some(file) = real.as_deref().and_then(|path| self.graph.files.find(path)) {
            return vec![file];
        }
        let Some(path) = real.or(relative) else {
            return Vec::new();
        };
        let file = self.graph.files.add(&path);
        self.ignored.insert(file);
        vec![file]
    }

    /// Adds tests in a file that use other files; returns the number of their group.
    pub fn add_tests(&mut self, file: &str, others: &[String]) -> usize {
        let mut others = self.locate_all(others);
        // An installed copy may be of several files.
        let (file, namesakes) = match self.locate(file).split_first() {
            Some((file, namesakes)) => (Some(*file), namesakes.to_vec()),
            None => (None, Vec::new()),
        };
        others.extend(namesakes);
        others.sort_unstable();
        others.dedup();
        let group = Group {
            file: file.filter(|file| !self.ignored.contains(file)),
            others,
        };
        if let Some(number) = self.groups.get(&group) {
            return *number;
        }
        let number = self.graph.add_group(group.clone());
        self.groups.insert(group, number);
        number
    }

    /// Adds plugins of pytest, on which all tests depend. Conftests are not such.
    pub fn add_plugins(&mut self, plugins: &[String]) {
        for file in self.locate_all(plugins) {
            if name_of(self.graph.files.path(file)) != "conftest.py" {
                self.graph.add_for_all(file, ForAll::Plugin);
            }
        }
    }

    /// Adds the files of imported modules.
    pub fn add_loaded(&mut self, loaded: &[String]) {
        let files = self.locate_all(loaded);
        self.graph.add_loaded(files);
    }

    fn locate_all(&mut self, paths: &[String]) -> Vec<Number> {
        paths.iter().flat_map(|path| self.locate(path)).collect()
    }

    /// The files that have to be scanned, with their content. Those that were scanned in an earlier run are added.
    pub fn unscanned(&mut self) -> Vec<(Number, Vec<u8>)> {
        loop {
            let files = self.graph.take_unscanned();
            if files.is_empty() {
                return Vec::new();
            }
            let unknown: Vec<_> = files.into_iter().filter_map(|file| self.read(file)).collect();
            if !unknown.is_empty() {
                return unknown;
            }
        }
    }

    /// The content of a file that was not scanned before.
    fn read(&mut self, file: Number) -> Option<(Number, Vec<u8>)> {
        let path = self.graph.files.path(file).to_owned();
        if !is_python(&path) {
            if self.graph.groups().iter().any(|group| group.file == Some(file)) {
                self.graph.add_facts(file, None);
            } else if let Some(strings) = dotted_names(&self.top.join(path)) {
                let facts = Facts {
                    strings,
                    ..Facts::default()
                };
                self.graph.add_facts(file, Some(&facts));
            }
            return None;
        }
        let path = self.top.join(path);
        match fs::read(&path) {
            Ok(content) => {
                let digest = digest(&content);
                if let Some(facts) = self.scans.find(&digest).cloned() {
                    self.graph.add_facts(file, Some(&facts));
                    return None;
                }
                self.digests.insert(file, digest);
                Some((file, content))
            }
            Err(_) if !path.exists() => None,
            Err(_) => {
                self.graph.add_facts(file, None);
                None
            }
        }
    }

    /// Adds what a file says; `None` if that is not known.
    pub fn add_facts(&mut self, file: Number, facts: Option<Facts>) {
        self.graph.add_facts(file, facts.as_ref());
        if let (Some(digest), Some(facts)) = (self.digests.remove(&file), facts) {
            self.scans.add(digest, facts);
        }
    }

    /// The reason for which each group of tests is selected, if it is.
    #[must_use]
    pub fn select(&self) -> Vec<Option<Reason>> {
        select(&self.graph, &self.changes)
    }

    /// Whether imports lead from a group of tests to a file, so that the tests are selected if it changes.
    pub fn is_known(&mut self, group: usize, path: &str) -> bool {
        let files = self.locate(path);
        if files.iter().any(|file| !self.graph.is_reached(*file)) {
            return false;
        }
        let changes = files.iter().map(|file| Changed {
            file: *file,
            event: Event::Modified,
            is_opaque: false,
            is_named_as_tests: false,
        });
        let changes: Vec<Changed> = changes.collect();
        let is_selected = |reasons: &[Option<Reason>]| reasons.get(group).is_some_and(Option::is_some);
        changes.is_empty() || is_selected(&select(&self.graph, &changes))
    }
}

/// The words with a dot in a data file: names of modules, of something in them, or of files. `None` if it is no text or
/// larger than a configuration is.
fn dotted_names(path: &Path) -> Option<Vec<String>> {
    const MOST_BYTES: u64 = 1 << 20;
    if fs::metadata(path).ok()?.len() > MOST_BYTES {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let words = text.split(|character: char| !(character.is_alphanumeric() || "_.-".contains(character)));
    let names = words.filter(|word| word.contains('.') && word.starts_with(char::is_alphabetic));
    Some(
        names
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
    )
}

/// A directory as given and without symbolic links, with a slash at the end.
fn both_forms(directory: &str) -> Vec<String> {
    let real = fs::canonicalize(directory).map(|path| with_slash(&path.to_string_lossy()));
    let mut found = vec![with_slash(directory)];
    found.extend(
        real.into_iter()
            .filter(|real| *real != found[0])
            .collect::<Vec<_>>(),
    );
    found
}

fn with_slash(directory: &str) -> String {
    format!("{}/", directory.trim_end_matches('/'))
}
