//! The default policy: assigns pieces of work to free workers, in the order of a plan.
//!
//! There are two plans: [`in_order`], which keeps the collection order, and [`longest_first`].
//!
//! The hazard it handles: durations may be unknown or wrong. So no assignment is final. A worker for which no pending
//! test is left gets the end of another worker's queue, cut where both would finish soonest, and a worker gets its next
//! piece only when little is left of the last one. A test whose fixtures would have to be set up again is moved if that
//! takes less time than waiting, or if the wait has shown that an estimate was wrong.

use self::hand::Hand;
use crate::schedule::forecast::{Estimates, Forecast};
use crate::schedule::policies::worker_queues::Held;
use crate::schedule::policy::{Action, Definition, Demand, Policy, REFILLS_PER_WORKER, Test, Worker};
use std::collections::BTreeMap;
use std::fmt::Debug;

mod dealing;
mod hand;
mod in_order;
mod longest_first;
mod piece;

/// Which piece is assigned next: `--rustpar-plan`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plan {
    /// The earliest in the collection.
    #[default]
    Collection,
    /// The longest.
    Duration,
}

/// A request for tests for a worker.
#[derive(Debug)]
struct Ask {
    worker: Worker,
    /// The furthest test of the collection that it has run or holds; `None` before its first.
    last: Option<Test>,
    /// Maximum number of tests, unless a piece must not be cut.
    most: usize,
    /// Number of seconds of tests that is enough.
    seconds: f64,
    /// Free space in its queue.
    room: usize,
    /// For how many seconds it has been idle.
    waited: f64,
    /// Remaining seconds of the tests that it holds.
    own: f64,
    /// The same for each other worker.
    others: Vec<(Worker, f64)>,
}

/// The pending tests, in the order of a plan.
trait Pending: Debug + Send {
    /// The number of pending tests.
    fn len(&self) -> usize;

    /// Removes the next tests: at least one, unless there are none or all are reserved for other workers.
    fn take(&mut self, estimates: &Estimates, ask: &Ask) -> Vec<Test>;

    /// Puts back the remaining tests of a lost worker, or tests to run again.
    fn put_back(&mut self, estimates: &Estimates, tests: Vec<Test>);

    /// Whether a worker has started a piece whose rest is reserved for it.
    fn has_started_piece(&self, worker: Worker) -> bool;

    /// Cancels the reservations for a lost worker.
    fn worker_lost(&mut self, worker: Worker);

    /// The next test for a worker whose furthest test is `after`; `None` if the plan keeps no order.
    fn next(&self, after: Option<Test>) -> Option<Test>;
}

/// Seconds of work in a queue below which it is filled, and up to which. The engine polls every 5 to 40 ms.
const REFILL_BELOW: f64 = 0.05;
const FILL_UP_TO: f64 = 0.15;

/// Minimum gain for setting up a fixture again, as a fraction of the setup time: a setup of an hour must not be
/// repeated to save a second.
const MIN_GAIN: f64 = 0.3;

/// Seconds that an idle worker waits to learn the setup time of a fixture that was never set up before.
const MAX_WAIT_FOR_SETUP: f64 = 0.5;

/// The policy of `--dist load`.
#[derive(Debug)]
pub struct Load {
    estimates: Estimates,
    pending: Box<dyn Pending>,
    /// Seconds since the start of the run.
    now: f64,
    held: Held,
    hands: BTreeMap<Worker, Hand>,
    workers: usize,
    max_chunk: usize,
}

impl Load {
    /// Creates the policy for (about) `workers` workers. No more than `max_chunk` tests are assigned or taken back at a
    /// time; with 1, a worker has at most one test ahead of the running one.
    #[must_use]
    pub fn new(forecast: Forecast, workers: usize, max_chunk: Option<usize>, plan: Plan) -> Self {
        let estimates = Estimates::new(forecast);
        let workers = workers.max(1);
        Self {
            pending: match plan {
                Plan::Collection => Box::new(in_order::InOrder::new(&estimates, workers)),
                Plan::Duration => Box::new(longest_first::LongestFirst::new(&estimates, workers)),
            },
            now: 0.0,
            estimates,
            held: Held::default(),
            hands: BTreeMap::new(),
            workers,
            max_chunk: max_chunk.unwrap_or(usize::MAX).max(1),
        }
    }

