//! Output of commands.
//!
//! The hazard it handles: a write can block while the reader of a pipe is slow, and Ctrl-C must end it. The standard
//! library retries a write to standard output after a signal, so this module writes to a descriptor of its own, and
//! asks the [`Host`] after each signal whether to stop.

use super::error::Error;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Write};

/// Maximum number of buffered bytes, so that a table does not take a system call for each line.
const BUFFER_SIZE: usize = 1 << 16;

/// A standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Errors,
}

/// The process in which a command runs.
pub trait Host {
    /// Encodes a text for a stream; characters that the encoding lacks are escaped.
    fn encode(&self, text: &str, stream: Stream) -> Vec<u8>;

    /// Whether a signal has interrupted the command; called when one may have arrived.
    fn is_interrupted(&self) -> bool;

    /// The Python interpreter of this process.
    fn python(&self) -> &OsStr;
}

/// The output streams of a command.
pub(super) struct Console<'a> {
    command: &'a str,
    host: &'a dyn Host,
    output: &'a mut dyn Write,
    errors: &'a mut dyn Write,
    pending: Vec<u8>,
}

/// Opens standard output, unbuffered.
#[cfg(unix)]
pub(super) fn standard_output() -> io::Result<Box<dyn Write>> {
    use std::os::fd::AsFd;
    let descriptor = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(Box::new(File::from(descriptor)))
}

/// Opens standard output.
#[cfg(not(unix))]
pub(super) fn standard_output() -> io::Result<Box<dyn Write>> {
    Ok(Box::new(io::stdout().lock()))
}

impl<'a> Console<'a> {
    /// Creates the console of a command.
    pub(super) fn new(
        command: &'a str,
        host: &'a dyn Host,
        output: &'a mut dyn Write,
        errors: &'a mut dyn Write,
    ) -> Self {
        Self {
            command,
            host,
            output,
            errors,
            pending: Vec::new(),
        }
    }

    /// The name of the command.
    pub(super) fn command(&self) -> &str {
        self.command
    }

    /// The Python interpreter of this process.
    pub(super) fn python(&self) -> &OsStr {
        self.host.python()
    }

    /// Whether a signal has interrupted the command; called when one may have arrived.
    pub(super) fn is_interrupted(&self) -> bool {
        self.host.is_interrupted()
    }

    /// Prints a text.
    pub(super) fn print(&mut self, text: &str) -> Result<(), Error> {
        let bytes = self.host.encode(text, Stream::Output);
        self.bytes(&bytes)
    }

    /// Prints a line.
    pub(super) fn line(&mut self, line: &str) -> Result<(), Error> {
        self.print(line)?;
        self.bytes(b"\n")
    }

    /// Writes bytes to standard output as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() > BUFFER_SIZE {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes the buffered bytes.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let pending = std::mem::take(&mut self.pending);
        write_all(self.output, &pending, self.host, Error::Output)
    }

    /// Writes bytes to a file or a pipe.
    pub(super) fn write_to(
        &self,
        mut file: File,
        bytes: &[u8],
        error: impl FnOnce(io::Error) -> Error,
    ) -> Result<(), Error> {
        write_all(&mut file, bytes, self.host, error)
    }

    /// Prints a warning about something that is left out. An error of standard error is ignored.
    pub(super) fn warn(&mut self, problem: &Error) {
        let line = format!("rustpar {}: {problem}\n", self.command);
        let _written = self.errors.write_all(&self.host.encode(&line, Stream::Errors));
    }

    /// Prints why the command failed, after its buffered output.
    pub(super) fn give_up(&mut self, problem: &Error) {
        // The command has failed already: ignore a second error.
        let _written = self.flush();
        self.warn(problem);
    }
}

fn write_all(
    to: &mut dyn Write,
    mut bytes: &[u8],
    host: &dyn Host,
    error: impl FnOnce(io::Error) -> Error,
) -> Result<(), Error> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(error(ErrorKind::WriteZero.into())),
            Ok(count) => bytes = &bytes[count..],
            Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
            Err(problem) => return Err(error(problem)),
        }
        // A signal also interrupts a write that was partly done.
        if !bytes.is_empty() && host.is_interrupted() {
            return Err(Error::Interrupted);
        }
    }
    Ok(())
}
