//! Benchmarks of loading a large history and of adding a run to its file.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rustpar::history::file::{load, save};
use rustpar::history::run::{Reported, Run};
use rustpar::protocol::report::Phase;
use std::hint::black_box;

fn run_of(tests: usize) -> Run {
    let mut run = Run::default();
    for number in 0..tests {
        let node_id = format!(
            "tests/package/test_module_{}.py::TestClass::test_case[{number}]",
            number / 100
        );
        let test = run.test(&node_id);
        let phases = [
            (Phase::Setup, 0.000_123),
            (Phase::Call, 0.012_345),
            (Phase::Teardown, 0.000_045),
        ];
        for (phase, seconds) in phases {
            run.report(test, Some(phase), Reported::Passed, seconds);
        }
    }
    run
}

fn remember(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for tests in [10_000, 100_000] {
        let path = directory.path().join(format!("{tests}.json"));
        let run = run_of(tests);
        assert!(save(&path, &run).is_none());
        criterion.bench_with_input(BenchmarkId::new("load", tests), &path, |bencher, path| {
            bencher.iter(|| black_box(load(path)));
        });
        criterion.bench_with_input(BenchmarkId::new("save", tests), &path, |bencher, path| {
            bencher.iter(|| assert!(save(path, &run).is_none()));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = remember
}
criterion_main!(benches);
