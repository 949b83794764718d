//! The users of a worker in real time: which of them waits until when, for threads and for event loops.
//!
//! The hazard it handles: a user must neither start late because a timer is coarse, nor wait on after the load test was
//! stopped. Threads wait on a condition that the stop signals; event loops wait for a descriptor that the stop makes
//! readable.

use super::EngineError;
use crate::load::pacer::{Ended, Next, Pacer};
use crate::load::plan::Plan;
use crate::platform::clock::nanos;
use crate::platform::timer::Timer;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// The number of no user: it wakes whoever watches the load test.
const NOBODY: u32 = u32::MAX;

#[derive(Debug, Default)]
struct State {
    /// The beginning, in nanoseconds of the monotonic clock.
    begin: u64,
    is_stopped: bool,
    is_closed: bool,
}

/// The users of a worker.
#[derive(Debug)]
pub struct PacedUsers {
    state: Mutex<State>,
    stopped: Condvar,
    timer: Timer,
    pacer: Mutex<Pacer>,
    /// Users that sleep until a time of the monotonic clock in nanoseconds, the earliest first.
    sleeping: Mutex<BinaryHeap<Reverse<(u64, u32)>>>,
}

impl PacedUsers {
    /// The share of worker number `rank` of `generators`.
    ///
    /// # Errors
    /// [`EngineError::Os`].
    pub fn new(plan: Plan, rank: usize, generators: usize) -> Result<Self, EngineError> {
        Ok(Self {
            state: Mutex::default(),
            stopped: Condvar::new(),
            timer: Timer::new()?,
            pacer: Mutex::new(Pacer::new(plan, rank, generators)),
            sleeping: Mutex::default(),
        })
    }

