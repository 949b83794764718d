//! The numbers of collected tests in the journal.

use std::collections::HashMap;
use std::hash::Hash;

/// The numbers of the places in a collection. A test that was given twice has one number.
#[derive(Debug, Default)]
pub struct Numbering {
    numbers: Vec<u32>,
    firsts: Vec<usize>,
}

impl Numbering {
    /// Numbers tests by their ids.
    #[must_use]
    pub fn new<T: Hash + Eq>(ids: &[T]) -> Self {
        let mut known: HashMap<&T, u32> = HashMap::with_capacity(ids.len());
        let mut numbering = Self::default();
        for (place, id) in ids.iter().enumerate() {
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            let number = *known.entry(id).or_insert(next);
            if number == next {
                numbering.firsts.push(place);
            }
            numbering.numbers.push(number);
        }
        numbering
    }

    /// The first place of each test, in the order of the numbers.
    #[must_use]
    pub fn firsts(&self) -> &[usize] {
        &self.firsts
    }

    /// Whether a test was given twice, so that places are no numbers.
    #[must_use]
    pub fn has_duplicates(&self) -> bool {
        self.firsts.len() < self.numbers.len()
    }

    /// The number of the test in a place; `None` outside of the collection.
    #[must_use]
    pub fn number(&self, place: usize) -> Option<u32> {
        self.numbers.get(place).copied()
    }

    /// The numbers of the tests in these places, in ascending order; places outside of the collection are ignored.
    #[must_use]
    pub fn of_places(&self, places: &[u32]) -> Vec<u32> {
        let numbers = places
            .iter()
            .filter_map(|place| self.numbers.get(*place as usize));
        let mut numbers: Vec<u32> = numbers.copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_was_given_twice_has_one_number() {
        let numbering = Numbering::new(&["a", "b", "a", "c"]);
        assert_eq!(numbering.firsts(), [0, 1, 3]);
        assert!(numbering.has_duplicates());
        assert_eq!(numbering.of_places(&[3, 2, 0, 9]), [0, 2]);
    }

    #[test]
    fn without_duplicates_places_are_numbers() {
        let numbering = Numbering::new(&["a", "b"]);
        assert!(!numbering.has_duplicates());
        assert_eq!(numbering.of_places(&[1, 0]), [0, 1]);
    }
}
