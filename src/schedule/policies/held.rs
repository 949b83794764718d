//! What every worker holds: the table behind the policies that deal in single tests.
//!
//! The hazard it handles: the table is behind the truth. Workers claim tests without telling, so how much
//! of a queue can be taken back is known only as an upper bound, which shrinks with everything that is
//! heard of the worker and grows only with an assignment. A thief that follows the bound therefore
//! comes to an end.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use crate::schedule::policies::backlog::Backlog;
use crate::schedule::policy::{Action, Demand, Test, Worker};

/// One worker's tests.
#[derive(Debug)]
struct Hand {
    /// Assigned and not finished, in queue order. The first ones may have been claimed.
    tests: VecDeque<Test>,
    /// Reserved for this worker, to be assigned after `tests`.
    share: Backlog,
    /// At most this many of `tests`, counted from the end, can be taken back.
    unclaimed: usize,
    closed: bool,
}

impl Hand {
    /// How many tests can be taken back at most. The first test is left out even if no claim is known of:
    /// the worker runs it, or is about to.
    fn loose(&self) -> usize {
        self.unclaimed.min(self.tests.len().saturating_sub(1))
    }
}

/// The tests of all workers that have come up and were not lost.
#[derive(Debug, Default)]
pub(super) struct Held {
    hands: BTreeMap<Worker, Hand>,
    /// What was taken back, for an idle worker. A busy one must not get it: that may be the victim, which
    /// would be a donor again, without end.
    reclaimed: Backlog,
}

impl Held {
    /// A worker comes up, with `share` reserved for it.
    pub(super) fn add(&mut self, worker: Worker, share: Backlog) {
        let hand = Hand {
            tests: VecDeque::new(),
            share,
            unclaimed: 0,
            closed: false,
        };
        self.hands.insert(worker, hand);
    }

    /// Notes what a demand tells of the queue. Whether the worker can be given anything at all.
    pub(super) fn listen(&mut self, demand: Demand) -> bool {
        let Some(hand) = self.hands.get_mut(&demand.worker) else {
            return false;
        };
        hand.unclaimed = hand.unclaimed.min(demand.queued);
        !hand.closed && demand.room > 0
    }

    /// Assigns tests to the worker that asked.
    pub(super) fn assign(&mut self, demand: Demand, tests: Vec<Test>, actions: &mut Vec<Action>) {
        let Some(hand) = self.hands.get_mut(&demand.worker) else {
            return;
        };
        // An idle worker claims the first one at once: that one is not to be taken back.
        let claims = usize::from(demand.idle);
        hand.unclaimed += tests.len().saturating_sub(claims);
        hand.tests.extend(&tests);
        actions.push(Action::Assign {
            worker: demand.worker,
            tests,
        });
    }

    /// Assigns from the asking worker's own share, in batches. Whether it had a share left; if so it needs
    /// nothing else now.
    pub(super) fn assign_share(&mut self, demand: Demand, actions: &mut Vec<Action>) -> bool {
        let Some(hand) = self.hands.get_mut(&demand.worker) else {
            return false;
        };
        if hand.share.is_empty() {
            return false;
        }
        if demand.is_half_free() {
            let tests = hand.share.take_front(demand.room);
            self.assign(demand, tests, actions);
        }
        true
    }

    /// Assigns to the asking worker, which is idle, up to `limit` tests that were taken back. Whether there were any.
    pub(super) fn assign_loot(&mut self, demand: Demand, limit: usize, actions: &mut Vec<Action>) -> bool {
        if self.reclaimed.is_empty() {
            return false;
        }
        let tests = self.reclaimed.take_front(limit);
        self.assign(demand, tests, actions);
        true
    }

    /// What a worker holds.
    pub(super) fn of(&self, worker: Worker) -> impl Iterator<Item = &Test> {
        self.hands.get(&worker).into_iter().flat_map(|hand| &hand.tests)
    }

    /// What each worker but `thief` holds, with how many tests from the end can be taken back at most, where any can.
    pub(super) fn loose(&self, thief: Worker) -> impl Iterator<Item = (Worker, &VecDeque<Test>, usize)> {
        let hands = self.hands.iter();
        hands
            .map(|(worker, hand)| (*worker, &hand.tests, hand.loose()))
            .filter(move |(worker, _, loose)| *worker != thief && *loose > 0)
    }

    /// Gets the asking worker, which is idle, up to `limit` tests of others: what was taken back already, or
    /// else half of what the richest worker may have left, assigned at once if that lies in a share, taken
    /// back from the queue otherwise. Whether there was anything to try.
    pub(super) fn steal(&mut self, demand: Demand, limit: usize, actions: &mut Vec<Action>) -> bool {
        if self.assign_loot(demand, limit, actions) {
            return true;
        }
        let richest = self
            .hands
            .iter_mut()
            .filter(|(worker, _)| **worker != demand.worker)
            .map(|(worker, hand)| (hand.loose() + hand.share.len(), *worker, hand))
            .max_by_key(|(wealth, worker, _)| (*wealth, Reverse(*worker)));
        let Some((wealth @ 1.., victim, hand)) = richest else {
            return false;
        };
        let count = wealth.div_ceil(2).min(limit);
        if hand.share.is_empty() {
            actions.push(Action::TakeBack {
                worker: victim,
                count,
                whole: false,
            });
        } else {
            let tests = hand.share.take_back(count);
            self.assign(demand, tests, actions);
        }
        true
    }

    /// Closes the worker for good.
    pub(super) fn close(&mut self, worker: Worker, actions: &mut Vec<Action>) {
        if let Some(hand) = self.hands.get_mut(&worker) {
            hand.closed = true;
            actions.push(Action::Close { worker });
        }
    }

    /// A test is done. Workers finish in queue order, so it is found at or near the front.
    pub(super) fn finished(&mut self, worker: Worker, test: Test) {
        if let Some(hand) = self.hands.get_mut(&worker) {
            remove_first(&mut hand.tests, test);
        }
    }

    /// Takes tests out of the worker's hand, as far as they are in it, and keeps them for an idle one.
    pub(super) fn returned(&mut self, worker: Worker, tests: &[Test]) {
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        // Nothing came back: the queue is empty, whatever the table says.
        hand.unclaimed = match tests.len() {
            0 => 0,
            taken => hand.unclaimed.saturating_sub(taken),
        };
        for test in tests.iter().rev() {
            if let Some(place) = hand.tests.iter().rposition(|held| held == test) {
                hand.tests.remove(place);
                self.reclaimed.put_front([*test]);
            }
        }
    }

    /// Forgets the worker. What it leaves behind, without the test that it ran.
    pub(super) fn lost(&mut self, worker: Worker, running: Option<Test>) -> Backlog {
        let Some(mut hand) = self.hands.remove(&worker) else {
            return Backlog::default();
        };
        if let Some(running) = running {
            remove_first(&mut hand.tests, running);
        }
        hand.share.put_front(hand.tests);
        hand.share
    }

    /// How many tests are held, reserved, or taken back and not assigned again.
    pub(super) fn unfinished(&self) -> usize {
        let hands = self.hands.values();
        let held: usize = hands.map(|hand| hand.tests.len() + hand.share.len()).sum();
        held + self.reclaimed.len()
    }
}

/// Removes the first occurrence of `test`.
fn remove_first(tests: &mut VecDeque<Test>, test: Test) {
    if let Some(place) = tests.iter().position(|held| *held == test) {
        tests.remove(place);
    }
}
