//! What commands print.
//!
//! The hazard it handles: a write can wait for whoever reads, and Ctrl-C has to end it. The standard library's own
//! handle of standard output goes on waiting after a signal, so this one writes to a descriptor of its own, and asks the
//! [`Host`] after each signal.

use super::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind, Write};

/// Bytes that are held back at most, so that a table does not take a system call for each line.
const BUFFER_SIZE: usize = 1 << 16;

/// A standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Errors,
}

/// The process that a command runs in.
pub trait Host {
    /// A text in the encoding of a stream; what that lacks is escaped.
    fn encode(&self, text: &str, stream: Stream) -> Vec<u8>;

    /// Whether a signal asks the command to end; asked when one may have come.
    fn is_interrupted(&self) -> bool;
}

/// Where a command prints to.
pub(super) struct Console<'a> {
    command: &'a str,
    host: &'a dyn Host,
    output: &'a mut dyn Write,
    errors: &'a mut dyn Write,
    pending: Vec<u8>,
}

/// Standard output, unbuffered.
#[cfg(unix)]
pub(super) fn standard_output() -> io::Result<Box<dyn Write>> {
    use std::os::fd::AsFd;
    let descriptor = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(Box::new(File::from(descriptor)))
}

/// Standard output.
#[cfg(not(unix))]
pub(super) fn standard_output() -> io::Result<Box<dyn Write>> {
    Ok(Box::new(io::stdout().lock()))
}

impl<'a> Console<'a> {
    /// For the command of this name.
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

    /// Hands everything to the system.
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

    /// Says why something is left out. Where nobody can read that, it is lost.
    pub(super) fn warn(&mut self, problem: &Error) {
        let line = format!("rustpar {}: {problem}\n", self.command);
        let _written = self.errors.write_all(&self.host.encode(&line, Stream::Errors));
    }

    /// Says why the command ends here, behind what it has printed.
    pub(super) fn give_up(&mut self, problem: &Error) {
        // There is one reason already.
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
        // A signal also ends a write of which a part was taken.
        if !bytes.is_empty() && host.is_interrupted() {
            return Err(Error::Interrupted);
        }
    }
    Ok(())
}
