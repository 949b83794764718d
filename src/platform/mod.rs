//! The operating system and the native runtime of Python. The only module with unsafe code.
//!
//! | file | what is in it |
//! |---|---|
//! | [`os`] | processes, signals, descriptors, shared memory, futexes |
//! | [`session_process`] | programs in a session of their own |
//! | [`cpus`] | the CPUs of this process |
//! | [`native_threads`] | threads that the interpreter does not know |
//! | [`thread_pools`] | thread pools of numerical libraries |
//! | [`cgroup`] | CPU quota and available memory of the control group |
//! | [`memory`] | memory use of a process |
//! | [`process_state`] | what a process has open: descriptors, children, its working directory |
//! | [`footprint`] | memory that an idle process can release |
//! | [`machine`] | name, operating system and memory of the machine |
//! | [`main_thread`] | what another thread can do about the main thread |
//! | [`process_status`] | signal masks, threads that wait, the start of a process, locks of a file |
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
pub mod cpus;
pub mod footprint;
#[cfg(unix)]
mod libraries;
pub mod local_time;
pub mod machine;
#[cfg(target_os = "linux")]
pub mod main_thread;
pub mod memory;
pub mod mersenne_twister;
#[cfg(unix)]
pub mod native_threads;
#[cfg(target_os = "linux")]
pub mod os;
pub mod process_state;
pub mod process_status;
pub mod session_process;
pub mod special_file;
#[cfg(unix)]
pub mod thread_pools;
#[cfg(target_os = "linux")]
pub mod timer;
