//! Parsing of the marks `serial` and `resource`, and of the option `rustpar_resources`.
//!
//! `@pytest.mark.serial`: no other test runs at the same time.
//!
//! `@pytest.mark.resource("db", "cache", mode="exclusive")`: the test occupies these resources while it runs. A
//! resource has as many places as `rustpar_resources` says, by default one. Each test that uses it exclusively takes a
//! place of its own; all tests that use it with `mode="read"` share a single place as long as one of them runs. A test
//! starts only when each of its resources has a free place.
//!
//! Several marks on a test, its class and its module are combined; a resource that is used in both modes is used
//! exclusively.
//!
//! The hazard it handles: a project may use marks with these names for other purposes. Invalid marks are reported and
//! ignored.

use crate::schedule::policy::Test;
use std::collections::BTreeMap;

/// The names of the marks.
pub const NAMES: [&str; 2] = ["serial", "resource"];

/// An argument of a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// Any other object, as its `repr`.
    Other(String),
}

/// A mark of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub args: Vec<Value>,
    /// Its keyword arguments.
    pub kwargs: Vec<(String, Value)>,
}

/// The constraints of a test, with resources by name; [`super::needs::Needs`] uses numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedNeeds {
    /// Whether no other test may run at the same time.
    pub serial: bool,
    /// The resources, and whether each may be shared with other readers.
    pub holds: BTreeMap<String, bool>,
}

/// A mark with invalid arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{function}: the mark {mark} is ignored: {reason}")]
pub struct InvalidMark {
    function: String,
    mark: &'static str,
    reason: String,
}

/// Combines the marks of a test, closest first.
///
/// # Errors
/// [`InvalidMark`] for the first invalid one.
pub fn read(node_id: &str, marks: &[Mark]) -> Result<NamedNeeds, InvalidMark> {
    let mut needs = NamedNeeds::default();
    for mark in marks {
        let error = |mark, reason| InvalidMark {
            function: node_id.split('[').next().unwrap_or_default().to_owned(),
            mark,
            reason,
        };
        match mark.name.as_str() {
            "serial" => {
                check_serial(mark).map_err(|reason| error("serial", reason))?;
                needs.serial = true;
            }
            "resource" => {
                let (names, shared) = resources(mark).map_err(|reason| error("resource", reason))?;
                for name in names {
                    *needs.holds.entry(name.to_owned()).or_insert(true) &= shared;
                }
            }
            _ => {}
        }
    }
    Ok(needs)
}

/// Parses the marks of many tests; `marked` are tuples of index, node id and marks. Returns only tests with
/// constraints, and the errors without duplicates: all tests of a parametrized function have the same.
pub fn read_all(
    marked: impl IntoIterator<Item = (Test, String, Vec<Mark>)>,
) -> (Vec<(Test, NamedNeeds)>, Vec<InvalidMark>) {
    let (mut needs, mut errors) = (Vec::new(), Vec::new());
    for (test, node_id, marks) in marked {
        match read(&node_id, &marks) {
            Ok(named) if named == NamedNeeds::default() => {}
            Ok(named) => needs.push((test, named)),
            Err(error) if errors.contains(&error) => {}
            Err(error) => errors.push(error),
        }
    }
    (needs, errors)
}

fn check_serial(mark: &Mark) -> Result<(), String> {
    if mark.args.is_empty() && mark.kwargs.is_empty() {
        Ok(())
    } else {
        Err("it takes no arguments, expected @pytest.mark.serial".to_owned())
    }
}

/// The names in a `resource` mark, and whether the resources are shared.
fn resources(mark: &Mark) -> Result<(Vec<&str>, bool), String> {
    if mark.args.is_empty() {
        return Err("it names no resource, expected for example @pytest.mark.resource(\"db\")".to_owned());
    }
    let names = mark
        .args
        .iter()
        .map(resource_name)
        .collect::<Result<_, String>>()?;
    let mut shared = false;
    for (key, value) in &mark.kwargs {
        if key != "mode" {
            return Err(format!(
                "unknown argument '{key}', expected for example @pytest.mark.resource(\"db\", mode=\"read\")"
            ));
        }
        shared = match value {
            Value::Text(mode) if mode == "read" => true,
            Value::Text(mode) if mode == "exclusive" => false,
            other => {
                return Err(format!(
                    "unknown mode {}, expected mode=\"exclusive\" or mode=\"read\"",
                    shown(other)
                ));
            }
        };
    }
    Ok((names, shared))
}

