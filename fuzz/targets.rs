//! The fuzz targets. Each decodes any bytes without a panic, checks that a decoded value round-trips, and returns
//! whether the bytes could be decoded.
//!
//! libFuzzer runs these from `fuzz_targets/`; `tests/fuzz.rs` runs them on a stable toolchain.

use rustpar::analysis::usage::usage;
use rustpar::coverage::data::{Arc, Data};
use rustpar::history::file;
use rustpar::journal::merged::Merged;
use rustpar::journal::read;
use rustpar::protocol::frame::Frame;
use rustpar::protocol::value::Value;
use rustpar::protocol::wire::Reader;
use rustpar::report::{ctrf, github, junit, timeline, trace};
use std::path::Path;

/// Frames that a worker sends, and the values in their bodies.
pub(crate) fn frames(bytes: &[u8]) -> bool {
    let Ok(frame) = Frame::decode(bytes) else {
        return false;
    };
    let _ = (frame.is_failure(), frame.set_up());
    let once = encoded(|out| frame.encode(out));
    // Compared as bytes, because a NaN is not equal to itself.
    let again = Frame::decode(&once).expect("a frame that was encoded can be decoded");
    assert_eq!(encoded(|out| again.encode(out)), once);
    if let Frame::Message { body, .. } | Frame::Report { body, .. } = frame {
        values(body);
    }
    true
}

/// Encoded Python values.
pub(crate) fn values(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    let Ok(value) = Value::decode(&mut reader) else {
        return false;
    };
    let once = encoded(|out| value.encode(out));
    let mut reader = Reader::new(&once);
    let again = Value::decode(&mut reader).expect("a value that was encoded can be decoded");
    assert_eq!(reader.end(), Ok(()));
    assert_eq!(encoded(|out| again.encode(out)), once);
    true
}

/// Journals of runs, including the reports made from them.
pub(crate) fn journals(bytes: &[u8]) -> bool {
    let Ok(logs) = read::parse(bytes, Path::new("journal")) else {
        return false;
    };
    let merged = Merged::new(logs);
    for part in &merged.parts {
        let _ = (
            part.run.counts(),
            part.run.results().len(),
            usage(&part.run).len(),
        );
    }
    let _ = junit::write(&merged).expect("writing to memory cannot fail");
    let _ = ctrf::write(&merged).expect("writing to memory cannot fail");
    let _ = trace::write(&merged).expect("writing to memory cannot fail");
    let _ = (github::annotations(&merged), github::summary(&merged));
    let _ = timeline::data::data(&merged, None, &timeline::Earlier::default());
    true
}

/// Histories of tests.
pub(crate) fn histories(bytes: &[u8]) -> bool {
    let Ok(history) = file::parse(bytes) else {
        return false;
    };
    let once = file::bytes(&history);
    let again = file::parse(&once).expect("a history that was written can be read");
    assert_eq!(again, history);
    assert_eq!(file::bytes(&again), once);
    true
}

/// Data files of coverage.py, which are `SQLite` databases.
pub(crate) fn sqlite(bytes: &[u8]) -> bool {
    let Ok(data) = Data::from_bytes(bytes) else {
        return false;
    };
    let _ = data.arcs.iter().map(Arc::key).max();
    true
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    out
}
