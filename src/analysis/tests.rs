//! Percentiles compared with a sorted list; usage of workers, bounds and thresholds of synthetic runs.

use super::bound::{Bound, Limit};
use super::durations::{Durations, Spread};
use super::run_builder::RunBuilder;
use super::threshold_check::judge;
use super::usage::{usage, window};
use super::{counted, slow};
use crate::journal::Micros;
use crate::journal::event::{Detail, Ending, Event, Outcome, WorkerGone};
use crate::journal::merged::Merged;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn judged(thresholds: &str, made: impl FnOnce(&mut RunBuilder)) -> Vec<(String, bool)> {
    let mut run = RunBuilder::new("load", 2).option("rustpar_thresholds", thresholds);
    made(&mut run);
    let judgements = judge(&run.runs()).expect("thresholds");
    let told = judgements.into_iter().map(|one| (one.value, one.broken));
    told.collect()
}

#[test]
fn the_last_attempt_of_a_test_counts() {
    let mut made = RunBuilder::new("load", 2);
    made.ran("a", 0, [1, 50, 0], Outcome::Rerun);
    made.ran("a", 0, [1, 5, 1], Outcome::Passed);
    made.ran("skipped", 1, [1, 1, 1], Outcome::Skipped);
    let runs = made.runs();
    let took = counted(&runs).map(|counted| counted.attempt.took());
    assert_eq!(took.collect::<Vec<_>>(), [7]);
}

#[test]
fn with_each_a_test_counts_in_every_worker() {
    let mut made = RunBuilder::new("each", 2);
    made.passed("a", 0, 5);
    made.passed("a", 1, 6);
    assert_eq!(counted(&made.runs()).count(), 2);
}

#[test]
fn a_crashed_test_counts_without_a_duration() {
    let values = judged("count==2, failed_count==1, min>1ms, slow_count==0", |made| {
        made.passed("a", 0, 2_000);
        let t = Some(made.test("b"));
        let detail = Detail {
            t,
            w: Some(1),
            when: "crash".to_owned(),
            ..Detail::default()
        };
        made.events.push(Event::Detail(detail));
    });
    let expected = [("2", false), ("1", false), ("2.00 ms", false), ("0", false)];
    assert_eq!(values, expected.map(|(value, broken)| (value.to_owned(), broken)));
}

#[test]
fn a_run_of_skipped_tests_is_not_judged() {
    let values = judged("count>5", |made| {
        made.ran("a", 0, [1, 1, 1], Outcome::Skipped);
    });
    assert_eq!(values, []);
}

#[test]
fn shards_with_equal_thresholds_are_judged_together() {
    let shard = |began: u64, id: &str, took: Micros, thresholds: &str| {
        let mut made = RunBuilder::new("load", 1).option("rustpar_thresholds", thresholds);
        made.passed(id, 0, took);
        let mut log = made.log();
        log.head.began = began;
        log
    };
    let logs = vec![
        shard(1, "a", 2_000, "count==2, max<3ms"),
        shard(2, "b", 4_000, "count==2, max<3ms"),
        shard(3, "c", 9_000, "max<5ms"),
    ];
    let merged = Merged::new(logs);
    let told: Vec<_> = judge(&merged)
        .expect("thresholds")
        .into_iter()
        .map(|one| (one.text, one.value, one.broken))
        .collect();
    let expected = [
        ("count==2", "2", false),
        ("max<3ms", "4.00 ms", true),
        ("max<5ms", "9.00 ms", true),
    ];
    assert_eq!(
        told,
        expected.map(|(text, value, broken)| (text.to_owned(), value.to_owned(), broken))
    );
    assert_eq!(Durations::new(&merged).whole.count(), 3);
}

#[test]
fn the_time_until_a_worker_crashed_in_a_test_is_busy() {
    let mut made = RunBuilder::new("load", 1);
    made.passed("a", 0, 30);
    let running = Some(made.test("b"));
    made.events.push(Event::Gone(WorkerGone {
        w: 0,
        at: 500,
        how: Ending::Crashed,
        status: -9,
        running,
        why: None,
    }));
    let run = made.run();
    assert_eq!(window(&run), 0..500);
    let told: Vec<_> = usage(&run).iter().map(|one| (one.busy, one.idle)).collect();
    assert_eq!(told, [(500, 0)]);
}

#[test]
fn each_phase_has_its_own_distribution() {
    let mut made = RunBuilder::new("load", 1);
    made.ran("a", 0, [1, 20, 3], Outcome::Passed);
    made.ran("b", 0, [2, 10, 4], Outcome::Failed);
    let durations = Durations::new(&made.runs());
    let most = durations.phases.each_ref().map(Spread::most);
    assert_eq!(
        (durations.whole.most(), most),
        (Some(24), [Some(2), Some(20), Some(4)])
    );
    assert_eq!(durations.whole.mean(), Some(20));
}

