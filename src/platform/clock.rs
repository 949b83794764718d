//! Clocks that tests cannot replace.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic seconds; the origin is the same for this process and its forks.
#[must_use]
pub fn monotonic() -> f64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    ORIGIN.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// Nanoseconds of the monotonic clock, the same for all processes of the machine.
#[cfg(unix)]
#[must_use]
pub fn nanos() -> u64 {
    since_zero(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic))
}

/// Nanoseconds of CPU time that this process has used.
#[cfg(unix)]
#[must_use]
pub fn cpu_nanos() -> u64 {
    since_zero(rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime))
}

#[cfg(unix)]
fn since_zero(time: rustix::time::Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default()
}

/// Seconds since the epoch.
#[must_use]
pub fn since_epoch() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs_f64()
}
