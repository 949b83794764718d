//! The worker's end of its connection to the engine.
//!
//! The hazard it handles: a worker must not hang if the controller is gone or slow. Every wait is a short sleep, after
//! which the caller can check for signals. If the controller dies, the kernel kills the worker.
//!
//! A test may fork its worker, and the child inherits this connection. Only the process that created it may use it: in
//! any other process it returns no tests and sends nothing, because both would happen in the worker's name.

use super::ring::pack_frame;
use super::shared::{Shared, Slot, TEMPLATE_SLOT};
use crate::platform::memory::Peak;
use crate::platform::os::{futex_wait, futex_wake, peak_memory, resident_memory};
use crate::protocol::frame::Frame;
use std::process;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Longest single sleep of a worker, so that Python handles signals that did not interrupt the futex.
const MAX_SLEEP: Duration = Duration::from_millis(500);

/// The answer to a worker's request for its next test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// This test, which cannot be taken back any more, and how often it was tried before.
    Test(u32, u32),
    /// No more tests.
    Closed,
    /// No test yet; check for signals and ask again.
    Wait,
    /// No test yet; finish the last test without knowing the next one.
    Rest,
    /// There is a test, but this process exceeds its memory limit with so many bytes, and another worker is to run it.
    OverMemoryLimit(u64),
}

/// Memory growth of a worker, and its limit.
#[derive(Debug, Default)]
struct Growth {
    /// The limit in bytes, above which it starts no further test.
    limit: Option<u64>,
    peak: Peak,
    /// The test that it ran last.
    last: Option<u32>,
}

/// A worker's connection to the engine.
#[derive(Debug)]
pub struct Line {
    shared: Arc<Shared>,
    slot: usize,
    /// The process that created the connection.
    owner: u32,
    bytes: Vec<u8>,
    /// The frame that is being sent, after those that were kept for it.
    words: Vec<u64>,
    growth: Growth,
}

impl Line {
    /// Creates the connection of the worker in this slot.
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