#[test]
fn slow_tests_are_compared_without_shared_fixtures() {
    let mut made = RunBuilder::new("load", 2).option("rustpar_slow", "0.00001");
    made.fixture("a", 0, "db", 40);
    made.ran("a", 0, [41, 19, 0], Outcome::Passed);
    made.passed("b", 1, 10);
    made.passed("c", 1, 9);
    made.collected.usual = vec![Some(10), None, Some(1)];
    let runs = made.runs();
    let slow = slow::slow(&runs);
    let told: Vec<_> = slow
        .iter()
        .map(|one| (one.attempt.took(), slow::times_usual(one.run, one.attempt)))
        .collect();
    assert_eq!(told, [(60, Some(2.0)), (10, None)]);
}

#[test]
fn a_fixture_of_a_repeated_test_belongs_to_the_attempt_that_set_it_up() {
    let mut made = RunBuilder::new("load", 1);
    made.fixture("a", 0, "db", 40);
    made.ran("a", 0, [41, 5, 0], Outcome::Rerun);
    made.fixture("a", 0, "other", 7);
    made.ran("a", 0, [8, 5, 0], Outcome::Passed);
    let run = made.run();
    let shared = run.attempts.iter().map(|attempt| attempt.shared);
    assert_eq!(shared.collect::<Vec<_>>(), [40, 7]);
}

#[test]
fn a_lost_worker_and_its_replacement_are_idle_only_while_they_exist() {
    let mut made = RunBuilder::new("load", 1);
    made.ends = vec![0, 60];
    made.passed("a", 0, 30);
    let gone = WorkerGone {
        w: 0,
        at: 50,
        how: Ending::Crashed,
        status: -9,
        running: None,
        why: None,
    };
    made.events.push(Event::Gone(gone));
    made.events.push(Event::Worker {
        w: 1,
        at: 55,
        pid: 7,
        first: None,
    });
    made.passed("b", 1, 40);
    let usages = usage(&made.run());
    let told: Vec<_> = usages.iter().map(|usage| (usage.busy, usage.idle)).collect();
    assert_eq!(told, [(30, 20), (40, 5)]);
}

#[test]
fn the_main_process_is_not_a_worker() {
    let mut made = RunBuilder::new("load", 1);
    made.passed("a", 0, 30);
    made.events.push(Event::Memory {
        w: None,
        at: 0,
        rss: 1,
        pss: None,
    });
    assert_eq!(usage(&made.run()).len(), 1);
}

#[test]
fn the_even_split_is_the_limit_if_nothing_is_longer() {
    let mut made = RunBuilder::new("load", 2);
    made.passed("a", 0, 30);
    made.passed("b", 1, 40);
    made.passed("c", 1, 10);
    let bound = Bound::new(&made.run());
    assert_eq!((bound.took, bound.least, bound.limit), (50, 40, Limit::Work));
}

#[test]
fn the_longest_test_with_all_its_attempts_can_be_the_limit() {
    let mut made = RunBuilder::new("load", 2);
    made.ran("a", 0, [0, 30, 0], Outcome::Rerun);
    let long = made.passed("a", 0, 30);
    made.passed("b", 1, 10);
    let bound = Bound::new(&made.run());
    assert_eq!(
        (bound.least, bound.even, bound.limit),
        (60, 35, Limit::Test(long))
    );
}

#[test]
fn a_group_on_one_worker_can_be_the_limit() {
    for (dist, name) in [
        ("loadfile", "a.py"),
        ("loadscope", "a.py::C"),
        ("loadgroup", "db"),
    ] {
        let mut made = RunBuilder::new(dist, 2);
        made.passed("a.py::C::one", 0, 30);
        made.passed("a.py::C::two", 0, 30);
        made.passed("b.py::one", 1, 10);
        made.collected.groups = vec![Some("db".to_owned()), Some("db".to_owned()), None];
        let limit = Limit::Group {
            name: name.to_owned(),
            tests: 2,
        };
        assert_eq!(Bound::new(&made.run()).limit, limit);
    }
}

#[test]
fn serial_tests_plus_an_even_split_of_the_rest_can_be_the_limit() {
    let mut made = RunBuilder::new("load", 2);
    made.collected.serial = vec![made.test("a")];
    made.passed("a", 0, 30);
    made.ends[1] = 30;
    made.passed("b", 0, 20);
    made.passed("c", 1, 20);
    let bound = Bound::new(&made.run());
    assert_eq!((bound.took, bound.least, bound.limit), (50, 50, Limit::Serial(1)));
}

#[test]
fn a_fixture_set_up_by_every_worker_counts_once() {
    let mut made = RunBuilder::new("load", 2);
    for worker in 0..2 {
        let id = worker.to_string();
        made.fixture(&id, worker, "db", 40);
        made.ran(&id, worker, [40, 10, 0], Outcome::Passed);
    }
    let bound = Bound::new(&made.run());
    assert_eq!((bound.took, bound.even, bound.least), (50, 30, 50));
}

