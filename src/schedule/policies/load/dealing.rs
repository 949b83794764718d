//! Distributing a few long pieces among workers, the longest first (Graham 1969), to compute when the last one ends.

use super::piece::Place;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A piece with its duration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Long {
    pub(super) seconds: f64,
    pub(super) place: Place,
}

/// Distributes pieces, sorted longest first, among the asking worker, which is free after `own` seconds, and the
/// others. Returns when the last piece ends, and the pieces of the asking worker.
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

/// Seconds with a total order.
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

/// Ordered by duration; among equals, the earliest is the greatest.
impl Ord for Long {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_length = self.seconds.total_cmp(&other.seconds);
        by_length.then_with(|| other.place.cmp(&self.place))
    }
}
