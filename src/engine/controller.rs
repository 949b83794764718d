//! Python's handle on the engine's thread: commands in, events out.
//!
//! The hazard it handles: Python may let go of the engine at any moment, and the thread may have ended for reasons of its
//! own. Neither waits for the other for ever.

use super::EngineError;
use super::board::Board;
use super::messages::{Command, Event};
use super::records::Records;
use super::shared::{SLOTS, Shared};
use super::table::Entry;
use super::thread::Loop;
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
    behind: Arc<AtomicUsize>,
    board: Arc<Mutex<Board>>,
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
        if let Some(output) = &output {
            set_nonblocking(output.as_fd())?;
        }
        let (commands, inbox) = unbounded();
        let (outbox, events) = unbounded();
        let free_slots = Arc::new(Mutex::new((1..SLOTS).rev().collect()));
        let behind = Arc::new(AtomicUsize::new(0));
        let board = Arc::new(Mutex::new(Board::new(Instant::now())));
        let state = Loop::new(
            Arc::clone(&shared),
            Arc::clone(&free_slots),
            Records::new(control)?,
            (inbox, outbox, Arc::clone(&behind)),
            Arc::clone(&board),
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
            behind,
            board,
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
        self.shared.wakeup.signal();
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

    /// How far the run is, as of the last look.
    #[must_use]
    pub fn board(&self) -> Board {
        self.board.lock().clone()
    }

    /// Ends the thread and waits for it; it ends within one look.
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
