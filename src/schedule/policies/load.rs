//! The default policy: pieces of work to whoever is free, in the order of a plan.
//!
//! Two plans are there: [`in_order`], which keeps the order of the collection, and [`longest_first`].
//!
//! The hazard it handles: times may be unknown, or wrong. So nothing that is handed out is final. Whoever finds nothing
//! more to take gets the end of somebody's queue, cut where both would finish soonest, and a worker gets its next piece
//! only when little is left of the last one. A test whose fixtures would have to be set up again is moved when that takes
//! less than waiting, or when the wait has shown that an expectation was wrong.

use self::hand::Hand;
use crate::schedule::forecast::{Estimates, Forecast};
use crate::schedule::policies::held::Held;
use crate::schedule::policy::{Action, Definition, Demand, Policy, REFILLS_PER_WORKER, Test, Worker};
use std::collections::BTreeMap;
use std::fmt::Debug;

mod dealing;
mod hand;
mod in_order;
mod longest_first;
mod piece;

/// What goes out next: `--rustpar-plan`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plan {
    /// The earliest in the collection.
    #[default]
    Collection,
    /// What takes longest.
    Duration,
}

/// What a worker is to get.
#[derive(Debug)]
struct Ask {
    worker: Worker,
    /// The furthest test of the collection that it has run or holds; None before its first.
    last: Option<Test>,
    /// How many tests it should get, unless a piece is not to be cut.
    most: usize,
    /// How many seconds of tests are enough.
    seconds: f64,
    /// How many tests it can get.
    room: usize,
    /// For how many seconds it has been idle.
    waited: f64,
    /// Seconds that are left of what it holds.
    own: f64,
    /// The same of each other worker.
    others: Vec<(Worker, f64)>,
}

/// What is not handed out, in the order of a plan.
trait Pending: Debug + Send {
    /// How many tests there are.
    fn len(&self) -> usize;

    /// Removes what goes out next: at least one test, if there is any and it is not kept for somebody else.
    fn take(&mut self, estimates: &Estimates, ask: &Ask) -> Vec<Test>;

    /// Takes back what a lost worker has not run, or what is to run once more.
    fn put_back(&mut self, estimates: &Estimates, tests: Vec<Test>);

    /// Whether a worker has begun a piece of which the rest is kept for it.
    fn has_begun(&self, worker: Worker) -> bool;

    /// A worker is gone: nothing is kept for it.
    fn forget(&mut self, worker: Worker);

    /// The test with which a worker goes on whose furthest test is `after`; None where the plan keeps to no order.
    fn next(&self, after: Option<Test>) -> Option<Test>;
}

/// Seconds of work in a queue below which it is filled, and up to which. The engine looks every 5 to 40 ms.
const LOW: f64 = 0.05;
const FULL: f64 = 0.15;

/// A fixture is set up once more if the run ends sooner by so much of what that takes: a machine has better to do than to
/// set up for an hour what saves a second.
const LEAST_GAIN: f64 = 0.3;

/// Seconds that an idle worker waits to learn what a fixture takes that nobody has set up before.
const PATIENCE: f64 = 0.5;

/// `--dist load`: see the module.
#[derive(Debug)]
pub struct Load {
    estimates: Estimates,
    pending: Box<dyn Pending>,
    /// Seconds since the run began.
    now: f64,
    held: Held,
    hands: BTreeMap<Worker, Hand>,
    workers: usize,
    max_chunk: usize,
}

impl Load {
    /// A run of the collection of which `forecast` tells, on (about) `workers` workers. No more than `max_chunk` tests are
    /// assigned or taken back at a time; with 1, a worker has at most one test ahead of the running one.
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

    /// How many tests the asking worker should get now, at most, and how many seconds of them; none when it has enough.
    ///
    /// A worker in a test that is known to be long gets nothing in advance: it would only have to be taken back. Before
    /// anything is known, what a worker gets is a fraction of what is pending, and half of that is left while the next
    /// part is on its way (guided self-scheduling, Polychronopoulos and Kuck 1987).
    fn portion(&self, demand: Demand) -> Option<(usize, f64)> {
        let guided = (self.pending.len() / (REFILLS_PER_WORKER * self.workers)).max(1);
        let most = guided.min(self.max_chunk);
        let has_begun = self.pending.has_begun(demand.worker);
        if has_begun && self.max_chunk == usize::MAX {
            return Some((usize::MAX, FULL));
        }
        if self.max_chunk < usize::MAX || !self.estimates.is_timed() {
            return (demand.queued <= most / 2).then_some((most, f64::INFINITY));
        }
        let is_low = demand.idle || self.seconds_held(demand.worker) < LOW;
        is_low.then_some((guided, FULL))
    }

