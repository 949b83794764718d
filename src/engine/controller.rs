//! Python's handle on the engine's thread: commands in, events out.
//!
//! The hazard it handles: Python may drop the engine at any moment, and the thread may have ended on its own. Neither
//! side waits for the other without a time limit.

use super::EngineError;
use super::messages::{Command, Event};
use super::progress::Board;
use super::records::Records;
use super::shared::{SLOTS, Shared};
use super::thread::Loop;
use super::watchdog::{Activity, Watchdog};
use super::worker_records::Entry;
use crate::platform::os::{OsError, set_nonblocking};
use crate::schedule::policy::Worker;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use parking_lot::Mutex;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Python's handle on the I/O thread.
pub struct Engine {
    shared: Arc<Shared>,
    free_slots: Arc<Mutex<Vec<usize>>>,
    commands: Option<Sender<Command>>,
    events: Receiver<Vec<Event>>,
    backlog: Arc<AtomicUsize>,
    board: Arc<Mutex<Board>>,
    activity: Activity,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the thread. `control` is the controller's end of the control socket; `output` is the reading end of the
    /// template's standard output, if there will be a template.
    ///
    /// # Errors
    /// [`EngineError::Os`].
    pub fn start(
        shared: Arc<Shared>,
        control: OwnedFd,
        output: Option<OwnedFd>,
    ) -> Result<Self, EngineError> {
        if let Some(output) = &output {
            set_nonblocking(output.as_fd())?;
        }
        let (commands, inbox) = unbounded();
        let (outbox, events) = unbounded();
        let free_slots = Arc::new(Mutex::new((1..SLOTS).rev().collect()));
        let backlog = Arc::new(AtomicUsize::new(0));
        let board = Arc::new(Mutex::new(Board::new(Instant::now())));
        let activity = Activity::new();
        let state = Loop::new(
            Arc::clone(&shared),
            Arc::clone(&free_slots),
            Records::new(control)?,
            (inbox, outbox, Arc::clone(&backlog)),
            Arc::clone(&board),
            Watchdog::new(activity.clone()),
            output,
        );
        let thread = std::thread::Builder::new()
            .name("rustpar-engine".to_owned())
            .spawn(move || state.run())
            .map_err(|source| OsError {
                what: "start the engine's thread",
                source,
            })?;
        Ok(Self {
            shared,
            free_slots,
            commands: Some(commands),
            events,
            backlog,
            board,
            activity,
            thread: Some(thread),
        })
    }

    /// Registers a worker that is about to be forked and returns its slot; `output` is the reading end of its standard
    /// output.
    ///
    /// # Errors
    /// [`EngineError`] if no slot is free or the engine has stopped.
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
        self.shared.wakeup.signal();
        Ok(())
    }

    /// Waits for the next batch of events; empty if none arrived within `limit`.
    ///
    /// # Errors
    /// [`EngineError::Stopped`] if no more events can arrive.
    pub fn events(&self, limit: Duration) -> Result<Vec<Event>, EngineError> {
        self.activity.change();
        let batch = self.events.recv_timeout(limit);
        self.activity.change();
        match batch {
            Ok(batch) => {
                let bytes = batch.iter().map(Event::bytes).sum();
                self.backlog.fetch_sub(bytes, Ordering::Relaxed);
                Ok(batch)
            }
            Err(RecvTimeoutError::Timeout) => Ok(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => Err(EngineError::Stopped),
        }
    }

    /// Progress of the run as of the last polling.
    #[must_use]
    pub fn board(&self) -> Board {
        self.board.lock().clone()
    }

    /// Stops the thread and waits for it; it ends within one polling interval.
    pub fn shut_down(&mut self) {
        self.commands = None;
        self.shared.wakeup.signal();
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
