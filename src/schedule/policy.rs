//! What a scheduling policy is: a state machine that the engine feeds and asks.
//!
//! # How engine and policy talk
//!
//! 1. The engine tells what has happened (`add_worker`, `finished`, `lost`, `again`), then asks: one
//!    [`Policy::demand`] per worker whose queue is low. It carries out the actions of one demand, in order,
//!    before it tells or asks anything else, so the policy's picture of every queue's end is exact. Only the
//!    front of a queue is flaky_and_missing: a worker claims tests without asking.
//! 2. [`Action::Assign`] and [`Action::Close`] go only to the worker that asked; a close, only to an idle one.
//! 3. A steal takes two demands. The first, of an idle worker, yields one [`Action::TakeBack`] from another
//!    worker; while the engine carries it out it calls `returned`, and what came back is kept for an idle
//!    worker: not for a busy one, which may be the victim. Then the engine asks again for whoever still
//!    stands idle: now it is assigned what came back. If nothing did, the policy has learnt that
//!    this queue has less to give than it believed, and tries there for less or elsewhere; its belief
//!    grows only with an assignment, so the exchange ends, at the latest with [`Action::Close`].
//! 4. A worker reports its last test only when it knows what comes next, because that decides which fixtures it tears
//!    down. [`Action::Rest`] has it report without.
//! 5. The first test (or unit) given to an idle worker is never taken back: the worker is about to claim it, and
//!    two idle workers could otherwise pass it to and fro.

/// Index of a test in the collection; the collection is the same in every worker.
pub type Test = u32;

/// Number of an instance of a shared fixture: the same definition has one in each module, class or package that uses it,
/// and one for each of its parameters.
pub type Fixture = u32;

/// Number of the definition of a shared fixture.
pub type Definition = u32;

/// Number of a worker within a run, never used twice: worker `3` is `gw3`.
pub type Worker = u32;

/// What a policy asks the engine to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Append `tests` to the worker's queue, in this order. Never more than the `room` it was offered.
    Assign {
        /// The worker that gets the tests.
        worker: Worker,
        /// The tests, in the order in which they are to run.
        tests: Vec<Test>,
    },
    /// Take the last `count` tests from the end of the worker's queue: all of them or none when `whole`, as
    /// many as are still unclaimed otherwise. The engine answers at once with [`Policy::returned`].
    TakeBack {
        /// The worker whose queue is shortened.
        worker: Worker,
        /// How many tests are wanted back, counted from the end of the queue.
        count: usize,
        /// Whether fewer than `count` would be of no use (a group that must stay together).
        whole: bool,
    },
    /// Have the worker, which stands idle in the tear-down of its last test to learn which test comes next, finish that
    /// tear-down without knowing: all its fixtures go, and [`Policy::finished`] follows.
    Rest {
        /// The worker that is to finish its last test.
        worker: Worker,
    },
    /// Nothing more will come for this worker: once its queue is empty it finishes its session.
    Close {
        /// The worker that may leave.
        worker: Worker,
    },
}

/// What the engine knows of a worker when it asks for more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// The worker.
    pub worker: Worker,
    /// Tests in its queue that it has not claimed yet.
    pub queued: usize,
    /// How many more tests its queue can hold.
    pub room: usize,
    /// Whether it stands still: its queue is empty and it waits for a test or for [`Action::Close`].
    pub idle: bool,
    /// For how many seconds it has been idle.
    pub waited: f64,
    /// Seconds since the run began; never less than in the demand before.
    pub now: f64,
}

impl Demand {
    /// Whether at least half of the queue is free: refills that wait for this come in batches, and the
    /// worker still has the other half to live on.
    pub(crate) fn is_half_free(&self) -> bool {
        self.queued <= self.room
    }

    /// Whether the worker has stood still for longer than a short test takes, so that a unit that others hold and have
    /// not begun is better moved than waited for.
    pub(crate) fn is_stalled(&self) -> bool {
        self.waited >= STALLED
    }
}

/// Seconds: one shortest look of the engine, in which a worker runs about 20 trivial tests.
pub(crate) const STALLED: f64 = 0.005;

/// How often a worker comes for more, at least, if all tests take equally long: a refill is this fraction of
/// its even part of what is pending. Fewer, larger refills risk that one worker sits on the slow tests
/// (though idle workers can still take them back); more of them cost round trips. Four is what xdist's
/// `load` uses, so that `--maxschedchunk` has the effect its users know.
pub(crate) const REFILLS_PER_WORKER: usize = 4;

/// The indices of a collection of this many tests.
pub(crate) fn collection(tests: usize) -> std::ops::Range<Test> {
    // 2^32 tests fit in no memory, so the bound is never met.
    0..Test::try_from(tests).unwrap_or(Test::MAX)
}

/// A scheduling policy: a state machine fed by the engine.
///
/// The engine calls [`Policy::demand`] whenever a worker's queue runs low and again, with `idle`, when it
/// stands still. An idle worker that gets neither a test nor a [`Action::Close`] is asked for again after
/// every later event.
pub trait Policy: Send {
    /// A worker has come up and can take tests (at the start, or as replacement of one that was lost).
    fn add_worker(&mut self, worker: Worker);

    /// The worker could use more tests. Actions are appended to `actions`, and carried out in order. No action
    /// means "not now": the queue is long enough, or nothing is pending and the worker is still busy.
    /// Workers that are closed, lost or unknown never get anything.
    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>);

    /// The worker has run this test to its end, in so many seconds.
    fn finished(&mut self, worker: Worker, test: Test, seconds: f64);

    /// The worker has set up a shared fixture for the test that it is in; `seconds` of that test's time went into it.
    fn set_up(&mut self, worker: Worker, definition: Definition, seconds: f64);

    /// The answer to [`Action::TakeBack`]: what was taken, in queue order; empty when it came too late. Called
    /// while the action is carried out. Tests that the worker does not hold (any more) are ignored.
    fn returned(&mut self, worker: Worker, tests: &[Test]);

    /// The worker is gone, or leaves to be replaced. `running` is the test that it died in; it has its result (a crash)
    /// and is not run again. Everything else the worker held and had not finished is pending, in order and before what
    /// comes after it. A closed worker can be lost, too.
    fn lost(&mut self, worker: Worker, running: Option<Test>);

    /// Run this test (once more), before everything that is pending or at its place there: on any worker, as a unit on its
    /// own. It may have a result already; the number of unfinished tests goes up by one.
    fn again(&mut self, test: Test);

    /// How many tests have no result yet, wherever they are.
    fn unfinished(&self) -> usize;

    /// The test with which this worker would go on, if the policy keeps to the order of the collection.
    fn next(&self, _worker: Worker) -> Option<Test> {
        None
    }
}