    /// The pacer.
    pub fn pacer(&self) -> MutexGuard<'_, Pacer> {
        self.pacer.lock()
    }

    /// Sets when the load test begins, in nanoseconds of the monotonic clock.
    pub fn begin_at(&self, begin: u64) {
        self.state.lock().begin = begin;
    }

    /// Seconds since the beginning.
    #[must_use]
    pub fn now(&self) -> f64 {
        let begin = self.state.lock().begin;
        let now = nanos();
        if now >= begin {
            seconds(now - begin)
        } else {
            -seconds(begin - now)
        }
    }

    /// When a user starts its next iteration, in seconds since the beginning; `None` if it has none left. `claim` is as
    /// of [`Pacer::next`].
    pub fn next(&self, user: u32, claim: impl FnOnce() -> u64) -> Option<f64> {
        let now = self.now();
        match self.pacer.lock().next(user, now, claim) {
            Next::At(at) => Some(at),
            Next::Over => None,
        }
    }

    /// Has [`PacedUsers::due`] return a user at this time; returns false if it is due now.
    ///
    /// # Errors
    /// [`EngineError::Os`].
    pub fn sleep(&self, user: u32, at: f64) -> Result<bool, EngineError> {
        if at <= self.now() {
            return Ok(false);
        }
        let at = self.state.lock().begin + to_nanos(at);
        self.sleep_until(at, user)?;
        Ok(true)
    }

    /// Has [`PacedUsers::due`] return `None` after so many seconds.
    ///
    /// # Errors
    /// [`EngineError::Os`].
    pub fn wake_after(&self, seconds: f64) -> Result<(), EngineError> {
        self.sleep_until(nanos() + to_nanos(seconds), NOBODY)
    }

    fn sleep_until(&self, at: u64, user: u32) -> Result<(), EngineError> {
        let mut sleeping = self.sleeping.lock();
        let earliest = sleeping.peek().map(|Reverse((at, _))| *at);
        sleeping.push(Reverse((at, user)));
        if earliest.is_none_or(|earliest| at < earliest) {
            self.timer.set(Some(at))?;
        }
        Ok(())
    }

    /// The descriptor that is readable when a sleeping user is due.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.timer.fd()
    }

    /// The sleeping users that are due, `None` for [`PacedUsers::wake_after`]; all of them after [`PacedUsers::stop`].
    ///
    /// # Errors
    /// [`EngineError::Os`].
    pub fn due(&self) -> Result<Vec<Option<u32>>, EngineError> {
        let is_stopped = self.state.lock().is_stopped;
        let now = nanos();
        let mut due = Vec::new();
        let mut sleeping = self.sleeping.lock();
        while let Some(Reverse((at, user))) = sleeping.peek().copied() {
            if at > now && !is_stopped {
                break;
            }
            sleeping.pop();
            due.push((user != NOBODY).then_some(user));
        }
        self.timer.set(sleeping.peek().map(|Reverse((at, _))| *at))?;
        Ok(due)
    }

    /// Waits in this thread until a time in seconds since the beginning; returns false if the load test was stopped.
    #[must_use]
    pub fn wait_until(&self, at: f64) -> bool {
        let mut state = self.state.lock();
        let at = state.begin + to_nanos(at);
        loop {
            let now = nanos();
            if state.is_stopped || now >= at {
                return !state.is_stopped;
            }
            self.stopped.wait_for(&mut state, Duration::from_nanos(at - now));
        }
    }

    /// Ends the iteration of a user; `None` if it is not running one, or with `cancelled`.
    pub fn end(&self, user: u32, cancelled: bool) -> Option<Ended> {
        let now = self.now();
        self.pacer.lock().end(user, now, cancelled)
    }

    /// Lets no further iteration start, and wakes the users that wait.
    ///
    /// # Errors
    /// [`EngineError::Os`].
    pub fn stop(&self) -> Result<(), EngineError> {
        self.state.lock().is_stopped = true;
        self.pacer.lock().stop();
        self.stopped.notify_all();
        // At once.
        Ok(self.timer.set(Some(1))?)
    }

    /// Whether no further iteration starts.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state.lock().is_stopped
    }

    /// Lets nothing that users still do have an effect.
    pub fn close(&self) {
        self.state.lock().is_closed = true;
    }

    /// Whether nothing that users do has an effect any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact to a microsecond for years")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// Converts seconds to nanoseconds; negative ones become 0.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of floats saturates"
)]
pub fn to_nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::mark::Mark;
    use crate::platform::os::wait_readable;
    use std::sync::Arc;

    fn users(rate: f64) -> PacedUsers {
        let mark = Mark {
            rate: Some(rate),
            duration: Some(60.0),
            ..Mark::default()
        };
        let users = PacedUsers::new(mark.plan().expect("valid"), 0, 1).expect("a timer");
        users.begin_at(nanos() + 20_000_000);
        users
    }

    #[test]
    fn sleeping_users_are_due_in_their_order() {
        let users = users(200.0);
        let first = users.next(0, || 0).expect("due");
        let second = users.next(1, || 0).expect("due");
        assert!(users.sleep(1, second).expect("a timer"));
        assert!(users.sleep(0, first).expect("a timer"));
        users.wake_after(0.001).expect("a timer");
        let mut due = Vec::new();
        while due.len() < 3 {
            wait_readable(&[users.fd()], Duration::from_mins(1));
            due.extend(users.due().expect("a timer"));
        }
        assert_eq!(due, [None, Some(0), Some(1)]);
        assert!(!users.sleep(0, first).expect("a timer"), "it is over");
    }

    #[test]
    fn stopping_wakes_threads_and_event_loops() {
        let users = Arc::new(users(1.0));
        assert!(users.sleep(1, 1000.0).expect("a timer"));
        let waiting = Arc::clone(&users);
        // A thread of the test, as those of users are Python's.
        #[expect(clippy::disallowed_methods, reason = "nothing is forked here")]
        let thread = std::thread::spawn(move || waiting.wait_until(1000.0));
        users.stop().expect("a timer");
        assert!(!thread.join().expect("no panic"));
        wait_readable(&[users.fd()], Duration::from_mins(1));
        assert_eq!(users.due().expect("a timer"), [Some(1)]);
        assert_eq!(users.next(0, || 0), None);
    }

    #[test]
    fn a_thread_waits_until_its_time() {
        let users = users(1.0);
        assert!(users.wait_until(0.005));
        assert!(users.now() >= 0.005);
    }
}
