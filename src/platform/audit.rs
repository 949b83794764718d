//! Audit events of the interpreter (PEP 578) that reveal state which must not be shared after a fork.
//!
//! The hazard it handles: an audit hook stays for the life of the process and of all its forks, and is called for every
//! opened file and every import, 20 times for a trivial test. It must be silent and nearly free while nobody listens.
//! One added with `sys.addaudithook` is not: the interpreter makes objects of each event's name and looks up an
//! attribute of the hook. So the hook is a C function: 0.03 instead of 0.12 µs for each event.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;
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

static RECORDING_TEMPORARY_FILES: AtomicBool = AtomicBool::new(false);

/// Starts recording temporary files; it is not stopped before the process ends.
pub fn set_recording_temporary_files() {
    RECORDING_TEMPORARY_FILES.store(true, Ordering::Relaxed);
}

/// Whether temporary files are recorded.
#[must_use]
pub fn is_recording_temporary_files() -> bool {
    RECORDING_TEMPORARY_FILES.load(Ordering::Relaxed)
}

static RECORDING_OPENED_FILES: AtomicBool = AtomicBool::new(false);

/// Starts recording files that are opened; it is not stopped before the process ends.
pub fn set_recording_opened_files() {
    RECORDING_OPENED_FILES.store(true, Ordering::Relaxed);
}

/// Whether files that are opened are recorded.
#[must_use]
pub fn is_recording_opened_files() -> bool {
    RECORDING_OPENED_FILES.load(Ordering::Relaxed)
}

static RECORDING_USES: AtomicBool = AtomicBool::new(false);

/// Starts or stops recording what code uses outside the process.
pub fn set_recording_uses(on: bool) {
    RECORDING_USES.store(on, Ordering::Relaxed);
}

/// Whether that is recorded.
#[must_use]
pub fn is_recording_uses() -> bool {
    RECORDING_USES.load(Ordering::Relaxed)
}

/// Whether an event shows what code uses outside the process: files, directories and connections.
#[must_use]
pub fn shows_use(event: &str) -> bool {
    matches!(
        event,
        "open"
            | "os.listdir"
            | "os.scandir"
            | "os.mkdir"
            | "os.rmdir"
            | "os.remove"
            | "os.rename"
            | "os.link"
            | "os.symlink"
            | "os.truncate"
            | "os.chmod"
            | "os.chown"
            | "os.utime"
            | "shutil.rmtree"
            | "shutil.move"
            | "sqlite3.connect"
            | "socket.connect"
    )
}

/// Whether an event creates a temporary file or directory, whose path is the first argument.
#[must_use]
pub fn creates_temporary_file(event: &str) -> bool {
    matches!(event, "tempfile.mkdtemp" | "tempfile.mkstemp")
}

/// The arguments of an event that are paths of files which it opens or changes.
#[must_use]
pub fn named_files(event: &str) -> Option<std::ops::Range<usize>> {
    match event {
        "open" | "os.remove" | "os.truncate" | "sqlite3.connect" => Some(0..1),
        "os.rename" => Some(0..2),
        "os.link" | "os.symlink" => Some(1..2),
        _ => None,
    }
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

/// Whether somebody listens to such events now.
#[must_use]
pub fn is_wanted(event: &str) -> bool {
    (is_recording_temporary_files() && creates_temporary_file(event))
        || (is_recording_opened_files() && named_files(event).is_some())
        || (is_recording_uses() && shows_use(event))
        || (is_monitoring() && (may_start_threads(event) || creates_unshareable_state(event)))
}

type Object = *mut c_void;
type Hook = unsafe extern "C" fn(*const c_char, Object, *mut c_void) -> c_int;

/// Functions of the interpreter that the hook calls, both in the stable ABI.
struct Functions {
    call: unsafe extern "C" fn(Object, *const c_char, ...) -> Object,
    release: unsafe extern "C" fn(Object),
}

/// Looked up when the hook is added: while a template collects, the hook calls them for thousands of events.
static FUNCTIONS: OnceLock<Functions> = OnceLock::new();

/// Has the interpreter call a Python function, by its address, with each event that is wanted and the event's arguments.
///
/// Returns false if the interpreter has not the functions for that. `PySys_AddAuditHook` is part of its public interface,
/// but not of the stable ABI, so it is looked up instead of linked.
#[must_use]
pub fn add_hook(function: usize) -> bool {
    let names = [c"PySys_AddAuditHook", c"PyObject_CallFunction", c"Py_DecRef"];
    let [Some(add), Some(call), Some(release)] = names.map(symbol) else {
        return false;
    };
    #[expect(unsafe_code, reason = "functions of the interpreter")]
    // SAFETY: the types are those of the functions since Python 3.8. The caller holds the GIL.
    unsafe {
        let add: unsafe extern "C" fn(Hook, *mut c_void) -> c_int = std::mem::transmute(add);
        FUNCTIONS.get_or_init(|| Functions {
            call: std::mem::transmute::<
                *mut c_void,
                unsafe extern "C" fn(Object, *const c_char, ...) -> Object,
            >(call),
            release: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(Object)>(release),
        });
        add(hook, std::ptr::with_exposed_provenance_mut(function)) == 0
    }
}

/// A function of the interpreter in this process.
fn symbol(name: &CStr) -> Option<*mut c_void> {
    #[expect(unsafe_code, reason = "looking up a symbol")]
    // SAFETY: the name is a C string, and the call only reads.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// The hook; `function` is the Python function. Returns -1 after that has raised an exception.
#[expect(unsafe_code, reason = "called by the interpreter")]
unsafe extern "C" fn hook(event: *const c_char, arguments: Object, function: *mut c_void) -> c_int {
    if !is_monitoring() && !is_recording_temporary_files() && !is_recording_opened_files() {
        return 0;
    }
    // SAFETY: the interpreter passes a C string.
    let name = unsafe { CStr::from_ptr(event) };
    if !name.to_str().is_ok_and(is_wanted) {
        return 0;
    }
    let Some(functions) = FUNCTIONS.get() else {
        return 0;
    };
    // SAFETY: the interpreter holds the GIL while it calls hooks, and the Python function is never freed.
    unsafe {
        let result = (functions.call)(function, c"sO".as_ptr(), event, arguments);
        if result.is_null() {
            return -1;
        }
        (functions.release)(result);
    }
    0
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
        assert!(shows_use("os.chmod") && !shows_use("import"));
    }
}
