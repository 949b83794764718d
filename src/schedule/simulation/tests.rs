//! Tests against plans worked out by hand.

use super::*;
use crate::schedule::constraints::needs::Needs;
use crate::schedule::mode::{Mode, Rules, policy};
use crate::schedule::policies::load::Plan;

const LOAD: Mode = Mode::load();

fn with_seconds(seconds: &[f64]) -> Forecast {
    Forecast {
        seconds: seconds.iter().copied().map(Some).collect(),
        ..Forecast::unknown(seconds.len())
    }
}

/// The steps of each worker: test, start and end in seconds.
fn plan(mode: &Mode, forecast: &Forecast, rules: &Rules, workers: usize) -> Vec<Vec<(Test, f64, f64)>> {
    let mut policy = policy(mode, forecast.clone(), rules, workers);
    let plan = simulate_run(policy.as_mut(), forecast.clone(), workers).expect("it ends");
    let shown = |step: &Step| (step.test, step.start.as_secs_f64(), step.end.as_secs_f64());
    plan.iter()
        .map(|steps| steps.iter().map(shown).collect())
        .collect()
}

fn holding(resource: u32) -> Needs {
    Needs {
        serial: false,
        holds: vec![(resource, false)],
    }
}

#[test]
fn a_worker_gets_tests_that_end_with_the_others_and_runs_them_in_order() {
    let forecast = Forecast {
        files: vec![0, 1, 2, 3],
        ..with_seconds(&[1.0, 2.0, 4.0, 2.5])
    };
    assert_eq!(
        plan(&LOAD, &forecast, &Rules::default(), 2),
        [
            vec![(0, 0.0, 1.0), (2, 1.0, 5.0)],
            vec![(1, 0.0, 2.0), (3, 2.0, 4.5)]
        ]
    );
    let longest_first = Mode::Load {
        max_chunk: None,
        plan: Plan::Duration,
    };
    assert_eq!(
        plan(&longest_first, &forecast, &Rules::default(), 2),
        [
            vec![(2, 0.0, 4.0), (0, 4.0, 5.0)],
            vec![(3, 0.0, 2.5), (1, 2.5, 4.5)]
        ]
    );
}

#[test]
fn a_fixture_is_set_up_once_if_its_tests_stay_together() {
    let forecast = Forecast {
        fixtures: vec![vec![0], vec![0], vec![1], vec![1]],
        kinds: vec![0, 0],
        setup_seconds: vec![Some(4.0)],
        ..with_seconds(&[1.0; 4])
    };
    assert_eq!(
        plan(&LOAD, &forecast, &Rules::default(), 2),
        [
            vec![(0, 0.0, 5.0), (1, 5.0, 6.0)],
            vec![(2, 0.0, 5.0), (3, 5.0, 6.0)]
        ]
    );
}

#[test]
fn a_fixture_is_set_up_again_if_another_worker_helps() {
    let forecast = Forecast {
        fixtures: vec![vec![0]; 4],
        kinds: vec![0],
        setup_seconds: vec![Some(1.0)],
        ..with_seconds(&[2.0; 4])
    };
    for steps in plan(&LOAD, &forecast, &Rules::default(), 2) {
        let times: Vec<_> = steps.iter().map(|(_, start, end)| (*start, *end)).collect();
        assert_eq!(times, [(0.0, 3.0), (3.0, 5.0)]);
    }
}

#[test]
fn no_test_runs_during_a_serial_test() {
    let rules = Rules {
        needs: vec![
            Needs {
                serial: true,
                holds: vec![],
            },
            Needs::default(),
            Needs::default(),
        ],
        ..Rules::default()
    };
    let plan = plan(&LOAD, &with_seconds(&[1.0, 2.0, 3.0]), &rules, 2);
    let all: Vec<_> = plan.concat();
    let serial = all.iter().find(|step| step.0 == 0);
    assert_eq!(serial, Some(&(0, 3.0, 4.0)));
    assert!(all.contains(&(1, 0.0, 2.0)) && all.contains(&(2, 0.0, 3.0)));
}

#[test]
fn a_class_starts_when_the_one_before_is_assigned() {
    let rules = Rules {
        classes: vec![1, 0, 1, 0],
        ..Rules::default()
    };
    assert_eq!(
        plan(&LOAD, &with_seconds(&[5.0, 1.0, 4.0, 2.0]), &rules, 2),
        [
            vec![(1, 0.0, 1.0), (0, 1.0, 6.0)],
            vec![(3, 0.0, 2.0), (2, 2.0, 6.0)]
        ]
    );
}

