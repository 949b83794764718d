//! What a file says becomes links to other files: imports, literals, and what may be imported or found.

use super::{Graph, Link};
use crate::changes::facts::{Facts, Import};
use crate::changes::files::Number;
use crate::changes::kind::{directory_of, is_python, name_of};

impl Graph {
    /// Adds what a file says, or nothing for one that cannot be read or is no Python: it may depend on everything.
    pub fn add_facts(&mut self, file: Number, facts: Option<&Facts>) {
        let Some(facts) = facts else {
            self.everything.insert(file);
            return;
        };
        let directory = directory_of(self.files.path(file)).to_owned();
        for import in &facts.imports {
            self.add_import(file, &directory, import);
        }
        for text in &facts.strings {
            self.add_string(file, &directory, text, facts);
        }
        if facts.is_dynamic {
            self.add_dynamic_scope(file, &directory);
        }
        if facts.lists_directories {
            self.listed.entry(file).or_default().insert(directory);
        }
        self.requests_fixtures |= facts.requests_fixtures;
        if facts.starts_python || (facts.starts_processes && self.is_of_tests(file)) {
            let is_conftest = name_of(self.files.path(file)) == "conftest.py";
            if is_conftest && !facts.starts_outside_fixtures {
                self.starting_fixtures.insert(file);
            } else {
                self.everything.insert(file);
            }
        }
    }

    fn add_import(&mut self, file: Number, directory: &str, import: &Import) {
        // Also the module itself if only names are imported: it may be in a package that is no directory here.
        let modules = import.names.iter().map(|name| match import.module.as_str() {
            "" => name.clone(),
            module => format!("{module}.{name}"),
        });
        let modules = std::iter::once(import.module.clone()).chain(modules);
        for name in modules {
            for prefix in prefixes(&name) {
                let found = match import.level {
                    0 => self.files.modules(prefix),
                    level => above(directory, level - 1)
                        .map(|start| self.files.modules_in(start, prefix))
                        .unwrap_or_default(),
                };
                self.link_all(file, &found, Link::Import);
            }
        }
        if import.level > 0
            && let Some(start) = above(directory, import.level - 1)
        {
            let found = self.files.modules_in(start, "");
            self.link_all(file, &found, Link::Package);
        }
    }

    /// Adds a literal: the name of a module, of something in it, of a package to which a name is added, or of a file or
    /// a directory.
    fn add_string(&mut self, file: Number, directory: &str, text: &str, facts: &Facts) {
        let name = text.trim_start_matches('.').split(':').next().unwrap_or_default();
        for prefix in prefixes(name.trim_end_matches('.')) {
            let mut found = self.files.modules(prefix);
            if text.starts_with('.') || self.files.path(file).ends_with("__init__.py") {
                // For `__all__`, and for names that are imported relative to the package.
                found.extend(self.files.modules_in(directory, prefix));
            }
            if name.strip_suffix('.') == Some(prefix) {
                for package in &found {
                    self.add_dynamic(file, directory_of(self.files.path(*package)).to_owned());
                }
            }
            self.link_all(file, &found, Link::Name);
        }
        let last = name.rsplit('.').next().unwrap_or(name);
        if facts.imports_by_name || text.starts_with('.') {
            // Relative to a package that is not known, or a command that is found by its name.
            let found = self.files.modules_named(last).to_vec();
            self.link_all(file, &found, Link::Name);
        }
        if facts.is_dynamic || facts.lists_directories {
            let named: Vec<String> = self.files.directories(text).map(str::to_owned).collect();
            for directory in named {
                if facts.is_dynamic {
                    self.add_dynamic(file, directory.clone());
                }
                if facts.lists_directories {
                    self.listed.entry(file).or_default().insert(directory);
                }
            }
        }
        let base = text.rsplit(['/', '\\']).next().unwrap_or(text);
        let found = self.files.named(base).to_vec();
        self.link_all(file, &found, Link::Name);
    }

    /// Adds what a file may import whose dynamic imports name nothing: modules of its outermost package, and of the
    /// packages that it imports or names.
    fn add_dynamic_scope(&mut self, file: Number, directory: &str) {
        let own = self.files.outermost_package(directory).to_owned();
        self.add_dynamic(file, own);
        let targets = self.links.get(&file).into_iter().flatten();
        let named = targets.filter(|(_, link)| matches!(link, Link::Import | Link::Name));
        let packages: Vec<String> = named
            .map(|(target, _)| self.files.path(*target))
            .filter(|path| name_of(path) == "__init__.py")
            .map(|path| directory_of(path).to_owned())
            .collect();
        for package in packages {
            self.add_dynamic(file, package);
        }
    }

    fn add_dynamic(&mut self, file: Number, directory: String) {
        let below: Vec<Number> = self.files.below(&directory).collect();
        for other in below {
            if is_python(self.files.path(other)) {
                self.reach(other);
            }
        }
        self.dynamic.entry(file).or_default().insert(directory);
    }
}

/// The names of a module and of the packages it is in: `a`, `a.b` and `a.b.c`.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    let dots = name.match_indices('.').map(|(index, _)| index);
    dots.chain([name.len()])
        .map(|end| &name[..end])
        .filter(|prefix| !prefix.is_empty())
}

/// The directory so many levels above one.
fn above(directory: &str, levels: usize) -> Option<&str> {
    let mut directories = std::iter::successors(Some(directory), |directory| {
        (!directory.is_empty()).then(|| directory_of(directory))
    });
    directories.nth(levels)
}
