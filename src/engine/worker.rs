//! The worker's end of its line to the engine.
//!
//! The hazard it handles: a worker must not hang when the controller is gone or slow. Every wait is a short sleep after
//! which the caller can look for signals; death of the controller needs no look, the kernel ends the worker.

use super::os::{futex_wait, futex_wake};
use super::ring::pack_frame;
use super::shared::{Shared, Slot};
use crate::protocol::frame::Frame;
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
}

/// A worker's line.
#[derive(Debug)]
pub struct Line {
    shared: Arc<Shared>,
    slot: usize,
    bytes: Vec<u8>,
    words: Vec<u64>,
}

impl Line {
    /// The line of the worker in this slot.
    #[must_use]
    pub fn new(shared: Arc<Shared>, slot: usize) -> Self {
        Self {
            shared,
            slot,
            bytes: Vec::new(),
            words: Vec::new(),
        }
    }

    fn slot(&self) -> Slot<'_> {
        self.shared.slot(self.slot)
    }

    /// The test that comes next, as far as is known; it may still go to another worker.
    #[must_use]
    pub fn peek(&self) -> Option<u32> {
        self.slot().queue().peek()
    }

    /// Claims the next test, sleeping for a short while when there is none.
    #[must_use]
    pub fn claim(&self) -> Claim {
        let slot = self.slot();
        if slot.stopped().is_set() {
            return Claim::Closed;
        }
        if let Some(test) = slot.queue().claim() {
            return Claim::Test(test);
        }
        let seen = slot.bell().load(Ordering::SeqCst);
        slot.asking().set(true);
        // Look again after saying so: what the engine did before it could see the flag would be missed otherwise.
        let claim = match slot.queue().claim() {
            Some(test) => Claim::Test(test),
            None if slot.closed().is_set() => Claim::Closed,
            None if slot.resting().is_set() => Claim::Rest,
            None => {
                self.shared.bell.ring();
                futex_wait(slot.bell(), seen, NAP);
                slot.queue().claim().map_or(Claim::Wait, Claim::Test)
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
        !self.slot().stopped().is_set()
    }

    /// Says which test this worker is in, for the case that it dies there.
    pub fn set_running(&self, test: Option<u32>) {
        self.slot().set_running(test);
    }

    /// Says that an interrupt has reached this worker, so that the controller sends no second one.
    pub fn set_interrupted(&self) {
        self.slot().interrupted().set(true);
    }

    /// Sends a frame. It is safe in shared memory when this returns; `urgent` has the engine look at once.
    pub fn send(&mut self, frame: &Frame<'_>, urgent: bool) {
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
            self.shared.bell.ring();
        }
    }

    fn write_rest(&self, words: &[u64]) -> usize {
        let slot = self.slot();
        let seen = slot.bell().load(Ordering::SeqCst);
        slot.ring_waiting().set(true);
        let written = slot.ring().write(words);
        if written == 0 {
            self.shared.bell.ring();
            futex_wait(slot.bell(), seen, NAP);
        }
        slot.ring_waiting().set(false);
        written
    }
}

/// Engine: wakes the worker in this slot if it sleeps, after something has changed for it.
pub fn wake(slot: Slot<'_>) {
    slot.bell().fetch_add(1, Ordering::SeqCst);
    if slot.asking().is_set() || slot.ring_waiting().is_set() {
        futex_wake(slot.bell());
    }
}
