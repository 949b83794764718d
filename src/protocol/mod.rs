//! The protocol between workers and the controller: the messages and their encoding.
//!
//! A worker writes *frames* into its ring buffer in shared memory (`engine::ring`), and the controller's engine reads
//! them. Everything here is pure: bytes in, messages out.
//!
//! The hazard it handles: a worker can crash in the middle of a frame, and a bug on one side must not crash the other.
//! Every decoder checks every length and accepts any bytes without panicking.

pub mod frame;
pub mod load;
pub mod phase_clock;
pub mod report;
pub mod value;
pub mod wire;

/// Version of the frames and values. Both ends are forked from one process, so it differs only if a process was
/// replaced (a test that called `exec`); such a frame is refused.
pub const VERSION: u8 = 3;

/// Why bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The bytes end within a message.
    #[error("message ends early")]
    Truncated,
    /// An unknown tag or kind.
    #[error("unknown {what} {byte}")]
    Unknown {
        /// What the byte stands for.
        what: &'static str,
        /// The byte.
        byte: u8,
    },
    /// The frame was written by another version.
    #[error("frame has version {0}, expected {VERSION}")]
    Version(u8),
    /// A number does not fit.
    #[error("number out of range")]
    Range,
    /// A string is not valid UTF-8.
    #[error("text is not valid UTF-8")]
    Utf8,
    /// Values are nested deeper than [`value::MAX_DEPTH`].
    #[error("value is nested too deeply")]
    Depth,
    /// Bytes follow the message.
    #[error("{0} bytes left over")]
    Trailing(usize),
}
