//! A timer that makes a descriptor readable, exact to some microseconds; event loops only wait for whole milliseconds.

use super::os::OsError;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A timer.
#[derive(Debug)]
pub struct Timer(OwnedFd);

impl Timer {
    /// Creates a timer that is not set.
    ///
    /// # Errors
    /// [`OsError`].
    pub fn new() -> Result<Self, OsError> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let created = timerfd_create(TimerfdClockId::Monotonic, flags);
        Ok(Self(created.map_err(OsError::new("create a timer"))?))
    }

    /// The descriptor.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Sets it to a time of the monotonic clock in nanoseconds, or with `None` switches it off. That also clears it.
    ///
    /// # Errors
    /// [`OsError`].
    pub fn set(&self, at: Option<u64>) -> Result<(), OsError> {
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let value = at.map_or(zero, |at| {
            // A time of zero would switch it off.
            let at = at.max(1);
            Timespec {
                tv_sec: i64::try_from(at / 1_000_000_000).unwrap_or(i64::MAX),
                tv_nsec: i64::try_from(at % 1_000_000_000).unwrap_or_default(),
            }
        });
        let new = Itimerspec {
            it_interval: zero,
            it_value: value,
        };
        timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &new)
            .map(drop)
            .map_err(OsError::new("set a timer"))
    }
}
