//! `--dist loadscope`, `loadfile` and `loadgroup`: tests that share a key form a unit that stays on one worker.
//!
//! The hazard it handles: a unit must not be torn apart. It can move to another worker only while none of
//! its tests has been claimed, and nobody knows that for certain but the engine: so it is taken back
//! whole or not at all. Only the loss of its worker cuts a unit in two, and then the rest is a unit.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem;

use super::{Action, Demand, Policy, REFILLS_PER_WORKER, Test, Worker};

/// The tests of a unit that are not finished, in collection order. Never empty while it is pending.
type Unit = VecDeque<Test>;

/// A worker's queue gets another unit once it holds no more than this many unclaimed tests: one, because a
/// worker must know the test after the running one to tear down no more fixtures than it has to.
const LOW: usize = 1;

/// One worker's units.
#[derive(Debug, Default)]
struct Hand {
    /// Assigned and not finished, in queue order.
    units: VecDeque<Unit>,
    /// The end of the last unit, as far as the queue had no room for it. That unit counts as started.
    rest: Unit,
    /// So many units, from the front, have been started or are about to be.
    started: usize,
    /// So many units, from the end, were asked for with the last take-back.
    asked: usize,
    /// Number of tests in `units`.
    held: usize,
    closed: bool,
}

impl Hand {
    /// Concludes from the length of the queue which units have been started.
    fn listen(&mut self, queued: usize) {
        let mut claimed = self.held.saturating_sub(queued);
        for (place, unit) in self.units.iter().enumerate() {
            if claimed == 0 {
                break;
            }
            claimed = claimed.saturating_sub(unit.len());
            self.started = self.started.max(place + 1);
        }
    }

    /// How many units, from the end, may be taken back. The first unit never: the worker runs it, or is
    /// about to.
    fn loose(&self) -> usize {
        self.units.len().saturating_sub(self.started.max(1))
    }

    /// Takes as much of `rest` as there is room, and makes it part of the last unit.
    fn continue_last(&mut self, room: usize) -> Vec<Test> {
        let piece: Vec<Test> = self.rest.drain(..room.min(self.rest.len())).collect();
        if let Some(last) = self.units.back_mut() {
            last.extend(&piece);
        }
        self.held += piece.len();
        piece
    }

    /// Appends a unit, as much of it as there is room for; returns what there was room for.
    fn begin(&mut self, mut unit: Unit, room: usize) -> Vec<Test> {
        self.rest = unit.split_off(room.min(unit.len()));
        let piece = unit.iter().copied().collect();
        self.held += unit.len();
        self.units.push_back(unit);
        if !self.rest.is_empty() {
            self.started = self.units.len();
        }
        piece
    }

    /// Begins the first of `units`, and further ones until the assignment would exceed `limit` tests.
    fn begin_some(
        &mut self,
        units: &mut VecDeque<Unit>,
        limit: usize,
        demand: Demand,
        actions: &mut Vec<Action>,
    ) {
        let limit = limit.min(demand.room);
        let mut tests = Vec::new();
        while let Some(unit) =
            units.pop_front_if(|unit| tests.is_empty() || tests.len() + unit.len() <= limit)
        {
            // An idle worker claims the first one at once: that one is not to be taken back.
            let claims = demand.idle && tests.is_empty();
            tests.extend(self.begin(unit, demand.room - tests.len()));
            if claims {
                self.started = self.units.len();
            }
        }
        actions.push(Action::Assign {
            worker: demand.worker,
            tests,
        });
    }

    /// Removes a test that has its result. Workers finish in queue order, so it is found near the front.
    fn finished(&mut self, test: Test) -> bool {
        let mut units = self.units.iter().enumerate();
        let found =
            units.find_map(|(place, unit)| Some((place, unit.iter().position(|held| *held == test)?)));
        let Some((place, within)) = found else {
            return false;
        };
        self.started = self.started.max(place + 1);
        self.held -= 1;
        let unit = &mut self.units[place];
        unit.remove(within);
        // A unit of which the rest is still to come lives on.
        if unit.is_empty() && (place + 1 < self.units.len() || self.rest.is_empty()) {
            self.units.remove(place);
            self.started -= 1;
        }
        true
    }

