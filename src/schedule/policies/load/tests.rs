//! Unit tests of the policy, one demand after the other.

use super::*;
use crate::schedule::policies::script::{ask, assign, busy, close, finish, idle, run_dry, take_back};

fn with_seconds(seconds: &[f64]) -> Forecast {
    Forecast {
        seconds: seconds.iter().copied().map(Some).collect(),
        ..Forecast::unknown(seconds.len())
    }
}

fn load(tests: usize, workers: Worker, max_chunk: Option<usize>) -> Load {
    let mut load = Load::new(
        Forecast::unknown(tests),
        workers as usize,
        max_chunk,
        Plan::Collection,
    );
    (0..workers).for_each(|worker| load.add_worker(worker));
    load
}

#[test]
fn without_durations_pieces_get_smaller_and_smaller() {
    let mut load = load(80, 2, None);
    // A fourth of a worker's share of the pending tests, as under pytest-xdist.
    assert_eq!(idle(&mut load, 0), assign(0, 0..10));
    assert_eq!(idle(&mut load, 1), assign(1, 10..18));
    assert_eq!(busy(&mut load, 0, 4), []);
    assert_eq!(busy(&mut load, 0, 3), assign(0, 18..25));
}

#[test]
fn a_worker_runs_what_it_has_collected_and_waits_before_it_collects_more() {
    let forecast = Forecast {
        files: vec![0, 0, 1, 1, 2, 2, 3, 3],
        owners: vec![1, 1, 0, 0, 1, 1, 1, 1],
        collect_seconds: 0.2,
        ..with_seconds(&[0.01; 8])
    };
    let mut load = Load::new(forecast, 2, None, Plan::Collection);
    (0..2).for_each(|worker| load.add_worker(worker));
    assert_eq!(idle(&mut load, 0), assign(0, [2]));
    assert_eq!(idle(&mut load, 1), assign(1, [0]));
    finish(&mut load, 0, [2]);
    assert_eq!(idle(&mut load, 0), assign(0, [3]));
    finish(&mut load, 0, [3]);
    let waiting = |waited| Demand {
        worker: 0,
        queued: 0,
        room: 100,
        idle: true,
        waited,
        now: 0.0,
    };
    assert_eq!(ask(&mut load, waiting(0.1)), []);
    assert_eq!(ask(&mut load, waiting(0.3)), assign(0, [7]));
    load.lost(1, Some(0));
    finish(&mut load, 0, [7]);
    assert_eq!(ask(&mut load, waiting(0.0)), assign(0, [1]));
}

#[test]
fn with_durations_the_longest_come_first_and_nothing_is_queued_behind_them() {
    let seconds = [vec![0.01; 40], vec![3.0, 1.0]].concat();
    let mut load = Load::new(with_seconds(&seconds), 2, None, Plan::Duration);
    (0..2).for_each(|worker| load.add_worker(worker));
    assert_eq!(idle(&mut load, 0), assign(0, [40]));
    assert_eq!(busy(&mut load, 0, 0), []);
    assert_eq!(idle(&mut load, 1), assign(1, [41]));
    finish(&mut load, 1, [41]);
    assert_eq!(idle(&mut load, 1), assign(1, 0..19));
}

#[test]
fn a_group_is_split_when_waiting_for_it_takes_longer_than_its_fixture() {
    let forecast = Forecast {
        fixtures: vec![vec![0]; 10],
        kinds: vec![0],
        setup_seconds: vec![Some(1.0)],
        ..with_seconds(&[0.5; 10])
    };
    let mut load = Load::new(forecast, 1, None, Plan::Duration);
    (0..2).for_each(|worker| load.add_worker(worker));
    assert_eq!(idle(&mut load, 0), assign(0, 0..10));
    // With half of the tests and its own setup, the thief ends when the victim does.
    assert_eq!(idle(&mut load, 1), take_back(0, 5));
}

#[test]
fn a_fixture_is_set_up_again_for_a_short_rest_only_when_the_wait_is_longer_than_expected() {
    let forecast = Forecast {
        fixtures: vec![vec![0]; 3],
        kinds: vec![0],
        setup_seconds: vec![Some(9.0)],
        ..with_seconds(&[0.5; 3])
    };
    let mut load = Load::new(forecast, 1, None, Plan::Duration);
    (0..2).for_each(|worker| load.add_worker(worker));
    assert_eq!(idle(&mut load, 0), assign(0, 0..3));
    let demand = |now| Demand {
        worker: 1,
        queued: 0,
        room: 9,
        idle: true,
        waited: now,
        now,
    };
    assert_eq!(ask(&mut load, demand(1.0)), []);
    // The first test should have ended after 9.5 s.
    assert_eq!(ask(&mut load, demand(18.0)), []);
    assert_eq!(ask(&mut load, demand(19.0)), take_back(0, 1));
}

#[test]
fn a_worker_with_more_than_half_a_run_in_its_queue_gets_nothing() {
    let mut load = load(80, 2, None);
    idle(&mut load, 0);
    assert_eq!(busy(&mut load, 0, 9), []);
}

