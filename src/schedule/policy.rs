//! The interface of scheduling policies: a state machine driven by the engine.
//!
//! # The interaction of engine and policy
//!
//! 1. The engine reports events (`add_worker`, `finished`, `lost`, `run_again`, `retry`), then asks: one [`Policy::demand`]
//!    per worker whose queue is low. It executes the actions of one demand, in order, before it reports or asks
//!    anything else, so the policy knows the end of every queue exactly. Only the front of a queue is uncertain: a
//!    worker claims tests without notice.
//! 2. [`Action::Assign`] and [`Action::Close`] go only to the worker of the demand; a close, only to an idle one.
//! 3. A steal takes two demands. The first, of an idle worker, yields one [`Action::TakeBack`] from another worker;
//!    while the engine executes it, it calls `returned`, and the tests that came back are kept for an idle worker:
//!    not for a busy one, which may be the victim. Then the engine asks again for every worker that is still idle,
//!    which is now assigned those tests. If none came back, the policy has learnt that this queue has fewer to give
//!    than assumed, and tries there for fewer or elsewhere; the assumed number grows only with an assignment, so
//!    the exchange terminates, at the latest with [`Action::Close`].
//! 4. A worker reports its last test only when it knows the next one, because that determines which fixtures it
//!    tears down. [`Action::Rest`] makes it report without.
//! 5. The first test (or unit) assigned to an idle worker is never taken back: the worker is about to claim it, and
//!    two idle workers could otherwise pass it to and fro.

/// Index of a test in the collection; the collection is the same in every worker.
pub type Test = u32;

/// Number of a shared fixture instance: a definition has one in each module, class or package that uses it, and one for
/// each of its parameters.
pub type Fixture = u32;

/// Number of the definition of a shared fixture.
pub type Definition = u32;

/// Number of a worker within a run, never used twice: worker `3` is `gw3`.
pub type Worker = u32;

/// A request of a policy to the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Append `tests` to the worker's queue, in this order. Never more than the `room` of the demand.
    Assign {
        /// The worker that gets the tests.
        worker: Worker,
        /// The tests, in the order in which they are to run.
        tests: Vec<Test>,
    },
    /// Take the last `count` tests from the end of the worker's queue: with `whole`, all of them or none, otherwise as
    /// many as are still unclaimed. The engine answers at once with [`Policy::returned`].
    TakeBack {
        /// The worker whose queue is shortened.
        worker: Worker,
        /// Number of tests to take back, counted from the end of the queue.
        count: usize,
        /// Whether fewer than `count` would be useless (a unit that must stay together).
        whole: bool,
    },
    /// Let the worker, which is idle before the teardown of its last test because that depends on the next test, finish
    /// the teardown without knowing: it tears down all fixtures, and [`Policy::finished`] follows.
    Rest {
        /// The worker that is to finish its last test.
        worker: Worker,
    },
    /// No more tests will be assigned to this worker: it finishes its session once its queue is empty.
    Close {
        /// The worker to close.
        worker: Worker,
    },
}

/// The state of a worker for which the engine requests tests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// The worker.
    pub worker: Worker,
    /// Number of tests in its queue that it has not claimed yet.
    pub queued: usize,
    /// Number of tests that its queue has space for.
    pub room: usize,
    /// Whether it is idle: its queue is empty and it waits for a test or for [`Action::Close`].
    pub idle: bool,
    /// For how many seconds it has been idle.
    pub waited: f64,
    /// Seconds since the start of the run; never decreases.
    pub now: f64,
}

impl Demand {
    /// Whether at least half of the queue is free: refills that wait for this come in batches, and the worker still has
    /// the other half to run.
    pub(crate) fn is_half_free(&self) -> bool {
        self.queued <= self.room
    }

    /// Whether the worker has been idle for longer than a short test takes, so that a unit that others have not started
    /// should be moved rather than waited for.
    pub(crate) fn is_stalled(&self) -> bool {
        self.waited >= STALLED
    }
}

