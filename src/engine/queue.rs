//! A worker's test queue in shared memory: the engine appends and takes back at the end, the worker claims at the
//! front.
//!
//! Both ends are one word (head in the high half, tail in the low half, both counting up for ever), so that claiming
//! and taking back exclude each other by compare-and-swap: a test is either claimed by the worker or taken back,
//! never both. An entry is the number of a test, and in its high half how often the test was tried before. One worker claims and one engine writes; there are no other parties.

use std::sync::atomic::{AtomicU64, Ordering};

/// A view of the queue in a slot.
#[derive(Debug, Clone, Copy)]
pub struct TestQueue<'a> {
    range: &'a AtomicU64,
    entries: &'a [AtomicU64],
}

fn pack(head: u32, tail: u32) -> u64 {
    u64::from(head) << 32 | u64::from(tail)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of the word")]
fn unpack(range: u64) -> (u32, u32) {
    ((range >> 32) as u32, range as u32)
}

impl<'a> TestQueue<'a> {
    /// Creates a view of the word with both ends and of the entries (a power of two of them).
    #[must_use]
    pub fn new(range: &'a AtomicU64, entries: &'a [AtomicU64]) -> Self {
        debug_assert!(entries.len().is_power_of_two());
        Self { range, entries }
    }

    fn entry(&self, position: u32) -> &AtomicU64 {
        &self.entries[position as usize & (self.entries.len() - 1)]
    }

    /// A test, and how often it was tried before.
    fn read(&self, position: u32) -> (u32, u32) {
        let (tried, test) = unpack(self.entry(position).load(Ordering::Relaxed));
        (test, tried)
    }

    /// Number of queued tests.
    #[must_use]
    pub fn len(&self) -> usize {
        let (head, tail) = unpack(self.range.load(Ordering::Acquire));
        tail.wrapping_sub(head) as usize
    }

    /// Whether no test is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of tests that can be appended. One entry always stays free: the worker reads an entry after claiming it,
    /// and until then it must not be overwritten.
    #[must_use]
    pub fn room(&self) -> usize {
        self.entries.len() - 1 - self.len()
    }

    /// Worker: returns the test at the front, which may still be taken back.
    #[must_use]
    pub fn peek(&self) -> Option<u32> {
        let (head, tail) = unpack(self.range.load(Ordering::Acquire));
        (head != tail).then(|| self.read(head).0)
    }

    /// Worker: claims the test at the front; the second number is how often it was tried before.
    #[must_use]
    pub fn claim(&self) -> Option<(u32, u32)> {
        let mut range = self.range.load(Ordering::Acquire);
        loop {
            let (head, tail) = unpack(range);
            if head == tail {
                return None;
            }
            let claimed = pack(head.wrapping_add(1), tail);
            match self
                .range
                .compare_exchange_weak(range, claimed, Ordering::AcqRel, Ordering::Acquire)
            {
                // Read after the claim: before it, the engine could have replaced the entry.
                Ok(_) => return Some(self.read(head)),
                Err(now) => range = now,
            }
        }
    }

    /// Engine: appends tests; returns how many fitted. `tried` is how often a test was tried before.
    #[must_use]
    pub fn append(&self, tests: &[u32], tried: impl Fn(u32) -> u32) -> usize {
        let count = tests.len().min(self.room());
        let (_, tail) = unpack(self.range.load(Ordering::Acquire));
        let mut end = tail;
        for &test in &tests[..count] {
            self.entry(end).store(pack(tried(test), test), Ordering::Relaxed);
            end = end.wrapping_add(1);
        }
        // Only the head can have changed meanwhile.
        let mut range = self.range.load(Ordering::Acquire);
        loop {
            let (head, _) = unpack(range);
            match self.range.compare_exchange_weak(
                range,
                pack(head, end),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return count,
                Err(now) => range = now,
            }
        }
    }

    /// Engine: takes back the last `count` tests, in order. With `whole`, all of them or none; otherwise as many as are
    /// left.
    #[must_use]
    pub fn take_back(&self, count: usize, whole: bool) -> Vec<u32> {
        let mut range = self.range.load(Ordering::Acquire);
        loop {
            let (head, tail) = unpack(range);
            let left = tail.wrapping_sub(head);
            let taken = u32::try_from(count).unwrap_or(u32::MAX).min(left);
            if taken == 0 || (whole && (taken as usize) < count) {
                return Vec::new();
            }
            let end = tail.wrapping_sub(taken);
            match self.range.compare_exchange_weak(
                range,
                pack(head, end),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    return (0..taken)
                        .map(|offset| self.read(end.wrapping_add(offset)).0)
                        .collect();
                }
                Err(now) => range = now,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    fn untried(_test: u32) -> u32 {
        0
    }

    fn memory(entries: usize, ends: u32) -> (AtomicU64, Vec<AtomicU64>) {
        (
            AtomicU64::new(pack(ends, ends)),
            (0..entries).map(|_| AtomicU64::new(0)).collect(),
        )
    }

    #[test]
    fn the_queue_keeps_the_order_even_if_the_counters_wrap() {
        let (range, entries) = memory(8, u32::MAX - 3);
        let queue = TestQueue::new(&range, &entries);
        for round in 0..10 {
            assert_eq!(queue.append(&[round, round + 1, round + 2], untried), 3);
            assert_eq!(queue.peek(), Some(round));
            assert_eq!(
                [queue.claim(), queue.claim(), queue.claim()],
                [round, round + 1, round + 2].map(|test| Some((test, 0)))
            );
            assert_eq!(queue.claim(), None);
        }
    }

    #[test]
    fn a_full_queue_takes_no_more() {
        let (range, entries) = memory(8, 0);
        let queue = TestQueue::new(&range, &entries);
        assert_eq!(queue.append(&[1; 20], untried), 7);
        assert_eq!(queue.room(), 0);
    }

    #[test]
    fn a_group_is_taken_back_whole_or_not_at_all() {
        let (range, entries) = memory(8, 0);
        let queue = TestQueue::new(&range, &entries);
        assert_eq!(queue.append(&[1, 2, 3], untried), 3);
        assert_eq!(queue.claim(), Some((1, 0)));
        assert!(queue.take_back(3, true).is_empty());
        assert_eq!(queue.take_back(2, true), [2, 3]);
        assert!(queue.take_back(1, false).is_empty());
    }

    #[test]
    fn a_claimed_test_comes_with_how_often_it_was_tried() {
        let (range, entries) = memory(8, 0);
        let queue = TestQueue::new(&range, &entries);
        assert_eq!(queue.append(&[7, 8, u32::MAX], |test| u32::from(test > 7) * 5), 3);
        assert_eq!(queue.claim(), Some((7, 0)));
        assert_eq!(queue.peek(), Some(8));
        assert_eq!(queue.take_back(1, true), [u32::MAX]);
        assert_eq!(queue.claim(), Some((8, 5)));
    }

    #[test]
    fn a_test_is_never_both_claimed_and_taken_back() {
        const TESTS: u32 = 50_000;
        let (range, entries) = memory(16, u32::MAX - 100);
        let queue = TestQueue::new(&range, &entries);
        let done = AtomicBool::new(false);
        let (mut claimed, mut seen) = (Vec::new(), Vec::new());
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let mut mine = Vec::new();
                loop {
                    let last = done.load(Ordering::SeqCst);
                    match queue.claim() {
                        Some((test, _)) => mine.push(test),
                        None if last => return mine,
                        None => std::hint::spin_loop(),
                    }
                }
            });
            let mut next = 0;
            while next < TESTS {
                let batch: Vec<u32> = (next..TESTS.min(next + 5)).collect();
                next += u32::try_from(queue.append(&batch, untried)).unwrap();
                seen.extend(queue.take_back(2, next.is_multiple_of(2)));
            }
            done.store(true, Ordering::SeqCst);
            claimed.extend(worker.join().unwrap());
        });
        assert!(claimed.is_sorted());
        seen.extend(claimed);
        seen.sort_unstable();
        assert_eq!(seen, (0..TESTS).collect::<Vec<_>>());
    }
}