    /// How many tests to assign to the worker now, at most, and how many seconds of them; `None` if it has enough.
    ///
    /// A worker that runs a test known to be long gets nothing in advance: it would only have to be taken back. While
    /// no durations are known, a worker gets a fraction of the pending tests, and half of that is left when it gets the
    /// next part (guided self-scheduling, Polychronopoulos and Kuck 1987).
    fn portion(&self, demand: Demand) -> Option<(usize, f64)> {
        let guided = (self.pending.len() / (REFILLS_PER_WORKER * self.workers)).max(1);
        let most = guided.min(self.max_chunk);
        let has_started_piece = self.pending.has_started_piece(demand.worker);
        if has_started_piece && self.max_chunk == usize::MAX {
            return Some((usize::MAX, FILL_UP_TO));
        }
        if self.max_chunk < usize::MAX || !self.estimates.is_timed() {
            return (demand.queued <= most / 2).then_some((most, f64::INFINITY));
        }
        let is_low = demand.idle || self.seconds_held(demand.worker) < REFILL_BELOW;
        is_low.then_some((guided, FILL_UP_TO))
    }

    /// Lower bound of the duration of a worker's queue: fixtures are included only if the tests alone take little.
    fn seconds_held(&self, worker: Worker) -> f64 {
        let Some(hand) = self.hands.get(&worker) else {
            return 0.0;
        };
        let tests = hand.own_seconds(&self.estimates);
        if tests < REFILL_BELOW {
            return self.remaining_time(hand, self.held.of(worker)).0;
        }
        tests
    }

    /// Remaining time of a worker's tests, the first of which is running, and for how long that one is overdue.
    fn remaining_time<'a>(&self, hand: &Hand, tests: impl IntoIterator<Item = &'a Test>) -> (f64, f64) {
        let mut tests = tests.into_iter().copied();
        let Some(first) = tests.next() else {
            return (0.0, 0.0);
        };
        let expected = self.estimates.setup_change(hand.last, first) + self.estimates.test(first);
        let running = expected - (self.now - hand.since);
        let rest = self.estimates.run(Some(first), tests);
        (running.max(0.0) + rest, (-running).max(0.0))
    }

    /// Remaining time of all other workers.
    fn others(&self, worker: Worker) -> Vec<(Worker, f64)> {
        let others = self.hands.iter().filter(|(other, _)| **other != worker);
        others
            .map(|(other, hand)| (*other, hand.seconds_left(&self.estimates, self.now)))
            .collect()
    }

    fn assign(&mut self, demand: Demand, most: usize, seconds: f64, actions: &mut Vec<Action>) {
        let hand = self.hands.get(&demand.worker);
        let ask = Ask {
            worker: demand.worker,
            last: hand.and_then(|hand| hand.furthest),
            most,
            seconds,
            room: demand.room.min(self.max_chunk),
            waited: demand.waited,
            own: hand.map_or(0.0, |hand| hand.seconds_left(&self.estimates, self.now)),
            others: self.others(demand.worker),
        };
        let tests = self.pending.take(&self.estimates, &ask);
        if !tests.is_empty() {
            self.held.assign(demand, tests, actions);
            self.count(demand.worker, actions);
        }
    }

    /// Updates the worker's state after an assignment.
    fn count(&mut self, worker: Worker, actions: &[Action]) {
        if let (Some(Action::Assign { tests, .. }), Some(hand)) =
            (actions.last(), self.hands.get_mut(&worker))
        {
            hand.add(&self.estimates, tests, self.now);
        }
    }

    /// Takes back the end of a queue for an idle worker, if that makes the run end sooner. Returns whether another
    /// worker holds tests that could be moved, now or later.
    fn steal(&mut self, demand: Demand, actions: &mut Vec<Action>) -> bool {
        let last = self.hands.get(&demand.worker).and_then(|hand| hand.last);
        let limit = demand.room.min(self.max_chunk);
        let mut anything = false;
        let mut best: Option<(f64, Worker, usize)> = None;
        // After a parallel collection, it may take as long to collect the file of a test.
        let is_patient = demand.waited < self.estimates.forecast().collect_seconds;
        for (worker, tests, loose) in self.held.reclaimable(demand.worker) {
            anything = true;
            if is_patient {
                continue;
            }
            let loose = loose.min(limit);
            let kept = tests.len() - loose;
            let before = tests.get(kept.wrapping_sub(1)).copied();
            let queue: Vec<Test> = tests.iter().skip(kept).copied().collect();
            let Some(hand) = self.hands.get(&worker) else {
                continue;
            };
            let running = self.remaining_time(hand, tests.iter().take(kept));
            let Some((count, gain)) = self.best_cut(running, before, &queue, last, demand.waited) else {
                continue;
            };
            if best.is_none_or(|(most, ..)| gain > most) {
                best = Some((gain, worker, count));
            }
        }
        if let Some((_, worker, count)) = best {
            actions.push(Action::TakeBack {
                worker,
                count,
                whole: false,
            });
        }
        anything
    }

    /// Where to cut a queue so that its worker, and a thief whose last test was `last`, both end as soon as possible.
    ///
    /// `running` seconds pass before `queue` starts, after the test `before`. Returns how many tests the thief should
    /// get, and by how much sooner the two end; `None` if stealing does not help. If the running test is `overdue` by
    /// at least the thief's setup time, and the thief has `waited` as long, the estimates are considered wrong, and the
    /// gain need not be worth it.
    fn best_cut(
        &self,
        (running, overdue): (f64, f64),
        before: Option<Test>,
        queue: &[Test],
        last: Option<Test>,
        waited: f64,
    ) -> Option<(usize, f64)> {
        let whole = running + self.estimates.run(before, queue.iter().copied());
        let (mut stolen, mut best) = (0.0, None);
        let mut kept = whole;
        for (place, &test) in queue.iter().enumerate().rev() {
            let previous = if place == 0 {
                before
            } else {
                Some(queue[place - 1])
            };
            let own = self.estimates.test(test);
            kept -= own + self.estimates.setup_change(previous, test);
            let setup = self.estimates.setup_change(last, test);
            let end = kept.max(setup + own + stolen);
            let gain = whole - end;

            let extra = (setup - self.estimates.setup_change(previous, test)).max(0.0);
            let is_worth_it = if self.estimates.knows_fixtures_of(test) {
                gain > extra * MIN_GAIN
            } else {
                extra <= 0.0 || waited > MAX_WAIT_FOR_SETUP
            };
            if (is_worth_it || (overdue > extra && waited > extra))
                && best.is_none_or(|(_, most)| gain > most)
            {
                best = Some((queue.len() - place, gain));
            }
            stolen += own + self.estimates.setup_change(previous, test);
        }
        best
    }
}