#[test]
fn a_test_that_holds_a_resource_has_its_place_in_the_collection() {
    let rules = Rules {
        needs: (0..40)
            .map(|test| {
                if test == 3 || test > 35 {
                    holding(0)
                } else {
                    Needs::default()
                }
            })
            .collect(),
        places: vec![1],
        ..Rules::default()
    };
    let plan = plan(&LOAD, &with_seconds(&[1.0; 40]), &rules, 2);
    let begins = |wanted: Test| {
        let mut steps = plan.iter().flatten();
        steps
            .find(|(test, ..)| *test == wanted)
            .map_or(f64::NAN, |step| step.1)
    };
    assert!(begins(3) <= 4.0 && begins(36) > 14.0, "{plan:?}");
    for steps in &plan {
        assert!(steps.is_sorted_by_key(|step| step.0), "{plan:?}");
    }
}

#[test]
fn tests_waiting_for_a_resource_start_early_if_they_would_prolong_the_run() {
    let rules = Rules {
        needs: [vec![Needs::default(); 10], vec![holding(0); 10]].concat(),
        places: vec![1],
        ..Rules::default()
    };
    let plan = plan(&LOAD, &with_seconds(&[1.0; 20]), &rules, 2);
    let end = plan.iter().filter_map(|steps| steps.last()).map(|step| step.2);
    assert!(end.fold(0.0, f64::max) < 11.5, "{plan:?}");
}

#[test]
fn tests_with_the_same_resource_run_one_after_the_other() {
    let rules = Rules {
        needs: vec![holding(0), holding(0), Needs::default()],
        places: vec![1],
        ..Rules::default()
    };
    assert_eq!(
        plan(&LOAD, &with_seconds(&[1.0, 2.0, 1.5]), &rules, 2),
        [vec![(0, 0.0, 1.0), (1, 1.0, 3.0)], vec![(2, 0.0, 1.5)]]
    );
}

#[test]
fn a_unit_stays_on_one_worker() {
    let mode = Mode::Units {
        keys: vec![0, 0, 1],
        reorder: true,
    };
    assert_eq!(
        plan(&mode, &with_seconds(&[1.0, 2.0, 1.0]), &Rules::default(), 2),
        [vec![(0, 0.0, 1.0), (1, 1.0, 3.0)], vec![(2, 0.0, 1.0)]]
    );
}

#[test]
fn with_dist_each_every_worker_runs_every_test() {
    let all = vec![(0, 0.0, 1.0), (1, 1.0, 3.0)];
    assert_eq!(
        plan(&Mode::Each, &with_seconds(&[1.0, 2.0]), &Rules::default(), 2),
        [all.clone(), all]
    );
}

#[test]
fn without_durations_tests_are_counted_and_fixtures_are_not() {
    let forecast = Forecast {
        fixtures: vec![vec![0]; 4],
        kinds: vec![0],
        setup_seconds: vec![None],
        ..Forecast::unknown(4)
    };
    let plan = plan(&LOAD, &forecast, &Rules::default(), 1);
    assert_eq!(plan[0].last().map(|step| step.2), Some(4.0));
}

/// A policy that assigns nothing, or the same test for ever.
struct Broken {
    gives: bool,
}

impl Policy for Broken {
    fn add_worker(&mut self, _: Worker) {}
    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        if self.gives && demand.idle {
            actions.push(Action::Assign {
                worker: demand.worker,
                tests: vec![0],
            });
        }
    }
    fn finished(&mut self, _: Worker, _: Test, _: f64) {}
    fn set_up(&mut self, _: Worker, _: Definition, _: f64) {}
    fn returned(&mut self, _: Worker, _: &[Test]) {}
    fn lost(&mut self, _: Worker, _: Option<Test>) {}
    fn run_again(&mut self, _: Test) {}
    fn unfinished(&self) -> usize {
        1
    }
}

#[test]
fn a_policy_that_does_not_terminate_is_an_error() {
    for gives in [false, true] {
        let plan = simulate_run(&mut Broken { gives }, with_seconds(&[1.0]), 2);
        assert_eq!(plan, Err(SimulationError::NoEnd { unfinished: 1 }));
    }
}