    /// What a worker's queue takes, at least: only if that is little, fixtures are counted, too.
    fn seconds_held(&self, worker: Worker) -> f64 {
        let Some(hand) = self.hands.get(&worker) else {
            return 0.0;
        };
        let tests = hand.own_seconds(&self.estimates);
        if tests < LOW {
            return self.left(hand, self.held.of(worker)).0;
        }
        tests
    }

    /// What is left to do of a worker's tests, the first of which it is in, and for how long that one is overdue.
    fn left<'a>(&self, hand: &Hand, tests: impl IntoIterator<Item = &'a Test>) -> (f64, f64) {
        let mut tests = tests.into_iter().copied();
        let Some(first) = tests.next() else {
            return (0.0, 0.0);
        };
        let expected = self.estimates.change(hand.last, first) + self.estimates.test(first);
        let running = expected - (self.now - hand.since);
        let rest = self.estimates.run(Some(first), tests);
        (running.max(0.0) + rest, (-running).max(0.0))
    }

    /// What is left of what each worker but one holds.
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

    /// Counts what was assigned.
    fn count(&mut self, worker: Worker, actions: &[Action]) {
        if let (Some(Action::Assign { tests, .. }), Some(hand)) =
            (actions.last(), self.hands.get_mut(&worker))
        {
            hand.add(&self.estimates, tests, self.now);
        }
    }

    /// Has the end of a queue taken back for an idle worker, if that lets the run end sooner. Whether any other worker
    /// holds something that could be moved, now or later.
    fn steal(&mut self, demand: Demand, actions: &mut Vec<Action>) -> bool {
        let last = self.hands.get(&demand.worker).and_then(|hand| hand.last);
        let limit = demand.room.min(self.max_chunk);
        let mut anything = false;
        let mut best: Option<(f64, Worker, usize)> = None;
        for (worker, tests, loose) in self.held.loose(demand.worker) {
            anything = true;
            let loose = loose.min(limit);
            let kept = tests.len() - loose;
            let before = tests.get(kept.wrapping_sub(1)).copied();
            let queue: Vec<Test> = tests.iter().skip(kept).copied().collect();
            let Some(hand) = self.hands.get(&worker) else {
                continue;
            };
            let running = self.left(hand, tests.iter().take(kept));
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

    /// Where to cut a queue so that its worker, and a thief whose last test was `last`, both end soonest.
    ///
    /// `running` seconds pass before `queue` begins, behind the test `before`. Returns how many tests the thief should
    /// get, and by how much sooner the two end; None when the thief would only make it longer. But if the running test is
    /// `overdue` for as many seconds as the thief needs to set up, and it has `waited` for as many, nothing is expected.
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
            kept -= own + self.estimates.change(previous, test);
            let setup = self.estimates.change(last, test);
            let end = kept.max(setup + own + stolen);
            let gain = whole - end;

            let extra = (setup - self.estimates.change(previous, test)).max(0.0);
            let is_worth_it = if self.estimates.knows_fixtures_of(test) {
                gain > extra * LEAST_GAIN
            } else {
                extra <= 0.0 || waited > PATIENCE
            };
            if (is_worth_it || (overdue > extra && waited > extra))
                && best.is_none_or(|(_, most)| gain > most)
            {
                best = Some((queue.len() - place, gain));
            }
            stolen += own + self.estimates.change(previous, test);
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
        if !self.held.listen(demand) {
            return;
        }
        if self.pending.len() > 0 {
            if let Some((most, seconds)) = self.portion(demand) {
                self.assign(demand, most, seconds, actions);
            }
        } else if !demand.idle {
            // It has something to do, and nothing is left to give.
        } else if self
            .held
            .assign_loot(demand, self.max_chunk.min(demand.room), actions)
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
        self.pending.forget(worker);
        let mut left = self.held.lost(worker, running);
        self.pending
            .put_back(&self.estimates, left.take_front(usize::MAX));
    }

    fn again(&mut self, test: Test) {
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