    /// Removes what was taken back from the end, and returns it as units, the last one first.
    fn returned(&mut self, tests: &[Test]) -> Vec<Unit> {
        if tests.is_empty() {
            // The first of the units asked for has been started, if not more of them.
            let first = self.units.len().saturating_sub(self.asked);
            self.started = self.started.max(first + 1);
        }
        let mut units = Vec::new();
        let mut unit = Unit::new();
        for test in tests.iter().rev() {
            let Some(last) = self.units.back_mut() else {
                break;
            };
            if last.pop_back_if(|held| held == test).is_none() {
                break;
            }
            unit.push_front(*test);
            self.held -= 1;
            if last.is_empty() {
                self.units.pop_back();
                units.push(mem::take(&mut unit));
            }
        }
        if !unit.is_empty() {
            units.push(unit);
        }
        self.started = self.started.min(self.units.len());
        units
    }

    /// What is left when the worker is gone: whole units and the rest of the one it was in.
    fn leave(mut self) -> impl DoubleEndedIterator<Item = Unit> {
        if let Some(last) = self.units.back_mut() {
            last.append(&mut self.rest);
        }
        self.units.into_iter().filter(|unit| !unit.is_empty())
    }
}

/// `--dist loadscope`, `loadfile` and `loadgroup`: see the module.
#[derive(Debug)]
pub struct Units {
    pending: VecDeque<Unit>,
    hands: BTreeMap<Worker, Hand>,
    /// What was taken back, for an idle worker. A busy one must not get it: that may be the victim, which
    /// would be robbed again, without end.
    loot: VecDeque<Unit>,
    /// Number of tests in `pending`.
    waiting: usize,
    /// Number of tests without a result.
    unfinished: usize,
    workers: usize,
}

impl Units {
    /// A run on (about) `workers` workers; `keys` holds the unit number of every test. Units run in order of
    /// first appearance, or, when `reorder`, those with most tests first, so that the small ones fill the gaps at
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
            loot: VecDeque::new(),
            waiting: tests,
            unfinished: tests,
            workers: workers.max(1),
        }
    }

    fn put_front(&mut self, unit: Unit) {
        self.waiting += unit.len();
        self.pending.push_front(unit);
    }

    /// Gives the worker the next unit, and more as long as they are small: all together no more than the run
    /// of tests that `load` would hand out. Otherwise thousands of units of one test, as in `loadgroup` with
    /// few groups, would cost a round trip each.
    fn assign_pending(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        let limit = self.waiting / (REFILLS_PER_WORKER * self.workers);
        if let Some(hand) = self.hands.get_mut(&demand.worker) {
            let before = hand.held + hand.rest.len();
            hand.begin_some(&mut self.pending, limit, demand, actions);
            self.waiting -= hand.held + hand.rest.len() - before;
        }
    }

    /// Gives an idle worker what was taken back, as much of it as it has room for.
    fn assign_loot(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        if let Some(hand) = self.hands.get_mut(&demand.worker) {
            hand.begin_some(&mut self.loot, demand.room, demand, actions);
        }
    }

    /// Takes back half of the loose units of the worker that has most to do: all of them or none, because what
    /// is cut off the end of a queue is a whole unit only as long as nothing of it is missing. Whether
    /// there was anybody to take from.
    fn take_back(&mut self, thief: Worker, actions: &mut Vec<Action>) -> bool {
        let busiest = self
            .hands
            .iter_mut()
            .filter(|(worker, hand)| **worker != thief && hand.loose() > 0)
            .max_by_key(|(worker, hand)| (hand.held, Reverse(**worker)));
        let Some((worker, hand)) = busiest else {
            return false;
        };
        hand.asked = hand.loose().div_ceil(2);
        actions.push(Action::TakeBack {
            worker: *worker,
            count: hand.units.iter().rev().take(hand.asked).map(Unit::len).sum(),
            whole: true,
        });
        true
    }
}

