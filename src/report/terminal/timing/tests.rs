//! Snapshots of the lines.

use super::*;
use crate::analysis::threshold_check::judge;
use crate::journal::example::{ONE_PROCESS, TWO_WORKERS, journal, merged};
use insta::assert_snapshot;
use std::fmt::Write as _;

fn same(id: &str) -> String {
    id.to_owned()
}

/// Joins lines to a text; an arrow marks highlighted ones.
fn shown(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let mark = if line.is_highlighted { "> " } else { "  " };
        let _ = writeln!(text, "{mark}{}", line.text);
    }
    text
}

/// The run with two workers, with its first two events replaced.
fn run_with(collected: &str, start: &str) -> Merged {
    let rest: Vec<&str> = TWO_WORKERS.trim().lines().skip(2).collect();
    let head = format!(
        r#"{{"e":"collected","at":0,"ids":["a.py::slow","a.py::test","b.py::test"]{collected}}}
{{"e":"start","at":0,"start":"template","workers":2{start}}}
"#
    );
    merged(&journal("one", 0, &[], &(head + &rest.join("\n") + "\n")))
}

#[test]
fn the_longest_test_comes_first_with_its_usual_time() {
    let run = merged(&journal("one", 0, &[], TWO_WORKERS));
    assert_snapshot!(slow_title(&run), @"slow tests (1.00 s and more)");
    assert_snapshot!(shown(&slow_tests(&run, &same)), @r"
     whole  set-up    call  teardown  worker                  test
  > 3.50 s  500 ms  2.90 s    100 ms  gw0     3.1x its usual  a.py::slow
    1.00 s          1.00 s            gw1                     a.py::test
    ");
}

#[test]
fn the_limit_in_the_run_is_used() {
    let run = merged(&journal("one", 0, &[("rustpar_slow", "4.0")], TWO_WORKERS));
    assert_eq!(slow_title(&run), "slow tests (4.00 s and more)");
    assert_eq!(slow_tests(&run, &same), []);
}

#[test]
fn the_list_of_slow_tests_is_limited_and_counts_the_rest() {
    let count = |tests: usize| {
        let ids: Vec<String> = (0..tests).map(|test| format!("\"a.py::test[{test}]\"")).collect();
        let mut events = format!("{{\"e\":\"collected\",\"at\":0,\"ids\":[{}]}}\n", ids.join(","));
        for test in 0..tests {
            let _ = writeln!(
                events,
                "{{\"e\":\"call\",\"t\":{test},\"w\":0,\"at\":0,\"us\":1000000,\"o\":\"passed\"}}"
            );
        }
        let lines = slow_tests(&merged(&journal("one", 0, &[], &events)), &same);
        (lines.len(), lines.last().map(|line| line.text.clone()))
    };
    assert_eq!(count(25).0, 26);
    assert_eq!(count(26), (27, Some("and 1 more".to_owned())));
    assert_eq!(count(300), (27, Some("and 275 more".to_owned())));
}

#[test]
fn percentiles_workers_and_the_bound_are_shown() {
    let run = merged(&journal("one", 0, &[], TWO_WORKERS));
    let place = |id: &str| format!("../{id}");
    assert_snapshot!(timing(&run, &place).join("\n"), @r"
              count     p50     p95     p99     max
    tests         3  1.00 s  3.50 s  3.50 s  3.50 s
    set-up        2    0 us  500 ms  500 ms  500 ms
    call          3  1.00 s  2.90 s  2.90 s  2.90 s
    teardown      1  100 ms  100 ms  100 ms  100 ms

    worker  tests    busy         set-up  shared fixtures    idle
    gw0         1  3.50 s  100 %  500 ms           400 ms    0 us
    gw1         2  1.00 s   29 %    0 us             0 us  2.50 s
    tests ran for 3.50 s; lower bound 3.50 s (0 % above)
    limited by: ../a.py::slow alone takes 3.50 s; an even split over 2 workers would take 2.25 s
    ");
}

#[test]
fn a_run_in_one_process_shows_only_percentiles() {
    let run = merged(&journal("one", 0, &[], ONE_PROCESS));
    assert_snapshot!(timing(&run, &same).join("\n"), @r"
           count      p50      p95      p99      max
    tests      2  10.0 ms  20.0 ms  20.0 ms  20.0 ms
    call       2  10.0 ms  20.0 ms  20.0 ms  20.0 ms
    ");
}

#[test]
fn a_run_without_tests_has_no_lines() {
    let run = merged(&journal(
        "one",
        0,
        &[],
        "{\"e\":\"collected\",\"at\":0,\"ids\":[]}\n",
    ));
    assert!(slow_tests(&run, &same).is_empty() && timing(&run, &same).is_empty());
}

#[test]
fn the_limit_of_a_run_is_named() {
    let limit = |collected: &str, start: &str| lower_bound(&run_with(collected, start), &same)[1].clone();
    assert_snapshot!(limit("", r#","dist":"load""#), @"limited by: a.py::slow alone takes 3.50 s; an even split over 2 workers would take 2.25 s");
    assert_snapshot!(limit("", r#","dist":"loadfile""#), @"limited by: a.py (2 tests) alone takes 4.50 s; an even split over 2 workers would take 2.25 s");
    assert_snapshot!(limit(r#","groups":["db",null,"db"]"#, r#","dist":"loadgroup""#), @"limited by: db (2 tests) alone takes 3.50 s; an even split over 2 workers would take 2.25 s");
    assert_snapshot!(limit(r#","serial":[0]"#, r#","dist":"load""#), @"limited by: nothing else runs during 1 serial test; an even split over 2 workers would take 2.25 s");
    let run = merged(&journal("one", 0, &[], ONE_PROCESS));
    assert_snapshot!(lower_bound(&run, &same)[1], @"limited by: the work as a whole; an even split over 1 worker would take 30.0 ms");
}

#[test]
fn several_runs_have_workers_and_no_bound() {
    let both = journal("one", 0, &[], TWO_WORKERS) + &journal("two", 5_000_000, &[], ONE_PROCESS);
    assert_snapshot!(timing(&merged(&both), &same).join("\n"), @r"
              count      p50     p95     p99     max
    tests         5  20.0 ms  3.50 s  3.50 s  3.50 s
    set-up        2     0 us  500 ms  500 ms  500 ms
    call          5  20.0 ms  2.90 s  2.90 s  2.90 s
    teardown      1   100 ms  100 ms  100 ms  100 ms

    worker       tests     busy         set-up  shared fixtures    idle
    run 1: gw0       1   3.50 s  100 %  500 ms           400 ms    0 us
    run 1: gw1       2   1.00 s   29 %    0 us             0 us  2.50 s
    run 2: main      2  30.0 ms  100 %    0 us             0 us    0 us
    ");
}

#[test]
fn thresholds_are_aligned_and_broken_ones_highlighted() {
    let options = [("rustpar_thresholds", "max<1s, unit: count==0, failed_rate<1%")];
    let judgements = judge(&merged(&journal("one", 0, &options, TWO_WORKERS))).unwrap();
    assert_snapshot!(shown(&thresholds(&judgements)), @r"
    > broken  max<1s          3.50 s
      kept    unit: count==0       0
      kept    failed_rate<1%  0.00 %
    ");
    assert!(thresholds(&[]).is_empty());
}

/// The lines of thresholds for a run with so many calls, which take `each` microseconds and one more each time.
fn judged(asked: &str, calls: u64, each: u64) -> String {
    let ids: Vec<String> = (0..calls).map(|test| format!("\"a.py::test[{test}]\"")).collect();
    let mut events = format!("{{\"e\":\"collected\",\"at\":0,\"ids\":[{}]}}\n", ids.join(","));
    for test in 0..calls {
        let took = each * (test + 1);
        let _ = writeln!(
            events,
            "{{\"e\":\"call\",\"t\":{test},\"w\":0,\"at\":0,\"us\":{took},\"o\":\"passed\"}}"
        );
    }
    let options = [("rustpar_thresholds", asked), ("rustpar_slow", "0.1")];
    shown(&thresholds(
        &judge(&merged(&journal("one", 0, &options, &events))).unwrap(),
    ))
}

#[test]
fn figures_are_exact_or_from_an_hdr_histogram() {
    let asked =
        "p(95)<500ms, p(50)<51ms, avg<50500us, med>=50ms, min==1ms, max<100ms, count==100, slow_rate<=1%";
    assert_snapshot!(judged(asked, 100, 1000), @r"
      kept    p(95)<500ms    95.0 ms
      kept    p(50)<51ms     50.0 ms
    > broken  avg<50500us    50.5 ms
      kept    med>=50ms      50.0 ms
      kept    min==1ms       1.00 ms
    > broken  max<100ms       100 ms
      kept    count==100         100
      kept    slow_rate<=1%   1.00 %
    ");
}

#[test]
fn a_value_barely_over_its_limit_is_shown_with_all_digits() {
    assert_snapshot!(judged("max<=2s", 1, 2_000_001), @"> broken  max<=2s  2.000001 s");
}
