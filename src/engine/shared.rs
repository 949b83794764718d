//! The layout of the shared memory: a fixed number of slots, one for each live worker and one for the template.
//!
//! The memory is mapped before the fork server is forked, when the number of workers is not yet known; an unused slot
//! is never touched and uses no memory. A slot is cleared and reused for a replacement.

use super::EngineError;
use super::queue::TestQueue;
use super::ring::ByteRing;
use crate::platform::os::{EventFd, SharedMemory};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Number of slots; slot 0 is the template's. Unused slots only take address space: 1,025 slots are 82 MiB of it.
pub const SLOTS: usize = 1025;

/// The template's slot.
pub const TEMPLATE_SLOT: usize = 0;

/// Capacity of a slot's queue in tests. Deep enough that it never runs empty between two polls of the engine: a worker
/// starts at most about 60 trivial tests in the 5 ms between them.
pub const QUEUE_WORDS: usize = 2048;

/// Words in a slot's ring buffer. 64 KiB hold the frames of about 350 passing tests.
pub const RING_WORDS: usize = 8192;

/// Words before the queue. Words written by different processes lie in different cache lines (8 words each).
const HEADER_WORDS: usize = 64;

const QUEUE_RANGE: usize = 0;
const WAKE_WORD: usize = 8;
const ASKING: usize = 9;
const CLOSED: usize = 16;
const STOPPED: usize = 17;
const RESTING: usize = 18;
const DISMISSED: usize = 19;
const TERMINATED: usize = 20;
const TAKES_RETRIES: usize = 21;
const PAUSED: usize = 22;
const HAS_TERMINAL: usize = 23;
const RUNNING: usize = 24;
const INTERRUPTED: usize = 25;
const FORKED: usize = 26;
const TIMED_OUT: usize = 27;
const LOAD: usize = 28;
const RING_READ: usize = 32;
const LOAD_BEGIN: usize = 33;
const LOAD_STOPPED: usize = 34;
const LOAD_ENDED: usize = 35;
const LOAD_SHARE: usize = 36;
const RING_WRITTEN: usize = 40;
const RING_WAITING: usize = 41;
const ITERATIONS: usize = 48;

/// In the word of the running test: the bits of the test's number, which is stored plus one, and those above of how
/// often it was tried before.
const TRIED_SHIFT: u32 = 40;
const RUNNING_TEST: u64 = (1 << TRIED_SHIFT) - 1;
const MAX_TRIED: u32 = (1 << (u64::BITS - TRIED_SHIFT)) - 1;

const SLOT_WORDS: usize = HEADER_WORDS + QUEUE_WORDS + RING_WORDS;

/// The memory and the eventfd shared by the processes of a run.
#[derive(Debug)]
pub struct Shared {
    memory: SharedMemory,
    /// Signalled by a worker when the engine should poll at once.
    pub wakeup: EventFd,
}

impl Shared {
    /// Maps the memory. Must be called before the fork server is forked.
    ///
    /// # Errors
    /// [`EngineError::Os`].
    pub fn new() -> Result<Arc<Self>, EngineError> {
        Ok(Arc::new(Self {
            memory: SharedMemory::new(SLOTS * SLOT_WORDS)?,
            wakeup: EventFd::new()?,
        }))
    }

    /// Returns the slot with this number.
    ///
    /// # Panics
    /// If there is no such slot.
    #[must_use]
    pub fn slot(&self, number: usize) -> Slot<'_> {
        let first = number * SLOT_WORDS;
        Slot {
            memory: &self.memory,
            first,
            words: &self.memory.words()[first..first + SLOT_WORDS],
        }
    }
}

/// One slot. Each method says which side writes the word.
#[derive(Debug, Clone, Copy)]
pub struct Slot<'a> {
    memory: &'a SharedMemory,
    first: usize,
    words: &'a [AtomicU64],
}

