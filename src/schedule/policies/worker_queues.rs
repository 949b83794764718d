//! The tests held by every worker: the common state of the policies that assign single tests.
//!
//! The hazard it handles: the state lags behind the workers, which claim tests without notice. How much of a queue can
//! be taken back is known only as an upper bound, which shrinks with every report from the worker and grows only with
//! an assignment. Stealing that follows the bound therefore terminates.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use crate::schedule::policies::backlog::Backlog;
use crate::schedule::policy::{Action, Demand, Test, Worker};

/// The tests of one worker.
#[derive(Debug)]
struct Hand {
    /// Assigned and unfinished, in queue order. The first ones may have been claimed.
    tests: VecDeque<Test>,
    /// Reserved for this worker, to be assigned after `tests`.
    share: Backlog,
    /// Upper bound on the number of `tests`, counted from the end, that can be taken back.
    unclaimed: usize,
    closed: bool,
}

impl Hand {
    /// Maximum number of tests that can be taken back. The first test is excluded even if it is not known to be
    /// claimed: the worker runs it, or is about to.
    fn reclaimable(&self) -> usize {
        self.unclaimed.min(self.tests.len().saturating_sub(1))
    }
}

/// The tests of all live workers.
#[derive(Debug, Default)]
pub(super) struct Held {
    hands: BTreeMap<Worker, Hand>,
    /// Tests that were taken back, for an idle worker. A busy worker must not get them: it may be the victim, from
    /// which they would be stolen again, without end.
    reclaimed: Backlog,
}

impl Held {
    /// Adds a worker, with `share` reserved for it.
    pub(super) fn add(&mut self, worker: Worker, share: Backlog) {
        let hand = Hand {
            tests: VecDeque::new(),
            share,
            unclaimed: 0,
            closed: false,
        };
        self.hands.insert(worker, hand);
    }

    /// Updates the bound from a demand. Returns whether the worker can be assigned anything at all.
    pub(super) fn update_unclaimed(&mut self, demand: Demand) -> bool {
        let Some(hand) = self.hands.get_mut(&demand.worker) else {
            return false;
        };
        hand.unclaimed = hand.unclaimed.min(demand.queued);
        !hand.closed && demand.room > 0
    }

    /// Assigns tests to the worker of a demand.
    pub(super) fn assign(&mut self, demand: Demand, tests: Vec<Test>, actions: &mut Vec<Action>) {
        let Some(hand) = self.hands.get_mut(&demand.worker) else {
            return;
        };
        // An idle worker claims the first test at once, so that it cannot be taken back.
        let claims = usize::from(demand.idle);
        hand.unclaimed += tests.len().saturating_sub(claims);
        hand.tests.extend(&tests);
        actions.push(Action::Assign {
            worker: demand.worker,
            tests,
        });
    }

    /// Assigns a batch of the worker's own share. Returns whether it had a share left; if so, it needs nothing else
    /// now.
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

    /// Assigns up to `limit` reclaimed tests to an idle worker. Returns whether there were any.
    pub(super) fn assign_reclaimed(
        &mut self,
        demand: Demand,
        limit: usize,
        actions: &mut Vec<Action>,
    ) -> bool {
        if self.reclaimed.is_empty() {
            return false;
        }
        let tests = self.reclaimed.take_front(limit);
        self.assign(demand, tests, actions);
        true
    }

    /// The tests that a worker holds.
    pub(super) fn of(&self, worker: Worker) -> impl Iterator<Item = &Test> {
        self.hands.get(&worker).into_iter().flat_map(|hand| &hand.tests)
    }

    /// Victims for `thief`: the tests that each other worker holds, and how many of them, from the end, can be taken
    /// back; only workers with at least one.
    pub(super) fn reclaimable(
        &self,
        thief: Worker,
    ) -> impl Iterator<Item = (Worker, &VecDeque<Test>, usize)> {
        let hands = self.hands.iter();
        hands
            .map(|(worker, hand)| (*worker, &hand.tests, hand.reclaimable()))
            .filter(move |(worker, _, reclaimable)| *worker != thief && *reclaimable > 0)
    }

    /// Gets up to `limit` tests of others for an idle worker: reclaimed ones, or else half of those that the worker
    /// with most tests may have left, assigned at once if they are in its share, otherwise taken back from its queue.
    /// Returns whether there was anything to try.
    pub(super) fn steal(&mut self, demand: Demand, limit: usize, actions: &mut Vec<Action>) -> bool {
        if self.assign_reclaimed(demand, limit, actions) {
            return true;
        }
        let fullest = self
            .hands
            .iter_mut()
            .filter(|(worker, _)| **worker != demand.worker)
            .map(|(worker, hand)| (hand.reclaimable() + hand.share.len(), *worker, hand))
            .max_by_key(|(available, worker, _)| (*available, Reverse(*worker)));
        let Some((available @ 1.., victim, hand)) = fullest else {
            return false;
        };
        let count = available.div_ceil(2).min(limit);
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

    /// Closes the worker permanently.
    pub(super) fn close(&mut self, worker: Worker, actions: &mut Vec<Action>) {
        if let Some(hand) = self.hands.get_mut(&worker) {
            hand.closed = true;
            actions.push(Action::Close { worker });
        }
    }

    /// Removes a finished test. Workers finish in queue order, so it is at or near the front.
    pub(super) fn finished(&mut self, worker: Worker, test: Test) {
        if let Some(hand) = self.hands.get_mut(&worker) {
            remove_first(&mut hand.tests, test);
        }
    }

    /// Moves tests from the worker, as far as it holds them, to the reclaimed ones.
    pub(super) fn returned(&mut self, worker: Worker, tests: &[Test]) {
        let Some(hand) = self.hands.get_mut(&worker) else {
            return;
        };
        // Nothing came back: the queue is empty, whatever the recorded state.
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

    /// Removes a worker. Returns its remaining tests, without the one that was running.
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

    /// Number of tests that are held, reserved or reclaimed.
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
