//! The operating system and the runtime of Python, as far as they are not Python's view of things. The only room with
//! unsafe code.
//!
//! | file | what is in it |
//! |---|---|
//! | [`os`] | processes, signals, descriptors, shared memory, futexes |
//! | [`cgroup`] | how many workers this machine can feed |
//! | [`memory`] | how much memory a process holds |
//! | [`footprint`] | which memory an idle process need not hold |
//! | [`clock`] | clocks that no test can set |
//! | [`local_time`] | moments in the time zone of this machine |
//! | [`special_file`] | pipes and devices that are written to |
//! | [`atomic_file`] | replacing a file as a whole |
//! | [`audit`] | which audit events tell what must not be shared |
//! | [`allocator`] | filling the free places of CPython's allocator |
//! | [`mersenne_twister`] | whether a random number generator was seeded |

pub mod allocator;
pub(crate) mod atomic_file;
pub mod audit;
pub mod cgroup;
pub mod clock;
pub mod footprint;
pub mod local_time;
pub mod memory;
pub mod mersenne_twister;
#[cfg(target_os = "linux")]
pub mod os;
pub mod special_file;
