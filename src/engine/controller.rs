//! The controller's end: one I/O thread that reads frames, drives the policy and hands events to Python in batches.
//!
//! The hazard it handles: Python is slow and holds a lock. The thread never waits for Python and never touches it, so a
//! busy terminal or a slow hook leaves no worker idle. It is the only thread of the project, and it is started after
//! the fork server exists: no process is ever forked from one that has it.

use super::EngineError;
use super::news::{Command, Event, TEMPLATE};
use super::os::{Read, read_some, set_nonblocking, wait_readable};
use super::shared::{SLOTS, Shared, TEMPLATE_SLOT};
use super::table::Entry;
use super::worker::wake;
use crate::protocol::frame::{Frame, Topic};
use crate::protocol::report::Outcome;
use crate::protocol::value::Value;
use crate::protocol::wire::Reader;
use crate::schedule::{Action, Definition, Policy, Worker};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the rings are looked at while frames arrive. A queue of 2,048 tests and a ring of 350 tests' frames last
/// longer than this for any test that pytest can run (0.1 ms and more each).
const SHORTEST_LOOK: Duration = Duration::from_millis(5);

/// How often when nothing arrives. What a person sees is at most this old.
const LONGEST_LOOK: Duration = Duration::from_millis(40);

/// Bytes of events that Python may be behind before rings are no longer emptied, which in turn holds the workers.
const MOST_BEHIND: usize = 64 << 20;

/// The status of a process that the kernel has killed with its parent.
const KILLED: i64 = -9;

/// A record on the control socket, as `forking.py` writes it: kind, worker, value.
const RECORD: usize = 16;

/// Python's handle on the I/O thread.
pub struct Engine {
    shared: Arc<Shared>,
    free_slots: Arc<Mutex<Vec<usize>>>,
    commands: Option<Sender<Command>>,
    events: Receiver<Vec<Event>>,
    behind: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the thread. `control` is the controller's end of the control socket, `output` the reading end of the pipe
    /// that will be the template's standard output, if there will be one.
    ///
    /// # Errors
    /// [`EngineError::Os`].
    pub fn start(
        shared: Arc<Shared>,
        control: OwnedFd,
        output: Option<OwnedFd>,
    ) -> Result<Self, EngineError> {
        set_nonblocking(control.as_fd())?;
        if let Some(output) = &output {
            set_nonblocking(output.as_fd())?;
        }
        let (commands, inbox) = unbounded();
        let (outbox, events) = unbounded();
        let free_slots = Arc::new(Mutex::new((1..SLOTS).rev().collect()));
        let behind = Arc::new(AtomicUsize::new(0));
        let state = Loop {
            shared: Arc::clone(&shared),
            free_slots: Arc::clone(&free_slots),
            control: Some(control),
            records: Vec::new(),
            inbox,
            outbox,
            behind: Arc::clone(&behind),
            workers: vec![Entry::new(TEMPLATE, TEMPLATE_SLOT, output)],
            policy: None,
            definitions: HashMap::new(),
            failures: 0,
            failure_limit: 0,
            stopped: false,
            batch: Vec::new(),
            begun: Instant::now(),
        };
        let thread = std::thread::Builder::new()
            .name("rustpar-engine".to_owned())
            .spawn(move || state.run())
            .map_err(|source| EngineError::Os {
                what: "start the engine's thread",
                source,
            })?;
        Ok(Self {
            shared,
            free_slots,
            commands: Some(commands),
            events,
            behind,
            thread: Some(thread),
        })
    }

    /// Registers a worker that is about to be forked and returns its slot; `output` is the reading end of the pipe that
    /// will be its standard output.
    ///
    /// # Errors
    /// [`EngineError`] when there is no slot, or the engine has stopped.
    pub fn add_worker(&self, worker: Worker, output: OwnedFd) -> Result<usize, EngineError> {
        set_nonblocking(output.as_fd())?;
        let slot = self
            .free_slots
            .lock()
            .pop()
            .ok_or(EngineError::TooManyWorkers(SLOTS - 1))?;
        self.shared.slot(slot).clear();
        self.send(Command::Add(Entry::new(worker, slot, Some(output))))?;
        Ok(slot)
    }

