//! Parsing node ids.
//!
//! The hazard it handles: `::`, `/` and `[` also occur in directory names and parameters. As in pytest, the path ends
//! at the first `::`, and the parameters begin at the first `[` after it.

use crate::text::path::shown;
use std::path::{Component, Path, PathBuf};

/// The parts of a node id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address<'a> {
    /// The path of the file, or of another collector.
    pub path: &'a str,
    /// The enclosing classes, outermost first.
    pub classes: Vec<&'a str>,
    /// The function with its parameters; empty for a file.
    pub name: &'a str,
}

impl<'a> Address<'a> {
    /// Splits `id`.
    #[must_use]
    pub fn new(id: &'a str) -> Self {
        let (path, rest) = id.split_once("::").unwrap_or((id, ""));
        let bare = rest.find('[').unwrap_or(rest.len());
        let begin = rest[..bare].rfind("::").map_or(0, |at| at + 2);
        let classes = rest[..begin].split("::").filter(|name| !name.is_empty());
        Self {
            path,
            classes: classes.collect(),
            name: &rest[begin..],
        }
    }
}

/// A node id as pytest shows it to a user who started it in a subdirectory: its path, relative to the root directory,
/// becomes relative to the start directory.
#[must_use]
pub fn seen_from(started: &Path, root: &Path, id: &str) -> String {
    if started == root {
        return id.to_owned();
    }
    let (path, names) = id.split_at(id.find("::").unwrap_or(id.len()));
    format!("{}{names}", shown(&relative(started, &root.join(path))))
}

/// The relative path from a directory to another path, as in pytest's `bestrelpath`.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let pairs = from.components().zip(to.components());
    let shared = pairs.take_while(|(one, other)| one == other).count();
    if shared == 0 {
        return to.to_path_buf();
    }
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(to.components().skip(shared)).collect();
    if path.as_os_str().is_empty() {
        return PathBuf::from(".");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{Address, seen_from};
    use std::path::Path;

    #[test]
    fn node_ids_are_relative_to_the_start_directory() {
        let seen = |started, id| seen_from(Path::new(started), Path::new("/home/me/shop"), id);
        assert_eq!(
            seen("/home/me/shop", "tests/../a.py::test"),
            "tests/../a.py::test"
        );
        assert_eq!(
            seen("/home/me/shop/tests", "tests/a.py::A::test[::x]"),
            "a.py::A::test[::x]"
        );
        assert_eq!(
            seen("/home/me/shop/tests/unit", "tests/a.py::test"),
            "../a.py::test"
        );
        assert_eq!(
            seen("/srv", "tests/a.py::test"),
            "../home/me/shop/tests/a.py::test"
        );
        assert_eq!(seen("/home/me", "tests"), "shop/tests");
        assert_eq!(seen("/home/me/shop/tests", "tests"), ".");
    }

    #[test]
    fn separators_inside_other_parts_are_ignored() {
        let parts = |id| {
            let Address { path, classes, name } = Address::new(id);
            (path, classes, name)
        };
        assert_eq!(
            parts("d/e.f/test_a.py::A::B::test[x::y/z.py]"),
            ("d/e.f/test_a.py", vec!["A", "B"], "test[x::y/z.py]")
        );
        assert_eq!(
            parts("app/[id]/test_b.py::test_x"),
            ("app/[id]/test_b.py", vec![], "test_x")
        );
        assert_eq!(
            parts("app/[id]/t.py::A::t[[::]"),
            ("app/[id]/t.py", vec!["A"], "t[[::]")
        );
        assert_eq!(parts("app/[id]/test_b.py"), ("app/[id]/test_b.py", vec![], ""));
        assert_eq!(parts(""), ("", vec![], ""));
    }
}
