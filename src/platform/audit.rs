//! Audit events of the interpreter (PEP 578) that reveal state which must not be shared after a fork.
//!
//! The hazard it handles: an audit hook stays for the life of the process and of all its forks, and is called for every
//! opened file and every import. It must be silent and nearly free while monitoring is off.

use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};

static MONITORING: AtomicBool = AtomicBool::new(false);

/// Turns monitoring on or off.
pub fn set_monitoring(on: bool) {
    MONITORING.store(on, Ordering::Relaxed);
}

/// Whether monitoring is on.
#[must_use]
pub fn is_monitoring() -> bool {
    MONITORING.load(Ordering::Relaxed)
}

/// Whether an event creates something that may be unique or alive: a temporary name, a port, a socket, a thread, a
/// child process, a database connection. `open` does if the file is opened for writing, which only its arguments show.
#[must_use]
pub fn creates_unshareable_state(event: &str) -> bool {
    matches!(
        event,
        "tempfile.mkdtemp"
            | "tempfile.mkstemp"
            | "socket.bind"
            | "socket.__new__"
            | "_thread.start_new_thread"
            | "_thread.start_joinable_thread"
            | "subprocess.Popen"
            | "os.fork"
            | "os.posix_spawn"
            | "sqlite3.connect"
            | "mmap.__new__"
            | "os.mkdir"
            | "os.rename"
            | "os.link"
            | "os.symlink"
            | "os.system"
            | "ctypes.dlopen"
            | "ctypes.dlsym"
            | "open"
    )
}

/// Whether a library may have started threads around such an event. Each check of the number of threads takes 1.5 µs,
/// and an import causes two.
#[must_use]
pub fn may_start_threads(event: &str) -> bool {
    matches!(event, "import" | "exec" | "ctypes.dlopen" | "ctypes.dlsym")
}

/// Number of threads of this process, those of native libraries included; 0 if unknown.
#[must_use]
pub fn threads() -> u64 {
    // The link count of a directory is 2 (itself and its parent) plus one for each subdirectory.
    std::fs::metadata("/proc/self/task").map_or(0, |task| task.nlink().saturating_sub(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monitoring_is_off_before_and_after() {
        assert!(!is_monitoring());
        set_monitoring(true);
        assert!(is_monitoring());
        set_monitoring(false);
        assert!(!is_monitoring());
    }

    #[test]
    fn threads_are_counted() {
        // The test harness runs tests in threads, so the number may change.
        assert!(threads() >= 1);
    }

    #[test]
    fn imports_create_no_unshareable_state() {
        assert!(creates_unshareable_state("tempfile.mkdtemp"));
        assert!(!creates_unshareable_state("import"));
    }
}