    /// Sends a command.
    ///
    /// # Errors
    /// [`EngineError::Stopped`].
    pub fn send(&self, command: Command) -> Result<(), EngineError> {
        let sender = self.commands.as_ref().ok_or(EngineError::Stopped)?;
        sender.send(command).map_err(|_| EngineError::Stopped)?;
        self.shared.bell.ring();
        Ok(())
    }

    /// The next batch of events; empty when none came within `limit`.
    ///
    /// # Errors
    /// [`EngineError::Stopped`] when none can come any more.
    pub fn events(&self, limit: Duration) -> Result<Vec<Event>, EngineError> {
        match self.events.recv_timeout(limit) {
            Ok(batch) => {
                let bytes = batch.iter().map(Event::bytes).sum();
                self.behind.fetch_sub(bytes, Ordering::Relaxed);
                Ok(batch)
            }
            Err(RecvTimeoutError::Timeout) => Ok(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => Err(EngineError::Stopped),
        }
    }

    /// Ends the thread and waits for it; it ends within one look.
    pub fn shut_down(&mut self) {
        self.commands = None;
        self.shared.bell.ring();
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shut_down();
    }
}

struct Loop {
    shared: Arc<Shared>,
    free_slots: Arc<Mutex<Vec<usize>>>,
    control: Option<OwnedFd>,
    records: Vec<u8>,
    inbox: Receiver<Command>,
    outbox: Sender<Vec<Event>>,
    behind: Arc<AtomicUsize>,
    workers: Vec<Entry>,
    policy: Option<Box<dyn Policy>>,
    /// Definitions of shared fixtures, by the keys under which workers tell of them.
    definitions: HashMap<String, Definition>,
    failures: usize,
    failure_limit: usize,
    stopped: bool,
    batch: Vec<Event>,
    begun: Instant,
}

impl Loop {
    fn run(mut self) {
        let mut look = SHORTEST_LOOK;
        loop {
            self.wait(look);
            self.shared.bell.hush();
            if !self.obey() {
                return;
            }
            let arrived = self.read_workers();
            self.read_control();
            self.schedule();
            let busy = arrived || !self.batch.is_empty();
            look = if busy {
                SHORTEST_LOOK
            } else {
                (look * 2).min(LONGEST_LOOK)
            };
            if !self.batch.is_empty() {
                let bytes = self.batch.iter().map(Event::bytes).sum();
                self.behind.fetch_add(bytes, Ordering::Relaxed);
                if self.outbox.send(std::mem::take(&mut self.batch)).is_err() {
                    return;
                }
            }
        }
    }

    fn wait(&self, limit: Duration) {
        let mut fds = vec![self.shared.bell.as_fd()];
        fds.extend(self.control.as_ref().map(AsFd::as_fd));
        fds.extend(self.workers.iter().filter_map(Entry::output_fd));
        wait_readable(&fds, limit);
    }

