//! Appending to a journal.
//!
//! The hazard it handles: a disk can be full, and a directory can be deleted. The first error is kept and nothing is
//! written after it, so that the file ends with complete events and at most one partial line. Another run may also use
//! the same path, or delete old journals to make room: a writer locks its file and checks that the path still refers to
//! it.

use super::event::Event;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

/// Maximum number of buffered bytes. Most batches of engine events are smaller.
const BUFFER_SIZE: usize = 1 << 16;

/// Appends events to a journal.
#[derive(Debug, Default)]
pub struct Writer {
    file: Option<File>,
    bytes: Vec<u8>,
    error: Option<io::Error>,
    /// The first event, which identifies the file.
    begin: Vec<u8>,
    /// Number of bytes written to the file.
    written: u64,
}

/// Whether a run is still writing this journal.
#[must_use]
pub fn is_written(path: &Path) -> bool {
    // A shared lock: other readers may hold one at the same time, only the writer's lock is exclusive.
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

impl Writer {
    /// Creates a new file.
    ///
    /// # Errors
    /// The system's error, also if the file exists.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        if cfg!(unix) {
            // On Windows, others could not read a locked file. File systems without locks offer no better sign of a
            // running writer.
            let _locked = file.lock();
        }
        Ok(Self {
            file: Some(file),
            ..Self::default()
        })
    }

    /// Buffers an event; [`Writer::flush`] writes it at the latest.
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
        if self.bytes.len() > BUFFER_SIZE {
            self.flush();
        }
    }

    /// Writes all buffered events to the file, so that they survive a crash of this process.
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

    /// Whether the file at `path` contains exactly what this writer wrote.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        let is_as_long = fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() == self.written);
        let mut begin = vec![0; self.begin.len()];
        let mut read = || File::open(path)?.read_exact(&mut begin);
        self.file.is_some() && is_as_long && read().is_ok() && begin == self.begin
    }

    /// Returns the first error, once.
    pub fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    fn fail(&mut self, error: io::Error) {
        self.file = None;
        self.bytes.clear();
        self.error = Some(error);
    }
}