fn resource_name(value: &Value) -> Result<&str, String> {
    match value {
        Value::Text(text) if !text.trim().is_empty() => Ok(text),
        other => Err(format!(
            "{} is not a name, expected for example @pytest.mark.resource(\"db\")",
            shown(other)
        )),
    }
}

/// A value as Python's `repr` shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("'{}'", text.escape_debug()),
        Value::Other(text) => text.clone(),
    }
}

/// An invalid entry of `rustpar_resources`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    /// The syntax is wrong.
    #[error("invalid limit '{0}': expected a name and a number from 1 on, for example db: 2, port-8080: 1")]
    Form(String),
    /// The resource has another entry.
    #[error(
        "duplicate limit of '{0}': expected one number for each resource, for example db: 2, port-8080: 1"
    )]
    Duplicate(String),
}

/// Parses the number of places of each resource: lines of names and numbers, separated by commas. A comma may end a
/// line, and a name may contain colons.
///
/// # Errors
/// [`InvalidLimit`].
pub fn limits<T: AsRef<str>>(lines: &[T]) -> Result<Vec<(String, u32)>, InvalidLimit> {
    let mut limits: Vec<(String, u32)> = Vec::new();
    for line in lines {
        let line = line.as_ref().trim();
        for entry in line.strip_suffix(',').unwrap_or(line).split(',').map(str::trim) {
            let (name, places) = entry
                .rsplit_once(':')
                .map(|(name, digits)| (name.trim(), places(digits.trim())))
                .filter(|(name, _)| !name.is_empty())
                .and_then(|(name, places)| Some((name, places?)))
                .ok_or_else(|| InvalidLimit::Form(entry.to_owned()))?;
            if limits.iter().any(|(known, _)| known == name) {
                return Err(InvalidLimit::Duplicate(name.to_owned()));
            }
            limits.push((name.to_owned(), places));
        }
    }
    Ok(limits)
}

