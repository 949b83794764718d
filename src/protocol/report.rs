//! The parts of a frame about one test: its location, and the report of a phase.

use super::ProtocolError;
use super::wire::{Reader, put_bytes, put_float, put_uint};

/// Number of a string in a worker's table: the first [`Frame::Text`](super::frame::Frame::Text) defines 0, the next 1, and so on.
pub type StringId = u32;

/// Where a test is defined: pytest's `item.location`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'a> {
    /// The file, relative to the root directory.
    pub path: StringId,
    /// The line, counted from 0; `None` if unknown.
    pub line: Option<u32>,
    /// The dotted name inside the file.
    pub domain: &'a str,
}

/// The phase of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Fixtures are set up.
    Setup = 0,
    /// The test function itself.
    Call = 1,
    /// Fixtures are torn down.
    Teardown = 2,
}

impl Phase {
    /// All phases in order.
    pub const ALL: [Self; 3] = [Self::Setup, Self::Call, Self::Teardown];

    /// The report's `when`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Call => "call",
            Self::Teardown => "teardown",
        }
    }

    /// The phase of a report's `when`.
    #[must_use]
    pub fn named(when: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == when)
    }
}

/// The outcome of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// It passed.
    Passed = 0,
    /// It failed.
    Failed = 1,
    /// It was skipped.
    Skipped = 2,
}

/// A report that has only the attributes of a plain `TestReport`.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainReport<'a> {
    /// The test.
    pub test: u32,
    /// Its phase.
    pub phase: Phase,
    /// Its outcome.
    pub outcome: Outcome,
    /// Duration of the phase in seconds.
    pub duration: f64,
    /// When it started, in seconds since the epoch.
    pub start: f64,
    /// When it ended, in seconds since the epoch.
    pub stop: f64,
    /// The names in the item's keywords; `None` if they equal those of the worker's previous report.
    pub keywords: Option<Vec<StringId>>,
    /// A value with `(longrepr, sections, user_properties)`; empty if all are empty.
    pub extras: &'a [u8],
}

impl<'a> Location<'a> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_uint(out, u64::from(self.path));
        put_uint(out, self.line.map_or(0, |line| u64::from(line) + 1));
        put_bytes(out, self.domain.as_bytes());
    }

    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, ProtocolError> {
        let path = reader.index()?;
        let line = match reader.uint()? {
            0 => None,
            line => Some(u32::try_from(line - 1).map_err(|_| ProtocolError::Range)?),
        };
        Ok(Self {
            path,
            line,
            domain: reader.text()?,
        })
    }
}

const SAME_KEYWORDS: u8 = 1 << 4;

impl<'a> PlainReport<'a> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_uint(out, u64::from(self.test));
        let same = if self.keywords.is_none() { SAME_KEYWORDS } else { 0 };
        out.push(self.phase as u8 | (self.outcome as u8) << 2 | same);
        put_float(out, self.duration);
        put_float(out, self.start);
        put_float(out, self.stop);
        if let Some(keywords) = &self.keywords {
            put_uint(out, keywords.len() as u64);
            for &keyword in keywords {
                put_uint(out, u64::from(keyword));
            }
        }
        out.extend_from_slice(self.extras);
    }

    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, ProtocolError> {
        let test = reader.index()?;
        let flags = reader.byte()?;
        let phase = match flags & 3 {
            0 => Phase::Setup,
            1 => Phase::Call,
            2 => Phase::Teardown,
            _ => {
                return Err(ProtocolError::Unknown {
                    what: "phase",
                    byte: flags,
                });
            }
        };
        let outcome = match flags >> 2 & 3 {
            0 => Outcome::Passed,
            1 => Outcome::Failed,
            2 => Outcome::Skipped,
            _ => {
                return Err(ProtocolError::Unknown {
                    what: "outcome",
                    byte: flags,
                });
            }
        };
        let (duration, start, stop) = (reader.float()?, reader.float()?, reader.float()?);
        let keywords = if flags & SAME_KEYWORDS != 0 {
            None
        } else {
            let count = reader.length()?;
            let mut keywords = Vec::with_capacity(count);
            for _ in 0..count {
                keywords.push(reader.index()?);
            }
            Some(keywords)
        };
        Ok(Self {
            test,
            phase,
            outcome,
            duration,
            start,
            stop,
            keywords,
            extras: reader.rest(),
        })
    }
}