/// Seconds: the shortest polling interval of the engine, in which a worker runs about 20 trivial tests.
pub(crate) const STALLED: f64 = 0.005;

/// Minimum number of refills per worker if all tests take equally long: a refill is this fraction of the worker's even
/// share of the pending tests. Fewer, larger refills risk that one worker gets all slow tests (though idle workers can
/// still take them back); more of them cost round trips. Four is the number of xdist's `load`, so that
/// `--maxschedchunk` has the effect that users know.
pub(crate) const REFILLS_PER_WORKER: usize = 4;

/// The indices of a collection of this size.
pub(crate) fn collection(tests: usize) -> std::ops::Range<Test> {
    // 2^32 tests do not fit into memory, so the limit is never reached.
    0..Test::try_from(tests).unwrap_or(Test::MAX)
}

/// A scheduling policy: a state machine driven by the engine.
///
/// The engine calls [`Policy::demand`] whenever a worker's queue runs low and again, with `idle`, when the worker has no
/// tests. For an idle worker that gets neither a test nor a [`Action::Close`], it is called again after every later
/// event.
pub trait Policy: Send {
    /// A worker has started and can take tests (at the start of the run, or as a replacement).
    fn add_worker(&mut self, worker: Worker);

    /// The same for a replacement; `first` is the first of the workers that have replaced one another. With `--dist each`
    /// it runs the tests that those have left.
    fn add_replacement(&mut self, worker: Worker, _first: Worker) {
        self.add_worker(worker);
    }

    /// The worker could take more tests. Actions are appended to `actions` and executed in order. No action means "not
    /// now": the queue is long enough, or nothing is pending and the worker is still busy. Closed, lost and unknown
    /// workers get nothing.
    fn demand(&mut self, demand: Demand, actions: &mut Vec<Action>);

    /// The worker has finished this test, in so many seconds.
    fn finished(&mut self, worker: Worker, test: Test, seconds: f64);

    /// The worker has set up a shared fixture for its current test; `seconds` of that test's time were spent on it.
    fn set_up(&mut self, worker: Worker, definition: Definition, seconds: f64);

    /// The answer to [`Action::TakeBack`]: the tests taken back, in queue order; empty if it came too late. Called
    /// while the action is executed. Tests that the worker does not hold (any more) are ignored.
    fn returned(&mut self, worker: Worker, tests: &[Test]);

    /// The worker has ended, or is being replaced. `running` is the test in which it crashed; that test has its result
    /// (a crash) and is not run again. All other unfinished tests of the worker become pending, in order and before the
    /// tests after them. A closed worker can be lost, too.
    fn lost(&mut self, worker: Worker, running: Option<Test>);

    /// Makes a test pending (again), before all other pending tests or at its position among them: on any worker, as a
    /// unit on its own. It may have a result already; the number of unfinished tests increases by one.
    fn run_again(&mut self, test: Test);

    /// The same, but on another worker than this one if there is one. Only a policy with constraints does that.
    fn run_elsewhere(&mut self, test: Test, _worker: Worker) {
        self.run_again(test);
    }

    /// The test is to be tried again, `delay` seconds after its end at the earliest: it has failed and is running on
    /// this worker, or the worker has crashed in it. Only a policy with retries does that.
    fn retry(&mut self, _worker: Worker, _test: Test, _delay: f64) {}

    /// The test, in which a worker has crashed, is tried again by its replacement, before the other tests that it has
    /// left. `first` is as of [`Policy::add_replacement`]. Only `--dist each` does that.
    fn retry_in_replacement(&mut self, _first: Worker, _test: Test) {}

    /// Whether workers leave it to the policy to try a failed test again, with [`Policy::retry`].
    fn takes_retries(&self) -> bool {
        false
    }

    /// The test, in which a worker has crashed, is not tried again.
    fn settle(&mut self, _test: Test) {}

    /// Number of tests without a result.
    fn unfinished(&self) -> usize;

    /// The test with which this worker would continue, if the policy keeps the collection order.
    fn next(&self, _worker: Worker) -> Option<Test> {
        None
    }
}
