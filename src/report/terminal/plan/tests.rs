//! Snapshots of the plans that `rustpar schedule` shows.

use super::*;
use crate::schedule::constraints::needs::Needs;
use crate::schedule::policies::scope::{by_key, file_key, scope_key};
use std::time::Duration;

const IDS: [&str; 4] = [
    "a.py::TestA::test_one",
    "a.py::TestA::test_two[x::y]",
    "b.py::test_three",
    "b.py::test_four",
];

struct Asked {
    dist: &'static str,
    seconds: Vec<Option<f64>>,
    rules: Rules,
    resources: Vec<String>,
    fixtures: Forecast,
    warnings: Vec<String>,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            dist: "load",
            seconds: Vec::new(),
            rules: Rules::default(),
            resources: Vec::new(),
            fixtures: Forecast::unknown(4),
            warnings: Vec::new(),
        }
    }
}

impl Asked {
    fn taking(seconds: [f64; 4]) -> Self {
        Self {
            seconds: seconds.into_iter().map(Some).collect(),
            ..Self::default()
        }
    }

    fn suite(self, ids: &[String]) -> Suite<'_> {
        let units = |keys| Mode::Units { keys, reorder: true };
        Suite {
            node_ids: ids,
            groups: &[const { None }; 4],
            dist: self.dist,
            mode: match self.dist {
                "loadscope" => units(by_key(ids, scope_key)),
                "loadfile" => units(by_key(ids, file_key)),
                _ => Mode::load(),
            },
            rules: self.rules,
            resources: self.resources,
            forecast: Forecast {
                seconds: self.seconds,
                files: by_key(ids, file_key),
                scopes: by_key(ids, scope_key),
                ..self.fixtures
            },
        }
    }

    fn lines(self, workers: usize) -> String {
        let ids = IDS.map(str::to_owned);
        let warnings = self.warnings.clone();
        let lines = lines(&self.suite(&ids), workers, &warnings);
        lines.expect("a plan").join("\n")
    }
}

