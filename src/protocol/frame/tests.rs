//! Round trips of frames, and their sizes.

use super::*;
use crate::protocol::load::{LoadFrame, Sample, SampleValue};
use crate::protocol::report::{Outcome, Phase};
use proptest::prelude::*;

fn round_trip(frame: &Frame<'_>) {
    let mut out = Vec::new();
    frame.encode(&mut out);
    assert_eq!(Frame::decode(&out).as_ref(), Ok(frame));
}

proptest! {
    #[test]
    fn every_frame_round_trips(
        test: u32,
        path: u32,
        line: Option<u32>,
        domain: String,
        group: Option<String>,
        keywords: Option<Vec<u32>>,
        extras: Vec<u8>,
        seconds in prop::num::f64::NORMAL,
        failed: bool,
        resident: u64,
        among: Option<u32>,
    ) {
        let line = line.map(|line| line.min(u32::MAX - 1));
        let location = Location { path, line, domain: &domain };
        let entry = Entry { node_id: &extras, group: group.as_deref() };
        round_trip(&Frame::Text(&extras));
        round_trip(&Frame::Inventory { entries: vec![entry; 3], extras: &extras });
        round_trip(&Frame::Start { test, location });
        round_trip(&Frame::Finish { test, location: None });
        round_trip(&Frame::Finish { test, location: Some(location) });
        round_trip(&Frame::Report { test, failed, body: &extras });
        round_trip(&Frame::Done { test, duration: seconds });
        round_trip(&Frame::Retry { test, tried: test / 2, delay: seconds });
        round_trip(&Frame::Peak { test: among, resident });
        round_trip(&Frame::OverMemoryLimit { test, resident });
        round_trip(&Frame::Message { topic: Topic::Warning, body: &extras });
        round_trip(&Frame::Load(LoadFrame::Join { test }));
        round_trip(&Frame::Load(LoadFrame::Ready { test }));
        round_trip(&Frame::Load(LoadFrame::Finished { test, interrupted: resident }));
        round_trip(&Frame::Load(LoadFrame::Metric { number: 7, kind: 3, name: &domain }));
        round_trip(&Frame::Load(LoadFrame::Stop { why: &domain }));
        for value in [
            SampleValue::Time { nanos: resident, lag: u64::from(test), failed },
            SampleValue::Number(seconds),
            SampleValue::Truth(failed),
        ] {
            round_trip(&Frame::Load(LoadFrame::Sample(Sample { metric: 9, value })));
        }
        round_trip(&Frame::Plain(PlainReport {
            test,
            phase: Phase::Teardown,
            outcome: Outcome::Skipped,
            duration: seconds,
            start: seconds,
            stop: seconds,
            keywords,
            extras: &extras,
        }));
    }

    #[test]
    fn decoding_any_bytes_never_panics(mut bytes: Vec<u8>) {
        let _decoded = Frame::decode(&bytes);
        if let Some(first) = bytes.first_mut() {
            *first = VERSION;
        }
        let _decoded = Frame::decode(&bytes);
    }
}

#[test]
fn a_frame_of_another_version_is_refused() {
    assert_eq!(
        Frame::decode(&[VERSION + 1, TEXT]),
        Err(ProtocolError::Version(VERSION + 1))
    );
}

#[test]
fn a_passing_test_takes_few_bytes() {
    let mut out = Vec::new();
    Frame::Start {
        test: 5000,
        location: Location {
            path: 3,
            line: Some(40),
            domain: "test_some_name",
        },
    }
    .encode(&mut out);
    for phase in [Phase::Setup, Phase::Call, Phase::Teardown] {
        let keywords = (phase == Phase::Setup).then(|| (0..8).collect());
        let report = PlainReport {
            test: 5000,
            phase,
            outcome: Outcome::Passed,
            duration: 1e-4,
            start: 1.7e9,
            stop: 1.7e9,
            keywords,
            extras: &[],
        };
        Frame::Plain(report).encode(&mut out);
    }
    Frame::Finish {
        test: 5000,
        location: None,
    }
    .encode(&mut out);
    Frame::Done {
        test: 5000,
        duration: 3e-4,
    }
    .encode(&mut out);
    assert!(out.len() < 150, "{} bytes", out.len());
}
