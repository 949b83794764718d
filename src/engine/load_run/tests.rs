//! Load tests of two workers, in shared memory: when they begin and end, and what happens if one is missing.

use super::*;
use crate::load::mark::Mark;
use std::sync::Arc;

const TEST: Test = 7;

struct Fixture {
    shared: Arc<Shared>,
    run: LoadRun,
}

impl Fixture {
    fn new(abort: Option<&str>) -> Self {
        let mark = Mark {
            users: Some(4.0),
            duration: Some(60.0),
            abort: abort.map(str::to_owned),
            ..Mark::default()
        };
        let plans = [TEST, TEST + 1].map(|test| (test, mark.clone().plan().expect("valid")));
        Self {
            shared: Shared::new().expect("memory"),
            run: LoadRun::new(HashMap::from(plans), 2),
        }
    }

    /// Workers 0 and 1 are in slots 1 and 2.
    fn send(&mut self, worker: Worker, frame: LoadFrame<'_>) {
        let slot = worker as usize + 1;
        assert!(self.run.handle(worker, slot, &Frame::Load(frame), &self.shared));
    }

    fn join(&mut self, worker: Worker, test: Test) {
        self.shared.slot(worker as usize + 1).clear_load();
        self.send(worker, LoadFrame::Join { test });
    }

    fn ready(&mut self, worker: Worker, test: Test) {
        self.join(worker, test);
        self.send(worker, LoadFrame::Ready { test });
    }

    fn begun(&self, worker: Worker) -> u64 {
        let slot = self.shared.slot(worker as usize + 1);
        slot.load_begin().load(Ordering::SeqCst)
    }

    fn is_stopped(&self, worker: Worker) -> bool {
        self.shared.slot(worker as usize + 1).load_stopped().is_set()
    }

    fn has_ended(&self, worker: Worker) -> bool {
        self.shared.slot(worker as usize + 1).load_ended().is_set()
    }

    fn results(&mut self) -> Vec<LoadResult> {
        let events = self.run.take_events().into_iter();
        let results = events.filter_map(|event| match event {
            LoadEvent::Result(result) => Some(*result),
            LoadEvent::Second(_) => None,
        });
        results.collect()
    }
}

#[test]
fn all_workers_begin_and_end_at_the_same_time() {
    let mut fixture = Fixture::new(None);
    fixture.ready(0, TEST);
    assert_eq!(fixture.begun(0), 0);
    fixture.ready(1, TEST);
    assert!(fixture.begun(0) > 1 && fixture.begun(0) == fixture.begun(1));
    let shares = [1, 2].map(|slot| fixture.shared.slot(slot).load_share().load(Ordering::SeqCst));
    assert_eq!(shares, [2 << 32 | 1, 2 << 32 | 2]);
    let sample = Sample {
        metric: 0,
        value: SampleValue::Time {
            nanos: 5_000_000,
            lag: 0,
            failed: false,
        },
    };
    fixture.shared.slot(1).set_load([2, 3, 1]);
    fixture.send(0, LoadFrame::Sample(sample));
    fixture.send(
        0,
        LoadFrame::Finished {
            test: TEST,
            interrupted: 2,
        },
    );
    assert!(!fixture.has_ended(0));
    fixture.send(
        1,
        LoadFrame::Finished {
            test: TEST,
            interrupted: 0,
        },
    );
    assert!(fixture.has_ended(0) && fixture.has_ended(1));
    let results = fixture.results();
    assert_eq!(results.len(), 1);
    let result = &results[0];
    assert_eq!((result.t, result.iterations, result.started), (TEST, 1, 3));
    assert_eq!((result.dropped, result.interrupted, result.generators), (1, 2, 2));
    assert_eq!(result.end, LoadEnd::Complete);
}

#[test]
fn an_interrupt_that_only_the_worker_has_received_stops_the_load_test() {
    let mut fixture = Fixture::new(None);
    fixture.ready(0, TEST);
    fixture.ready(1, TEST);
    fixture.shared.slot(1).interrupted().set(true);
    for worker in [0, 1] {
        assert_eq!(fixture.is_stopped(1), worker == 1);
        fixture.send(
            worker,
            LoadFrame::Finished {
                test: TEST,
                interrupted: 0,
            },
        );
    }
    assert_eq!(fixture.results()[0].end, LoadEnd::Interrupted);
}

#[test]
fn a_failed_set_up_cancels_the_load_test_for_the_others_only_there() {
    let mut fixture = Fixture::new(None);
    fixture.join(0, TEST);
    fixture.run.done(0, TEST, &fixture.shared.clone());
    // It is ahead of the other worker.
    fixture.ready(0, TEST + 1);
    fixture.ready(1, TEST);
    assert_eq!(fixture.begun(1), u64::MAX);
    assert_eq!(fixture.begun(0), 0, "it waits in the next one");
    fixture.run.done(1, TEST, &fixture.shared.clone());
    fixture.ready(1, TEST + 1);
    assert!(fixture.begun(0) > 1 && fixture.begun(0) < u64::MAX);
    assert!(fixture.results().is_empty());
}

