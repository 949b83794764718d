//! Benchmarks of scheduling decisions per test with many workers, without the planning before the run.
//!
//! The driver asks as often as the engine possibly could: after every test, for every worker that has finished one.
//! Workers differ in speed, so that tests are stolen at the end. A policy must stay below 5 µs per test at either size;
//! a cost that grows with the collection shows as a difference between the sizes.

use std::collections::VecDeque;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rustpar::schedule::constraints::needs::Needs;
use rustpar::schedule::forecast::Forecast;
use rustpar::schedule::mode::{Mode, Rules, policy};
use rustpar::schedule::policies::load::Plan;
use rustpar::schedule::policy::{Action, Demand, Policy, Test, Worker};

const WORKERS: Worker = 64;
/// The order of magnitude of the engine's queues.
const CAPACITY: usize = 1024;

/// Runs all tests; worker `w` is `w % 4 + 1` times as fast as the slowest ones.
fn drive(policy: &mut dyn Policy) {
    let mut queues: Vec<VecDeque<Test>> = (0..WORKERS).map(|_| VecDeque::new()).collect();
    let mut closed = vec![false; queues.len()];
    let mut actions = Vec::new();
    (0..WORKERS).for_each(|worker| policy.add_worker(worker));
    while policy.unfinished() > 0 {
        for worker in 0..WORKERS {
            let own = worker as usize;
            for _ in 0..=worker % 4 {
                if let Some(test) = queues[own].pop_front() {
                    policy.finished(worker, test, 0.0001);
                }
                // Ask twice, because the first answer may be a take-back.
                for _ in 0..2 {
                    if closed[own] {
                        break;
                    }
                    let waiting = queues[own].len();
                    let demand = Demand {
                        worker,
                        queued: waiting,
                        room: CAPACITY - waiting,
                        idle: waiting == 0,
                        waited: if waiting == 0 { 1.0 } else { 0.0 },
                        now: 0.0,
                    };
                    policy.demand(demand, &mut actions);
                    for action in actions.drain(..) {
                        match action {
                            Action::Assign { worker, tests } => queues[worker as usize].extend(tests),
                            Action::Rest { .. } => {}
                            Action::Close { worker } => closed[worker as usize] = true,
                            Action::TakeBack { worker, count, whole } => {
                                let queue = &mut queues[worker as usize];
                                let keep = queue.len().saturating_sub(count);
                                let refuse = whole && queue.len() < count;
                                let tests = queue.split_off(if refuse { queue.len() } else { keep });
                                policy.returned(worker, &Vec::from(tests));
                            }
                        }
                    }
                }
            }
        }
    }
}

fn bench(criterion: &mut Criterion, name: &str, runs: usize, new: impl Fn(usize) -> Box<dyn Policy>) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    for tests in [10_000, 100_000] {
        group.throughput(Throughput::Elements((tests * runs) as u64));
        group.bench_with_input(BenchmarkId::from_parameter(tests), &tests, |bencher, &tests| {
            bencher.iter_batched_ref(
                || new(tests),
                |policy| drive(black_box(policy.as_mut())),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn keys(tests: usize, per_unit: u32) -> Vec<u32> {
    (0..).take(tests).map(|test| test / per_unit).collect()
}

/// Files of 20 tests with a fixture each, and their known durations.
fn known(tests: usize) -> Forecast {
    let files = keys(tests, 20);
    Forecast {
        seconds: (0..tests)
            .map(|test| Some(0.001 * f64::from(u8::try_from(test % 97).unwrap_or(0))))
            .collect(),
        fixtures: files.iter().map(|file| vec![*file]).collect(),
        kinds: vec![0; tests / 20 + 1],
        setup_seconds: vec![Some(0.05)],
        files,
        ..Forecast::unknown(tests)
    }
}

/// Three classes; every tenth test needs one of four resources, every thousandth is serial.
fn rules(tests: usize) -> Rules {
    let needs = |test: u32| Needs {
        serial: test.is_multiple_of(1000),
        holds: if test.is_multiple_of(10) {
            vec![(test / 10 % 4, false)]
        } else {
            vec![]
        },
    };
    Rules {
        classes: (0..).take(tests).map(|test: u32| test % 3).collect(),
        needs: (0..).take(tests).map(needs).collect(),
        places: vec![1, 2, 3, 4],
    }
}

fn policies(criterion: &mut Criterion) {
    let workers = WORKERS as usize;
    let free = Rules::default();
    let plan = |mode: Mode, forecast: Forecast| policy(&mode, forecast, &free, workers);
    bench(criterion, "load", 1, |tests| {
        plan(Mode::load(), Forecast::unknown(tests))
    });
    bench(criterion, "load, one by one", 1, |tests| {
        let mode = Mode::Load {
            max_chunk: Some(1),
            plan: Plan::Collection,
        };
        plan(mode, Forecast::unknown(tests))
    });
    bench(criterion, "load with history", 1, |tests| {
        plan(Mode::load(), known(tests))
    });
    bench(criterion, "load with history, longest first", 1, |tests| {
        let mode = Mode::Load {
            max_chunk: None,
            plan: Plan::Duration,
        };
        plan(mode, known(tests))
    });
    bench(criterion, "load with history and rules", 1, |tests| {
        policy(&Mode::load(), known(tests), &rules(tests), workers)
    });
    bench(criterion, "worksteal", 1, |tests| {
        plan(Mode::WorkSteal, Forecast::unknown(tests))
    });
    for per_unit in [1, 20] {
        bench(criterion, &format!("units of {per_unit}"), 1, |tests| {
            let keys = keys(tests, per_unit);
            plan(Mode::Units { keys, reorder: true }, Forecast::unknown(tests))
        });
    }
    bench(criterion, "each", workers, |tests| {
        plan(Mode::Each, Forecast::unknown(tests))
    });
}

criterion_group!(benches, policies);
criterion_main!(benches);
