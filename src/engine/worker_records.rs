//! The engine's record of each worker.

use super::output::LineBuffer;
use super::ring::FrameReader;
use super::shared::{Shared, Slot};
use super::worker::wake;
use crate::platform::os::{Process, Read, read_some};
use crate::schedule::policy::{Demand, Policy, Test, Worker};
use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

/// State of a worker with respect to its memory limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// Within the limit.
    Not,
    /// Over the limit: it starts no further test; its queued tests are reassigned when the current one has finished.
    Due,
    /// It runs no test, and its queued tests have been taken back.
    Taken,
}

/// A worker, from the choice of its slot until its exit status is known.
#[derive(Debug)]
pub struct Entry {
    /// Its number.
    pub worker: Worker,
    /// Its slot.
    pub slot: usize,
    /// Whether its session has finished properly.
    pub finished: bool,
    /// The peak of resident bytes when its process had exited; 0 if unknown.
    pub peak: u64,
    /// Whether it takes part in the scheduling.
    pub joined: bool,
    /// The first of the workers that replaced one another; itself if it has replaced none.
    pub first: Worker,
    /// Its process, once it is forked and if the kernel has descriptors of processes.
    pub process: Option<Process>,
    /// Partly received frames.
    pub reader: FrameReader,
    lines: LineBuffer,
    output: Option<OwnedFd>,
    unfinished: VecDeque<Test>,
    overflow: VecDeque<Test>,
    /// How often its tests were tried before, if they were.
    tried: HashMap<Test, u32>,
    closing: bool,
    leave: Leave,
    idle_since: Option<Instant>,
}

impl Entry {
    /// A worker that is about to be forked; `output` is the reading end of its standard output.
    #[must_use]
    pub fn new(worker: Worker, slot: usize, output: Option<OwnedFd>) -> Self {
        Self {
            worker,
            slot,
            finished: false,
            peak: 0,
            joined: false,
            first: worker,
            process: None,
            reader: FrameReader::default(),
            lines: LineBuffer::default(),
            output,
            unfinished: VecDeque::new(),
            overflow: VecDeque::new(),
            tried: HashMap::new(),
            closing: false,
            leave: Leave::Not,
            idle_since: None,
        }
    }

    /// The descriptor of its output, to wait for.
    #[must_use]
    pub fn output_fd(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(AsFd::as_fd)
    }

    /// Reads the worker's output; only complete lines, unless `all` is set because the worker has exited.
    pub fn read_output(&mut self, all: bool) -> Option<String> {
        let mut text = String::new();
        let mut buffer = [0; 16 * 1024];
        while let Some(fd) = &self.output {
            match read_some(fd.as_fd(), &mut buffer) {
                Read::Bytes(count) => text.extend(self.lines.push(&buffer[..count])),
                Read::Nothing => break,
                Read::End => self.output = None,
            }
        }
        if all || self.output.is_none() {
            text.extend(self.lines.finish());
        }
        (!text.is_empty()).then_some(text)
    }

    /// Describes how many tests the worker can take; `None` if no more may be assigned.
    #[must_use]
    pub fn demand(&mut self, slot: Slot<'_>, begun: Instant, now: Instant) -> Option<Demand> {
        if self.closing || self.finished || self.leave != Leave::Not {
            return None;
        }
        let queue = slot.queue();
        let queued = queue.len() + self.overflow.len();
        let room = queue.room().saturating_sub(self.overflow.len());
        let idle = queued == 0 && slot.asking().is_set();
        let idle_since = if idle {
            Some(*self.idle_since.get_or_insert(now))
        } else {
            None
        };
        self.idle_since = idle_since;
        let waited = idle_since.map_or(0.0, |since| (now - since).as_secs_f64());
        Some(Demand {
            worker: self.worker,
            queued,
            room,
            idle,
            waited,
            now: (now - begun).as_secs_f64(),
        })
    }

    /// Assigns tests; those that do not fit into the queue are moved there later by [`Entry::refill`].
    pub fn assign(&mut self, shared: &Shared, tests: Vec<Test>) {
        self.unfinished.extend(&tests);
        self.overflow.extend(tests);
        self.refill(shared);
    }

    /// Sets how often tests were tried before, of those that are about to be assigned.
    pub fn set_tried(&mut self, tests: &[Test], tried: impl Fn(Test) -> Option<u32>) {
        let known = tests.iter().filter_map(|test| Some((*test, tried(*test)?)));
        self.tried.extend(known);
    }

    /// Adds it to a policy.
    pub fn join(&self, policy: &mut dyn Policy) {
        if self.first == self.worker {
            policy.add_worker(self.worker);
        } else {
            policy.add_replacement(self.worker, self.first);
        }
    }

    /// Moves assigned tests into the queue as far as they fit. If the worker is closing, closes the queue after the
    /// last one.
    pub fn refill(&mut self, shared: &Shared) {
        let slot = shared.slot(self.slot);
        if !self.overflow.is_empty() {
            let tests = self.overflow.make_contiguous();
            let tried = |test| self.tried.get(&test).copied().unwrap_or_default();
            let count = slot.queue().append(tests, tried);
            self.overflow.drain(..count);
            wake(slot);
        }
        if self.closing && self.overflow.is_empty() && !slot.closed().is_set() {
            slot.closed().set(true);
            wake(slot);
        }
    }

