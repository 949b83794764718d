//! The way from the changed files back to the tests: by the shortest chain, which is the reason that is given.

use super::files::Number;
use super::git::Event;
use super::graph::{ForAll, Graph, Link};
use super::kind::{Kind, directory_of, is_in_documentation, is_python, kind, name_of};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// A file that has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// The file.
    pub file: Number,
    /// What has happened to it.
    pub event: Event,
    /// Whether it is a submodule or a symbolic link: what is behind it is not known.
    pub is_opaque: bool,
    /// Whether its name is that of a file with tests.
    pub is_named_as_tests: bool,
}

/// How a file depends on the one before it in a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The file says so, or has opened it.
    Link(Link),
    /// It may import any module in a directory in which that is.
    Dynamic,
    /// It may find all files in a directory in which that is.
    Listed,
    /// It may depend on every file.
    Everything,
    /// No test is known to use it, and this file is a module near it.
    Near,
}

/// From a changed file to one that depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The file that has changed.
    pub changed: Number,
    /// What has happened to it.
    pub event: Event,
    /// The files that depend on it, each on the one before.
    pub steps: Vec<(Step, Number)>,
}

/// Why tests are selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Every test may depend on this file.
    EveryTest(Chain),
    /// pytest has loaded the last file of this chain for all tests, or something has imported it.
    Loaded(Chain, ForAll),
    /// The last file of this chain is that of the tests, or one that they use.
    Chain(Chain),
    /// The tests are in a file that git does not have.
    Unknown,
}

/// What has led to a file.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Changed(Event),
    From(Number, Step),
}

#[derive(Debug, Default)]
struct Search {
    origins: HashMap<Number, (usize, Origin)>,
    queue: VecDeque<Number>,
}

impl Search {
    fn add(&mut self, file: Number, distance: usize, origin: Origin) {
        if let Entry::Vacant(entry) = self.origins.entry(file) {
            entry.insert((distance, origin));
            self.queue.push_back(file);
        }
    }

    fn chain(&self, last: Number) -> Option<Chain> {
        let (mut file, mut steps) = (last, Vec::new());
        loop {
            match self.origins.get(&file)?.1 {
                Origin::Changed(event) => {
                    steps.reverse();
                    return Some(Chain {
                        changed: file,
                        event,
                        steps,
                    });
                }
                Origin::From(before, step) => {
                    steps.push((step, file));
                    file = before;
                }
            }
        }
    }
}

/// The reason for which each group of tests is selected, if it is.
#[must_use]
pub fn select(graph: &Graph, changes: &[Changed]) -> Vec<Option<Reason>> {
    if let Some(reason) = changes.iter().find_map(|change| for_every_test(graph, *change)) {
        return vec![Some(reason); graph.groups().len()];
    }
    let search = search(graph, changes);
    let loaded = graph
        .for_all()
        .iter()
        .find_map(|(file, why)| Some((search.chain(*file)?, *why)));
    let of_processes = changes
        .iter()
        .find(|change| kind(graph.files.path(change.file)) != Kind::Documentation);
    let reasons = graph.groups().iter().map(|group| {
        if group.file.is_none() {
            return Some(Reason::Unknown);
        }
        let files = graph.files_of(group).into_iter();
        let nearest = files.filter(|file| search.origins.contains_key(file));
        let nearest = nearest.min_by_key(|file| search.origins[file].0);
        let own = nearest.and_then(|file| search.chain(file)).map(Reason::Chain);
        let started = group
            .others
            .iter()
            .find(|file| graph.has_starting_fixtures(**file));
        let by_process = started.zip(of_processes).map(|(fixtures, change)| {
            Reason::Chain(Chain {
                changed: change.file,
                event: change.event,
                steps: vec![(Step::Everything, *fixtures)],
            })
        });
        own.or(by_process)
            .or_else(|| loaded.clone().map(|(chain, why)| Reason::Loaded(chain, why)))
    });
    reasons.collect()
}

