//! `--dist loadscope`, `loadfile` and `loadgroup`: tests that share a key form a unit that stays on one worker.
//!
//! The hazard it handles: a unit must not be split. It can move to another worker only while none of its tests has been
//! claimed, which only the engine knows for certain: so it is taken back whole or not at all. Only the loss of a worker
//! splits a unit; the rest then forms a unit.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::schedule::policies::unit_hand::{Unit, UnitHand};
use crate::schedule::policy::{Action, Definition, Demand, Policy, REFILLS_PER_WORKER, Test, Worker};

/// A worker gets another unit once its queue holds no more than this many unclaimed tests. One would be enough to know
/// the test after the running one; two is xdist's number, and assigns units to workers as xdist does.
const REFILL_BELOW: usize = 2;

/// The policy of `--dist loadscope`, `loadfile` and `loadgroup`.
#[derive(Debug)]
pub struct Units {
    pending: VecDeque<Unit>,
    hands: BTreeMap<Worker, UnitHand>,
    /// Units that were taken back, for an idle worker. A busy worker must not get them: it may be the victim, from
    /// which they would be stolen again, without end.
    reclaimed: VecDeque<Unit>,
    /// Number of tests in `pending`.
    waiting: usize,
    /// Number of tests without a result.
    unfinished: usize,
    workers: usize,
}

impl Units {
    /// Creates the policy for (about) `workers` workers; `keys` are the unit numbers of the tests. Units run in the
    /// order of their first test, or with `reorder`, those with most tests first, so that small ones fill the gaps at
    /// the end.
    #[must_use]
    pub fn new(keys: Vec<u32>, workers: usize, reorder: bool) -> Self {
        let tests = keys.len();
        let mut places = HashMap::new();
        let mut units: Vec<Unit> = Vec::new();
        for (key, test) in keys.into_iter().zip(0..) {
            let place = *places.entry(key).or_insert_with(|| {
                units.push(Unit::new());
                units.len() - 1
            });
            units[place].push_back(test);
        }
        if reorder {
            units.sort_by_key(|unit| Reverse(unit.len()));
        }
        Self {
            pending: units.into(),
            hands: BTreeMap::new(),
            reclaimed: VecDeque::new(),
            waiting: tests,
            unfinished: tests,
            workers: workers.max(1),
        }
    }

    fn put_front(&mut self, unit: Unit) {
        self.waiting += unit.len();
        self.pending.push_front(unit);
    }

    /// Assigns the next unit, and more as long as they are small: together no more tests than `load` would assign.
    /// Otherwise thousands of units of one test, as in `loadgroup` with few groups, would cost a round trip each.
    fn assign_pending(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        let limit = self.waiting / (REFILLS_PER_WORKER * self.workers);
        if let Some(hand) = self.hands.get_mut(&demand.worker) {
            let before = hand.held + hand.rest.len();
            hand.append_units(&mut self.pending, limit, demand, actions);
            self.waiting -= hand.held + hand.rest.len() - before;
        }
    }

    /// Assigns reclaimed units to an idle worker, as far as they fit.
    fn assign_reclaimed(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        if let Some(hand) = self.hands.get_mut(&demand.worker) {
            hand.append_units(&mut self.reclaimed, demand.room, demand, actions);
        }
    }

    fn others_hold_reclaimable_units(&self, worker: Worker) -> bool {
        self.hands
            .iter()
            .any(|(other, hand)| *other != worker && hand.reclaimable() > 0)
    }

    /// Takes back half of the units not started of the worker with most of them: all or none, because the end of a
    /// queue is only guaranteed to consist of whole units if nothing of it is missing. Returns whether there was such a
    /// worker.
    fn take_back(&mut self, thief: Worker, actions: &mut Vec<Action>) -> bool {
        let busiest = self
            .hands
            .iter_mut()
            .filter(|(worker, hand)| **worker != thief && hand.reclaimable() > 0)
            .max_by_key(|(worker, hand)| (hand.held, Reverse(**worker)));
        let Some((worker, hand)) = busiest else {
            return false;
        };
        hand.requested = hand.reclaimable().div_ceil(2);
        actions.push(Action::TakeBack {
            worker: *worker,
            count: hand.units.iter().rev().take(hand.requested).map(Unit::len).sum(),
            whole: true,
        });
        true
    }
}

