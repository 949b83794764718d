//! The protocol between a worker and the controller: what is said, and its bytes.
//!
//! A worker writes *frames* into its ring of shared memory (`engine::ring`); the controller's engine
//! reads them. Everything here is pure: bytes in, messages out.
//!
//! The hazard it handles: a worker can die in the middle of a frame, and a bug on one side must not take the
//! other down. Every decoder checks every length, and survives any bytes.

pub mod frame;
pub mod phase_clock;
pub mod report;
pub mod value;
pub mod wire;

/// Version of the frames and values. Both ends are forked from one process, so it differs only when a process
/// was replaced underneath (a test that ran `exec`); such a frame is refused.
pub const VERSION: u8 = 3;

/// Why bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The bytes end before the message does.
    #[error("message ends early")]
    Truncated,
    /// A tag or kind that this version does not know.
    #[error("unknown {what} {byte}")]
    Unknown {
        /// What kind of byte it was.
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
    /// Bytes are left over behind the message.
    #[error("{0} bytes left over")]
    Trailing(usize),
}