#[test]
fn an_assignment_is_limited_by_the_room_and_the_largest_chunk() {
    let mut load = load(80, 1, Some(5));
    assert_eq!(idle(&mut load, 0), assign(0, 0..5));
    let demand = Demand {
        worker: 0,
        queued: 1,
        room: 2,
        idle: false,
        waited: 0.0,
        now: 0.0,
    };
    assert_eq!(ask(&mut load, demand), assign(0, 5..7));
}

#[test]
fn with_chunks_of_one_a_worker_has_one_test_ahead() {
    let mut load = load(80, 2, Some(1));
    assert_eq!(idle(&mut load, 0), assign(0, [0]));
    assert_eq!(busy(&mut load, 0, 0), assign(0, [1]));
    assert_eq!(busy(&mut load, 0, 1), []);
}

#[test]
fn an_idle_worker_gets_the_end_of_the_longest_queue() {
    let mut load = load(3, 3, None);
    assert_eq!(idle(&mut load, 0), assign(0, [0]));
    assert_eq!(busy(&mut load, 0, 0), assign(0, [1]));
    assert_eq!(busy(&mut load, 0, 0), assign(0, [2]));
    assert_eq!(idle(&mut load, 1), take_back(0, 1));
    load.returned(0, &[2]);
    assert_eq!(load.unfinished(), 3);
    assert_eq!(idle(&mut load, 1), assign(1, [2]));
}

#[test]
fn reclaimed_tests_go_to_an_idle_worker_together_and_not_to_the_victim() {
    let mut load = load(80, 2, None);
    assert_eq!(idle(&mut load, 0), assign(0, 0..10));
    assert_eq!(run_dry(&mut load, 1), take_back(0, 5));
    load.returned(0, &[5, 6, 7, 8, 9]);
    assert_eq!(busy(&mut load, 0, 0), []);
    assert_eq!(idle(&mut load, 1), assign(1, 5..10));
}

#[test]
fn a_test_just_given_to_an_idle_worker_is_not_taken_back() {
    let mut load = load(2, 2, None);
    idle(&mut load, 0);
    // Its second test, before the report of the first has arrived.
    idle(&mut load, 0);
    assert_eq!(busy(&mut load, 0, 1), []);
    assert_eq!(idle(&mut load, 1), close(1));
}

#[test]
fn a_queue_that_gave_nothing_is_not_tried_again() {
    let mut load = load(4, 3, None);
    for worker in [0, 1] {
        idle(&mut load, worker);
        busy(&mut load, worker, 0);
    }
    assert_eq!(idle(&mut load, 2), take_back(0, 1));
    load.returned(0, &[]);
    assert_eq!(idle(&mut load, 2), take_back(1, 1));
    load.returned(1, &[]);
    assert_eq!(idle(&mut load, 2), close(2));
}

#[test]
fn a_closed_worker_gets_nothing_even_if_tests_are_pending_again() {
    let mut load = load(0, 2, None);
    assert_eq!(idle(&mut load, 0), close(0));
    load.run_again(0);
    assert_eq!(load.unfinished(), 1);
    assert_eq!(idle(&mut load, 0), []);
    load.lost(0, None);
    assert_eq!(idle(&mut load, 0), []);
    assert_eq!(idle(&mut load, 1), assign(1, [0]));
}

#[test]
fn the_tests_of_a_lost_worker_are_pending_in_place_except_the_running_one() {
    let mut load = load(80, 2, None);
    idle(&mut load, 0);
    finish(&mut load, 0, [0]);
    load.lost(0, Some(1));
    assert_eq!(load.unfinished(), 78);
    assert_eq!(idle(&mut load, 1), assign(1, 2..10));
    load.add_worker(2);
    assert_eq!(idle(&mut load, 2), assign(2, 10..18));
}

#[test]
fn answers_about_a_lost_worker_change_nothing() {
    let mut load = load(80, 2, None);
    idle(&mut load, 0);
    load.lost(0, None);
    load.returned(0, &[8, 9]);
    finish(&mut load, 0, [0]);
    load.lost(0, Some(0));
    assert_eq!(load.unfinished(), 80);
}

fn in_order(seconds: &[f64], workers: Worker) -> Load {
    let mut load = Load::new(with_seconds(seconds), workers as usize, None, Plan::Collection);
    (0..workers).for_each(|worker| load.add_worker(worker));
    load
}

#[test]
fn a_late_slow_test_waits_until_it_takes_a_share_of_the_remaining_work() {
    let seconds = [vec![1.0; 9], vec![3.0]].concat();
    let mut load = in_order(&seconds, 2);
    let mut order: Vec<Test> = Vec::new();
    for _ in 0..4 {
        for worker in [0, 1] {
            let test = match &idle(&mut load, worker)[..] {
                [Action::Assign { tests, .. }] => tests.clone(),
                other => panic!("{other:?}"),
            };
            order.extend(&test);
        }
        finish(&mut load, 0, [order[order.len() - 2]]);
        finish(&mut load, 1, [order[order.len() - 1]]);
    }
    // When 6 s are left for two workers, 3 of them for this test, it is assigned, and not before.
    assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 9]);
}