impl Policy for Load {
    fn add_worker(&mut self, worker: Worker) {
        self.held
            .add(worker, crate::schedule::policies::backlog::Backlog::default());
        self.hands.insert(worker, Hand::default());
    }

    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>) {
        self.now = demand.now;
        if !self.held.update_unclaimed(demand) {
            return;
        }
        if self.pending.len() > 0 {
            if let Some((most, seconds)) = self.portion(demand) {
                self.assign(demand, most, seconds, actions);
            }
        } else if !demand.idle {
            // The worker has enough to do, and nothing is left to assign.
        } else if self
            .held
            .assign_reclaimed(demand, self.max_chunk.min(demand.room), actions)
        {
            self.count(demand.worker, actions);
        } else if !self.steal(demand, actions) {
            self.held.close(demand.worker, actions);
        }
    }

    fn finished(&mut self, worker: Worker, test: Test, seconds: f64) {
        if let Some(hand) = self.hands.get_mut(&worker) {
            hand.finished(&self.estimates, test, self.now);
            self.estimates
                .learn_test(test, (seconds - std::mem::take(&mut hand.set_up)).max(0.0));
        }
        self.held.finished(worker, test);
    }

    fn set_up(&mut self, worker: Worker, definition: Definition, seconds: f64) {
        self.estimates.learn_fixture(definition, seconds);
        if let Some(hand) = self.hands.get_mut(&worker) {
            hand.set_up += seconds;
        }
    }

    fn returned(&mut self, worker: Worker, tests: &[Test]) {
        if let Some(hand) = self.hands.get_mut(&worker) {
            hand.returned(&self.estimates, tests);
        }
        self.held.returned(worker, tests);
    }

    fn lost(&mut self, worker: Worker, running: Option<Test>) {
        self.hands.remove(&worker);
        self.pending.worker_lost(worker);
        let mut remaining_time = self.held.lost(worker, running);
        self.pending
            .put_back(&self.estimates, remaining_time.take_front(usize::MAX));
    }

    fn run_again(&mut self, test: Test) {
        self.pending.put_back(&self.estimates, vec![test]);
    }

    fn next(&self, worker: Worker) -> Option<Test> {
        let furthest = self.hands.get(&worker).and_then(|hand| hand.furthest);
        self.pending.next(furthest)
    }

    fn unfinished(&self) -> usize {
        self.pending.len() + self.held.unfinished()
    }
}

#[cfg(test)]
mod tests;