/// Parses a number of places, at least 1; a larger number than any machine has tests for is reduced to the maximum.
fn places(digits: &str) -> Option<u32> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u32::MAX)).filter(|places| *places > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn mark(name: &str, args: &[Value], kwargs: &[(&str, Value)]) -> Mark {
        let kwargs = kwargs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()));
        Mark {
            name: name.to_owned(),
            args: args.to_vec(),
            kwargs: kwargs.collect(),
        }
    }

    fn reads(names: &[&str]) -> Mark {
        let names: Vec<Value> = names.iter().copied().map(text).collect();
        mark("resource", &names, &[("mode", text("read"))])
    }

    fn writes(names: &[&str]) -> Mark {
        let names: Vec<Value> = names.iter().copied().map(text).collect();
        mark("resource", &names, &[])
    }

    fn holds(marks: &[Mark]) -> Vec<(String, bool)> {
        read("test_it.py::test", marks)
            .unwrap()
            .holds
            .into_iter()
            .collect()
    }

    #[test]
    fn several_marks_are_combined() {
        let marks = [mark("serial", &[], &[]), writes(&["b", "a"]), writes(&["module"])];
        let named = read("test_it.py::test", &marks).unwrap();
        assert!(named.serial);
        assert!(named.holds.keys().eq(["a", "b", "module"]));
        assert!(named.holds.values().all(|shared| !shared));
        assert_eq!(
            read("test_it.py::test", &[mark("skip", &[], &[])]),
            Ok(NamedNeeds::default())
        );
    }

    #[test]
    fn a_resource_used_in_both_modes_is_used_exclusively() {
        let exclusively = [("db".to_owned(), false)];
        assert_eq!(holds(&[reads(&["db"]), writes(&["db"])]), exclusively);
        assert_eq!(holds(&[writes(&["db"]), reads(&["db"])]), exclusively);
        let shared = [("db".to_owned(), true), ("log".to_owned(), true)];
        assert_eq!(holds(&[reads(&["db"]), reads(&["db", "log"])]), shared);
        let mode = mark("resource", &[text("db")], &[("mode", text("exclusive"))]);
        assert_eq!(holds(&[mode]), exclusively);
    }

    #[test]
    fn an_invalid_mark_names_the_function_and_an_example() {
        let other = |text: &str| Value::Other(text.to_owned());
        for (bad, words) in [
            (
                mark("serial", &[text("db")], &[]),
                "serial is ignored: it takes no arguments",
            ),
            (
                mark("serial", &[], &[("reason", text("db"))]),
                "serial is ignored: it takes no arguments",
            ),
            (
                mark("resource", &[], &[]),
                "resource is ignored: it names no resource",
            ),
            (
                mark("resource", &[other("7")], &[]),
                "resource is ignored: 7 is not a name",
            ),
            (writes(&["db", " "]), "resource is ignored: ' ' is not a name"),
            (writes(&["\n"]), "resource is ignored: '\\n' is not a name"),
            (
                mark("resource", &[text("db")], &[("mode", text("write"))]),
                "resource is ignored: unknown mode 'write'",
            ),
            (
                mark("resource", &[text("db")], &[("mode", other("['read']"))]),
                "resource is ignored: unknown mode ['read']",
            ),
            (
                mark("resource", &[text("db")], &[("shared", other("True"))]),
                "resource is ignored: unknown argument 'shared'",
            ),
        ] {
            let message = read("test_it.py::test_bad[1]", &[bad]).unwrap_err().to_string();
            let wanted = format!("test_it.py::test_bad: the mark {words}, expected ");
            assert!(message.starts_with(&wanted), "{message}");
        }
    }

    #[test]
    fn only_tests_with_constraints_are_returned_and_errors_are_not_repeated() {
        let bad = || vec![mark("resource", &[], &[])];
        let (needs, errors) = read_all([
            (3, "test_it.py::test_bad[1]".to_owned(), bad()),
            (4, "test_it.py::test_bad[2]".to_owned(), bad()),
            (5, "test_it.py::test_free".to_owned(), vec![]),
            (7, "test_it.py::test_db".to_owned(), vec![writes(&["db"])]),
        ]);
        assert_eq!(needs.iter().map(|(test, _)| *test).collect::<Vec<_>>(), [7]);
        assert_eq!(errors.len(), 1);
    }

    #[test]
    fn limits_are_read_from_lines_and_commas() {
        let wanted = [("db".to_owned(), 2), ("port-8080".to_owned(), 1)];
        for lines in [
            vec!["db: 2, port-8080: 1"],
            vec!["db: 2,", "port-8080 : 1"],
            vec!["db:2", " port-8080:01 , "],
        ] {
            assert_eq!(limits(&lines).unwrap(), wanted);
        }
        assert_eq!(
            limits(&["localhost:8080: 3"]).unwrap(),
            [("localhost:8080".to_owned(), 3)]
        );
        assert_eq!(
            limits(&["db: 99999999999"]).unwrap(),
            [("db".to_owned(), u32::MAX)]
        );
    }

    #[test]
    fn an_invalid_limit_error_gives_examples() {
        for text in [
            "db",
            "db:",
            ": 2",
            "db: 0",
            "db: -1",
            "db: +1",
            "db: many",
            "db: 1,,x: 2",
            "db: 1.5",
            "2",
            "",
        ] {
            let message = limits(&[text]).unwrap_err().to_string();
            assert!(message.starts_with("invalid limit '"), "{message}");
            assert!(message.ends_with("for example db: 2, port-8080: 1"), "{message}");
        }
        let message = limits(&["db: 1", "db: 2"]).unwrap_err().to_string();
        assert!(message.starts_with("duplicate limit of 'db': "), "{message}");
    }

    proptest! {
        #[test]
        fn any_limits_are_read_or_refused(lines in prop::collection::vec("[a-z0-9:, ]*", 1..4)) {
            if let Ok(limits) = limits(&lines) {
                prop_assert!(limits.iter().all(|(name, places)| !name.is_empty() && *places > 0));
            }
        }

        #[test]
        fn the_order_of_marks_does_not_matter(
            (marks, shuffled) in prop::collection::vec(("[a-c]", any::<bool>()), 0..6)
                .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        ) {
            let read = |marks: Vec<(String, bool)>| {
                let one = |(name, shared): &(String, bool)| if *shared { reads(&[name]) } else { writes(&[name]) };
                holds(&marks.iter().map(one).collect::<Vec<_>>())
            };
            prop_assert_eq!(read(marks), read(shuffled));
        }
    }
}
