//! The worker's end of its line to the engine.
//!
//! The hazard it handles: a worker must not hang when the controller is gone or slow. Every wait is a short sleep after
//! which the caller can look for signals; death of the controller needs no look, the kernel ends the worker.
//!
//! A test may fork its worker, and the child has all of it, this line, too. Only the process that made the line may use
//! it: in any other it gives out no test and sends nothing, since both would be in the worker's name.

use super::ring::pack_frame;
use super::shared::{Shared, Slot, TEMPLATE_SLOT};
use crate::platform::memory::Peak;
use crate::platform::os::{futex_wait, futex_wake, peak_memory, resident_memory};
use crate::protocol::frame::Frame;
use std::process;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a worker sleeps at a time, so that Python sees signals that the futex did not wake for.
const NAP: Duration = Duration::from_millis(500);

/// What a worker gets when it asks for its next test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// This test, for good.
    Test(u32),
    /// Nothing, ever again.
    Closed,
    /// Nothing yet; look for signals and ask again.
    Wait,
    /// Nothing yet; whoever asked to know how to finish a test finishes it without.
    Rest,
    /// There is a test, but this process holds so many bytes, more than it may, and another one is to run it.
    OverMemoryLimit(u64),
}

/// How a worker's memory grows, and how far it may.
#[derive(Debug, Default)]
struct Growth {
    /// Bytes beyond which it starts no further test.
    limit: Option<u64>,
    peak: Peak,
    /// The test that it was in last.
    last: Option<u32>,
}

/// A worker's line.
#[derive(Debug)]
pub struct Line {
    shared: Arc<Shared>,
    slot: usize,
    /// The process that made it.
    owner: u32,
    bytes: Vec<u8>,
    words: Vec<u64>,
    growth: Growth,
}

impl Line {
    /// The line of the worker in this slot.
    #[must_use]
    pub fn new(shared: Arc<Shared>, slot: usize) -> Self {
        Self {
            shared,
            slot,
            owner: process::id(),
            bytes: Vec::new(),
            words: Vec::new(),
            growth: Growth::default(),
        }
    }

