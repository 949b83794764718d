//! A node id in its parts.
//!
//! The hazard it handles: `::`, `/` and `[` are also in directories and in parameters. A path ends at the first `::`, and
//! parameters begin at the first `[` behind that, as pytest has it.

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

#[cfg(test)]
mod tests {
    use super::Address;

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
