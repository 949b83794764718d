//! The engine's thread: it reads frames, drives the policy and makes batches of events for Python.
//!
//! The hazard it handles: Python is slow and holds a lock. The thread never waits for Python and never calls it, so
//! that a busy terminal or a slow hook leaves no worker idle. It is the project's only thread, and it is started after
//! the fork server was forked: no process is ever forked from a process that has it.

mod reading;
mod scheduling;

use super::EngineError;
use super::limits::Watch;
use super::load_run::LoadRun;
use super::messages::{Command, Event, TEMPLATE};
use super::progress::Board;
use super::records::Records;
use super::shared::{Shared, TEMPLATE_SLOT};
use super::watchdog::Watchdog;
use super::worker_records::Entry;
use crate::platform::os::{Process, wait_readable};
use crate::schedule::policy::{Definition, Policy, Test, Worker};
use crossbeam_channel::{Receiver, Sender};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Polling interval while frames arrive. A queue of 2,048 tests and a ring with the frames of 350 tests last longer
/// than this for any test that pytest can run (0.1 ms and more each).
const BUSY_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Polling interval when nothing arrives. Status displays are at most this old.
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(40);

/// A longer pause of this thread means that the process was stopped.
const STOPPED: Duration = Duration::from_secs(1);

/// Bytes of events that Python may lag behind before the rings are no longer read, which blocks the workers.
const MAX_BACKLOG: usize = 64 << 20;

/// The exit status of a process that the kernel killed together with its parent.
const KILLED: i64 = -9;

/// State of the thread.
pub(super) struct Loop {
    shared: Arc<Shared>,
    free_slots: Arc<Mutex<Vec<usize>>>,
    records: Records,
    inbox: Receiver<Command>,
    outbox: Sender<Vec<Event>>,
    backlog: Arc<AtomicUsize>,
    board: Arc<Mutex<Board>>,
    workers: Vec<Entry>,
    policy: Option<Box<dyn Policy>>,
    /// Definitions of shared fixtures, by the keys in the workers' messages.
    definitions: HashMap<String, Definition>,
    /// How often tests were tried, of those that are tried again.
    tried: HashMap<Test, u32>,
    /// The same of those that the replacement of a worker tries again, with the first of the workers that replaced one
    /// another.
    tried_by: HashMap<(Worker, Test), u32>,
    /// Running tests that have failed and are to be tried again.
    failed: HashSet<Test>,
    failures: usize,
    failure_limit: usize,
    stopped: bool,
    /// The load tests, if tests are run as such.
    load: Option<Box<LoadRun>>,
    watch: Watch,
    watchdog: Watchdog,
    /// The template; a worker that was not forked is the one that it has become.
    template: Option<Process>,
    batch: Vec<Event>,
    begun: Instant,
    /// When this thread last woke up.
    woken: Instant,
}

impl Loop {
    /// Creates the state of a thread that is not started. `channels` are the receiver of commands, the sender of
    /// events, and the number of bytes of events that Python has not processed; progress is written to `board`;
    /// `watchdog` watches the controller; `output` is the reading end of the template's standard output.
    pub(super) fn new(
        shared: Arc<Shared>,
        free_slots: Arc<Mutex<Vec<usize>>>,
        records: Records,
        channels: (Receiver<Command>, Sender<Vec<Event>>, Arc<AtomicUsize>),
        board: Arc<Mutex<Board>>,
        watchdog: Watchdog,
        output: Option<OwnedFd>,
    ) -> Self {
        let (inbox, outbox, backlog) = channels;
        Self {
            shared,
            free_slots,
            records,
            inbox,
            outbox,
            backlog,
            board,
            workers: vec![Entry::new(TEMPLATE, TEMPLATE_SLOT, output)],
            policy: None,
            definitions: HashMap::new(),
            tried: HashMap::new(),
            tried_by: HashMap::new(),
            failed: HashSet::new(),
            failures: 0,
            failure_limit: 0,
            stopped: false,
            load: None,
            watch: Watch::default(),
            watchdog,
            template: None,
            batch: Vec::new(),
            begun: Instant::now(),
            woken: Instant::now(),
        }
    }

    /// Runs until Python drops the engine.
    pub(super) fn run(mut self) {
        let mut interval = BUSY_POLL_INTERVAL;
        loop {
            self.wait(interval);
            self.skip_stopped_time();
            self.shared.wakeup.clear();
            if !self.process_commands() {
                return;
            }
            let arrived = self.read_workers();
            self.read_records();
            self.schedule();
            self.note_running();
            self.tick_load();
            self.end_overdue();
            self.watchdog.look();
            let busy = arrived || !self.batch.is_empty();
            interval = if busy {
                BUSY_POLL_INTERVAL
            } else {
                (interval * 2).min(IDLE_POLL_INTERVAL)
            };
            if let Some(tick) = self.load.as_ref().and_then(|load| load.until_tick()) {
                // Samples are small and many, and a second has to end in time.
                interval = interval.min(BUSY_POLL_INTERVAL).min(tick);
            }
            if !self.batch.is_empty() {
                let bytes = self.batch.iter().map(Event::bytes).sum();
                self.backlog.fetch_add(bytes, Ordering::Relaxed);
                if self.outbox.send(std::mem::take(&mut self.batch)).is_err() {
                    return;
                }
            }
        }
    }

    /// Does not count the time of a Ctrl-Z, which stops the workers, too, nor that in which a debugger has stopped a
    /// test.
    fn skip_stopped_time(&mut self) {
        let now = Instant::now();
        let gap = now.duration_since(self.woken);
        if gap > STOPPED || self.shared.slot(TEMPLATE_SLOT).paused().is_set() {
            self.board.lock().skip(gap);
        }
        self.woken = now;
    }

