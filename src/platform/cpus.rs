//! The CPUs of this process.

/// How many CPUs this process may use, at least one.
#[cfg(target_os = "linux")]
#[must_use]
pub fn usable_cpus() -> usize {
    let usable = rustix::thread::sched_getaffinity(None).map(|cpus| cpus.count() as usize);
    usable.unwrap_or(1).max(1)
}

/// How many CPUs the machine has, at least one.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn usable_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
