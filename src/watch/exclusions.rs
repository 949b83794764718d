//! Files and directories that are never watched, by their names.

/// Directories of version control and caches.
const CACHES: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    "_darcs",
    "CVS",
    ".bzr",
    ".jj",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".pytype",
    ".pyre",
    ".hypothesis",
    ".tox",
    ".nox",
    ".eggs",
    ".cache",
    ".ipynb_checkpoints",
    ".rustpar*",
    "*.egg-info",
];

/// Directories that pytest does not look into by default, and others with what was installed or built. They are watched
/// if git has files in them.
const BUILT: &[&str] = &[
    "venv",
    ".venv",
    "node_modules",
    "target",
    "build",
    "dist",
    "htmlcov",
    "*.egg",
    "{arch}",
];

/// What interpreters, editors and coverage.py write beside sources. 4913 is how vim finds out whether it may write.
const FILES: &[&str] = &[
    "*.pyc",
    "*.pyo",
    ".coverage",
    ".coverage.*",
    "*.swp",
    "*.swo",
    "*.swx",
    "*~",
    ".#*",
    "#*#",
    "4913",
    "*___jb_tmp___",
    "*___jb_old___",
    ".DS_Store",
];

/// The file that makes a directory a virtual environment.
pub(super) const VIRTUAL_ENVIRONMENT: &str = "pyvenv.cfg";

/// Why a directory is not watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusion {
    /// Nothing in it is.
    Always,
    /// Only files are that git has in it.
    UnlessTracked,
}

/// Whether a file with this name is excluded.
#[must_use]
pub fn excludes_file(name: &str) -> bool {
    FILES.iter().any(|pattern| matches(pattern, name))
}

/// Whether a directory with this name is excluded; `others` are patterns of pytest's `norecursedirs`.
#[must_use]
pub fn of_directory(name: &str, others: &[String]) -> Option<Exclusion> {
    if CACHES.iter().any(|pattern| matches(pattern, name)) {
        Some(Exclusion::Always)
    } else if BUILT.iter().any(|pattern| matches(pattern, name))
        || others.iter().any(|other| matches(other, name))
    {
        Some(Exclusion::UnlessTracked)
    } else {
        None
    }
}

/// Whether a name matches a pattern of `fnmatch`; classes of characters match any character, so they exclude nothing
/// that they do not mean only if the rest says so.
fn matches(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    loop {
        match pattern.next() {
            None => return name.next().is_none(),
            Some('*') => {
                let rest = pattern.as_str();
                let mut left = name.as_str();
                loop {
                    if matches(rest, left) {
                        return true;
                    }
                    let mut chars = left.chars();
                    if chars.next().is_none() {
                        return false;
                    }
                    left = chars.as_str();
                }
            }
            Some('?') => {
                if name.next().is_none() {
                    return false;
                }
            }
            Some('[') => {
                let Some((class, rest)) = class_of(pattern.as_str()) else {
                    if name.next() != Some('[') {
                        return false;
                    }
                    continue;
                };
                let (is_negated, members) = match class.strip_prefix('!') {
                    Some(members) => (true, members),
                    None => (false, class),
                };
                match name.next() {
                    Some(char) if is_member(members, char) != is_negated => pattern = rest.chars(),
                    _ => return false,
                }
            }
            Some(char) => {
                if name.next() != Some(char) {
                    return false;
                }
            }
        }
    }
}

/// The members of a class of characters that a pattern begins with, after its bracket, and the rest of the pattern.
fn class_of(pattern: &str) -> Option<(&str, &str)> {
    // A bracket at the beginning is a member.
    let first = pattern.char_indices().nth(1)?.0 + usize::from(pattern.starts_with('!'));
    let end = pattern.get(first..)?.find(']')? + first;
    Some((&pattern[..end], &pattern[end + 1..]))
}

fn is_member(members: &str, wanted: char) -> bool {
    let chars: Vec<char> = members.chars().collect();
    let mut at = 0;
    while let Some(first) = chars.get(at) {
        if let (Some('-'), Some(last)) = (chars.get(at + 1), chars.get(at + 2)) {
            if (*first..=*last).contains(&wanted) {
                return true;
            }
            at += 3;
        } else if *first == wanted {
            return true;
        } else {
            at += 1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_fnmatch() {
        for (pattern, name) in [
            ("*", ""),
            ("*.egg", "a.b.egg"),
            ("a?c", "abc"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("a[", "a["),
            ("[]]", "]"),
            ("*a*b", "xaybab"),
            ("{arch}", "{arch}"),
            ("[ab", "[ab"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("*.egg", "egg"),
            ("a?c", "ac"),
            ("[a-c]x", "dx"),
            ("[!a-c]x", "bx"),
            ("a*", "ba"),
            ("[a]", ""),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn caches_are_excluded_and_what_is_built_unless_git_has_it() {
        let others = ["data*".to_owned()];
        let found = ["__pycache__", ".rustpar-x", "build", "data1", "tests", ".github"];
        assert_eq!(
            found.map(|name| of_directory(name, &others)),
            [
                Some(Exclusion::Always),
                Some(Exclusion::Always),
                Some(Exclusion::UnlessTracked),
                Some(Exclusion::UnlessTracked),
                None,
                None
            ]
        );
    }

    #[test]
    fn files_of_editors_and_interpreters_are_excluded() {
        for name in [
            "a.pyc",
            ".coverage",
            ".coverage.host.1",
            ".a.py.swp",
            "a.py~",
            "4913",
            ".#a.py",
        ] {
            assert!(excludes_file(name), "{name}");
        }
        for name in [".coveragerc", "a.py", "49130", ".env", "a.json"] {
            assert!(!excludes_file(name), "{name}");
        }
    }
}