    fn slot(&self) -> Slot<'_> {
        self.shared.slot(self.slot)
    }

    /// Whether this process is the one whose line it is, and not one that was forked from it.
    #[must_use]
    pub fn is_own(&self) -> bool {
        process::id() == self.owner
    }

    /// The test that comes next, as far as is known; it may still go to another worker.
    #[must_use]
    pub fn peek(&self) -> Option<u32> {
        if self.is_own() {
            self.slot().queue().peek()
        } else {
            None
        }
    }

    /// Claims the next test, sleeping for a short while when there is none.
    #[must_use]
    pub fn claim(&self) -> Claim {
        let slot = self.slot();
        if slot.stopped().is_set() || !self.is_own() {
            return Claim::Closed;
        }
        let over_memory_limit = self.over_memory_limit();
        // What it may not run it leaves in the queue, for the engine to take it back.
        let next = || match over_memory_limit {
            None => slot.queue().claim().map(Claim::Test),
            Some(held) => slot.queue().peek().map(|_| Claim::OverMemoryLimit(held)),
        };
        if let Some(claim) = next() {
            return claim;
        }
        let seen = slot.wake_word().load(Ordering::SeqCst);
        slot.asking().set(true);
        // Look again after saying so: what the engine did before it could see the flag would be missed otherwise.
        let claim = match next() {
            Some(claim) => claim,
            None if slot.closed().is_set() => Claim::Closed,
            None if slot.resting().is_set() => Claim::Rest,
            None => {
                self.shared.wakeup.signal();
                futex_wait(slot.wake_word(), seen, NAP);
                next().unwrap_or(Claim::Wait)
            }
        };
        slot.asking().set(false);
        if claim == Claim::Rest {
            slot.resting().set(false);
        }
        claim
    }

    /// Whether a claimed test may still start.
    #[must_use]
    pub fn may_start(&self) -> bool {
        self.is_own() && !self.slot().stopped().is_set()
    }

    /// Whether this worker, whose session is over, may leave: another one may still need what its exit functions remove.
    /// A template that has run no test waits for nobody.
    #[must_use]
    pub fn may_leave(&self) -> bool {
        self.slot == TEMPLATE_SLOT
            || self.slot().dismissed().is_set()
            || self.shared.slot(TEMPLATE_SLOT).dismissed().is_set()
    }

    /// Whether this worker has to leave while others still run tests: one that takes its place has what it has inherited.
    #[must_use]
    pub fn leaves_early(&self) -> bool {
        self.slot().dismissed().is_set() && !self.shared.slot(TEMPLATE_SLOT).dismissed().is_set()
    }

    /// Says which test this worker is in, for the case that it dies there.
    pub fn set_running(&mut self, test: Option<u32>) {
        if !self.is_own() {
            return;
        }
        self.slot().set_running(test);
        self.growth.last = test.or(self.growth.last);
    }

    /// Begins to watch the memory of this process, before its first test. With more than `limit` bytes after a test it
    /// starts no further one; unless it has more already, which no other process would have less of.
    pub fn watch_memory(&mut self, limit: Option<u64>) {
        let resident = resident_memory(None).unwrap_or_else(peak_memory);
        self.growth.limit = limit.filter(|&limit| resident <= limit);
        self.growth.peak = Peak::known(peak_memory());
        let frame = Frame::Peak { test: None, resident };
        self.send(&frame, false);
    }

    /// The bytes that this process holds, when it may start no further test.
    fn over_memory_limit(&self) -> Option<u64> {
        let limit = self.growth.limit?;
        self.growth.last?;
        // Reading the peak is cheap, and while it is below the limit there is nothing else to read.
        let held = (peak_memory() > limit).then(|| resident_memory(None))?;
        held.filter(|&held| held > limit)
    }

    /// Sends that this process holds too much, and starts no further test.
    pub fn leave(&mut self, resident: u64) {
        if let Some(test) = self.growth.last {
            self.send(&Frame::OverMemoryLimit { test, resident }, true);
        }
    }

    /// Sends the end of a test that took `duration` seconds, and before it by how much the peak has grown.
    pub fn done(&mut self, test: u32, duration: f64) {
        if let Some(resident) = self.growth.peak.grown(peak_memory()) {
            let test = Some(test);
            self.send(&Frame::Peak { test, resident }, false);
        }
        self.send(&Frame::Done { test, duration }, false);
    }

    /// Says that an interrupt has reached this worker, so that the controller sends no second one.
    pub fn set_interrupted(&self) {
        if self.is_own() {
            self.slot().interrupted().set(true);
        }
    }

    /// Sends a frame. It is safe in shared memory when this returns; `urgent` has the engine look at once.
    pub fn send(&mut self, frame: &Frame<'_>, urgent: bool) {
        if !self.is_own() {
            return;
        }
        self.bytes.clear();
        frame.encode(&mut self.bytes);
        self.words.clear();
        pack_frame(&self.bytes, &mut self.words);
        let mut at = self.slot().ring().write(&self.words);
        while at < self.words.len() {
            at += self.write_rest(&self.words[at..]);
        }
        let ring = self.slot().ring();
        if urgent || ring.room() < ring.len() {
            self.shared.wakeup.signal();
        }
    }

    fn write_rest(&self, words: &[u64]) -> usize {
        let slot = self.slot();
        let seen = slot.wake_word().load(Ordering::SeqCst);
        slot.ring_waiting().set(true);
        let written = slot.ring().write(words);
        if written == 0 {
            self.shared.wakeup.signal();
            futex_wait(slot.wake_word(), seen, NAP);
        }
        slot.ring_waiting().set(false);
        written
    }
}

/// Engine: wakes the worker in this slot if it sleeps, after something has changed for it.
pub fn wake(slot: Slot<'_>) {
    slot.wake_word().fetch_add(1, Ordering::SeqCst);
    if slot.asking().is_set() || slot.ring_waiting().is_set() {
        futex_wake(slot.wake_word());
    }
}