#[test]
fn the_longest_test_is_named_if_it_limits_the_run() {
    insta::assert_snapshot!(Asked::taking([1.0, 2.0, 9.0, 3.0]).lines(2), @r"
    4 tests, 2 workers, --dist load, durations of 4 tests known

    worker  tests  expected  set-up  ends at
    gw0         3    6.00 s    0 us   6.00 s
    gw1         1    9.00 s    0 us   9.00 s
    total       4    15.0 s    0 us

    expected: 9.00 s; lower bound 9.00 s (0 % above)
    --rustpar-plan=duration would save nothing
    limited by:
      b.py::test_three alone takes 9.00 s; an even split over 2 workers would take 7.50 s
    ");
}

#[test]
fn the_worker_that_ends_last_is_shown_with_its_longest_tests() {
    insta::assert_snapshot!(Asked::taking([3.0, 3.0, 3.0, 1.0]).lines(2), @r"
    4 tests, 2 workers, --dist load, durations of 4 tests known

    worker  tests  expected  set-up  ends at
    gw0         2    6.00 s    0 us   6.00 s
    gw1         2    4.00 s    0 us   4.00 s
    total       4    10.0 s    0 us

    expected: 6.00 s; lower bound 5.00 s (20 % above)
    --rustpar-plan=duration would save nothing
    limited by:
      gw0 ends last, at 6.00 s; the longest of its tests:
        3.00 s  a.py::TestA::test_one
        3.00 s  b.py::test_three
    ");
}

#[test]
fn tests_are_counted_if_no_duration_is_known() {
    let warnings = vec!["cannot read history.json".to_owned()];
    let asked = Asked {
        warnings,
        ..Asked::default()
    };
    insta::assert_snapshot!(asked.lines(2), @r"
    4 tests, 2 workers, --dist load, no durations known: run the tests once to see times
    warning: cannot read history.json

    worker  tests
    gw0         2
    gw1         2
    total       4

    expected: 2 tests; lower bound 2 tests (0 % above)
    limited by:
      the work as a whole; an even split over 2 workers would be 2 tests each
      gw0 ends last, at 2 tests; the longest of its tests:
        1 test  a.py::TestA::test_one
        1 test  b.py::test_three
    ");
}

#[test]
fn a_test_without_a_duration_is_counted_among_the_others() {
    let mut asked = Asked::taking([0.012, 0.034, 0.5, 0.0]);
    asked.seconds[3] = None;
    insta::assert_snapshot!(asked.lines(2), @r"
    4 tests, 2 workers, --dist load, durations of 3 of 4 tests known

    worker  tests  expected  set-up  ends at
    gw0         3   80.0 ms    0 us  80.0 ms
    gw1         1    500 ms    0 us   500 ms
    total       4    580 ms    0 us

    expected: 500 ms; lower bound 500 ms (0 % above)
    --rustpar-plan=duration would save nothing
    limited by:
      b.py::test_three alone takes 500 ms; an even split over 2 workers would take 290 ms
    ");
}

#[test]
fn a_class_is_named_if_it_stays_on_one_worker() {
    let dist = "loadscope";
    insta::assert_snapshot!(Asked { dist, ..Asked::taking([5.0, 6.0, 1.0, 1.0]) }.lines(2), @r"
    4 tests, 2 workers, --dist loadscope, durations of 4 tests known

    worker  tests  expected  set-up  ends at
    gw0         2    11.0 s    0 us   11.0 s
    gw1         2    2.00 s    0 us   2.00 s
    total       4    13.0 s    0 us

    expected: 11.0 s; lower bound 11.0 s (0 % above)
    limited by:
      a.py::TestA (2 tests) alone takes 11.0 s; an even split over 2 workers would take 6.50 s
    ");
}

#[test]
fn groups_are_counted_if_no_duration_is_known() {
    let dist = "loadfile";
    insta::assert_snapshot!(Asked { dist, ..Asked::default() }.lines(3), @r"
    4 tests, 3 workers, --dist loadfile, no durations known: run the tests once to see times

    worker  tests
    gw0         2
    gw1         2
    gw2         0
    total       4

    expected: 2 tests; lower bound 2 tests (0 % above)
    limited by:
      a.py (2 tests) alone stays on one worker; an even split over 3 workers would be 2 tests each
    ");
}

#[test]
fn serial_tests_are_named_if_they_limit_the_run() {
    let mut asked = Asked::taking([6.0, 1.0, 1.0, 1.0]);
    asked.rules.needs = vec![Needs::default(); 4];
    asked.rules.needs[0].serial = true;
    insta::assert_snapshot!(asked.lines(3), @r"
    4 tests, 3 workers, --dist load, durations of 4 tests known

    worker  tests  expected  set-up  ends at
    gw0         2    7.00 s    0 us   7.00 s
    gw1         1    1.00 s    0 us   1.00 s
    gw2         1    1.00 s    0 us   1.00 s
    total       4    9.00 s    0 us

    expected: 7.00 s; lower bound 7.00 s (0 % above)
    --rustpar-plan=duration would save nothing
    limited by:
      nothing else runs during 1 serial test: 6.00 s; an even split over 3 workers would take 3.00 s
    ");
}

#[test]
fn a_resource_is_named_if_it_limits_the_run() {
    let mut asked = Asked::taking([0.5, 2.0, 3.0, 1.0]);
    asked.rules.needs = vec![Needs::default(); 4];
    for test in [1, 2] {
        asked.rules.needs[test].holds = vec![(0, false)];
    }
    asked.rules.places = vec![1];
    asked.resources = vec!["db".to_owned()];
    insta::assert_snapshot!(asked.lines(3), @r"
    4 tests, 3 workers, --dist load, durations of 4 tests known

    worker  tests  expected  set-up  ends at
    gw0         2    5.00 s    0 us   5.00 s
    gw1         1    500 ms    0 us   500 ms
    gw2         1    1.00 s    0 us   1.00 s
    total       4    6.50 s    0 us

    expected: 5.00 s; lower bound 5.00 s (0 % above)
    --rustpar-plan=duration would save nothing
    limited by:
      resource db has 1 place, and is in use for 5.00 s; an even split over 3 workers would take 2.17 s
    ");
}

#[test]
fn setup_of_shared_fixtures_is_shown_separately() {
    let mut asked = Asked::taking([1.0, 1.0, 1.0, 1.0]);
    asked.fixtures = Forecast {
        fixtures: vec![vec![0], vec![0], vec![1], vec![1]],
        kinds: vec![0, 0],
        setup_seconds: vec![Some(2.0)],
        ..Forecast::unknown(4)
    };
    insta::assert_snapshot!(asked.lines(2), @r"
    4 tests, 2 workers, --dist load, durations of 4 tests known

    worker  tests  expected  set-up  ends at
    gw0         2    4.00 s  2.00 s   4.00 s
    gw1         2    4.00 s  2.00 s   4.00 s
    total       4    8.00 s  4.00 s

    expected: 4.00 s; lower bound 4.00 s (0 % above)
    --rustpar-plan=duration would save nothing
    limited by:
      the work as a whole; an even split over 2 workers would take 4.00 s
      gw0 ends last, at 4.00 s; the longest of its tests:
        3.00 s  a.py::TestA::test_one, 2.00 s of it for setting up shared fixtures
        1.00 s  a.py::TestA::test_two[x::y]
    ");
}

#[test]
fn the_cost_of_the_collection_order_is_shown() {
    let ids = IDS.map(str::to_owned);
    let suite = Asked::taking([3.0, 3.0, 3.0, 1.0]).suite(&ids);
    let ending = |end: u64| ExpectedRun {
        workers: vec![vec![Step {
            test: 0,
            start: Duration::ZERO,
            end: Duration::from_secs(end),
            set_up: Duration::ZERO,
        }]],
        ..ExpectedRun::default()
    };
    let gain = |other: u64| View::new(&suite, &ending(60)).gain(&ending(other));
    insta::assert_snapshot!(gain(45).expect("a line"), @"--rustpar-plan=duration would take 45.0 s (25 % less), if no test depends on another");
    insta::assert_snapshot!(gain(61).expect("a line"), @"--rustpar-plan=duration would save nothing");
    let unknown = Asked::default().suite(&ids);
    assert_eq!(View::new(&unknown, &ending(60)).gain(&ending(45)), None);
}
