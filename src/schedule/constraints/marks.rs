//! What the marks `serial` and `resource` say, and how many tests may hold a resource.
//!
//! `@pytest.mark.serial`: the test runs while no other test runs.
//!
//! `@pytest.mark.resource("db", "cache", mode="exclusive")`: the test holds these resources while it runs. A resource has as
//! many places as `rustpar_resources` gives it, one where it gives none. Each test that holds it exclusively takes a place
//! of its own; all tests that hold it with `mode="read"` share a single place, which they take as long as one of them runs.
//! A test starts only when there is a place for it in everything that it holds.
//!
//! Several marks on a test, its class and its module add up; a resource that is held in both modes is held exclusively.
//!
//! The hazard it handles: a project may have marks of these names for purposes of its own. What makes no sense here is told
//! and ignored.

use crate::schedule::policy::Test;
use std::collections::BTreeMap;

/// The names of the marks.
pub const NAMES: [&str; 2] = ["serial", "resource"];

/// A value in a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// Anything else, as Python's `repr` has it.
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

/// What a test needs, with resources by name: [`super::needs::Needs`] once they have numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// No other test may run.
    pub serial: bool,
    /// The resources, and whether others that share may hold them, too.
    pub holds: BTreeMap<String, bool>,
}

/// A mark that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{function}: the mark {mark} is ignored: {reason}")]
pub struct InvalidMark {
    function: String,
    mark: &'static str,
    reason: String,
}

/// What a test needs by its marks, those nearest to it first.
///
/// # Errors
/// [`InvalidMark`] for the first that makes no sense.
pub fn read(node_id: &str, marks: &[Mark]) -> Result<Named, InvalidMark> {
    let mut needs = Named::default();
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

/// What many tests need, of which `marked` are the index, the node id and the marks: only those that need anything. Also the
/// errors, each once: tests of one function have the same.
pub fn read_all(
    marked: impl IntoIterator<Item = (Test, String, Vec<Mark>)>,
) -> (Vec<(Test, Named)>, Vec<InvalidMark>) {
    let (mut needs, mut errors) = (Vec::new(), Vec::new());
    for (test, node_id, marks) in marked {
        match read(&node_id, &marks) {
            Ok(named) if named == Named::default() => {}
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

/// The names in a `resource` mark, and whether it shares them.
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

/// A value as Python shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("'{}'", text.escape_debug()),
        Value::Other(text) => text.clone(),
    }
}

/// A text that says of no resource how many tests may hold it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    /// It has another form.
    #[error("invalid limit '{0}': expected a name and a number from 1 on, for example db: 2, port-8080: 1")]
    Form(String),
    /// There is another one of the same resource.
    #[error(
        "duplicate limit of '{0}': expected one number for each resource, for example db: 2, port-8080: 1"
    )]
    Duplicate(String),
}

/// How many tests may hold each resource at a time: lines of names and numbers, with commas between them. A comma may end a
/// line, and a name may have colons.
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

/// A number from 1 on; one that no machine has tests for counts as the most there is.
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
    fn marks_add_up() {
        let marks = [mark("serial", &[], &[]), writes(&["b", "a"]), writes(&["module"])];
        let named = read("test_it.py::test", &marks).unwrap();
        assert!(named.serial);
        assert!(named.holds.keys().eq(["a", "b", "module"]));
        assert!(named.holds.values().all(|shared| !shared));
        assert_eq!(
            read("test_it.py::test", &[mark("skip", &[], &[])]),
            Ok(Named::default())
        );
    }

    #[test]
    fn a_resource_that_is_held_in_both_modes_is_held_exclusively() {
        let exclusively = [("db".to_owned(), false)];
        assert_eq!(holds(&[reads(&["db"]), writes(&["db"])]), exclusively);
        assert_eq!(holds(&[writes(&["db"]), reads(&["db"])]), exclusively);
        let shared = [("db".to_owned(), true), ("log".to_owned(), true)];
        assert_eq!(holds(&[reads(&["db"]), reads(&["db", "log"])]), shared);
        let mode = mark("resource", &[text("db")], &[("mode", text("exclusive"))]);
        assert_eq!(holds(&[mode]), exclusively);
    }

    #[test]
    fn a_mark_that_makes_no_sense_names_the_function_and_what_to_write() {
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
    fn of_many_tests_those_that_need_something_are_told_and_each_error_once() {
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
    fn a_limit_that_makes_no_sense_says_what_to_write() {
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
        fn marks_say_the_same_in_any_order(
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
