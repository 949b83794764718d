//! Tests of what is measured, and of what a load test fails for.

use super::super::mark::Mark;
use super::*;

fn measurement(mark: Mark) -> Measurement {
    let mark = Mark {
        users: mark.users.or(Some(10.0)),
        duration: Some(10.0),
        ..mark
    };
    Measurement::new(mark.plan().expect("a plan"))
}

fn with_thresholds(thresholds: &str) -> Measurement {
    measurement(Mark {
        thresholds: thresholds.to_owned(),
        ..Mark::default()
    })
}

const MS: u64 = 1_000_000;

fn result(measurement: &Measurement) -> LoadResult {
    measurement.result(0, 0, 10_000_000, Totals::default())
}

fn judged(measurement: &Measurement) -> Vec<(String, Option<bool>)> {
    let thresholds = result(measurement).thresholds.into_iter();
    thresholds.map(|one| (one.value, one.broken)).collect()
}

#[test]
fn thresholds_are_compared_with_what_was_measured() {
    let mut measured = with_thresholds(
        "p(95)<500ms, p(95)<5ms, error_rate<1%, error_rate<50%, rate>5/s, count==100, max<20ms, avg<1ms, \
         dropped_iterations<1",
    );
    for number in 0..100 {
        measured.iteration(10 * MS, 0, number < 10);
    }
    let expected = [
        ("10.0 ms", false),
        ("10.0 ms", true),
        ("10.00 %", true),
        ("10.00 %", false),
        ("10.0/s", false),
        ("100", false),
        ("10.0 ms", false),
        ("10.0 ms", true),
        ("0", false),
    ];
    let judged = judged(&measured);
    for (one, (value, broken)) in judged.iter().zip(expected) {
        assert_eq!(one.1, Some(broken), "{judged:?}");
        assert_eq!(one.0, value, "{judged:?}");
    }
}

#[test]
fn thresholds_of_metrics_are_found_by_name() {
    let mut measured = with_thresholds(
        "pay: p(95)<5ms, status is 200: rate>99%, checks>40%, orders: count>2, queue: value<5, size: max<10, \
         other: count<1, pay: rate>0.1/s",
    );
    measured.name((0, 1), MetricKind::Time, "pay");
    measured.name((1, 1), MetricKind::Time, "pay");
    measured.name((0, 2), MetricKind::Check, "status is 200");
    measured.name((0, 3), MetricKind::Counter, "orders");
    measured.name((0, 4), MetricKind::Gauge, "queue");
    measured.name((0, 5), MetricKind::Trend, "size");
    measured.add((0, 1), Value::Time(2 * MS, 0, false));
    measured.add((1, 1), Value::Time(8 * MS, 0, false));
    measured.add((0, 2), Value::Truth(true));
    measured.add((0, 2), Value::Truth(false));
    measured.add((0, 3), Value::Number(3.0));
    measured.add((0, 4), Value::Number(7.0));
    measured.add((0, 5), Value::Number(2.5));
    measured.add((9, 9), Value::Number(2.5));
    let broken: Vec<Option<bool>> = judged(&measured).into_iter().map(|one| one.1).collect();
    let expected = [true, true, false, false, true, false, true, false];
    assert_eq!(broken, expected.map(Some), "{:?}", judged(&measured));
    assert_eq!(result(&measured).metrics[1].count, 2, "of both processes");
}

#[test]
fn failed_iterations_fail_a_load_test_that_does_not_allow_them() {
    let mut measured = measurement(Mark::default());
    measured.iteration(MS, 0, false);
    assert!(result(&measured).problems.is_empty());
    measured.iteration(MS, 0, true);
    let problems = result(&measured).problems;
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with("1 of 2 iterations failed"),
        "{problems:?}"
    );
    let mut allowed = with_thresholds("error_rate<90%");
    allowed.iteration(MS, 0, true);
    allowed.iteration(MS, 0, false);
    assert!(result(&allowed).problems.is_empty());
}

