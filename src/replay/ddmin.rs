//! Delta debugging: reduces a set of elements with which something fails to one that is as small as necessary.
//!
//! This is the algorithm `ddmin` of Andreas Zeller and Ralf Hildebrandt, "Simplifying and isolating failure-inducing
//! input", IEEE Transactions on Software Engineering 28(2), 2002. It divides the set into parts and tries each part, then
//! each complement of a part, with ever smaller parts. The result is 1-minimal: without any single one of its elements
//! the failure is gone.
//!
//! The machine asks for trials and is told their outcomes; several candidates can be tried at the same time.

use std::collections::HashSet;

/// What happens with a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The failure occurs.
    Fails,
    /// It does not occur.
    Passes,
    /// Something else happened.
    Unresolved,
}

/// The state of a reduction.
#[derive(Debug, Clone)]
pub struct Ddmin {
    /// The smallest known set that fails, ascending.
    current: Vec<usize>,
    /// Into how many parts it is divided.
    parts: usize,
    /// The candidates of this division that were not tried, the next one last, and whether each is a complement.
    candidates: Vec<(Vec<usize>, bool)>,
    /// How many of them, from the end, are being tried.
    asked: usize,
    /// All that was tried without failing.
    tried: HashSet<Vec<usize>>,
}

impl Ddmin {
    /// Reduces the elements `0..count`, with all of which it fails; without any it does not.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let mut new = Self {
            current: (0..count).collect(),
            parts: 2,
            candidates: Vec::new(),
            asked: 0,
            tried: HashSet::new(),
        };
        new.divide();
        new
    }

    /// The smallest set that is known to fail, ascending.
    #[must_use]
    pub fn current(&self) -> &[usize] {
        &self.current
    }

    /// The next candidates, at least one and at most `most`; none if the set cannot be reduced further.
    #[must_use]
    pub fn next(&mut self, most: usize) -> Vec<Vec<usize>> {
        self.asked = self.candidates.len().min(most.max(1));
        let next = self.candidates.iter().rev().take(self.asked);
        next.map(|(candidate, _)| candidate.clone()).collect()
    }

    /// Takes the outcomes of the candidates that [`Ddmin::next`] has returned, in the same order. The first that fails
    /// counts, so that the result does not depend on how many are tried at the same time.
    pub fn answer(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes.iter().take(self.asked) {
            let Some((candidate, is_complement)) = self.candidates.pop() else {
                break;
            };
            if *outcome == Outcome::Fails {
                self.parts = if is_complement { (self.parts - 1).max(2) } else { 2 };
                self.current = candidate;
                self.candidates.clear();
                break;
            }
            self.tried.insert(candidate);
        }
        self.asked = 0;
        self.divide();
    }

    /// Lists the candidates of the next division in which there are untried ones, if there are none left in this one.
    fn divide(&mut self) {
        let mut parts = self.parts;
        while self.candidates.is_empty() && self.current.len() > 1 {
            self.parts = parts.min(self.current.len());
            self.candidates = self.untried();
            if self.parts == self.current.len() {
                break;
            }
            parts = self.parts * 2;
        }
    }

    /// The parts, then their complements, in reverse order.
    fn untried(&self) -> Vec<(Vec<usize>, bool)> {
        let count = self.current.len();
        let bounds = |part: usize| part * count / self.parts..(part + 1) * count / self.parts;
        let subsets = (0..self.parts).map(|part| (self.current[bounds(part)].to_vec(), false));
        let complements = (0..self.parts).filter(|_| self.parts > 2).map(|part| {
            let left_out = bounds(part);
            let rest = [&self.current[..left_out.start], &self.current[left_out.end..]].concat();
            (rest, true)
        });
        let all = subsets.chain(complements);
        let mut untried: Vec<_> = all.filter(|(set, _)| !self.tried.contains(set)).collect();
        untried.reverse();
        untried
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::hash::{DefaultHasher, Hash, Hasher};

    /// Reduces with an oracle; returns the result and the number of trials.
    fn reduce(count: usize, at_once: usize, oracle: impl Fn(&[usize]) -> Outcome) -> (Vec<usize>, usize) {
        let (mut ddmin, mut trials) = (Ddmin::new(count), 0);
        loop {
            let candidates = ddmin.next(at_once);
            if candidates.is_empty() {
                return (ddmin.current().to_vec(), trials);
            }
            trials += candidates.len();
            assert!(trials < 100_000, "it does not end");
            let outcomes: Vec<Outcome> = candidates.iter().map(|set| oracle(set)).collect();
            ddmin.answer(&outcomes);
        }
    }

    fn needs(all: &[usize]) -> impl Fn(&[usize]) -> Outcome + use<> {
        let all = all.to_vec();
        move |set| {
            let has_all = all.iter().all(|one| set.contains(one));
            if has_all { Outcome::Fails } else { Outcome::Passes }
        }
    }

    #[test]
    fn one_of_400_is_found_in_twenty_trials() {
        for one in [0, 17, 199, 200, 399] {
            let (found, trials) = reduce(400, 2, needs(&[one]));
            assert_eq!(found, [one]);
            assert!(trials <= 20, "{trials}");
        }
    }

    #[test]
    fn a_single_element_needs_no_trial() {
        assert_eq!(reduce(1, 2, needs(&[0])), (vec![0], 0));
    }

    #[test]
    fn two_that_are_both_needed_are_found() {
        let (found, trials) = reduce(400, 1, needs(&[3, 390]));
        assert_eq!(found, [3, 390]);
        assert!(trials < 100, "{trials}");
    }

    proptest! {
        #[test]
        fn the_result_is_minimal_for_a_monotone_oracle(
            count in 1..60_usize, needed in prop::collection::btree_set(0..60_usize, 1..5), at_once in 1..5_usize,
        ) {
            let needed: Vec<usize> = needed.into_iter().map(|one| one % count).collect();
            let mut expected = needed.clone();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(reduce(count, at_once, needs(&needed)).0, expected);
        }

        #[test]
        fn for_any_oracle_it_ends_with_a_set_that_fails_and_not_without_any_one(
            count in 1..25_usize, salt: u64, at_once in 1..4_usize,
        ) {
            let oracle = |set: &[usize]| {
                let mut hasher = DefaultHasher::new();
                (salt, set).hash(&mut hasher);
                match hasher.finish() % 4 {
                    _ if set.len() == count => Outcome::Fails,
                    0 => Outcome::Fails,
                    1 => Outcome::Unresolved,
                    _ => Outcome::Passes,
                }
            };
            let (found, _) = reduce(count, at_once, oracle);
            prop_assert_eq!(oracle(&found), Outcome::Fails);
            for left_out in 0..found.len() {
                let mut fewer = found.clone();
                fewer.remove(left_out);
                prop_assert!(fewer.is_empty() || oracle(&fewer) != Outcome::Fails);
            }
        }

        #[test]
        fn the_result_does_not_depend_on_how_many_are_tried_at_once(count in 1..40_usize, a in 0..40_usize, b in 0..40_usize) {
            let oracle = needs(&[a % count, b % count]);
            prop_assert_eq!(reduce(count, 1, &oracle).0, reduce(count, 7, &oracle).0);
        }
    }
}
