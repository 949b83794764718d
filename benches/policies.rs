//! What a scheduling decision costs, per test, with many workers.
//!
//! The driver stands for the engine at its most eager: after every test it asks for every worker that has
//! finished one. Workers differ in speed, so that the run ends with steals. A policy must stay below 5 µs per
//! test at either size; a cost that grows with the collection shows as a difference between the sizes.

use std::collections::VecDeque;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rustpar::schedule::each::Each;
use rustpar::schedule::forecast::Forecast;
use rustpar::schedule::load::Load;
use rustpar::schedule::units::Units;
use rustpar::schedule::worksteal::WorkSteal;
use rustpar::schedule::{Action, Demand, Policy, Test, Worker};

const WORKERS: Worker = 64;
/// The size of the engine's queues is of this order.
const CAPACITY: usize = 1024;

/// Runs everything; worker `w` is `w % 4 + 1` times as fast as the slowest ones.
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
                // Asked twice, because the first answer may be a take-back.
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

fn bench<P: Policy>(criterion: &mut Criterion, name: &str, runs: usize, new: impl Fn(usize) -> P) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    for tests in [10_000, 100_000] {
        group.throughput(Throughput::Elements((tests * runs) as u64));
        group.bench_with_input(BenchmarkId::from_parameter(tests), &tests, |bencher, &tests| {
            bencher.iter_batched_ref(
                || new(tests),
                |policy| drive(black_box(policy)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn keys(tests: usize, per_unit: u32) -> Vec<u32> {
    (0..).take(tests).map(|test| test / per_unit).collect()
}

fn policies(criterion: &mut Criterion) {
    let workers = WORKERS as usize;
    bench(criterion, "load", 1, |tests| {
        Load::new(Forecast::unknown(tests), workers, None)
    });
    bench(criterion, "load, one by one", 1, |tests| {
        Load::new(Forecast::unknown(tests), workers, Some(1))
    });
    bench(criterion, "worksteal", 1, |tests| WorkSteal::new(tests, workers));
    bench(criterion, "units of 1", 1, |tests| {
        Units::new(keys(tests, 1), workers, true)
    });
    bench(criterion, "units of 20", 1, |tests| {
        Units::new(keys(tests, 20), workers, true)
    });
    bench(criterion, "each", workers, |tests| Each::new(tests, workers));
}

criterion_group!(benches, policies);
criterion_main!(benches);