    /// Carries out what Python asked for; false when Python has let go of the engine.
    fn obey(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(command) => self.carry_out(command),
                Err(crossbeam_channel::TryRecvError::Empty) => return true,
                Err(crossbeam_channel::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Add(mut entry) => {
                if self.stopped {
                    entry.stop(&self.shared);
                }
                self.workers.push(entry);
            }
            Command::Join(worker) => {
                if let Some(entry) = self.workers.iter_mut().find(|entry| entry.worker == worker) {
                    entry.joined = true;
                    if let Some(policy) = &mut self.policy {
                        policy.add_worker(worker);
                    }
                }
            }
            Command::Schedule(mut policy, definitions) => {
                self.definitions = definitions;
                for entry in self.workers.iter().filter(|entry| entry.joined) {
                    policy.add_worker(entry.worker);
                }
                self.policy = Some(policy);
            }
            Command::Assign(worker, tests) => {
                self.with_worker(worker, |entry, shared| entry.assign(shared, tests));
            }
            Command::Steal(worker, tests) => {
                let mut found = false;
                self.with_worker(worker, |entry, shared| found = entry.steal(shared, &tests));
                self.batch
                    .push(Event::Unscheduled(worker, if found { tests } else { Vec::new() }));
            }
            Command::Close(worker) => self.with_worker(worker, Entry::close),
            Command::Again(test) => {
                if let Some(policy) = &mut self.policy {
                    policy.again(test);
                }
            }
            Command::FailureLimit(limit) => self.failure_limit = limit,
            Command::Stop => self.stop(),
        }
    }

    fn with_worker(&mut self, worker: Worker, act: impl FnOnce(&mut Entry, &Shared)) {
        if let Some(entry) = self.workers.iter_mut().find(|entry| entry.worker == worker) {
            act(entry, &self.shared);
        }
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.policy = None;
        for entry in self.workers.iter_mut().filter(|entry| entry.worker != TEMPLATE) {
            entry.stop(&self.shared);
        }
    }

    fn read_workers(&mut self) -> bool {
        let mut arrived = false;
        for index in 0..self.workers.len() {
            arrived |= self.read_worker(index, false);
        }
        arrived
    }

