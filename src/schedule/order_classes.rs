//! The test order of `--rustpar-order`: classes of tests, defined by markers.
//!
//! `smoke, *, slow` makes three classes. A test belongs to the first class in the list whose marker it carries; `*`
//! contains all other tests, and comes last if the list does not contain it.
//!
//! The hazard it handles: pytest has already sorted tests so that expensive fixtures are shared. So tests are only
//! moved between classes, never within one.

use super::policy::Test;
use unicode_ident::{is_xid_continue, is_xid_start};

/// The class of tests that carry none of the other markers.
const REST: &str = "*";

/// An order that cannot be parsed, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid order '{text}': {reason}; expected for example smoke, *, slow")]
pub struct InvalidOrder {
    text: String,
    reason: String,
}

/// Order classes, in the order in which they run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    names: Vec<String>,
    /// The index of the class of tests that carry none of the other markers.
    rest: usize,
}

impl Order {
    /// Parses lines of names separated by commas. A comma may end a line.
    ///
    /// # Errors
    /// [`InvalidOrder`] if a name is missing, appears twice or is not a valid marker name.
    pub fn parse<T: AsRef<str>>(lines: &[T]) -> Result<Self, InvalidOrder> {
        let mut names: Vec<String> = Vec::new();
        let refuse = |reason: String| {
            let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
            let text = lines.join(" ");
            Err(InvalidOrder { text, reason })
        };
        for line in lines {
            let line = line.as_ref().trim();
            for name in line.strip_suffix(',').unwrap_or(line).split(',').map(str::trim) {
                if name.is_empty() {
                    return refuse("a marker is missing".to_owned());
                }
                if names.iter().any(|known| known == name) {
                    return refuse(format!("{name} appears twice"));
                }
                if name != REST && !can_be_a_marker(name) {
                    return refuse(format!("'{name}' is not the name of a marker"));
                }
                names.push(name.to_owned());
            }
        }
        let rest = names.iter().position(|name| name == REST).unwrap_or_else(|| {
            names.push(REST.to_owned());
            names.len() - 1
        });
        Ok(Self { names, rest })
    }

    /// The markers that define the classes, in order.
    pub fn markers(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str).filter(|name| *name != REST)
    }

    /// The number of classes.
    #[must_use]
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The class of a test with these marks: class 0 runs first.
    pub fn class_of<'a>(&self, marks: impl IntoIterator<Item = &'a str>) -> usize {
        let classes = marks.into_iter().filter(|mark| *mark != REST);
        let classes = classes.filter_map(|mark| self.names.iter().position(|name| name == mark));
        classes.min().unwrap_or(self.rest)
    }

    /// The class of each of `tests` tests; `marked` has the names of the marks of those that carry any.
    #[must_use]
    pub fn classes<T: AsRef<str>>(&self, tests: usize, marked: &[(Test, Vec<T>)]) -> Vec<usize> {
        let mut classes = vec![self.rest; tests];
        for (test, marks) in marked {
            if let Some(class) = classes.get_mut(*test as usize) {
                *class = self.class_of(marks.iter().map(AsRef::as_ref));
            }
        }
        classes
    }
}

/// The indices of the tests sorted by class; the order within a class is unchanged.
#[must_use]
pub fn sorted(classes: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..classes.len()).collect();
    order.sort_by_key(|&test| classes[test]);
    order
}

/// Whether `pytest.mark` accepts this name: a Python identifier that does not start with an underscore.
fn can_be_a_marker(name: &str) -> bool {
    name.starts_with(is_xid_start) && name.chars().all(is_xid_continue)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(lines: &[&str]) -> Vec<String> {
        Order::parse(lines).unwrap().names
    }

    #[test]
    fn commas_and_lines_separate_and_a_comma_may_end_a_line() {
        let wanted = ["smoke", "*", "slow"];
        assert_eq!(names(&["smoke, *, slow"]), wanted);
        assert_eq!(names(&["smoke", "*", "slow"]), wanted);
        assert_eq!(names(&["smoke,", " *,slow, "]), wanted);
    }

    #[test]
    fn other_tests_come_last_without_a_star() {
        assert_eq!(names(&["slow"]), ["slow", "*"]);
        assert_eq!(Order::parse(&["slow"]).unwrap().count(), 2);
        assert_eq!(Order::parse(&["*"]).unwrap().count(), 1);
    }

    #[test]
    fn an_invalid_order_error_has_the_reason_and_an_example() {
        for (text, reason) in [
            ("", "a marker is missing"),
            ("smoke,,slow", "a marker is missing"),
            ("smoke, slow, smoke", "smoke appears twice"),
            ("*, smoke, *", "* appears twice"),
            ("smoke slow", "'smoke slow' is not the name of a marker"),
            ("_smoke", "'_smoke' is not the name of a marker"),
            ("5", "'5' is not the name of a marker"),
        ] {
            let message = Order::parse(&[text]).unwrap_err().to_string();
            let wanted = format!("invalid order '{text}': {reason}; expected for example smoke, *, slow");
            assert_eq!(message, wanted);
        }
    }

    #[test]
    fn names_are_identifiers_of_python_in_any_script() {
        assert_eq!(names(&["größe, 速い, a_1"]), ["größe", "速い", "a_1", "*"]);
    }

    #[test]
    fn a_test_belongs_to_the_class_of_its_first_listed_marker() {
        let order = Order::parse(&["smoke, *, slow"]).unwrap();
        assert_eq!(order.class_of(["slow", "smoke"]), 0);
        assert_eq!(order.class_of(["slow", "other"]), 2);
        assert_eq!(order.class_of(["*", "slow"]), 2);
        assert_eq!(order.class_of([]), 1);
        assert_eq!(
            order.classes(3, &[(0, vec!["slow"]), (2, vec!["smoke"])]),
            [2, 1, 0]
        );
    }

    proptest! {
        #[test]
        fn sorting_keeps_every_test_and_the_order_within_a_class(classes in prop::collection::vec(0_usize..4, 0..100)) {
            let order = sorted(&classes);
            let mut all = order.clone();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..classes.len()));
            let keys: Vec<_> = order.iter().map(|&test| (classes[test], test)).collect();
            prop_assert!(keys.is_sorted());
        }

        #[test]
        fn any_text_is_read_or_refused(lines in prop::collection::vec(".*", 1..4)) {
            if let Ok(order) = Order::parse(&lines) {
                prop_assert!(order.rest < order.count());
            }
        }
    }
}
