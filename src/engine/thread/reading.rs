//! What the thread reads: the output and frames of workers, and the fork server's records of their exits.

use super::{EngineError, KILLED, Loop, MAX_BACKLOG};
use crate::engine::messages::{Event, TEMPLATE};
use crate::engine::records::Record;
use crate::engine::worker::wake;
use crate::platform::os::Process;
use crate::protocol::frame::{Frame, Topic};
use crate::schedule::policy::Worker;
use std::sync::atomic::Ordering;

impl Loop {
    pub(super) fn read_workers(&mut self) -> bool {
        let mut arrived = false;
        for index in 0..self.workers.len() {
            arrived |= self.read_worker(index, false);
        }
        arrived
    }

    /// Reads the output and the frames of a worker; everything that is left if it is `gone`.
    fn read_worker(&mut self, index: usize, gone: bool) -> bool {
        let entry = &mut self.workers[index];
        let worker = entry.worker;
        if let Some(text) = entry.read_output(gone) {
            self.batch.push(Event::Output(worker, text));
        }
        let slot = self.shared.slot(entry.slot);
        if slot.ring().is_empty() || (!gone && self.backlog.load(Ordering::Relaxed) > MAX_BACKLOG) {
            return false;
        }
        let mut frames = Vec::new();
        let mut reader = std::mem::take(&mut entry.reader);
        // Once: a worker that fills its ring again and again must not keep this thread from the others and from its
        // clock.
        reader.fill(&slot.ring());
        if slot.ring_waiting().is_set() {
            wake(slot);
        }
        while let Some(bytes) = reader.next_frame() {
            match Frame::decode(bytes) {
                Ok(Frame::Done { test, duration }) => {
                    let policy = self.policy.as_deref_mut();
                    let is_done = entry.finish_test(&self.shared, policy, test, Some(duration));
                    if !self.failed.remove(&test) && is_done {
                        self.board.lock().finish(test);
                    }
                    if let Some(load) = &mut self.load {
                        load.done(worker, test, &self.shared);
                    }
                }
                Ok(Frame::Retry { test, tried, delay }) => {
                    self.tried.insert(test, tried);
                    self.failed.insert(test);
                    if let Some(policy) = &mut self.policy {
                        policy.retry(worker, test, delay);
                    }
                }
                Ok(Frame::OverMemoryLimit { test, .. }) => {
                    entry.over_memory_limit();
                    entry.finish_test(&self.shared, self.policy.as_deref_mut(), test, None);
                }
                Ok(frame) => {
                    if let Some(load) = &mut self.load
                        && load.handle(worker, entry.slot, &frame, &self.shared)
                    {
                        // There are many, and they are not for Python.
                        continue;
                    }
                    if frame.is_failure() {
                        self.failures += 1;
                    }
                    if let (Some(policy), Some((key, seconds))) = (&mut self.policy, frame.set_up())
                        && let Some(definition) = self.definitions.get(&key)
                    {
                        policy.set_up(worker, *definition, seconds);
                    }
                    if matches!(
                        frame,
                        Frame::Message {
                            topic: Topic::Finished,
                            ..
                        }
                    ) {
                        entry.finished = true;
                    }
                }
                Err(source) => {
                    let error = EngineError::Protocol { worker, source };
                    self.batch.push(Event::Broken(worker, error.to_string()));
                    continue;
                }
            }
            frames.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
            frames.extend_from_slice(bytes);
        }
        entry.reader = reader;
        if !frames.is_empty() {
            self.batch.push(Event::Frames(worker, frames));
        }
        if self.failure_limit > 0 && self.failures >= self.failure_limit && !self.stopped {
            self.stop();
        }
        true
    }

    pub(super) fn read_records(&mut self) {
        for record in self.records.read() {
            match record {
                Record::Forked(worker, process) => {
                    self.with_worker(worker, |entry, _| entry.process = Process::open(process));
                    self.batch.push(Event::Forked(worker, process));
                }
                Record::Peak(worker, bytes) => self.with_worker(worker, |entry, _| entry.peak = bytes),
                Record::Exited(worker, status) => self.gone(worker, status),
                Record::TemplateForked(process) => {
                    self.template = Process::open(process);
                    self.batch.push(Event::TemplateForked(process));
                }
                Record::TemplateExited(status) => {
                    self.template_gone();
                    self.batch.push(Event::TemplateExited(status));
                }
            }
        }
        if self.records.fd().is_none() && self.workers.iter().any(|entry| entry.worker == TEMPLATE) {
            self.template_gone();
            while let Some(entry) = self.workers.last() {
                self.gone(entry.worker, KILLED);
            }
            self.batch.push(Event::ServerGone);
        }
    }

    /// The kernel kills the workers of a template that has exited. Early workers, which may still be collecting, are
    /// not its children.
    fn template_gone(&mut self) {
        if let Some(index) = self.workers.iter().position(|entry| entry.worker == TEMPLATE) {
            self.read_worker(index, true);
            self.workers.remove(index);
        }
        while let Some(entry) = self.workers.iter().rfind(|entry| entry.joined) {
            self.gone(entry.worker, KILLED);
        }
    }

    pub(super) fn gone(&mut self, worker: Worker, status: i64) {
        let Some(index) = self.workers.iter().position(|entry| entry.worker == worker) else {
            return;
        };
        self.read_worker(index, true);
        let entry = self.workers.remove(index);
        self.watch.remove(worker);
        let running = entry.crashed_in(self.shared.slot(entry.slot));
        self.board.lock().remove(worker);
        if let Some(test) = running
            && !self.failed.remove(&test)
        {
            self.board.lock().finish(test);
        }
        if entry.is_scheduled()
            && let Some(policy) = &mut self.policy
        {
            policy.lost(worker, running);
        }
        self.with_load(|load, shared| load.lost(worker, running, shared));
        self.free_slots.lock().push(entry.slot);
        self.batch.push(Event::Exited {
            worker,
            status,
            running,
            tried: self.shared.slot(entry.slot).tried(),
            finished: entry.finished,
            peak: entry.peak,
        });
    }
}
