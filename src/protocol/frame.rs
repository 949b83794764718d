//! The frames that a worker sends.
//!
//! A frame consists of a version byte, a kind byte and a body. A passing test takes about 120 bytes in seven frames:
//! start, three plain reports, finish, done, and occasionally a new entry of the string table. Repeated strings (file
//! names, keywords) are sent once per worker as [`Frame::Text`] and then referenced by number.

use super::load::LoadFrame;
use super::report::{Location, Outcome, PlainReport};
use super::value::Value;
use super::wire::{Reader, put_bytes, put_float, put_uint};
use super::{ProtocolError, VERSION};

/// The subject of a [`Frame::Message`]; its body is a [`super::value::Value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Topic {
    /// The session has started: the worker info dictionary.
    Ready = 0,
    /// A collection report that did not pass, in serialized form.
    CollectReport = 1,
    /// A warning, as plain values.
    Warning = 2,
    /// An internal error: its text.
    InternalError = 3,
    /// The session has finished: the worker output dictionary.
    Finished = 4,
    /// The session was ended from inside (`pytest.exit`, a keyboard interrupt): the details pytest has.
    Interrupted = 5,
    /// `record_testsuite_property` was called: name and value.
    SuiteProperty = 6,
    /// A problem with sending: a line for the user.
    Notice = 7,
    /// Collection of a file is starting: its node id.
    Collecting = 8,
    /// pytest refused the command line while collecting: its messages.
    UsageError = 9,
    /// The template has found a reason why it must not be forked.
    Reason = 10,
    /// A shared fixture was set up: the node id of the test it was set up for, its key, and the seconds it took.
    Fixture = 11,
    /// Corrected start and duration in seconds of the phase reported next, whose report has implausible ones.
    Measured = 12,
    /// The coverage data of all completed tests is saved.
    Saved = 13,
    /// The fixtures that are set up once per run: what happens to them, and about which.
    Once = 14,
    /// A debugger in a test needs the terminal: the node id of the test.
    Debugger = 15,
    /// The first failed iterations of a load test: user, iteration and text of each.
    Load = 16,
    /// The template has found the files that are to be collected in parallel: their number, or why it collects them.
    Files = 17,
}

impl TryFrom<u8> for Topic {
    type Error = ProtocolError;

    fn try_from(byte: u8) -> Result<Self, ProtocolError> {
        Ok(match byte {
            0 => Self::Ready,
            1 => Self::CollectReport,
            2 => Self::Warning,
            3 => Self::InternalError,
            4 => Self::Finished,
            5 => Self::Interrupted,
            6 => Self::SuiteProperty,
            7 => Self::Notice,
            8 => Self::Collecting,
            9 => Self::UsageError,
            10 => Self::Reason,
            11 => Self::Fixture,
            12 => Self::Measured,
            13 => Self::Saved,
            14 => Self::Once,
            15 => Self::Debugger,
            16 => Self::Load,
            17 => Self::Files,
            _ => return Err(ProtocolError::Unknown { what: "topic", byte }),
        })
    }
}

/// One test of the [`Frame::Inventory`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The node id: UTF-8, with lone surrogates (of file names that are not UTF-8) encoded with Python's
    /// `surrogatepass`.
    pub node_id: &'a [u8],
    /// The `xdist_group` it belongs to.
    pub group: Option<&'a str>,
}