impl<'a> Slot<'a> {
    /// Tests that are assigned and not yet claimed.
    #[must_use]
    pub fn queue(self) -> TestQueue<'a> {
        TestQueue::new(
            &self.words[QUEUE_RANGE],
            &self.words[HEADER_WORDS..HEADER_WORDS + QUEUE_WORDS],
        )
    }

    /// Frames that are written and not yet read.
    #[must_use]
    pub fn ring(self) -> ByteRing<'a> {
        ByteRing::new(
            &self.words[RING_READ],
            &self.words[RING_WRITTEN],
            &self.words[HEADER_WORDS + QUEUE_WORDS..],
        )
    }

    /// The futex word on which the worker sleeps; the engine changes it and wakes the worker.
    #[must_use]
    pub fn wake_word(self) -> &'a AtomicU32 {
        self.memory.futex_word(self.first + WAKE_WORD)
    }

    /// Whether the worker is idle and waits for a test. Written by the worker.
    #[must_use]
    pub fn asking(self) -> Flag<'a> {
        Flag(&self.words[ASKING])
    }

    /// Whether the worker is to finish its last test without knowing the next one. Set by the engine, cleared by the
    /// worker.
    #[must_use]
    pub fn resting(self) -> Flag<'a> {
        Flag(&self.words[RESTING])
    }

    /// Whether the worker waits for space in its ring. Written by the worker.
    #[must_use]
    pub fn ring_waiting(self) -> Flag<'a> {
        Flag(&self.words[RING_WAITING])
    }

    /// Whether no more tests will be assigned. Written by the engine.
    #[must_use]
    pub fn closed(self) -> Flag<'a> {
        Flag(&self.words[CLOSED])
    }

    /// Whether no further test may start, not even a claimed one. Written by the engine.
    #[must_use]
    pub fn stopped(self) -> Flag<'a> {
        Flag(&self.words[STOPPED])
    }

    /// Whether the worker may exit after its session has finished; in the template's slot, whether all may. Written by
    /// the controller.
    #[must_use]
    pub fn dismissed(self) -> Flag<'a> {
        Flag(&self.words[DISMISSED])
    }

    /// Whether a termination signal has reached the controller; only in the template's slot. Written by the controller.
    #[must_use]
    pub fn terminated(self) -> &'a AtomicU64 {
        &self.words[TERMINATED]
    }

    /// Whether workers leave it to the engine to try a failed test again; only in the template's slot. Written by the
    /// engine.
    #[must_use]
    pub fn takes_retries(self) -> Flag<'a> {
        Flag(&self.words[TAKES_RETRIES])
    }

    /// Whether no test starts, because a debugger has stopped one; only in the template's slot. Written by the
    /// controller.
    #[must_use]
    pub fn paused(self) -> Flag<'a> {
        Flag(&self.words[PAUSED])
    }

    /// Whether the worker may use the terminal for a debugger. Set by the controller, cleared by the worker.
    #[must_use]
    pub fn has_terminal(self) -> Flag<'a> {
        Flag(&self.words[HAS_TERMINAL])
    }

    /// Whether the worker's session has received an interrupt. Written by the worker.
    #[must_use]
    pub fn interrupted(self) -> Flag<'a> {
        Flag(&self.words[INTERRUPTED])
    }

    /// The process in which the worker has its test run, if that is not the worker. Written by the worker.
    #[must_use]
    pub fn forked(self) -> Option<i64> {
        match self.words[FORKED].load(Ordering::SeqCst) {
            0 => None,
            process => i64::try_from(process).ok(),
        }
    }

    /// Sets the process in which the worker has its test run.
    pub fn set_forked(self, process: Option<u32>) {
        self.words[FORKED].store(process.unwrap_or(0).into(), Ordering::SeqCst);
    }

    /// Whether that process was ended at the time limit of its test, so that the worker has to end, too. Written by the
    /// engine.
    #[must_use]
    pub fn timed_out(self) -> Flag<'a> {
        Flag(&self.words[TIMED_OUT])
    }

    /// The test that the worker is running. Written by the worker.
    #[must_use]
    pub fn running(self) -> Option<u32> {
        match self.words[RUNNING].load(Ordering::SeqCst) & RUNNING_TEST {
            0 => None,
            word => u32::try_from(word - 1).ok(),
        }
    }

    /// How often that test was tried before.
    #[must_use]
    pub fn tried(self) -> u32 {
        u32::try_from(self.words[RUNNING].load(Ordering::SeqCst) >> TRIED_SHIFT).unwrap_or(u32::MAX)
    }

    /// Sets the test that the worker is running, and how often it was tried before.
    pub fn set_running(self, test: Option<u32>, tried: u32) {
        let tried = u64::from(tried.min(MAX_TRIED)) << TRIED_SHIFT;
        let word = test.map_or(0, |test| (u64::from(test) + 1) | tried);
        self.words[RUNNING].store(word, Ordering::SeqCst);
    }

    /// When the load test begins, in nanoseconds of the monotonic clock; 0 if that is not known, the greatest number if it
    /// does not begin. Written by the engine, after the worker has reset it.
    #[must_use]
    pub fn load_begin(self) -> &'a AtomicU64 {
        &self.words[LOAD_BEGIN]
    }

    /// Whether no further iteration of the load test is to start. Written by the engine.
    #[must_use]
    pub fn load_stopped(self) -> Flag<'a> {
        Flag(&self.words[LOAD_STOPPED])
    }

    /// Whether no worker runs an iteration of the load test any more. Written by the engine.
    #[must_use]
    pub fn load_ended(self) -> Flag<'a> {
        Flag(&self.words[LOAD_ENDED])
    }

    /// The worker's share of the load test: its place among so many workers, plus one, and in the upper half their number;
    /// 0 if that is not known, the greatest number if it takes no part. Written by the engine.
    #[must_use]
    pub fn load_share(self) -> &'a AtomicU64 {
        &self.words[LOAD_SHARE]
    }

    /// Users that take part in the load test, iterations that have started and were dropped, and nanoseconds of CPU time.
    #[must_use]
    pub fn load(self) -> [u64; 4] {
        [0, 1, 2, 3].map(|place| self.words[LOAD + place].load(Ordering::Relaxed))
    }

    /// Sets the first three of these. Written by the worker.
    pub fn set_load(self, values: [u64; 3]) {
        for (word, value) in self.words[LOAD..].iter().zip(values) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Sets the last of these. Written by the worker.
    pub fn set_cpu_time(self, nanos: u64) {
        self.words[LOAD + 3].store(nanos, Ordering::Relaxed);
    }

    /// Resets what is known of the last load test. Called by the worker.
    pub fn clear_load(self) {
        self.set_load([0; 3]);
        for word in [LOAD_BEGIN, LOAD_STOPPED, LOAD_ENDED, LOAD_SHARE] {
            self.words[word].store(0, Ordering::SeqCst);
        }
    }

    /// The iterations that all users of a load test share: how many were taken; only in the template's slot.
    #[must_use]
    pub fn iterations(self) -> &'a AtomicU64 {
        &self.words[ITERATIONS]
    }

    /// Resets the slot. The worker that used it must be dead.
    pub fn clear(self) {
        for word in &self.words[..HEADER_WORDS] {
            word.store(0, Ordering::SeqCst);
        }
    }
}

/// A shared boolean.
#[derive(Debug, Clone, Copy)]
pub struct Flag<'a>(&'a AtomicU64);

impl Flag<'_> {
    /// Whether it is set.
    #[must_use]
    pub fn is_set(self) -> bool {
        self.0.load(Ordering::SeqCst) != 0
    }

    /// Sets or clears it.
    pub fn set(self, value: bool) {
        self.0.store(u64::from(value), Ordering::SeqCst);
    }
}
