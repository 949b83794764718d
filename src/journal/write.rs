//! Appending to a journal.
//!
//! The hazard it handles: a disk can be full, and a directory can be gone. The first error is kept and nothing is
//! written after it, so that the file ends with whole events and at most one that is cut.

use super::event::Event;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Bytes that are held back at most. A batch of the engine's events is smaller mostly.
const LARGEST: usize = 1 << 16;

/// The end of a journal that events are appended to.
#[derive(Debug, Default)]
pub struct Writer {
    file: Option<File>,
    bytes: Vec<u8>,
    error: Option<io::Error>,
}

impl Writer {
    /// Begins a new file.
    ///
    /// # Errors
    /// The system's, also when there is a file of this name.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
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
        if self.bytes.len() > LARGEST {
            self.flush();
        }
    }

    /// Hands everything to the system: from then on it outlives this process.
    pub fn flush(&mut self) {
        let Some(file) = &mut self.file else {
            return;
        };
        let written = file.write_all(&self.bytes);
        self.bytes.clear();
        if let Err(error) = written {
            self.fail(error);
        }
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
