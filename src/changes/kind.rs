//! What a file is, by its path. `docs/changed.md` has the table for users.

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Configuration of pytest, of the build or of the environment: every test depends on it.
    Configuration,
    /// The source of an extension module, or a compiled one: every test depends on it.
    Extension,
    /// Python code.
    Python,
    /// Documentation, and configuration of other tools: only tests that name or open it depend on it.
    Documentation,
    /// Anything else.
    Data,
}

const CONFIGURATION: &[&str] = &[
    "pyproject.toml",
    "pytest.ini",
    ".pytest.ini",
    "pytest.toml",
    ".pytest.toml",
    "tox.ini",
    "tox.toml",
    "setup.cfg",
    "setup.py",
    "pipfile",
    "pipfile.lock",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "environment.yml",
    "environment.yaml",
    ".python-version",
    ".coveragerc",
    ".env",
    ".gitmodules",
    "sitecustomize.py",
    "usercustomize.py",
];

const EXTENSION: &[&str] = &[
    "c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx", "cu", "m", "mm", "pyx", "pxd", "pxi", "rs", "f", "for",
    "f77", "f90", "f95", "cmake", "so", "pyd", "dll", "dylib", "a", "pth",
];

const BUILD: &[&str] = &[
    "cmakelists.txt",
    "meson.build",
    "meson.options",
    "meson_options.txt",
    "cargo.toml",
    "cargo.lock",
];

const DOCUMENTATION: &[&str] = &["md", "rst", "txt", "adoc"];

const DOCUMENTATION_NAMES: &[&str] = &[
    "license",
    "licence",
    "copying",
    "notice",
    "authors",
    "contributors",
    "changelog",
    "changes",
    "news",
    "readme",
    "codeowners",
    "citation.cff",
    "manifest.in",
    "makefile",
    "justfile",
    "noxfile.py",
    "mkdocs.yml",
    "codecov.yml",
    "appveyor.yml",
    "azure-pipelines.yml",
    "jenkinsfile",
];

const DOCUMENTATION_DIRECTORIES: &[&str] = &["doc", "docs", "changelog.d", "newsfragments"];

/// The kind of a file with this path.
#[must_use]
pub fn kind(path: &str) -> Kind {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let name = name.to_lowercase();
    let extension = extension_of(&name);
    if is_configuration(&name) {
        Kind::Configuration
    } else if EXTENSION.contains(&extension) || BUILD.contains(&name.as_str()) {
        Kind::Extension
    } else if is_documentation(directory, &name, extension) {
        Kind::Documentation
    } else if extension == "py" {
        Kind::Python
    } else {
        Kind::Data
    }
}

fn is_configuration(name: &str) -> bool {
    let is_list = name.starts_with("requirements") || name.starts_with("constraints");
    CONFIGURATION.contains(&name)
        || (is_list && matches!(extension_of(name), "txt" | "in"))
        || (name.starts_with("pylock.") && extension_of(name) == "toml")
}

fn is_documentation(directory: &str, name: &str, extension: &str) -> bool {
    if DOCUMENTATION_NAMES.contains(&name) {
        return true;
    }
    let is_of_tools = name.starts_with('.') || directory.split('/').any(|part| part.starts_with('.'));
    let is_in_docs = directory
        .split('/')
        .any(|part| DOCUMENTATION_DIRECTORIES.contains(&part));
    extension != "py" && (is_of_tools || is_in_docs || DOCUMENTATION.contains(&extension))
}

/// Whether a path is that of Python code.
#[must_use]
pub fn is_python(path: &str) -> bool {
    extension_of(path) == "py"
}

fn extension_of(path: &str) -> &str {
    name_of(path)
        .rsplit_once('.')
        .map_or("", |(_, extension)| extension)
}

/// The directory of a path; "" for the top of the repository.
#[must_use]
pub fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// The last part of a path.
#[must_use]
pub fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The directories above a path, from its own to the top of the repository, which is "".
pub fn directories_above(path: &str) -> impl Iterator<Item = &str> {
    let own = directory_of(path);
    std::iter::successors(Some(own), |directory| {
        (!directory.is_empty()).then(|| directory_of(directory))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_files() {
        let expected = [
            (
                Kind::Configuration,
                "pyproject.toml a/setup.py requirements/requirements-dev.txt .python-version pylock.dev.toml",
            ),
            (
                Kind::Extension,
                "src/a.pyx src/x.H CMakeLists.txt rust/Cargo.toml a/_speed.cpython-313-x86_64-linux-gnu.so",
            ),
            (Kind::Python, "a.py conftest.py docs/conf.py .ci/run.py"),
            (
                Kind::Documentation,
                "README.md LICENSE docs/a/picture.svg .github/workflows/ci.yml .gitignore noxfile.py a/b.txt",
            ),
            (Kind::Data, "a.json tests/data/x.yaml Dockerfile py a/conf.pyi"),
        ];
        for (wanted, paths) in expected {
            for path in paths.split(' ') {
                assert_eq!(kind(path), wanted, "{path}");
            }
        }
    }

    #[test]
    fn directories_end_at_the_top() {
        assert_eq!(
            directories_above("a/b/c.py").collect::<Vec<_>>(),
            ["a/b", "a", ""]
        );
        assert_eq!(directories_above("c.py").collect::<Vec<_>>(), [""]);
    }
}
