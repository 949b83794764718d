//! Which of the interpreter's audit events (PEP 578) tell what a process that is about to be forked must not share.
//!
//! The hazard it handles: an audit hook stays for the life of the process and of all its forks, and sees every file that
//! is opened and every module that is imported. So it must be silent, and cost next to nothing, once nobody watches.

use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};

static WATCHING: AtomicBool = AtomicBool::new(false);

/// Begins or ends to watch.
pub fn watch(on: bool) {
    WATCHING.store(on, Ordering::Relaxed);
}

/// Whether somebody watches.
#[must_use]
pub fn is_watching() -> bool {
    WATCHING.load(Ordering::Relaxed)
}

/// Whether an event tells of something that may be unique or alive: a temporary name, a port, a socket, a thread, a child
/// process, a database. `open` does where it is for writing, which only its arguments tell.
#[must_use]
pub fn is_telling(event: &str) -> bool {
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

/// Whether a library may start threads of its own between such an event and the next one. Each costs a look at the number
/// of threads, 1.5 µs, and to import a module makes two.
#[must_use]
pub fn may_start_threads(event: &str) -> bool {
    matches!(event, "import" | "exec" | "ctypes.dlopen" | "ctypes.dlsym")
}

/// How many threads this process has, those of native libraries included; 0 where that cannot be told.
#[must_use]
pub fn threads() -> u64 {
    // A directory has a link from itself, one from its parent, and one from each directory in it.
    std::fs::metadata("/proc/self/task").map_or(0, |task| task.nlink().saturating_sub(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_watches_before_and_after() {
        assert!(!is_watching());
        watch(true);
        assert!(is_watching());
        watch(false);
        assert!(!is_watching());
    }

    #[test]
    fn threads_are_counted() {
        // The harness runs tests in threads, of which others may come and go.
        assert!(threads() >= 1);
    }

    #[test]
    fn imports_tell_nothing() {
        assert!(is_telling("tempfile.mkdtemp"));
        assert!(!is_telling("import"));
    }
}