    /// Takes tests back from the end of the queue.
    #[must_use]
    pub fn take_back(&mut self, shared: &Shared, count: usize, whole: bool) -> Vec<Test> {
        let taken = shared.slot(self.slot).queue().take_back(count, whole);
        self.unfinished
            .truncate(self.unfinished.len() - taken.len().min(self.unfinished.len()));
        taken
    }

    /// Takes back exactly these tests, or none of them.
    #[must_use]
    pub fn steal(&mut self, shared: &Shared, wanted: &[Test]) -> bool {
        let mut waiting = self.take_back(shared, usize::MAX, false);
        waiting.extend(self.overflow.drain(..));
        let found = wanted.iter().all(|test| waiting.contains(test));
        if found {
            waiting.retain(|test| !wanted.contains(test));
        }
        self.unfinished
            .retain(|test| !(waiting.contains(test) || (found && wanted.contains(test))));
        self.assign(shared, waiting);
        found
    }

    /// Makes the worker finish its last test without knowing the next one.
    pub fn rest(&mut self, shared: &Shared) {
        let slot = shared.slot(self.slot);
        slot.resting().set(true);
        wake(slot);
    }

    /// Lets the worker finish its session after its assigned tests.
    pub fn close(&mut self, shared: &Shared) {
        self.closing = true;
        self.refill(shared);
    }

    /// Lets the worker finish its session after the current test; even a claimed test does not start.
    pub fn stop(&mut self, shared: &Shared) {
        self.overflow.clear();
        let _dropped = self.take_back(shared, usize::MAX, false);
        shared.slot(self.slot).stopped().set(true);
        self.close(shared);
        wake(shared.slot(self.slot));
    }

    /// Records that the worker has finished this test. Returns false if it was not assigned.
    pub fn done(&mut self, test: Test) -> bool {
        match self.unfinished.iter().position(|&held| held == test) {
            Some(position) => {
                self.unfinished.remove(position);
                true
            }
            None => false,
        }
    }

    /// Records that the worker exceeds its memory limit and starts no further test.
    pub fn over_memory_limit(&mut self) {
        self.leave = Leave::Due;
    }

    /// Called when the worker has reported on this test: whether it now leaves because of its memory limit. Then its
    /// remaining tests are taken back.
    pub fn leave_if_over_memory_limit(&mut self, shared: &Shared, test: Test) -> bool {
        if self.leave != Leave::Due || self.unfinished.contains(&test) {
            return false;
        }
        self.leave = Leave::Taken;
        self.overflow.clear();
        let _of_others_now = self.take_back(shared, usize::MAX, false);
        self.unfinished.clear();
        true
    }

    /// Whether the policy schedules it.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        self.joined && self.leave != Leave::Taken
    }

    /// The test in which a dead worker crashed.
    #[must_use]
    pub fn crashed_in(&self, slot: Slot<'_>) -> Option<Test> {
        slot.running().filter(|test| self.unfinished.contains(test))
    }

    /// Tells the policy that a worker has finished a test in so many seconds, and that the worker is lost if it leaves
    /// now because of its memory limit. Returns whether the test finished, and had not before.
    pub fn finish_test(
        &mut self,
        shared: &Shared,
        policy: Option<&mut (dyn Policy + 'static)>,
        test: Test,
        seconds: Option<f64>,
    ) -> bool {
        let done_in = seconds.filter(|_| self.done(test));
        let leave_if_over_memory_limit = self.leave_if_over_memory_limit(shared, test);
        if let Some(policy) = policy {
            if let Some(seconds) = done_in {
                policy.finished(self.worker, test, seconds);
            }
            if leave_if_over_memory_limit {
                policy.lost(self.worker, None);
            }
        }
        done_in.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_tests(shared: &Shared) -> Entry {
        let mut entry = Entry::new(0, 1, None);
        entry.joined = true;
        entry.assign(shared, vec![3, 4, 5]);
        assert_eq!(shared.slot(1).queue().claim(), Some((3, 0)));
        entry
    }

    #[test]
    fn a_worker_over_its_memory_limit_leaves_when_its_test_is_done() {
        let shared = Shared::new().expect("memory");
        let mut entry = with_tests(&shared);
        entry.over_memory_limit();
        let now = Instant::now();
        assert_eq!(entry.demand(shared.slot(1), now, now), None);
        assert!(!entry.leave_if_over_memory_limit(&shared, 3));
        assert!(entry.is_scheduled());
        assert!(entry.done(3));
        assert!(entry.leave_if_over_memory_limit(&shared, 3));
        assert!(!entry.is_scheduled());
        assert_eq!(shared.slot(1).queue().len(), 0);
        assert!(!entry.leave_if_over_memory_limit(&shared, 3), "it left before");
    }

    #[test]
    fn a_worker_within_its_memory_limit_does_not_leave() {
        let shared = Shared::new().expect("memory");
        let mut entry = with_tests(&shared);
        assert!(entry.done(3));
        assert!(!entry.leave_if_over_memory_limit(&shared, 3));
        assert_eq!(shared.slot(1).queue().len(), 2);
    }
}
