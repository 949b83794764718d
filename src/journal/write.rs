//! Appending to a journal.
//!
//! The hazard it handles: a disk can be full, and a directory can be gone. The first error is kept and nothing is
//! written after it, so that the file ends with whole events and at most one that is cut. And another run can have been
//! given the same path, or make room for its own journal: who writes locks the file, and can tell it from another.

use super::event::Event;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

/// Bytes that are held back at most. A batch of the engine's events is smaller mostly.
const LARGEST: usize = 1 << 16;

/// The end of a journal that events are appended to.
#[derive(Debug, Default)]
pub struct Writer {
    file: Option<File>,
    bytes: Vec<u8>,
    error: Option<io::Error>,
    /// The first event, which tells the file from any other.
    begin: Vec<u8>,
    /// How many bytes are in the file.
    written: u64,
}

/// Whether the run that writes this journal is under way.
#[must_use]
pub fn is_written(path: &Path) -> bool {
    // Shared: whoever else asks at the same time is no writer.
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

impl Writer {
    /// Begins a new file.
    ///
    /// # Errors
    /// The system's, also when there is a file of this name.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        if cfg!(unix) {
            // Elsewhere nobody could read what is locked. A file system without locks has no better sign.
            let _locked = file.lock();
        }
        Ok(Self {
            file: Some(file),
            ..Self::default()
        })
    }

    /// Writes an event, at the latest when [`Writer::flush`] is called.
    pub fn event(&mut self, event: &Event) {
        if self.file.is_none() {
            return;
        }
        let before = self.bytes.len();
        if let Err(error) = serde_json::to_writer(&mut self.bytes, event) {
            self.bytes.truncate(before);
            self.fail(error.into());
            return;
        }
        self.bytes.push(b'\n');
        if self.begin.is_empty() {
            self.begin.clone_from(&self.bytes);
        }
        if self.bytes.len() > LARGEST {
            self.flush();
        }
    }

    /// Hands everything to the system: from then on it outlives this process.
    pub fn flush(&mut self) {
        let Some(file) = &mut self.file else {
            return;
        };
        match file.write_all(&self.bytes) {
            Ok(()) => self.written += self.bytes.len() as u64,
            Err(error) => self.fail(error),
        }
        self.bytes.clear();
    }

    /// Whether what stands at `path` is what was written here, all of it and nothing else.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        let is_as_long = fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() == self.written);
        let mut begin = vec![0; self.begin.len()];
        let mut read = || File::open(path)?.read_exact(&mut begin);
        self.file.is_some() && is_as_long && read().is_ok() && begin == self.begin
    }

    /// What went wrong, once.
    pub fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    fn fail(&mut self, error: io::Error) {
        self.file = None;
        self.bytes.clear();
        self.error = Some(error);
    }
}
