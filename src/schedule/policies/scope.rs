//! Assigning tests to the units that `loadscope`, `loadfile` and `loadgroup` keep together.
//!
//! The hazard it handles: parameters are free text. `::` and `[` may occur inside the brackets, and `[` in the path as
//! well, so a node id is parsed from the left: the path ends at the first `::`, the parameters start at the first `[`
//! after that.

use std::collections::HashMap;
use std::hash::Hash;

/// The file of a test: everything before the first `::`, or all of it.
#[must_use]
pub fn file_key(node_id: &str) -> &str {
    node_id.split_once("::").map_or(node_id, |(path, _)| path)
}

/// The class of a test, including its file; the file alone if it is in no class. A node id without `::` is its own
/// scope.
#[must_use]
pub fn scope_key(node_id: &str) -> &str {
    let path = file_key(node_id);
    let names = &node_id[path.len()..];
    let names = names.split_once('[').map_or(names, |(names, _)| names);
    let scope = names.rfind("::").unwrap_or(names.len());
    &node_id[..path.len() + scope]
}

/// Unit numbers for `loadfile` and `loadscope`: tests with equal [`file_key`] or [`scope_key`] form a unit.
#[must_use]
pub fn by_key(node_ids: &[impl AsRef<str>], key: fn(&str) -> &str) -> Vec<u32> {
    number(node_ids.iter().map(|node_id| key(node_id.as_ref())))
}

/// Unit numbers for `loadgroup`, from the group of each test: the tests of a group form a unit, and a test without a
/// group is its own unit.
#[must_use]
pub fn by_group(groups: &[Option<impl AsRef<str>>]) -> Vec<u32> {
    let groups = groups.iter().enumerate();
    number(groups.map(|(test, group)| group.as_ref().map(AsRef::as_ref).ok_or(test)))
}

/// Numbers the keys 0, 1, 2 … in order of first appearance.
fn number<K: Hash + Eq>(keys: impl Iterator<Item = K>) -> Vec<u32> {
    let mut numbers = HashMap::new();
    let mut fresh = 0..u32::MAX;
    keys.map(|key| {
        *numbers
            .entry(key)
            .or_insert_with(|| fresh.next().unwrap_or(u32::MAX))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_ends_at_the_first_double_colon() {
        assert_eq!(file_key("a/b.py::C::test[x::y]"), "a/b.py");
        assert_eq!(file_key("a[1]/b.py::test"), "a[1]/b.py");
        assert_eq!(file_key("README.rst"), "README.rst");
        assert_eq!(file_key(""), "");
    }

    #[test]
    fn a_scope_is_the_node_id_without_the_test() {
        assert_eq!(scope_key("a.py::C::test"), "a.py::C");
        assert_eq!(scope_key("a.py::C::D::test"), "a.py::C::D");
        assert_eq!(scope_key("a.py::test"), "a.py");
        assert_eq!(scope_key("README.rst"), "README.rst");
    }

    #[test]
    fn brackets_in_path_and_parameters_do_not_confuse_the_scope() {
        assert_eq!(scope_key("a.py::C::test[x::y]"), "a.py::C");
        assert_eq!(scope_key("a.py::test[x::y[::]"), "a.py");
        assert_eq!(scope_key("a[1]/b.py::C::test[]::]"), "a[1]/b.py::C");
        assert_eq!(scope_key("a[1]/b.py"), "a[1]/b.py");
        assert_eq!(scope_key("é.py::Ü::test[ß::]"), "é.py::Ü");
    }

    #[test]
    fn units_are_numbered_in_order_of_appearance() {
        let ids = ["a.py::C::x", "b.py::y", "a.py::z", "a.py::C::y"];
        assert_eq!(by_key(&ids, file_key), [0, 1, 0, 0]);
        assert_eq!(by_key(&ids, scope_key), [0, 1, 2, 0]);
    }

    #[test]
    fn a_test_without_a_group_is_its_own_unit() {
        let groups = [None, Some("db"), None, Some("db"), Some("")];
        assert_eq!(by_group(&groups), [0, 1, 2, 1, 3]);
    }
}