    /// This worker's slot.
    pub(super) fn own_slot(&self) -> Slot<'_> {
        self.slot()
    }

    /// Any slot.
    pub(super) fn shared_slot(&self, number: usize) -> Slot<'_> {
        self.shared.slot(number)
    }

    /// Whether this process created the connection, and was not forked from the one that did.
    #[must_use]
    pub fn is_own(&self) -> bool {
        process::id() == self.owner
    }

    /// The next test if it is known; it may still be taken back.
    #[must_use]
    pub fn peek(&self) -> Option<u32> {
        if self.is_own() {
            self.slot().queue().peek()
        } else {
            None
        }
    }

    /// Claims the next test; sleeps for a short while if there is none.
    #[must_use]
    pub fn claim(&self) -> Claim {
        let slot = self.slot();
        if slot.stopped().is_set() || !self.is_own() {
            return Claim::Closed;
        }
        if self.shared.slot(TEMPLATE_SLOT).paused().is_set() {
            let seen = slot.wake_word().load(Ordering::SeqCst);
            futex_wait(slot.wake_word(), seen, MAX_SLEEP);
            return Claim::Wait;
        }
        let over_memory_limit = self.over_memory_limit();
        // A test that must not run stays in the queue, for the engine to take back.
        let next = || match over_memory_limit {
            None => slot.queue().claim().map(|(test, tried)| Claim::Test(test, tried)),
            Some(held) => slot.queue().peek().map(|_| Claim::OverMemoryLimit(held)),
        };
        if let Some(claim) = next() {
            return claim;
        }
        let seen = slot.wake_word().load(Ordering::SeqCst);
        slot.asking().set(true);
        // Look again after setting the flag: otherwise a change made before the engine could see it would be missed.
        let claim = match next() {
            Some(claim) => claim,
            None if slot.closed().is_set() => Claim::Closed,
            None if slot.resting().is_set() => Claim::Rest,
            None => {
                self.shared.wakeup.signal();
                futex_wait(slot.wake_word(), seen, MAX_SLEEP);
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

    /// Whether this worker may exit after its session has finished: another worker may still need what its exit
    /// functions remove. A template that has run no test need not wait.
    #[must_use]
    pub fn may_exit(&self) -> bool {
        self.slot == TEMPLATE_SLOT
            || self.slot().dismissed().is_set()
            || self.shared.slot(TEMPLATE_SLOT).dismissed().is_set()
    }

    /// Whether this worker must exit while others still run tests, because its replacement has inherited its resources.
    #[must_use]
    pub fn must_exit_early(&self) -> bool {
        self.slot().dismissed().is_set() && !self.shared.slot(TEMPLATE_SLOT).dismissed().is_set()
    }

    /// Whether this worker may use the terminal for a debugger.
    #[must_use]
    pub fn has_terminal(&self) -> bool {
        self.slot().has_terminal().is_set()
    }

    /// Gives the terminal back.
    pub fn return_terminal(&self) {
        self.slot().has_terminal().set(false);
    }

    /// Whether a failed test is tried again by the engine's choice, and not by this worker on its own.
    #[must_use]
    pub fn leaves_retries(&self) -> bool {
        self.is_own() && self.shared.slot(TEMPLATE_SLOT).takes_retries().is_set()
    }

    /// Publishes which test this worker is running, in case it crashes, and how often it was tried before.
    pub fn set_running(&mut self, test: Option<u32>, tried: u32) {
        if !self.is_own() {
            return;
        }
        self.slot().set_running(test, tried);
        self.growth.last = test.or(self.growth.last);
    }

    /// Starts monitoring the memory of this process, before its first test. If it uses more than `limit` bytes after a
    /// test, it starts no further one. The limit is ignored if it is already exceeded, because a replacement would
    /// start with as much.
    pub fn monitor_memory(&mut self, limit: Option<u64>) {
        let resident = resident_memory(None).unwrap_or_else(peak_memory);
        self.growth.limit = limit.filter(|&limit| resident <= limit);
        self.growth.peak = Peak::known(peak_memory());
        let frame = Frame::Peak { test: None, resident };
        self.send(&frame, false);
    }

    /// The memory in use, in bytes, if it exceeds the limit.
    fn over_memory_limit(&self) -> Option<u64> {
        let limit = self.growth.limit?;
        self.growth.last?;
        // Reading the peak is cheap; while it is below the limit, nothing else needs to be read.
        let held = (peak_memory() > limit).then(|| resident_memory(None))?;
        held.filter(|&held| held > limit)
    }

    /// Reports that this process exceeds its memory limit and starts no further test.
    pub fn report_over_memory_limit(&mut self, resident: u64) {
        if let Some(test) = self.growth.last {
            self.send(&Frame::OverMemoryLimit { test, resident }, true);
        }
    }

    /// Reports the end of a test that took `duration` seconds, after the growth of the peak memory, if any.
    pub fn done(&mut self, test: u32, duration: f64) {
        if let Some(resident) = self.growth.peak.grown(peak_memory()) {
            let test = Some(test);
            self.send_with_next(&Frame::Peak { test, resident });
        }
        self.send(&Frame::Done { test, duration }, false);
    }

    /// Publishes in which process this worker has its test run; `None` before that is waited for, after which its id may
    /// be that of another.
    pub fn set_forked(&self, process: Option<u32>) {
        if self.is_own() {
            self.slot().set_forked(process);
        }
    }

    /// Whether that process was ended at the time limit of its test.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        self.is_own() && self.slot().timed_out().is_set()
    }

    /// Publishes that this worker has received an interrupt, so that the controller does not send another.
    pub fn set_interrupted(&self) {
        if self.is_own() {
            self.slot().interrupted().set(true);
        }
    }

    /// Sends a frame together with the next one: if this process dies in between, neither is sent.
    ///
    /// What passes in the teardown of a test is sent with its end. Otherwise a test whose worker dies in between would be
    /// reported as passed, and then as crashed.
    pub fn send_with_next(&mut self, frame: &Frame<'_>) {
        if self.is_own() {
            self.pack(frame);
        }
    }

    /// Sends a frame at once, or with the frames that wait for the next one.
    pub fn send_in_order(&mut self, frame: &Frame<'_>, urgent: bool) {
        if self.words.is_empty() {
            self.send(frame, urgent);
        } else {
            self.send_with_next(frame);
        }
    }

    fn pack(&mut self, frame: &Frame<'_>) {
        self.bytes.clear();
        frame.encode(&mut self.bytes);
        pack_frame(&self.bytes, &mut self.words);
    }

    /// Sends a frame. It is in shared memory when this returns; `urgent` makes the engine poll at once.
    pub fn send(&mut self, frame: &Frame<'_>, urgent: bool) {
        if !self.is_own() {
            return;
        }
        self.pack(frame);
        let mut at = self.slot().ring().write(&self.words);
        while at < self.words.len() {
            at += self.write_rest(&self.words[at..]);
        }
        self.words.clear();
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
            futex_wait(slot.wake_word(), seen, MAX_SLEEP);
        }
        slot.ring_waiting().set(false);
        written
    }
}

/// Engine: wakes the worker in this slot if it sleeps, after a change that concerns it.
pub fn wake(slot: Slot<'_>) {
    slot.wake_word().fetch_add(1, Ordering::SeqCst);
    if slot.asking().is_set() || slot.ring_waiting().is_set() {
        futex_wake(slot.wake_word());
    }
}
