//! The operating system and the native runtime of Python. The only module with unsafe code.
//!
//! | file | what is in it |
//! |---|---|
//! | [`os`] | processes, signals, descriptors, shared memory, futexes |
//! | [`cgroup`] | CPU quota and available memory of the control group |
//! | [`memory`] | memory use of a process |
//! | [`footprint`] | memory that an idle process can release |
//! | [`clock`] | clocks that tests cannot replace |
//! | [`local_time`] | times in the time zone of this machine |
//! | [`special_file`] | writing to pipes and devices |
//! | [`atomic_file`] | replacing a file atomically |
//! | [`audit`] | audit events that reveal state which must not be shared |
//! | [`allocator`] | filling the free blocks of CPython's allocator |
//! | [`mersenne_twister`] | detecting whether a random number generator was seeded |

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
