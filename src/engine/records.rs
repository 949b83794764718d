//! Records that the fork server and the template send about the processes they fork.
//!
//! The hazard it handles: both write to one socket, and either can exit at any time. Only complete records are parsed.

use super::EngineError;
use crate::platform::os::{Read, read_some, set_nonblocking};
use crate::schedule::policy::Worker;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes of a record, as `forkserver/loop.py` writes it: kind, worker, value.
const LENGTH: usize = 16;

/// A change of a process. A status is an exit code, or the negated number of the signal that killed the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// A worker has been forked; its process id.
    Forked(Worker, i64),
    /// A worker has exited with this status.
    Exited(Worker, i64),
    /// The peak of resident bytes of a worker that has exited, before that is recorded.
    Peak(Worker, u64),
    /// The template has been forked; its process id.
    TemplateForked(i64),
    /// The template has exited with this status.
    TemplateExited(i64),
}

impl Record {
    fn parse(bytes: [u8; LENGTH]) -> Option<Self> {
        let [kind, worker, low, high] = [0, 4, 8, 12]
            .map(|at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
        let value = (i64::from(high) << 32) | i64::from(low);
        match kind {
            1 => Some(Self::Forked(worker, value)),
            2 => Some(Self::Exited(worker, value)),
            3 => Some(Self::TemplateForked(value)),
            4 => Some(Self::TemplateExited(value)),
            5 => Some(Self::Peak(worker, value.cast_unsigned())),
            _ => None,
        }
    }
}

/// The controller's end of the socket.
#[derive(Debug)]
pub struct Records {
    socket: Option<OwnedFd>,
    /// The beginning of a record that has not arrived completely.
    incomplete: Vec<u8>,
}

impl Records {
    /// Reads from `socket`.
    ///
    /// # Errors
    /// [`EngineError::Os`].
    pub fn new(socket: OwnedFd) -> Result<Self, EngineError> {
        set_nonblocking(socket.as_fd())?;
        Ok(Self {
            socket: Some(socket),
            incomplete: Vec::new(),
        })
    }

    /// The descriptor to wait for; `None` if no more records can arrive.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Reads the records that have arrived.
    pub fn read(&mut self) -> Vec<Record> {
        let mut buffer = [0; 1024];
        while let Some(socket) = &self.socket {
            match read_some(socket.as_fd(), &mut buffer) {
                Read::Bytes(count) => self.incomplete.extend_from_slice(&buffer[..count]),
                Read::Nothing => break,
                Read::End => self.socket = None,
            }
        }
        let bytes = std::mem::take(&mut self.incomplete);
        let (whole, rest) = bytes.as_chunks::<LENGTH>();
        self.incomplete = rest.to_vec();
        whole.iter().copied().filter_map(Record::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn bytes(kind: u32, worker: u32, value: i64) -> Vec<u8> {
        [
            &kind.to_le_bytes()[..],
            &worker.to_le_bytes(),
            &value.to_le_bytes(),
        ]
        .concat()
    }

    #[test]
    fn a_record_is_read_when_all_of_it_has_come() {
        let (mut theirs, ours) = UnixStream::pair().expect("a pair of sockets");
        let mut records = Records::new(ours.into()).expect("a socket");
        let both = [bytes(1, 7, 4711), bytes(2, 7, -9)].concat();
        theirs.write_all(&both[..20]).expect("room");
        assert_eq!(records.read(), [Record::Forked(7, 4711)]);
        theirs.write_all(&both[20..]).expect("room");
        assert_eq!(records.read(), [Record::Exited(7, -9)]);
        drop(theirs);
        assert_eq!(records.read(), []);
        assert!(records.fd().is_none());
    }
}