    /// Reads what a worker has printed and sent; everything when it is `gone`.
    fn read_worker(&mut self, index: usize, gone: bool) -> bool {
        let entry = &mut self.workers[index];
        let worker = entry.worker;
        if let Some(text) = entry.read_output(gone) {
            self.batch.push(Event::Output(worker, text));
        }
        let slot = self.shared.slot(entry.slot);
        if slot.ring().is_empty() || (!gone && self.behind.load(Ordering::Relaxed) > MOST_BEHIND) {
            return false;
        }
        let mut frames = Vec::new();
        let mut reader = std::mem::take(&mut entry.reader);
        while !slot.ring().is_empty() {
            reader.fill(&slot.ring());
            if slot.ring_waiting().is_set() {
                wake(slot);
            }
            while let Some(bytes) = reader.next_frame() {
                match Frame::decode(bytes) {
                    Ok(Frame::Done { test, duration }) => {
                        if entry.done(test)
                            && let Some(policy) = &mut self.policy
                        {
                            policy.finished(worker, test, duration);
                        }
                    }
                    Ok(frame) => {
                        if fails(&frame) {
                            self.failures += 1;
                        }
                        if let (Some(policy), Some((definition, seconds))) =
                            (&mut self.policy, set_up(&frame, &self.definitions))
                        {
                            policy.set_up(worker, definition, seconds);
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
        }
        entry.reader = reader;
        self.batch.push(Event::Frames(worker, frames));
        if self.failure_limit > 0 && self.failures >= self.failure_limit && !self.stopped {
            self.stop();
        }
        true
    }

    fn read_control(&mut self) {
        let mut buffer = [0; 1024];
        while let Some(control) = &self.control {
            match read_some(control.as_fd(), &mut buffer) {
                Read::Bytes(count) => self.records.extend_from_slice(&buffer[..count]),
                Read::Nothing => break,
                Read::End => self.control = None,
            }
        }
        let records = std::mem::take(&mut self.records);
        let (whole, rest) = records.as_chunks::<RECORD>();
        self.records = rest.to_vec();
        for record in whole {
            self.note(record);
        }
        if self.control.is_none() && self.workers.iter().any(|entry| entry.worker == TEMPLATE) {
            self.template_gone();
            while let Some(entry) = self.workers.last() {
                self.gone(entry.worker, KILLED);
            }
            self.batch.push(Event::ServerGone);
        }
    }

    fn note(&mut self, record: &[u8; RECORD]) {
        let number =
            |at: usize| u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
        let (kind, worker) = (number(0), number(4));
        let value = (i64::from(number(12)) << 32) | i64::from(number(8));
        match kind {
            1 => self.batch.push(Event::Forked(worker, value)),
            2 => self.gone(worker, value),
            3 => self.batch.push(Event::TemplateForked(value)),
            4 => {
                self.template_gone();
                self.batch.push(Event::TemplateExited(value));
            }
            _ => {}
        }
    }

    /// The kernel kills the workers of a template that is gone. Early workers, which may still collect beside a template,
    /// are not its children.
    fn template_gone(&mut self) {
        if let Some(index) = self.workers.iter().position(|entry| entry.worker == TEMPLATE) {
            self.read_worker(index, true);
            self.workers.remove(index);
        }
        while let Some(entry) = self.workers.iter().rfind(|entry| entry.joined) {
            self.gone(entry.worker, KILLED);
        }
    }

    fn gone(&mut self, worker: Worker, status: i64) {
        let Some(index) = self.workers.iter().position(|entry| entry.worker == worker) else {
            return;
        };
        self.read_worker(index, true);
        let entry = self.workers.remove(index);
        let running = entry.died_in(self.shared.slot(entry.slot));
        if entry.joined
            && let Some(policy) = &mut self.policy
        {
            policy.lost(worker, running);
        }
        self.free_slots.lock().push(entry.slot);
        self.batch.push(Event::Exited {
            worker,
            status,
            running,
            finished: entry.finished,
        });
    }

    /// Asks the policy for every worker that could take more, until nothing changes.
    fn schedule(&mut self) {
        for entry in &mut self.workers {
            entry.refill(&self.shared);
        }
        let Some(mut policy) = self.policy.take() else {
            return;
        };
        let mut actions = Vec::new();
        let mut changed = true;
        let now = Instant::now();
        while changed {
            changed = false;
            for index in 0..self.workers.len() {
                let entry = &mut self.workers[index];
                if !entry.joined {
                    continue;
                }
                let Some(demand) = entry.demand(self.shared.slot(entry.slot), self.begun, now) else {
                    continue;
                };
                policy.demand(demand, &mut actions);
                changed |= !actions.is_empty();
                for action in actions.drain(..) {
                    self.act(action, policy.as_mut());
                }
            }
        }
        self.policy = Some(policy);
    }

    fn act(&mut self, action: Action, policy: &mut dyn Policy) {
        match action {
            Action::Assign { worker, tests } => {
                self.with_worker(worker, |entry, shared| entry.assign(shared, tests));
            }
            Action::TakeBack { worker, count, whole } => {
                let mut taken = Vec::new();
                self.with_worker(worker, |entry, shared| {
                    taken = entry.take_back(shared, count, whole);
                });
                policy.returned(worker, &taken);
            }
            Action::Rest { worker } => self.with_worker(worker, Entry::rest),
            Action::Close { worker } => self.with_worker(worker, Entry::close),
        }
    }
}

fn fails(frame: &Frame<'_>) -> bool {
    match frame {
        Frame::Plain(report) => report.outcome == Outcome::Failed,
        Frame::Report { failed, .. } => *failed,
        _ => false,
    }
}

/// The shared fixture that a frame tells of, and the seconds that its set-up took.
fn set_up(frame: &Frame<'_>, definitions: &HashMap<String, Definition>) -> Option<(Definition, f64)> {
    let Frame::Message {
        topic: Topic::Fixture,
        body,
    } = frame
    else {
        return None;
    };
    let Ok(Value::Tuple(about)) = Value::decode(&mut Reader::new(body)) else {
        return None;
    };
    match about.as_slice() {
        [_, Value::Str(key), Value::Float(seconds)] => Some((*definitions.get(key)?, *seconds)),
        _ => None,
    }
}