/// The reason, if every test may depend on a changed file.
fn for_every_test(graph: &Graph, change: Changed) -> Option<Reason> {
    let path = graph.files.path(change.file);
    let is_for_every_test = change.is_opaque
        || match kind(path) {
            Kind::Configuration | Kind::Extension => true,
            Kind::Data => {
                !is_of_group(graph, change.file) && (!path.contains('/') || graph.nearest(path).is_empty())
            }
            // Its hooks may be called for all tests, and what it did before the change is not known.
            Kind::Python if name_of(path) == "conftest.py" => true,
            // Migrations, plugins, jobs: something may load it by its path.
            Kind::Python => {
                !is_in_documentation(directory_of(path))
                    && !is_known_module(graph, change)
                    && graph.nearest(path).is_empty()
            }
            Kind::Documentation => false,
        };
    is_for_every_test.then(|| {
        Reason::EveryTest(Chain {
            changed: change.file,
            event: change.event,
            steps: Vec::new(),
        })
    })
}

/// Whether it is known which tests depend on a module.
fn is_known_module(graph: &Graph, change: Changed) -> bool {
    // Beside other tests, a file that looks like one of tests is: elsewhere it may be the input of a test.
    graph.is_reached(change.file)
        || (change.is_named_as_tests && graph.has_tests(directory_of(graph.files.path(change.file))))
}

fn is_of_group(graph: &Graph, file: Number) -> bool {
    graph.groups().iter().any(|group| group.file == Some(file))
}

/// Finds all files that depend on a changed one, by the shortest chains.
fn search(graph: &Graph, changes: &[Changed]) -> Search {
    let mut search = Search::default();
    for change in changes {
        search.add(change.file, 0, Origin::Changed(change.event));
    }
    for change in changes {
        for (file, step) in users_by_rule(graph, *change) {
            search.add(file, 1, Origin::From(change.file, step));
        }
    }
    let mut users: BTreeMap<Number, Vec<(Number, Link)>> = BTreeMap::new();
    for (file, targets) in graph.links() {
        for (target, link) in targets {
            users.entry(*target).or_default().push((*file, *link));
        }
    }
    while let Some(file) = search.queue.pop_front() {
        let distance = search.origins[&file].0 + 1;
        for (user, link) in users.get(&file).into_iter().flatten() {
            search.add(*user, distance, Origin::From(file, Step::Link(*link)));
        }
        let path = graph.files.path(file);
        let is_in =
            |directories: &BTreeSet<String>| directories.iter().any(|directory| is_below(path, directory));
        if is_python(path) {
            for (user, _) in graph
                .dynamic()
                .iter()
                .filter(|(_, directories)| is_in(directories))
            {
                search.add(*user, distance, Origin::From(file, Step::Dynamic));
            }
        }
        if distance == 1 {
            for (user, _) in graph
                .listed()
                .iter()
                .filter(|(_, directories)| is_in(directories))
            {
                search.add(*user, distance, Origin::From(file, Step::Listed));
            }
        }
    }
    search
}

/// The files that depend on a changed one by a rule.
fn users_by_rule(graph: &Graph, change: Changed) -> Vec<(Number, Step)> {
    let path = graph.files.path(change.file);
    let kind = kind(path);
    let mut found = Vec::new();
    if kind != Kind::Documentation {
        // Programs that are started for other purposes than testing do not run the tests of this project.
        let is_test = change.is_named_as_tests && is_of_group(graph, change.file);
        let users = graph.everything().into_iter();
        let users = users.filter(|file| !is_test || graph.is_of_tests(*file));
        found.extend(users.map(|file| (file, Step::Everything)));
    }
    let is_module = is_python(path);
    let is_known = if is_module {
        is_known_module(graph, change)
    } else {
        is_of_group(graph, change.file)
    };
    if is_known {
        return found;
    }
    let near = graph.nearest(path);
    if is_module && near.is_empty() {
        // A script, perhaps, that a test runs by its path.
        let importing = graph.dynamic().keys().filter(|file| graph.is_of_tests(**file));
        found.extend(importing.map(|file| (*file, Step::Dynamic)));
    }
    found.extend(near.into_iter().map(|file| (file, Step::Near)));
    found
}

fn is_below(path: &str, directory: &str) -> bool {
    directory.is_empty()
        || path
            .strip_prefix(directory)
            .is_some_and(|rest| rest.starts_with('/'))
}
