//! Few long pieces among workers: when the last one ends, if the longest go first (Graham 1969).

use super::piece::Place;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A piece by what it takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Long {
    pub(super) seconds: f64,
    pub(super) place: Place,
}

/// Deals pieces out, the longest of which comes first, to an asking worker that is free after `own` seconds and to others:
/// when the last one ends, and which the asking one gets.
pub(super) fn deal(long: &[&Long], without: Option<Place>, own: f64, others: &[f64]) -> (f64, Vec<Place>) {
    let mut free: BinaryHeap<Reverse<(Seconds, bool)>> = others
        .iter()
        .map(|seconds| Reverse((Seconds(*seconds), true)))
        .collect();
    free.push(Reverse((Seconds(own), false)));
    let mut end = others.iter().copied().fold(own, f64::max);
    let mut dealt = Vec::new();
    for long in long.iter().filter(|long| Some(long.place) != without) {
        if let Some(mut first) = free.peek_mut() {
            let Reverse((at, is_other)) = &mut *first;
            at.0 += long.seconds;
            end = end.max(at.0);
            if !*is_other {
                dealt.push(long.place);
            }
        }
    }
    (end, dealt)
}

/// Seconds that can be put in order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seconds(f64);

impl Eq for Seconds {}

impl PartialOrd for Seconds {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Seconds {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Long {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Long {}

/// The longest is the greatest; of equal ones, the earliest.
impl Ord for Long {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_length = self.seconds.total_cmp(&other.seconds);
        by_length.then_with(|| other.place.cmp(&self.place))
    }
}