#[test]
fn thresholds_are_judged_with_their_figures() {
    let thresholds = "p(50)<20.1ms, med>20.1ms, max<30ms, avg==20ms, count>=3, slow_count<1, failed_rate<30%, slow_rate<1%";
    let values = judged(thresholds, |made| {
        made.passed("a", 0, 10_000);
        made.passed("b", 0, 20_000);
        made.ran("c", 1, [0, 30_000, 0], Outcome::Failed);
    });
    let expected = [
        ("20.0 ms", false),
        ("20.0 ms", true),
        ("30.0 ms", true),
        ("20.0 ms", false),
        ("3", false),
        ("0", false),
        ("33.33 %", true),
        ("0.00 %", false),
    ];
    assert_eq!(values, expected.map(|(value, broken)| (value.to_owned(), broken)));
}

#[test]
fn a_marker_narrows_a_threshold_to_its_tests() {
    let values = judged(
        "unit: max<50ms, unit: count==1, max<50ms, other: max<1us, other: count==0",
        |made| {
            let fast = made.passed("fast", 0, 10_000);
            made.passed("slow", 1, 90_000);
            let marks = BTreeMap::from([("unit".to_owned(), vec![fast])]);
            made.events.push(Event::Marks { marks });
        },
    );
    let expected = [
        ("10.0 ms", false),
        ("1", false),
        ("90.0 ms", true),
        ("no tests", false),
        ("0", false),
    ];
    assert_eq!(values, expected.map(|(value, broken)| (value.to_owned(), broken)));
}

#[test]
fn a_run_without_tests_is_not_judged() {
    assert_eq!(judged("count>10", |_| ()), []);
}

/// For each worker and test: pause before it, phases, and the part of the setup that is a shared fixture.
type Steps = Vec<Vec<(Micros, [Micros; 3], u8)>>;

fn steps() -> impl Strategy<Value = Steps> {
    let phases = [0..50_u64, 0..1000_u64, 0..50_u64];
    let step = (0..20_u64, phases, 0..4_u8);
    proptest::collection::vec(proptest::collection::vec(step, 0..8), 1..5)
}

/// A run whose first worker starts with serial tests, and in which pairs of tests share a file.
fn synthetic_run(dist: &'static str, steps: &Steps, serial: &[Micros]) -> RunBuilder {
    let mut made = RunBuilder::new(dist, steps.len());
    for (place, took) in serial.iter().enumerate() {
        let test = made.passed(&format!("serial{place}.py::test"), 0, *took);
        made.collected.serial.push(test);
    }
    made.ends = vec![made.ends[0]; steps.len()];
    for (worker, tests) in (0_u32..).zip(steps) {
        for (place, (pause, took, shared)) in tests.iter().enumerate() {
            let id = format!("file{worker}_{}.py::test{place}", place / 2);
            made.ends[worker as usize] += pause;
            if *shared > 0 {
                made.fixture(
                    &id,
                    worker,
                    &format!("fixture{shared}"),
                    took[0] / u64::from(*shared),
                );
            }
            made.ran(&id, worker, *took, Outcome::Passed);
        }
        made.events.push(Event::Worker {
            w: worker,
            at: 0,
            pid: 1,
            first: None,
        });
    }
    made
}

proptest! {
    #[test]
    fn percentiles_match_a_sorted_list_to_a_thousandth(
        mut times in proptest::collection::vec(0..1_u64 << 35, 1..300),
        thousandths in 1..=100_000_u32,
    ) {
        let percent = f64::from(thousandths) / 1000.0;
        let mut spread = Spread::default();
        for time in &times {
            spread.add(*time);
        }
        times.sort_unstable();
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        let place = (percent / 100.0 * times.len() as f64).ceil() as usize;
        let exact = times[place.max(1) - 1];
        let found = spread.percentile(percent).expect("durations");
        prop_assert!(exact <= found && found - exact <= exact / 1000, "{exact} {found}");
        prop_assert_eq!((spread.least(), spread.most()), (times.first().copied(), times.last().copied()));
    }

    #[test]
    fn busy_and_idle_add_up_to_the_time_of_a_worker(steps in steps()) {
        let made = synthetic_run("load", &steps, &[]);
        let run = made.run();
        let time = window(&run);
        let usages = usage(&run);
        prop_assert_eq!(usages.len(), steps.len());
        for usage in usages {
            prop_assert_eq!(usage.busy + usage.idle, time.end - time.start);
            prop_assert!(usage.shared <= usage.set_up && usage.set_up <= usage.busy);
        }
    }

    #[test]
    fn no_run_is_shorter_than_its_bound(
        steps in steps(),
        serial in proptest::collection::vec(0..500_u64, 0..3),
        dist in proptest::sample::select(vec!["load", "loadfile", "loadscope", "each"]),
    ) {
        let bound = Bound::new(&synthetic_run(dist, &steps, &serial).run());
        prop_assert!(bound.even <= bound.least && bound.least <= bound.took, "{bound:?}");
    }
}
