//! Benchmarks of encoding, transferring and decoding the frames of one passing test.

use criterion::{Criterion, criterion_group, criterion_main};
use rustpar::engine::ring::FrameReader;
use rustpar::engine::ring::pack_frame;
use rustpar::engine::shared::Shared;
use rustpar::protocol::frame::Frame;
use rustpar::protocol::report::{Location, Outcome, Phase, PlainReport};
use std::hint::black_box;

fn frames_of_a_passing_test(test: u32) -> [Frame<'static>; 6] {
    let report = |phase| {
        Frame::Plain(PlainReport {
            test,
            phase,
            outcome: Outcome::Passed,
            duration: 1e-4,
            start: 1.7e9,
            stop: 1.7e9,
            keywords: (phase == Phase::Setup).then(|| (0..8).collect()),
            extras: &[],
        })
    };
    [
        Frame::Start {
            test,
            location: Location {
                path: 3,
                line: Some(40),
                domain: "test_some_name",
            },
        },
        report(Phase::Setup),
        report(Phase::Call),
        report(Phase::Teardown),
        Frame::Finish { test, location: None },
        Frame::Done { test, duration: 3e-4 },
    ]
}

fn framing(criterion: &mut Criterion) {
    let frames = frames_of_a_passing_test(5000);
    criterion.bench_function("encode a passing test", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            for frame in &frames {
                frame.encode(&mut out);
            }
            black_box(out.len())
        });
    });
    let encoded: Vec<Vec<u8>> = frames
        .iter()
        .map(|frame| {
            let mut out = Vec::new();
            frame.encode(&mut out);
            out
        })
        .collect();
    criterion.bench_function("decode a passing test", |bencher| {
        bencher.iter(|| {
            encoded
                .iter()
                .filter(|bytes| black_box(Frame::decode(bytes)).is_ok())
                .count()
        });
    });
    let shared = Shared::new().expect("shared memory");
    criterion.bench_function("carry a passing test through the ring", |bencher| {
        let (mut reader, mut words) = (FrameReader::default(), Vec::new());
        bencher.iter(|| {
            let ring = shared.slot(1).ring();
            words.clear();
            for bytes in &encoded {
                pack_frame(bytes, &mut words);
            }
            assert_eq!(ring.write(&words), words.len());
            reader.fill(&ring);
            let mut count = 0;
            while reader.next_frame().is_some() {
                count += 1;
            }
            black_box(count)
        });
    });
}

criterion_group!(benches, framing);
criterion_main!(benches);