impl Policy for Units {
    fn add_worker(&mut self, worker: Worker) {
        self.hands.insert(worker, UnitHand::default());
    }

    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        let Some(hand) = self.hands.get_mut(&demand.worker) else {
            return;
        };
        hand.update_started(demand.queued);
        if hand.closed || demand.room == 0 {
            return;
        }
        if !hand.rest.is_empty() {
            if demand.is_half_free() {
                actions.push(Action::Assign {
                    worker: demand.worker,
                    tests: hand.continue_last(demand.room),
                });
            }
        } else if !self.pending.is_empty() {
            if demand.queued <= REFILL_BELOW {
                self.assign_pending(demand, actions);
            }
        } else if demand.idle && !self.reclaimed.is_empty() {
            self.assign_reclaimed(demand, actions);
        } else if demand.idle && !demand.is_stalled() && self.others_hold_reclaimable_units(demand.worker) {
            // Their workers may be about to start them. Moving a unit is for workers that would wait long.
        } else if demand.idle && !self.take_back(demand.worker, actions) {
            if let Some(hand) = self.hands.get_mut(&demand.worker) {
                hand.closed = true;
            }
            actions.push(Action::Close {
                worker: demand.worker,
            });
        }
    }

    fn finished(&mut self, worker: Worker, test: Test, _seconds: f64) {
        if let Some(hand) = self.hands.get_mut(&worker)
            && hand.finished(test)
        {
            self.unfinished -= 1;
        }
    }

    fn set_up(&mut self, _worker: Worker, _definition: Definition, _seconds: f64) {}

    fn returned(&mut self, worker: Worker, tests: &[Test]) {
        if let Some(hand) = self.hands.get_mut(&worker) {
            for unit in hand.returned(tests) {
                self.reclaimed.push_front(unit);
            }
        }
    }

    fn lost(&mut self, worker: Worker, running: Option<Test>) {
        if let Some(running) = running {
            self.finished(worker, running, 0.0);
        }
        if let Some(hand) = self.hands.remove(&worker) {
            for unit in hand.into_remaining().rev() {
                self.put_front(unit);
            }
        }
    }

    fn run_again(&mut self, test: Test) {
        self.unfinished += 1;
        self.put_front(Unit::from([test]));
    }

    fn unfinished(&self) -> usize {
        self.unfinished
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::policies::script::{
        ROOM, ask, assign, busy, close, finish, idle, run_dry, take_back_whole,
    };

    fn units(keys: &[u32], workers: Worker, reorder: bool) -> Units {
        let mut units = Units::new(keys.to_vec(), workers as usize, reorder);
        (0..workers).for_each(|worker| units.add_worker(worker));
        units
    }

    #[test]
    fn a_unit_is_all_tests_of_its_key_in_collection_order() {
        let mut units = units(&[7, 3, 7, 3, 3], 2, false);
        assert_eq!(idle(&mut units, 0), assign(0, [0, 2]));
        assert_eq!(idle(&mut units, 1), assign(1, [1, 3, 4]));
    }

    #[test]
    fn reordered_units_go_largest_first_and_equal_ones_in_order_of_appearance() {
        let mut units = units(&[0, 1, 1, 2, 2, 3, 3, 3], 4, true);
        assert_eq!(idle(&mut units, 0), assign(0, 5..8));
        assert_eq!(idle(&mut units, 1), assign(1, [1, 2]));
        assert_eq!(idle(&mut units, 2), assign(2, [3, 4]));
        assert_eq!(idle(&mut units, 3), assign(3, [0]));
    }

    #[test]
    fn another_unit_is_assigned_when_at_most_two_tests_are_left() {
        let mut units = units(&[0, 0, 0, 0, 1, 1], 1, false);
        assert_eq!(idle(&mut units, 0), assign(0, 0..4));
        assert_eq!(busy(&mut units, 0, 3), []);
        assert_eq!(busy(&mut units, 0, 2), assign(0, [4, 5]));
    }

    #[test]
    fn small_units_are_assigned_together() {
        let keys: Vec<u32> = (0..80).collect();
        let mut units = units(&keys, 2, true);
        assert_eq!(idle(&mut units, 0), assign(0, 0..10));
        assert_eq!(idle(&mut units, 1), assign(1, 10..18));
    }

    #[test]
    fn a_unit_that_is_not_started_is_taken_back_whole() {
        let mut units = units(&[0, 0, 1, 1, 1], 2, false);
        idle(&mut units, 0);
        assert_eq!(busy(&mut units, 0, 1), assign(0, [2, 3, 4]));
        assert_eq!(idle(&mut units, 1), take_back_whole(0, 3));
        units.returned(0, &[2, 3, 4]);
        assert_eq!(units.unfinished(), 5);
        assert_eq!(idle(&mut units, 1), assign(1, [2, 3, 4]));
    }

    #[test]
    fn half_of_the_units_not_started_are_taken_back_and_stay_in_order() {
        let keys: Vec<u32> = (0..40).collect();
        let mut units = units(&keys, 2, true);
        assert_eq!(idle(&mut units, 0), assign(0, 0..5));
        assert_eq!(run_dry(&mut units, 1), take_back_whole(0, 2));
        units.returned(0, &[3, 4]);
        assert_eq!(busy(&mut units, 0, 1), []);
        assert_eq!(idle(&mut units, 1), assign(1, [3, 4]));
    }

    #[test]
    fn a_refused_take_back_is_tried_with_fewer_units_and_then_given_up() {
        let keys: Vec<u32> = (0..40).collect();
        let mut units = units(&keys, 2, true);
        idle(&mut units, 0);
        assert_eq!(run_dry(&mut units, 1), take_back_whole(0, 2));
        units.returned(0, &[]);
        assert_eq!(idle(&mut units, 1), take_back_whole(0, 1));
        units.returned(0, &[]);
        assert_eq!(idle(&mut units, 1), close(1));
    }

    #[test]
    fn a_unit_larger_than_the_queue_is_assigned_in_pieces_and_never_taken_back() {
        let mut units = units(&[0, 1, 1, 1, 1], 2, false);
        idle(&mut units, 0);
        let demand = Demand {
            worker: 0,
            queued: 0,
            room: 2,
            idle: false,
            waited: 0.0,
            now: 0.0,
        };
        assert_eq!(ask(&mut units, demand), assign(0, [1, 2]));
        assert_eq!(idle(&mut units, 1), close(1));
        finish(&mut units, 0, 0..3);
        assert_eq!(ask(&mut units, demand), assign(0, [3, 4]));
        units.lost(0, None);
        assert_eq!(units.unfinished(), 2);
    }

    #[test]
    fn the_rest_of_a_lost_unit_is_assigned_next_to_one_worker() {
        let mut units = units(&[0, 0, 0, 1, 2, 2], 2, false);
        idle(&mut units, 0);
        busy(&mut units, 0, 1);
        finish(&mut units, 0, [0]);
        units.lost(0, Some(1));
        assert_eq!(units.unfinished(), 4);
        assert_eq!(idle(&mut units, 1), assign(1, [2]));
        assert_eq!(busy(&mut units, 1, 0), assign(1, [3]));
        assert_eq!(busy(&mut units, 1, 1), assign(1, [4, 5]));
    }

    #[test]
    fn a_test_to_run_again_is_a_unit_of_its_own_in_front() {
        let mut units = units(&[0, 0, 1, 1], 1, false);
        idle(&mut units, 0);
        finish(&mut units, 0, [0]);
        units.run_again(0);
        assert_eq!(units.unfinished(), 4);
        assert_eq!(busy(&mut units, 0, 0), assign(0, [0]));
        assert_eq!(busy(&mut units, 0, 1), assign(0, [2, 3]));
        assert_eq!(busy(&mut units, 0, ROOM), []);
    }
}
