//! A node id in its parts.
//!
//! The hazard it handles: `::`, `/` and `[` are also in directories and in parameters. A path ends at the first `::`, and
//! parameters begin at the first `[` behind that, as pytest has it.

use crate::text::path::shown;
use std::path::{Component, Path, PathBuf};

/// The parts of a node id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address<'a> {
    /// The file, or what else was collected.
    pub path: &'a str,
    /// The classes that the test lies in, from the outside.
    pub classes: Vec<&'a str>,
    /// The function with its parameters; empty for a file.
    pub name: &'a str,
}

impl<'a> Address<'a> {
    /// The parts of `id`.
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

/// A node id as pytest shows it to somebody who has started it in a directory: its path, which begins at the root
/// directory, begins there.
#[must_use]
pub fn seen_from(started: &Path, root: &Path, id: &str) -> String {
    if started == root {
        return id.to_owned();
    }
    let (path, names) = id.split_at(id.find("::").unwrap_or(id.len()));
    format!("{}{names}", shown(&relative(started, &root.join(path))))
}

/// A path that leads from a directory to another path, as pytest's `bestrelpath` has it.
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
    fn node_ids_are_seen_from_where_pytest_was_started() {
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
    fn what_looks_like_another_part_stays_in_its_own() {
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