#[test]
fn a_lost_worker_stops_the_others() {
    let mut fixture = Fixture::new(None);
    fixture.ready(0, TEST);
    fixture.ready(1, TEST);
    let shared = Arc::clone(&fixture.shared);
    fixture.run.lost(1, Some(TEST), &shared);
    assert!(fixture.is_stopped(0));
    fixture.send(
        0,
        LoadFrame::Finished {
            test: TEST,
            interrupted: 0,
        },
    );
    assert!(fixture.has_ended(0));
    let results = fixture.results();
    assert_eq!(results[0].end, LoadEnd::Lost);
    assert!(
        results[0].problems[0].contains("gw1 was lost"),
        "{:?}",
        results[0].problems
    );
    // The replacement has the same slot, and is not told of the end of the test before.
    fixture.run.decide(1, true, &shared);
    fixture.run.done(0, TEST, &shared);
    fixture.ready(0, TEST + 1);
    fixture.ready(2, TEST + 1);
    assert!(fixture.begun(2) > 1);
}

#[test]
fn a_lost_worker_that_is_not_replaced_keeps_nobody_from_ending() {
    let mut fixture = Fixture::new(None);
    fixture.ready(0, TEST);
    fixture.ready(1, TEST);
    let shared = Arc::clone(&fixture.shared);
    fixture.run.lost(1, Some(TEST), &shared);
    fixture.run.decide(1, false, &shared);
    // It still runs the last iterations.
    fixture.send(
        0,
        LoadFrame::Finished {
            test: TEST,
            interrupted: 0,
        },
    );
    assert!(fixture.has_ended(0));
    assert_eq!(fixture.results()[0].end, LoadEnd::Lost);
    fixture.run.done(0, TEST, &shared);
    fixture.ready(0, TEST + 1);
    assert!(fixture.begun(0) > 1 && fixture.begun(0) < u64::MAX);
}

#[test]
fn users_are_dealt_when_it_is_known_whether_a_lost_worker_is_replaced() {
    for (is_replaced, workers) in [(true, 2), (false, 1)] {
        let mut fixture = Fixture::new(None);
        let shared = Arc::clone(&fixture.shared);
        fixture.run.lost(1, None, &shared);
        fixture.join(0, TEST);
        let share = || shared.slot(1).load_share().load(Ordering::SeqCst);
        assert_eq!(share(), 0);
        fixture.run.decide(1, is_replaced, &shared);
        assert_eq!(share(), workers << 32 | 1);
    }
}

#[test]
fn a_worker_that_is_lost_in_its_set_up_and_not_replaced_cancels() {
    let mut fixture = Fixture::new(None);
    let shared = Arc::clone(&fixture.shared);
    fixture.join(1, TEST);
    fixture.run.lost(1, Some(TEST), &shared);
    fixture.run.decide(1, false, &shared);
    fixture.ready(0, TEST);
    assert_eq!(fixture.begun(0), u64::MAX);
}

#[test]
fn a_worker_that_is_lost_before_it_is_ready_cancels() {
    let mut fixture = Fixture::new(None);
    fixture.ready(0, TEST);
    fixture.join(1, TEST);
    fixture.run.lost(1, Some(TEST), &Arc::clone(&fixture.shared));
    assert_eq!(fixture.begun(0), u64::MAX);
}

#[test]
fn without_a_replacement_the_next_load_test_is_for_one_worker_less() {
    let mut fixture = Fixture::new(None);
    let shared = Arc::clone(&fixture.shared);
    // It has been dealt half of the users, and nobody has the others.
    fixture.ready(0, TEST);
    fixture.run.decide(1, false, &shared);
    assert_eq!(fixture.begun(0), u64::MAX);
    assert_eq!(fixture.results()[0].end, LoadEnd::Cancelled);
    fixture.run.done(0, TEST, &shared);
    fixture.ready(0, TEST + 1);
    assert!(fixture.begun(0) > 1 && fixture.begun(0) < u64::MAX);
    let share = shared.slot(1).load_share().load(Ordering::SeqCst);
    assert_eq!(share, 1 << 32 | 1);
}

#[test]
fn a_run_that_is_stopped_begins_nothing_and_stops_what_runs() {
    let mut fixture = Fixture::new(None);
    let shared = Arc::clone(&fixture.shared);
    fixture.ready(0, TEST);
    fixture.ready(1, TEST);
    fixture.run.stop(&shared);
    assert!(fixture.is_stopped(0) && fixture.is_stopped(1));
    fixture.join(0, TEST + 1);
    let share = shared.slot(1).load_share().load(Ordering::SeqCst);
    assert_eq!(share, u64::MAX);
}

#[test]
fn a_test_may_stop_it_everywhere_and_say_why() {
    let mut fixture = Fixture::new(None);
    fixture.ready(0, TEST);
    fixture.ready(1, TEST);
    fixture.send(1, LoadFrame::Stop { why: "enough" });
    assert!(fixture.is_stopped(0) && fixture.is_stopped(1));
    for worker in [0, 1] {
        fixture.send(
            worker,
            LoadFrame::Finished {
                test: TEST,
                interrupted: 0,
            },
        );
    }
    let results = fixture.results();
    assert_eq!(
        (results[0].end, results[0].why.as_str()),
        (LoadEnd::Stopped, "enough")
    );
}

#[test]
fn frames_of_other_kinds_are_not_taken() {
    let mut fixture = Fixture::new(None);
    let shared = Arc::clone(&fixture.shared);
    let frame = Frame::Done {
        test: TEST,
        duration: 1.0,
    };
    assert!(!fixture.run.handle(0, 1, &frame, &shared));
    // Nothing is known of a test without a plan.
    fixture.run.lost(0, Some(99), &shared);
    fixture.run.done(0, 99, &shared);
}
