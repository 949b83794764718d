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
    ".flaskenv",
    ".tool-versions",
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
    if is_configuration(directory, &name) {
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

fn is_configuration(directory: &str, name: &str) -> bool {
    let is_list = [name_of(directory), name]
        .iter()
        .any(|part| part.starts_with("requirement") || part.starts_with("constraint"));
    CONFIGURATION.contains(&name)
        || name.starts_with(".env")
        || (is_list && matches!(extension_of(name), "txt" | "in" | "lock"))
        || (name.starts_with("pylock.") && extension_of(name) == "toml")
}

fn is_documentation(directory: &str, name: &str, extension: &str) -> bool {
    let is_text = DOCUMENTATION.contains(&extension);
    let stem = name.split('.').next().unwrap_or(name);
    if DOCUMENTATION_NAMES.contains(&name) || (is_text && DOCUMENTATION_NAMES.contains(&stem)) {
        return true;
    }
    let is_of_tools = name.starts_with('.') || directory.split('/').any(|part| part.starts_with('.'));
    // Elsewhere, texts may be the input of a program: prompts, templates, expected output.
    let is_at_top = directory.is_empty();
    extension != "py" && (is_of_tools || is_in_documentation(directory) || (is_at_top && is_text))
}

/// Whether a directory is that of documentation, or in one.
#[must_use]
pub fn is_in_documentation(directory: &str) -> bool {
    directory
        .split('/')
        .any(|part| DOCUMENTATION_DIRECTORIES.contains(&part))
}

/// Whether the name of a directory says that it is for tests.
#[must_use]
pub fn is_for_tests(directory: &str) -> bool {
    let name = name_of(directory).to_lowercase();
    let mut words = name.split(['-', '_']);
    matches!(name.as_str(), "testing" | "testlib" | "testutils")
        || words.any(|word| matches!(word, "test" | "tests"))
}

/// Whether a path is that of Python code, or of its types.
#[must_use]
pub fn is_python(path: &str) -> bool {
    matches!(extension_of(path), "py" | "pyi")
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
                "pyproject.toml a/setup.py requirements/base.txt a/requirements-dev.in .env.test pylock.dev.toml",
            ),
            (
                Kind::Extension,
                "src/a.pyx src/x.H CMakeLists.txt rust/Cargo.toml a/_speed.cpython-313-x86_64-linux-gnu.so",
            ),
            (Kind::Python, "a.py conftest.py docs/conf.py .ci/run.py"),
            (
                Kind::Documentation,
                "README.md LICENSE docs/a/picture.svg .github/workflows/ci.yml .gitignore noxfile.py a/README.txt b.md",
            ),
            (
                Kind::Data,
                "a.json tests/data/x.yaml Dockerfile py a/conf.pyi prompts/a.txt",
            ),
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