/// A message from a worker.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame<'a> {
    /// The next string of the worker's table, encoded like a node id.
    Text(&'a [u8]),
    /// The collection: all tests in order, and additional information.
    Inventory {
        /// The tests.
        entries: Vec<Entry<'a>>,
        /// A value: lines for the terminal, deselected tests, reasons, conftests, and the facts for scheduling.
        extras: &'a [u8],
    },
    /// `pytest_runtest_logstart` was called.
    Start {
        /// The test.
        test: u32,
        /// Its location.
        location: Location<'a>,
    },
    /// `pytest_runtest_logreport` was called with a plain report.
    Plain(PlainReport<'a>),
    /// `pytest_runtest_logreport` was called with any other report.
    Report {
        /// The test.
        test: u32,
        /// Whether the outcome is "failed".
        failed: bool,
        /// A value: the serialized report.
        body: &'a [u8],
    },
    /// `pytest_runtest_logfinish` was called; the location is `None` if it equals that of the start.
    Finish {
        /// The test.
        test: u32,
        /// Its location.
        location: Option<Location<'a>>,
    },
    /// The running test has failed and is to be tried again by the engine's choice.
    Retry {
        /// The test.
        test: u32,
        /// How often it has been tried, this time included.
        tried: u32,
        /// Seconds from its end until it may be tried again.
        delay: f64,
    },
    /// The test's `runtestprotocol` is complete.
    Done {
        /// The test.
        test: u32,
        /// Duration of the whole protocol in seconds.
        duration: f64,
    },
    /// The peak memory of the worker has grown.
    Peak {
        /// The test during which it grew; `None` for the memory before the first test.
        test: Option<u32>,
        /// Resident bytes.
        resident: u64,
    },
    /// The worker exceeds its memory limit and starts no further test.
    OverMemoryLimit {
        /// The test that ran last or is about to finish.
        test: u32,
        /// Resident bytes.
        resident: u64,
    },
    /// About a load test.
    Load(LoadFrame<'a>),
    /// A message that is not about one test.
    Message {
        /// Its subject.
        topic: Topic,
        /// A value.
        body: &'a [u8],
    },
}

const TEXT: u8 = 0;
const INVENTORY: u8 = 1;
const START: u8 = 2;
const PLAIN: u8 = 3;
const REPORT: u8 = 4;
const FINISH: u8 = 5;
const DONE: u8 = 6;
const MESSAGE: u8 = 7;
const PEAK: u8 = 8;
const OVER_MEMORY_LIMIT: u8 = 9;
const RETRY: u8 = 10;
const LOAD: u8 = 11;

impl<'a> Frame<'a> {
    /// Whether this is the report of a failed phase.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Plain(report) => report.outcome == Outcome::Failed,
            Self::Report { failed, .. } => *failed,
            _ => false,
        }
    }

    /// For the message about a shared fixture: its key, and the seconds that its setup took.
    #[must_use]
    pub fn set_up(&self) -> Option<(String, f64)> {
        let Self::Message {
            topic: Topic::Fixture,
            body,
        } = self
        else {
            return None;
        };
        let Ok(Value::Tuple(about)) = Value::decode(&mut Reader::new(body)) else {
            return None;
        };
        match about.as_slice() {
            [_, Value::Str(key), Value::Float(seconds)] => Some((key.clone(), *seconds)),
            _ => None,
        }
    }

    /// Appends the frame's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        match self {
            Self::Text(text) => {
                out.push(TEXT);
                out.extend_from_slice(text);
            }
            Self::Inventory { entries, extras } => {
                out.push(INVENTORY);
                put_uint(out, entries.len() as u64);
                for entry in entries {
                    put_bytes(out, entry.node_id);
                    match entry.group {
                        None => out.push(0),
                        Some(group) => {
                            out.push(1);
                            put_bytes(out, group.as_bytes());
                        }
                    }
                }
                out.extend_from_slice(extras);
            }
            Self::Start { test, location } => {
                out.push(START);
                put_uint(out, u64::from(*test));
                location.encode(out);
            }
            Self::Plain(report) => {
                out.push(PLAIN);
                report.encode(out);
            }
            Self::Report { test, failed, body } => {
                out.push(REPORT);
                put_uint(out, u64::from(*test));
                out.push(u8::from(*failed));
                out.extend_from_slice(body);
            }
            Self::Finish { test, location } => {
                out.push(FINISH);
                put_uint(out, u64::from(*test));
                if let Some(location) = location {
                    location.encode(out);
                }
            }
            Self::Done { test, duration } => {
                out.push(DONE);
                put_uint(out, u64::from(*test));
                put_float(out, *duration);
            }
            Self::Retry { test, tried, delay } => {
                out.push(RETRY);
                put_uint(out, u64::from(*test));
                put_uint(out, u64::from(*tried));
                put_float(out, *delay);
            }
            Self::Peak { test, resident } => {
                out.push(PEAK);
                put_uint(out, test.map_or(0, |test| u64::from(test) + 1));
                put_uint(out, *resident);
            }
            Self::OverMemoryLimit { test, resident } => {
                out.push(OVER_MEMORY_LIMIT);
                put_uint(out, u64::from(*test));
                put_uint(out, *resident);
            }
            Self::Load(load) => {
                out.push(LOAD);
                load.encode(out);
            }
            Self::Message { topic, body } => {
                out.push(MESSAGE);
                out.push(*topic as u8);
                out.extend_from_slice(body);
            }
        }
    }

    /// Decodes a frame that fills `bytes`.
    ///
    /// # Errors
    /// Any [`ProtocolError`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(bytes);
        let version = reader.byte()?;
        if version != VERSION {
            return Err(ProtocolError::Version(version));
        }
        Ok(match reader.byte()? {
            TEXT => Self::Text(reader.rest()),
            INVENTORY => {
                let count = reader.length()?;
                let mut entries = Vec::with_capacity(count);
                for _ in 0..count {
                    let node_id = reader.bytes()?;
                    let group = if reader.byte()? == 0 {
                        None
                    } else {
                        Some(reader.text()?)
                    };
                    entries.push(Entry { node_id, group });
                }
                Self::Inventory {
                    entries,
                    extras: reader.rest(),
                }
            }
            START => {
                let frame = Self::Start {
                    test: reader.index()?,
                    location: Location::decode(&mut reader)?,
                };
                reader.end()?;
                frame
            }
            PLAIN => Self::Plain(PlainReport::decode(&mut reader)?),
            REPORT => {
                let (test, failed) = (reader.index()?, reader.byte()? != 0);
                Self::Report {
                    test,
                    failed,
                    body: reader.rest(),
                }
            }
            FINISH => {
                let test = reader.index()?;
                let location = if reader.rest().is_empty() {
                    None
                } else {
                    Some(Location::decode(&mut reader)?)
                };
                reader.end()?;
                Self::Finish { test, location }
            }
            DONE => {
                let frame = Self::Done {
                    test: reader.index()?,
                    duration: reader.float()?,
                };
                reader.end()?;
                frame
            }
            RETRY => {
                let frame = Self::Retry {
                    test: reader.index()?,
                    tried: reader.index()?,
                    delay: reader.float()?,
                };
                reader.end()?;
                frame
            }
            PEAK => {
                let test = match reader.uint()? {
                    0 => None,
                    number => Some(u32::try_from(number - 1).map_err(|_| ProtocolError::Range)?),
                };
                let resident = reader.uint()?;
                reader.end()?;
                Self::Peak { test, resident }
            }
            OVER_MEMORY_LIMIT => {
                let (test, resident) = (reader.index()?, reader.uint()?);
                reader.end()?;
                Self::OverMemoryLimit { test, resident }
            }
            LOAD => Self::Load(LoadFrame::decode(reader)?),
            MESSAGE => Self::Message {
                topic: Topic::try_from(reader.byte()?)?,
                body: reader.rest(),
            },
            byte => {
                return Err(ProtocolError::Unknown {
                    what: "frame kind",
                    byte,
                });
            }
        })
    }
}

#[cfg(test)]
mod tests;