#[test]
fn nothing_measured_is_a_failure() {
    assert_eq!(
        result(&measurement(Mark::default())).problems,
        ["no iteration has ended"]
    );
}

#[test]
fn saturated_processes_are_not_judged() {
    let mut measured = with_thresholds("p(95)<500ms");
    for second in 1..6 {
        measured.iteration(MS, 0, false);
        let moment = Moment {
            cpu: 0.97,
            started: second,
            ..Moment::default()
        };
        measured.end_second(0, second * 1_000_000, moment);
    }
    assert_eq!(judged(&measured), [("1.00 ms".to_owned(), None)]);
    let problems = result(&measured).problems;
    assert!(problems[0].contains("generator saturated"), "{problems:?}");
}

#[test]
fn the_condition_for_aborting_has_to_hold_for_its_time() {
    let mut measured = measurement(Mark {
        abort: Some("error_rate>50% for 3s".to_owned()),
        ..Mark::default()
    });
    let mut aborted = Vec::new();
    for failed in [true, true, false, true, true, true] {
        measured.iteration(MS, 0, failed);
        aborted.push(measured.end_second(0, 0, Moment::default()).1);
    }
    assert_eq!(aborted, [false, false, false, false, false, true]);
}

#[test]
fn a_second_has_an_event_for_each_metric_with_values() {
    let mut measured = measurement(Mark::default());
    measured.name((0, 1), MetricKind::Time, "pay");
    measured.iteration(MS, 3 * MS, false);
    measured.add((0, 1), Value::Time(2 * MS, 0, false));
    let moment = Moment {
        users: 4,
        started: 5,
        dropped: 1,
        cpu: 0.5,
    };
    let (events, _) = measured.end_second(7, 1_000_000, moment);
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].step.as_deref(), Some("pay"));
    let level = events[0].load.clone().expect("the first");
    assert_eq!(
        (level.users, level.started, level.dropped, level.lag),
        (4, 5, 1, 3000)
    );
    let later = Moment { started: 6, ..moment };
    let (events, _) = measured.end_second(7, 2_000_000, later);
    assert_eq!((events.len(), events[0].s, events[0].n), (1, 2, 0));
    assert_eq!(events[0].load.clone().expect("the first").started, 1);
}

#[test]
fn the_closed_model_says_what_it_cannot_see() {
    let mut measured = measurement(Mark::default());
    (0..100).for_each(|_| measured.iteration(10 * MS, 0, false));
    assert_eq!(result(&measured).remark, "");
    measured.iteration(1000 * MS, 0, false);
    assert!(
        result(&measured)
            .remark
            .contains("while an iteration took 1.00 s")
    );
}

#[test]
fn there_is_a_limit_on_the_number_of_metrics() {
    let mut measured = measurement(Mark::default());
    for number in 0..400u16 {
        measured.name((0, number), MetricKind::Counter, &format!("name {number}"));
    }
    assert_eq!(result(&measured).metrics.len(), MOST_METRICS + 1);
    measured.name((0, 900), MetricKind::Check, "important");
    measured.add((0, 900), Value::Truth(false));
    let last = &result(&measured).metrics[MOST_METRICS + 1];
    assert_eq!((last.name.as_str(), last.count, last.part), ("(others)", 1, 0));
    assert!(result(&measured).remark.contains("count as (others)"));
}

#[test]
fn a_step_and_a_check_may_have_the_same_name() {
    let mut measured = with_thresholds("pay: rate>50%, pay: max<5ms, pay: rate>5/s");
    measured.name((0, 1), MetricKind::Time, "pay");
    measured.name((0, 2), MetricKind::Check, "pay");
    measured.add((0, 1), Value::Time(2 * MS, 0, false));
    measured.add((0, 2), Value::Truth(true));
    let broken: Vec<Option<bool>> = judged(&measured).into_iter().map(|one| one.1).collect();
    assert_eq!(broken, [Some(false), Some(false), Some(true)]);
}