impl Policy for Units {
    fn add_worker(&mut self, worker: Worker) {
        self.hands.insert(worker, Hand::default());
    }

    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        let Some(hand) = self.hands.get_mut(&demand.worker) else {
            return;
        };
        hand.listen(demand.queued);
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
            if demand.queued <= LOW {
                self.assign_pending(demand, actions);
            }
        } else if demand.idle && !self.loot.is_empty() {
            self.assign_loot(demand, actions);
        } else if demand.idle && !self.take_back(demand.worker, actions) {
            if let Some(hand) = self.hands.get_mut(&demand.worker) {
                hand.closed = true;
            }
            actions.push(Action::Close {
                worker: demand.worker,
            });
        }
    }

    fn finished(&mut self, worker: Worker, test: Test) {
        if let Some(hand) = self.hands.get_mut(&worker)
            && hand.finished(test)
        {
            self.unfinished -= 1;
        }
    }

    fn returned(&mut self, worker: Worker, tests: &[Test]) {
        if let Some(hand) = self.hands.get_mut(&worker) {
            for unit in hand.returned(tests) {
                self.loot.push_front(unit);
            }
        }
    }

    fn lost(&mut self, worker: Worker, running: Option<Test>) {
        if let Some(running) = running {
            self.finished(worker, running);
        }
        if let Some(hand) = self.hands.remove(&worker) {
            for unit in hand.leave().rev() {
                self.put_front(unit);
            }
        }
    }

    fn again(&mut self, test: Test) {
        self.unfinished += 1;
        self.put_front(Unit::from([test]));
    }

    fn unfinished(&self) -> usize {
        self.unfinished
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{ROOM, ask, assign, busy, close, finish, idle, run_dry, take_back_whole};
    use super::*;

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
    fn another_unit_comes_when_at_most_one_test_is_left() {
        let mut units = units(&[0, 0, 0, 0, 1, 1], 1, false);
        assert_eq!(idle(&mut units, 0), assign(0, 0..4));
        assert_eq!(busy(&mut units, 0, 2), []);
        assert_eq!(busy(&mut units, 0, 1), assign(0, [4, 5]));
    }

    #[test]
    fn small_units_go_out_together() {
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
        let mut units = units(&Vec::from_iter(0..40), 2, true);
        assert_eq!(idle(&mut units, 0), assign(0, 0..5));
        assert_eq!(run_dry(&mut units, 1), take_back_whole(0, 2));
        units.returned(0, &[3, 4]);
        assert_eq!(busy(&mut units, 0, 1), []);
        assert_eq!(idle(&mut units, 1), assign(1, [3, 4]));
    }

    #[test]
    fn a_refused_take_back_is_tried_with_fewer_units_and_then_given_up() {
        let mut units = units(&Vec::from_iter(0..40), 2, true);
        idle(&mut units, 0);
        assert_eq!(run_dry(&mut units, 1), take_back_whole(0, 2));
        units.returned(0, &[]);
        assert_eq!(idle(&mut units, 1), take_back_whole(0, 1));
        units.returned(0, &[]);
        assert_eq!(idle(&mut units, 1), close(1));
    }

    #[test]
    fn a_unit_larger_than_the_room_comes_in_pieces_and_is_never_taken_back() {
        let mut units = units(&[0, 1, 1, 1, 1], 2, false);
        idle(&mut units, 0);
        let demand = Demand {
            worker: 0,
            queued: 0,
            room: 2,
            idle: false,
        };
        assert_eq!(ask(&mut units, demand), assign(0, [1, 2]));
        assert_eq!(idle(&mut units, 1), close(1));
        finish(&mut units, 0, 0..3);
        assert_eq!(ask(&mut units, demand), assign(0, [3, 4]));
        units.lost(0, None);
        assert_eq!(units.unfinished(), 2);
    }

    #[test]
    fn the_rest_of_a_lost_unit_goes_on_in_front_on_one_worker() {
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
        units.again(0);
        assert_eq!(units.unfinished(), 4);
        assert_eq!(busy(&mut units, 0, 0), assign(0, [0]));
        assert_eq!(busy(&mut units, 0, 1), assign(0, [2, 3]));
        assert_eq!(busy(&mut units, 0, ROOM), []);
    }
}
