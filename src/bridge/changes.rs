//! Python bindings of the selection of tests that depend on changed files.

use super::text::{Text, texts};
use crate::changes::facts::{Facts, Import};
use crate::changes::memory::Memory;
use crate::changes::repository::Repository;
use crate::changes::scans::Scans;
use crate::changes::selection::Reason;
use crate::changes::{git, text};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;

/// What `scan` of a file returns: imports (level, module, names), literals, and four properties.
type FactsOfPython = (
    Vec<(usize, String, Vec<String>)>,
    Vec<Text>,
    bool,
    bool,
    bool,
    bool,
    bool,
    bool,
    bool,
);

/// The files of a repository, what depends on them, and the tests; see the stub.
#[pyclass(module = "rustpar._core")]
pub(super) struct Changes {
    repository: Repository,
    found: Vec<Option<Reason>>,
}

#[pymethods]
impl Changes {
    /// Takes the output of git. Raises ValueError if it is not as expected.
    #[new]
    fn new(
        top: PathBuf,
        tracked: &[u8],
        differing: &[u8],
        untracked: &[u8],
        ignored: &[u8],
        packages: Vec<Text>,
        path: Vec<Text>,
    ) -> PyResult<Self> {
        let error = |error: git::UnexpectedOutput| PyValueError::new_err(error.to_string());
        let entries = git::entries(tracked).map_err(error)?;
        let mut changes = git::changes(differing).map_err(error)?;
        changes.extend(git::untracked(untracked));
        let (packages, path): (Vec<String>, Vec<String>) = (texts(packages), texts(path));
        let mut repository = Repository::new(&top, &entries, &changes, &packages, &path);
        repository.add_ignored(&git::untracked(ignored));
        Ok(Self {
            repository,
            found: Vec::new(),
        })
    }

    /// Uses what earlier runs have stored; returns why it could not be used, one line each.
    fn load(&mut self, scans: PathBuf, imports: PathBuf, scanner: &str) -> Vec<String> {
        let (known, problem) = Scans::load(&scans, scanner);
        self.repository.scans = known;
        let (memory, other) = Memory::load(&imports);
        self.repository.graph.remember(memory);
        problem.into_iter().chain(other).collect()
    }

    /// The paths of the files that have changed.
    fn changed(&self) -> Vec<String> {
        let changes = self.repository.changes.iter();
        changes
            .map(|change| self.repository.graph.files.path(change.file).to_owned())
            .collect()
    }

    /// Says which of the changed files have the name of a file with tests.
    fn set_tests(&mut self, are_tests: Vec<bool>) {
        for (change, is_test) in self.repository.changes.iter_mut().zip(are_tests) {
            change.is_named_as_tests = is_test;
        }
    }

    /// Adds tests by their file and other files that they use; returns the number of their group.
    fn add_tests(&mut self, file: Text, others: Vec<Text>) -> usize {
        self.repository.add_tests(&file.0, &texts::<Vec<String>>(others))
    }

    /// Adds the files of pytest's plugins.
    fn add_plugins(&mut self, files: Vec<Text>) {
        self.repository.add_plugins(&texts::<Vec<String>>(files));
    }

    /// Adds the files of modules that are imported.
    fn add_loaded(&mut self, files: Vec<Text>) {
        self.repository.add_loaded(&texts::<Vec<String>>(files));
    }

    /// The files that have to be scanned: number and content.
    fn unscanned<'py>(&mut self, py: Python<'py>) -> Vec<(usize, Bound<'py, PyBytes>)> {
        let files = py.detach(|| self.repository.unscanned()).into_iter();
        files
            .map(|(file, content)| (file, PyBytes::new(py, &content)))
            .collect()
    }

    /// Adds what a file says; None if it cannot be parsed.
    #[pyo3(signature = (file, facts))]
    fn add_facts(&mut self, file: usize, facts: Option<FactsOfPython>) {
        let facts = facts.map(
            |(
                imports,
                strings,
                is_dynamic,
                imports_by_name,
                lists_directories,
                starts_processes,
                starts_python,
                starts_outside_fixtures,
                requests_fixtures,
            )| Facts {
                imports: imports
                    .into_iter()
                    .map(|(level, module, names)| Import { level, module, names })
                    .collect(),
                strings: texts(strings),
                is_dynamic,
                imports_by_name,
                lists_directories,
                starts_processes,
                starts_python,
                starts_outside_fixtures,
                requests_fixtures,
            },
        );
        self.repository.add_facts(file, facts);
    }

    /// Whether the tests of each group depend on what has changed.
    fn select(&mut self, py: Python<'_>) -> Vec<bool> {
        self.found = py.detach(|| self.repository.select());
        self.found.iter().map(Option::is_some).collect()
    }

    /// The line about the selection; `of_tests` has the group of each test.
    fn summary(&self, reference: Text, of_tests: Vec<usize>) -> String {
        let is_selected = |group: &&usize| self.found.get(**group).is_some_and(Option::is_some);
        let selected = of_tests.iter().filter(is_selected).count();
        text::summary(
            &reference.0,
            self.repository.changes.len(),
            selected,
            of_tests.len(),
        )
    }

    /// The lines about why tests are selected, of a bounded number unless `is_whole`.
    fn reasons(&self, of_tests: Vec<usize>, is_whole: bool) -> Vec<String> {
        text::reasons(&self.repository.graph, &self.found, &of_tests, is_whole)
    }

    /// The paths of the files that a path may mean.
    fn locate(&mut self, path: Text) -> Vec<String> {
        let found = self.repository.locate(&path.0).into_iter();
        found
            .map(|file| self.repository.graph.files.path(file).to_owned())
            .collect()
    }

    /// Whether imports lead from tests of a group to the file with this path, or it is not in the repository.
    fn is_known(&mut self, group: usize, path: Text) -> bool {
        self.repository.is_known(group, &path.0)
    }

    /// Stores the scanned files; returns why that was not possible.
    fn save(&mut self, scans: PathBuf) -> Option<String> {
        self.repository.scans.save(&scans)
    }
}

/// Adds what tests have imported and opened to a file; returns why that was not possible.
#[pyfunction]
pub(super) fn remember_imports(
    path: PathBuf,
    imported: Vec<Text>,
    opened: Vec<(Text, Text)>,
) -> Option<String> {
    let mut memory = Memory {
        imported: texts(imported),
        ..Memory::default()
    };
    for (Text(file), Text(data)) in opened {
        memory.opened.entry(file).or_default().insert(data);
    }
    memory.add_to(&path)
}
