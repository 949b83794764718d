//! Comparison of the state of a process before and after a test.
//!
//! Only what was added counts as left: what a test closes, others have opened, and they know.

use crate::platform::process_state::Descriptor;
use std::collections::BTreeMap;

/// The countable part of the state of a process. All lists are in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Open descriptors.
    pub descriptors: Vec<Descriptor>,
    /// Threads, by the system's number, which is not used again soon.
    pub threads: Vec<u64>,
    /// Child processes.
    pub children: Vec<u32>,
}

impl State {
    /// What `after` has and this state has not.
    #[must_use]
    pub fn additions(&self, after: &Self) -> Self {
        Self {
            descriptors: difference(&self.descriptors, &after.descriptors),
            threads: difference(&self.threads, &after.threads),
            children: difference(&self.children, &after.children),
        }
    }

    /// Adds what `other` has.
    pub fn include(&mut self, other: &Self) {
        merge(&mut self.descriptors, &other.descriptors);
        merge(&mut self.threads, &other.threads);
        merge(&mut self.children, &other.children);
    }

    /// Whether `after` has nothing that this state has not.
    #[must_use]
    pub fn contains(&self, after: &Self) -> bool {
        // Usually nothing has changed, and that is compared in a few nanoseconds.
        self == after || self.additions(after) == Self::default()
    }
}

fn difference<T: Ord + Copy>(before: &[T], after: &[T]) -> Vec<T> {
    let new = after.iter().filter(|item| before.binary_search(item).is_err());
    new.copied().collect()
}

fn merge<T: Ord + Copy>(into: &mut Vec<T>, others: &[T]) {
    into.extend_from_slice(others);
    into.sort_unstable();
    into.dedup();
}

/// Environment variables by name.
pub type Variables = BTreeMap<String, Vec<u8>>;

/// A variable that has changed: its name, and its values before and after; `None` where it did not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The name of the variable.
    pub name: String,
    /// The value before.
    pub before: Option<Vec<u8>>,
    /// The value after.
    pub after: Option<Vec<u8>>,
}

/// The variable in which pytest writes the running test.
const OF_PYTEST: &str = "PYTEST_CURRENT_TEST";

/// The variables that differ, in the order of their names.
#[must_use]
pub fn changes(before: &Variables, after: &Variables) -> Vec<Change> {
    let names = before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)));
    let changed = names.filter(|name| name.as_str() != OF_PYTEST && before.get(*name) != after.get(*name));
    let mut found: Vec<Change> = changed
        .map(|name| Change {
            name: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect();
    found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, btree_set};
    use proptest::prelude::*;

    fn descriptor() -> impl Strategy<Value = Descriptor> {
        (0..9, 0..3_u64).prop_map(|(number, inode)| Descriptor {
            number,
            device: 0,
            inode,
        })
    }

    fn state() -> impl Strategy<Value = State> {
        let lists = (
            btree_set(descriptor(), 0..9),
            btree_set(0..9_u64, 0..9),
            btree_set(0..9_u32, 0..9),
        );
        lists.prop_map(|(descriptors, threads, children)| State {
            descriptors: descriptors.into_iter().collect(),
            threads: threads.into_iter().collect(),
            children: children.into_iter().collect(),
        })
    }

    fn variables() -> impl Strategy<Value = Variables> {
        btree_map(
            "[A-C]",
            btree_set(0..2_u8, 0..2).prop_map(|value| value.into_iter().collect()),
            0..4,
        )
    }

    proptest! {
        #[test]
        fn what_was_added_is_found_and_then_known(before in state(), after in state()) {
            let added = before.additions(&after);
            prop_assert_eq!(before.contains(&after), added == State::default());
            for descriptor in &after.descriptors {
                prop_assert_ne!(before.descriptors.contains(descriptor), added.descriptors.contains(descriptor));
            }
            let mut known = before.clone();
            known.include(&added);
            prop_assert!(known.contains(&after) && known.contains(&before));
        }

        #[test]
        fn changes_lead_from_one_environment_to_the_other(before in variables(), after in variables()) {
            let mut changed = before.clone();
            for change in changes(&before, &after) {
                prop_assert_eq!(changed.get(&change.name), change.before.as_ref());
                match change.after {
                    Some(value) => changed.insert(change.name, value),
                    None => changed.remove(&change.name),
                };
            }
            prop_assert_eq!(changed, after);
        }
    }

    #[test]
    fn a_descriptor_that_was_closed_and_opened_again_is_an_addition() {
        let state = |inode| State {
            descriptors: vec![Descriptor {
                number: 7,
                device: 1,
                inode,
            }],
            ..State::default()
        };
        assert!(state(1).contains(&state(1)));
        assert!(!state(1).contains(&state(2)));
    }

    #[test]
    fn the_variable_of_pytest_is_ignored() {
        let now = Variables::from([(OF_PYTEST.to_owned(), vec![1])]);
        assert_eq!(changes(&Variables::new(), &now), []);
    }
}
