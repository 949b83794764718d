//! The frames of load tests.
//!
//! A sample is a value of a metric in a fixed number of bytes, because there are many of them.

use super::ProtocolError;
use super::wire::{Reader, put_uint};

/// A message from a worker about a load test.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadFrame<'a> {
    /// The worker is about to set up its share of the users.
    Join {
        /// The test.
        test: u32,
    },
    /// The users are set up, and wait for the beginning.
    Ready {
        /// The test.
        test: u32,
    },
    /// No user runs an iteration any more.
    Finished {
        /// The test.
        test: u32,
        /// Iterations that were interrupted.
        interrupted: u64,
    },
    /// The next number of a metric.
    Metric {
        /// The number.
        number: u16,
        /// Its kind.
        kind: u8,
        /// Its name.
        name: &'a str,
    },
    /// A value of a metric, or number 0: an iteration.
    Sample(Sample),
    /// The load test is to be stopped in all workers.
    Stop {
        /// The reason.
        why: &'a str,
    },
}

const JOIN: u8 = 0;
const READY: u8 = 1;
const FINISHED: u8 = 2;
const METRIC: u8 = 3;
const SAMPLE: u8 = 4;
const STOP: u8 = 5;

impl<'a> LoadFrame<'a> {
    /// Appends the bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Join { test } => {
                out.push(JOIN);
                put_uint(out, u64::from(*test));
            }
            Self::Ready { test } => {
                out.push(READY);
                put_uint(out, u64::from(*test));
            }
            Self::Finished { test, interrupted } => {
                out.push(FINISHED);
                put_uint(out, u64::from(*test));
                put_uint(out, *interrupted);
            }
            Self::Metric { number, kind, name } => {
                out.push(METRIC);
                put_uint(out, u64::from(*number));
                out.push(*kind);
                out.extend_from_slice(name.as_bytes());
            }
            Self::Sample(sample) => {
                out.push(SAMPLE);
                sample.encode(out);
            }
            Self::Stop { why } => {
                out.push(STOP);
                out.extend_from_slice(why.as_bytes());
            }
        }
    }

    /// Decodes a message that fills the rest of `reader`.
    ///
    /// # Errors
    /// Any [`ProtocolError`].
    pub fn decode(mut reader: Reader<'a>) -> Result<Self, ProtocolError> {
        let frame = match reader.byte()? {
            JOIN => Self::Join {
                test: reader.index()?,
            },
            READY => Self::Ready {
                test: reader.index()?,
            },
            FINISHED => Self::Finished {
                test: reader.index()?,
                interrupted: reader.uint()?,
            },
            METRIC => {
                let number = u16::try_from(reader.uint()?).map_err(|_| ProtocolError::Range)?;
                let kind = reader.byte()?;
                let name = std::str::from_utf8(reader.rest()).map_err(|_| ProtocolError::Utf8)?;
                return Ok(Self::Metric { number, kind, name });
            }
            SAMPLE => return Ok(Self::Sample(Sample::decode(reader.rest())?)),
            STOP => {
                let why = std::str::from_utf8(reader.rest()).map_err(|_| ProtocolError::Utf8)?;
                return Ok(Self::Stop { why });
            }
            byte => {
                return Err(ProtocolError::Unknown {
                    what: "load frame",
                    byte,
                });
            }
        };
        reader.end()?;
        Ok(frame)
    }
}

/// Bytes of a sample.
const LENGTH: usize = 20;

/// The value of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SampleValue {
    /// A duration.
    Time {
        /// Nanoseconds.
        nanos: u64,
        /// Nanoseconds between the intended and the actual start.
        lag: u64,
        /// Whether what took this time failed.
        failed: bool,
    },
    /// A number.
    Number(f64),
    /// True or false.
    Truth(bool),
}

/// A value of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The number of the metric; 0 is the iteration.
    pub metric: u16,
    /// Its value.
    pub value: SampleValue,
}

impl Sample {
    /// Appends the sample's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (tag, flag, one, other) = match self.value {
            SampleValue::Time { nanos, lag, failed } => (0, failed, nanos, lag),
            SampleValue::Number(number) => (1, false, number.to_bits(), 0),
            SampleValue::Truth(truth) => (2, truth, 0, 0),
        };
        let mut bytes = [0; LENGTH];
        bytes[..2].copy_from_slice(&self.metric.to_le_bytes());
        (bytes[2], bytes[3]) = (tag, u8::from(flag));
        bytes[4..12].copy_from_slice(&one.to_le_bytes());
        bytes[12..].copy_from_slice(&other.to_le_bytes());
        out.extend_from_slice(&bytes);
    }

    /// Decodes a sample that fills `bytes`.
    ///
    /// # Errors
    /// [`ProtocolError`] if the length or the tag is unknown.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let bytes: &[u8; LENGTH] = bytes.try_into().map_err(|_| ProtocolError::Truncated)?;
        let number = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let value = match bytes[2] {
            0 => SampleValue::Time {
                nanos: number(4),
                lag: number(12),
                failed: bytes[3] != 0,
            },
            1 => SampleValue::Number(f64::from_bits(number(4))),
            2 => SampleValue::Truth(bytes[3] != 0),
            byte => {
                return Err(ProtocolError::Unknown { what: "sample", byte });
            }
        };
        Ok(Self {
            metric: u16::from_le_bytes([bytes[0], bytes[1]]),
            value,
        })
    }
}