#[test]
fn a_test_as_long_as_all_others_is_assigned_at_once() {
    let seconds = [vec![0.5; 8], vec![9.0]].concat();
    let mut load = in_order(&seconds, 2);
    // Another worker is available for it.
    assert_eq!(idle(&mut load, 0), assign(0, [0]));
    assert_eq!(idle(&mut load, 1), assign(1, [8]));
}

#[test]
fn one_worker_keeps_the_collection_order_whatever_the_durations() {
    let mut load = in_order(&[0.1, 9.0, 0.2, 30.0, 0.1, 2.0], 1);
    let mut order: Vec<Test> = Vec::new();
    while let [Action::Assign { tests, .. }] = &idle(&mut load, 0)[..] {
        order.extend(tests.clone());
        finish(&mut load, 0, tests.clone());
    }
    assert_eq!(order, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_first_piece_is_a_fourth_of_a_share_however_short_its_tests_are() {
    let mut load = in_order(&[0.0001; 800], 2);
    assert_eq!(idle(&mut load, 0), assign(0, 0..100));
    assert_eq!(idle(&mut load, 1), assign(1, 100..187));
}

#[test]
fn a_piece_is_cut_between_files_before_classes_before_neighbours() {
    let forecast = |files: Vec<u32>, scopes: Vec<u32>| Forecast {
        files,
        scopes,
        ..Forecast::unknown(80)
    };
    let file = |at: usize| [vec![0; at], vec![1; 80 - at]].concat();
    let begin = |forecast| {
        let mut load = Load::new(forecast, 2, None, Plan::Collection);
        load.add_worker(0);
        idle(&mut load, 0)
    };
    assert_eq!(begin(forecast(vec![0; 80], vec![0; 80])), assign(0, 0..10));
    assert_eq!(begin(forecast(vec![0; 80], file(8))), assign(0, 0..8));
    // Less than three quarters of a piece would be too little.
    assert_eq!(begin(forecast(vec![0; 80], file(6))), assign(0, 0..10));
    assert_eq!(begin(forecast(file(9), file(8))), assign(0, 0..9));
}

#[test]
fn a_group_with_a_costly_fixture_continues_on_its_worker() {
    let forecast = Forecast {
        files: [vec![0; 12], vec![1; 28]].concat(),
        fixtures: [vec![vec![0]; 12], vec![vec![1]; 28]].concat(),
        kinds: vec![0, 0],
        setup_seconds: vec![Some(1.0)],
        ..with_seconds(&[0.1; 40])
    };
    let mut load = Load::new(forecast, 2, None, Plan::Collection);
    (0..2).for_each(|worker| load.add_worker(worker));
    assert_eq!(idle(&mut load, 0), assign(0, 0..5));
    assert_eq!(idle(&mut load, 1), assign(1, 12..16));
    assert_eq!(busy(&mut load, 0, 4), assign(0, 5..12));
    assert_eq!(busy(&mut load, 1, 3), assign(1, 16..26));
}

#[test]
fn a_worker_moves_forward_and_steps_back_only_when_nothing_else_is_left() {
    let mut load = load(16, 2, None);
    assert_eq!(idle(&mut load, 0), assign(0, 0..2));
    assert_eq!(idle(&mut load, 1), assign(1, 2..3));
    load.lost(0, Some(0));
    assert_eq!(busy(&mut load, 1, 0), assign(1, 3..4));
    finish(&mut load, 1, [2, 3]);
    for test in 4..16 {
        assert_eq!(busy(&mut load, 1, 0), assign(1, [test]));
        finish(&mut load, 1, [test]);
    }
    assert_eq!(busy(&mut load, 1, 0), assign(1, [1]));
}

#[test]
fn a_test_that_runs_again_has_its_place_in_the_collection() {
    let mut load = load(16, 1, None);
    assert_eq!(idle(&mut load, 0), assign(0, 0..4));
    load.lost(0, Some(0));
    load.run_again(0);
    load.add_worker(1);
    assert_eq!(idle(&mut load, 1), assign(1, 0..4));
}

#[test]
fn failed_tests_keep_their_place() {
    let forecast = Forecast {
        failed: [vec![false; 79], vec![true]].concat(),
        ..with_seconds(&[0.1; 80])
    };
    let mut load = Load::new(forecast, 2, None, Plan::Collection);
    load.add_worker(0);
    assert_eq!(idle(&mut load, 0), assign(0, 0..9));
}

#[test]
fn nothing_comes_between_failures_that_lead_the_collection() {
    let forecast = Forecast {
        failed: vec![true, true, true, false, false],
        ..with_seconds(&[1.0, 1.0, 1.0, 1.0, 60.0])
    };
    let mut load = Load::new(forecast, 2, None, Plan::Collection);
    (0..2).for_each(|worker| load.add_worker(worker));
    assert_eq!(idle(&mut load, 0), assign(0, [0]));
    assert_eq!(idle(&mut load, 1), assign(1, [1]));
    finish(&mut load, 0, [0]);
    assert_eq!(idle(&mut load, 0), assign(0, [2]));
    finish(&mut load, 1, [1]);
    assert_eq!(idle(&mut load, 1), assign(1, [4]));
}