    fn wait(&self, limit: Duration) {
        let mut fds = vec![self.shared.wakeup.as_fd()];
        fds.extend(self.records.fd());
        fds.extend(self.workers.iter().filter_map(Entry::output_fd));
        wait_readable(&fds, limit);
    }

    /// Executes the pending commands; returns false if Python has dropped the engine.
    fn process_commands(&mut self) -> bool {
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
            Command::Join(worker, first) => {
                if let Some(entry) = self.workers.iter_mut().find(|entry| entry.worker == worker) {
                    (entry.joined, entry.first) = (true, first);
                    if let Some(policy) = &mut self.policy {
                        entry.join(policy.as_mut());
                    }
                }
            }
            Command::Schedule(mut policy, definitions) => {
                self.definitions = definitions;
                for entry in self.workers.iter().filter(|entry| entry.joined) {
                    entry.join(policy.as_mut());
                }
                let takes_retries = policy.takes_retries();
                self.shared.slot(TEMPLATE_SLOT).takes_retries().set(takes_retries);
                self.policy = Some(policy);
            }
            Command::SetExpected(seconds, times) => {
                self.board.lock().set_expected(&seconds, times, Instant::now());
            }
            Command::Assign(worker, tests) => {
                self.assign(worker, tests);
            }
            Command::Steal(worker, tests) => {
                let mut found = false;
                self.with_worker(worker, |entry, shared| found = entry.steal(shared, &tests));
                self.batch
                    .push(Event::Unscheduled(worker, if found { tests } else { Vec::new() }));
            }
            Command::Close(worker) => self.with_worker(worker, Entry::close),
            Command::RunAgain(test) => {
                self.board.lock().rerun(test);
                if let Some(policy) = &mut self.policy {
                    policy.run_again(test);
                }
            }
            Command::Retry(worker, test, tried, delay) => {
                self.board.lock().rerun(test);
                self.tried.insert(test, tried);
                if let Some(policy) = &mut self.policy {
                    policy.retry(worker, test, delay);
                }
            }
            Command::RetryInReplacement(first, test, tried) => {
                self.board.lock().rerun(test);
                self.tried_by.insert((first, test), tried);
                if let Some(policy) = &mut self.policy {
                    policy.retry_in_replacement(first, test);
                }
            }
            Command::Settle(test) => {
                if let Some(policy) = &mut self.policy {
                    policy.settle(test);
                }
            }
            Command::FailureLimit(limit) => self.failure_limit = limit,
            Command::TimeLimits(limits) => self.watch.set(limits),
            Command::Watch(settings) => self.watchdog.set(settings),
            Command::Load(load) => self.load = Some(load),
            Command::DecideGenerator { worker, is_replaced } => {
                self.with_load(|load, shared| load.decide(worker, is_replaced, shared));
            }
            Command::Stop => self.stop(),
        }
    }

    fn assign(&mut self, worker: Worker, tests: Vec<Test>) {
        if let Some(entry) = self.workers.iter_mut().find(|entry| entry.worker == worker) {
            let (tried, tried_by, first) = (&self.tried, &self.tried_by, entry.first);
            entry.set_tried(&tests, |test| {
                tried.get(&test).or_else(|| tried_by.get(&(first, test))).copied()
            });
            entry.assign(&self.shared, tests);
        }
    }

    fn with_worker(&mut self, worker: Worker, act: impl FnOnce(&mut Entry, &Shared)) {
        if let Some(entry) = self.workers.iter_mut().find(|entry| entry.worker == worker) {
            act(entry, &self.shared);
        }
    }

    /// Ends the seconds of load tests that are over, and passes on what they have to say.
    fn tick_load(&mut self) {
        self.with_load(LoadRun::tick);
        if let Some(load) = &mut self.load {
            self.batch.extend(load.take_events().into_iter().map(Event::Load));
            self.board.lock().load = load.status();
        }
    }

    fn with_load(&mut self, act: impl FnOnce(&mut LoadRun, &Shared)) {
        if let Some(load) = &mut self.load {
            act(load, &self.shared);
        }
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.policy = None;
        self.with_load(LoadRun::stop);
        for entry in self.workers.iter_mut().filter(|entry| entry.worker != TEMPLATE) {
            entry.stop(&self.shared);
        }
    }

    /// Updates the board with the test that each worker is running.
    fn note_running(&self) {
        let now = Instant::now();
        let mut board = self.board.lock();
        for entry in self.workers.iter().filter(|entry| entry.joined) {
            let slot = self.shared.slot(entry.slot);
            board.set_running(entry.worker, slot.running(), slot.tried(), now);
        }
    }

    /// Ends the workers whose tests have exceeded their time limits.
    fn end_overdue(&mut self) {
        let (workers, template) = (&self.workers, self.template.as_ref());
        let process_of = |worker| {
            let entry = workers.iter().find(|entry| entry.worker == worker)?;
            entry.process.as_ref().or(template)
        };
        let forked_of = |worker| {
            let entry = workers.iter().find(|entry| entry.worker == worker)?;
            let slot = self.shared.slot(entry.slot);
            let process = Process::open(slot.forked()?)?;
            slot.timed_out().set(true);
            Some(process)
        };
        let (aborted, given_up) = self.watch.end_overdue(&self.board.lock(), process_of, forked_of);
        let aborted = aborted.into_iter();
        self.batch
            .extend(aborted.map(|(worker, test, limit)| Event::TimedOut(worker, test, limit.as_secs_f64())));
        for worker in given_up {
            self.gone(worker, KILLED);
        }
    }
}
