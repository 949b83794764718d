//! Pending tests in order, none of them in a worker's queue yet.
//!
//! Most of a collection is assigned once and in order, so that part is stored as a range: a backlog costs the same for
//! ten tests as for a million, and both ends are cheap to access.

use std::collections::VecDeque;
use std::ops::Range;

use crate::schedule::policy::Test;

/// Pending tests, in order.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Tests that were put back; they run before `untouched`.
    front: VecDeque<Test>,
    untouched: Range<Test>,
}

impl Backlog {
    /// A range of the collection.
    pub(super) fn of(untouched: Range<Test>) -> Self {
        Self {
            front: VecDeque::new(),
            untouched,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.front.len() + self.untouched.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.untouched.is_empty()
    }

    /// Removes the first `count` tests, or all if there are fewer.
    pub(super) fn take_front(&mut self, count: usize) -> Vec<Test> {
        let from_front = count.min(self.front.len());
        let mut tests: Vec<Test> = self.front.drain(..from_front).collect();
        tests.extend(self.untouched.by_ref().take(count - from_front));
        tests
    }

    /// Removes the last `count` tests, or all if there are fewer; they stay in order.
    pub(super) fn take_back(&mut self, count: usize) -> Vec<Test> {
        let from_range = count.min(self.untouched.len());
        let keep = self.front.len().saturating_sub(count.saturating_sub(from_range));
        let mut tests: Vec<Test> = self.front.drain(keep..).collect();
        let mut tail: Vec<Test> = self.untouched.by_ref().rev().take(from_range).collect();
        tail.reverse();
        tests.append(&mut tail);
        tests
    }

    /// Puts tests before all others, in the order given.
    pub(super) fn put_front(&mut self, tests: impl IntoIterator<Item = Test, IntoIter: DoubleEndedIterator>) {
        for test in tests.into_iter().rev() {
            self.front.push_front(test);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_put_in_front_come_first_and_in_order() {
        let mut backlog = Backlog::of(4..6);
        backlog.put_front([1, 2]);
        backlog.put_front([0]);
        assert_eq!(backlog.len(), 5);
        assert_eq!(backlog.take_front(4), [0, 1, 2, 4]);
        assert_eq!(backlog.take_front(4), [5]);
        assert!(backlog.is_empty());
    }

    #[test]
    fn tests_taken_from_the_back_stay_in_order() {
        let mut backlog = Backlog::of(4..6);
        backlog.put_front([1, 2]);
        assert_eq!(backlog.take_back(1), [5]);
        assert_eq!(backlog.take_back(2), [2, 4]);
        assert_eq!(backlog.take_back(2), [1]);
        assert!(backlog.take_back(2).is_empty());
    }
}
