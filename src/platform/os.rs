//! Operating system calls: shared memory and futexes ([`shared_memory`]), eventfds, signals, the parent-death signal,
//! memory use.

mod shared_memory;

pub use shared_memory::{SharedMemory, futex_wait, futex_wake};

use super::footprint::readable_again;
use super::memory;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::mm::{Advice, madvise};
use rustix::process::{
    Pid, PidfdFlags, Signal, getpid, getppid, pidfd_open, pidfd_send_signal, set_child_subreaper,
    set_parent_process_death_signal,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};
use std::time::Duration;

/// A system call failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {what}: {source}")]
pub struct OsError {
    /// What was attempted.
    pub what: &'static str,
    /// The system's error.
    pub source: std::io::Error,
}

impl OsError {
    pub(super) fn new(what: &'static str) -> impl FnOnce(Errno) -> Self {
        move |errno| Self {
            what,
            source: errno.into(),
        }
    }
}

/// An eventfd that any process can signal, and that the engine's thread waits for in [`wait_readable`].
#[derive(Debug)]
pub struct EventFd(OwnedFd);

impl EventFd {
    /// Creates an eventfd that is not signalled.
    ///
    /// # Errors
    /// [`OsError`].
    pub fn new() -> Result<Self, OsError> {
        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map(Self)
            .map_err(OsError::new("create an event descriptor"))
    }

    /// Signals it; no effect if it is already signalled.
    pub fn signal(&self) {
        let _written = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Resets it.
    pub fn clear(&self) {
        let _read = rustix::io::read(&self.0, &mut [0u8; 8]);
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits for at most `limit` until one of `fds` is readable or closed at the other end, or a signal arrives.
pub fn wait_readable(fds: &[BorrowedFd<'_>], limit: Duration) {
    let mut polled: Vec<_> = fds
        .iter()
        .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
        .collect();
    // Which one is ready does not matter: the caller reads them all.
    let _ready = poll(&mut polled, Some(&timespec(limit)));
}

/// The result of a non-blocking read.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes were read.
    Bytes(usize),
    /// No data at the moment.
    Nothing,
    /// End of file.
    End,
}

/// Reads the available bytes.
pub fn read_some(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Read {
    match rustix::io::read(fd, buffer) {
        Ok(0) => Read::End,
        Ok(count) => Read::Bytes(count),
        Err(Errno::AGAIN | Errno::INTR) => Read::Nothing,
        Err(_) => Read::End,
    }
}

/// Duplicates the descriptor of an open file, given by its number (Python's `fileno`).
///
/// # Errors
/// [`OsError`] if the number does not belong to an open file.
pub fn duplicate(fd: RawFd) -> Result<OwnedFd, OsError> {
    if fd < 0 {
        return Err(OsError::new("duplicate a descriptor")(Errno::BADF));
    }
    #[expect(unsafe_code, reason = "Python hands over descriptors as numbers")]
    // SAFETY: the number is not negative, and the borrow ends with this call; a closed one makes the call fail.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::io::fcntl_dupfd_cloexec(borrowed, 3).map_err(OsError::new("duplicate a descriptor"))
}

/// Makes `fd` non-blocking.
///
/// # Errors
/// [`OsError`].
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> Result<(), OsError> {
    fcntl_getfl(fd)
        .and_then(|flags| fcntl_setfl(fd, flags | OFlags::NONBLOCK))
        .map_err(OsError::new("change a descriptor"))
}

/// Asks the kernel to kill this process when its parent, which must be process `parent`, dies.
///
/// Returns false if the parent is already dead.
///
/// # Errors
/// [`OsError`].
pub fn die_with_parent(parent: u32) -> Result<bool, OsError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(OsError::new("set the parent-death signal"))?;
    Ok(getppid()
        .map(Pid::as_raw_nonzero)
        .is_some_and(|pid| pid.get().cast_unsigned() == parent))
}

/// The process that last called [`interrupt_at_termination`].
static INTERRUPTED: AtomicI32 = AtomicI32::new(0);

/// The arguments of that call.
static INTERRUPT: AtomicI32 = AtomicI32::new(libc::SIGINT);
static TERMINATED: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());

/// Number of checks, and milliseconds between them, while waiting for the controller to confirm that it was signalled,
/// too. It does so when Python runs its signal handler, which takes up to 0.1 s while it waits for events.
const LOOKS: usize = 200;
const LOOK: u64 = 10;

/// Turns `SIGTERM` and `SIGHUP` into the signal `interrupt` if they end the whole run.
///
/// They may reach every process of a group, for example from `timeout` or from a terminal that is closed; `terminated`
/// then soon becomes non-zero. A signal sent to this process alone ends it. Python does not see any of this: its signal
/// handlers are unchanged. Child processes of this one, forked or started as programs, are ended by the signals as
/// usual.
pub fn interrupt_at_termination(terminated: &'static AtomicU64, interrupt: i32) {
    INTERRUPT.store(interrupt, Ordering::SeqCst);
    TERMINATED.store(std::ptr::from_ref(terminated).cast_mut(), Ordering::SeqCst);
    INTERRUPTED.store(getpid().as_raw_nonzero().get(), Ordering::SeqCst);
    let handler = interrupt_or_end as *const () as libc::sighandler_t;
    for number in [libc::SIGTERM, libc::SIGHUP] {
        #[expect(unsafe_code, reason = "rustix has no handlers of signals")]
        // SAFETY: both structures are valid, of zeros where nothing is said, and the handler calls only what is
        // async-signal-safe.
        unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(number, std::ptr::null(), &raw mut before) != 0
                || before.sa_sigaction != libc::SIG_DFL
            {
                continue;
            }
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler;
            action.sa_flags = libc::SA_ONSTACK | libc::SA_SIGINFO;
            libc::sigaction(number, &raw const action, std::ptr::null_mut());
        }
    }
}

extern "C" fn interrupt_or_end(number: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    #[expect(unsafe_code, reason = "what a handler may call is C's")]
    // SAFETY: what is called is async-signal-safe. The kernel gives `info`, and the word lives as long as the process.
    unsafe {
        let process = libc::getpid();
        let is_sent_by_itself = !info.is_null() && (*info).si_code <= 0 && (*info).si_pid() == process;
        if process == INTERRUPTED.load(Ordering::SeqCst) && !is_sent_by_itself {
            let pause = libc::timespec {
                tv_sec: 0,
                tv_nsec: (LOOK * 1_000_000).cast_signed(),
            };
            for _ in 0..LOOKS {
                let terminated = TERMINATED.load(Ordering::SeqCst);
                if !terminated.is_null() && (*terminated).load(Ordering::SeqCst) != 0 {
                    libc::kill(process, INTERRUPT.load(Ordering::SeqCst));
                    return;
                }
                libc::nanosleep(&raw const pause, std::ptr::null_mut());
            }
        }
        libc::signal(number, libc::SIG_DFL);
        libc::raise(number);
    }
}

/// Undoes [`die_with_parent`].
///
/// # Errors
/// [`OsError`].
pub fn outlive_parent() -> Result<(), OsError> {
    set_parent_process_death_signal(None).map_err(OsError::new("clear the parent-death signal"))
}

/// Sets whether this process adopts its orphaned descendants.
///
/// # Errors
/// [`OsError`].
pub fn adopt_orphans(yes: bool) -> Result<(), OsError> {
    let whoever = yes.then(getpid);
    set_child_subreaper(whoever).map_err(OsError::new("change who adopts orphans"))
}

/// Releases resident pages that can be read again from their files.
///
/// If controller and template do not, 200 files that import numpy and pandas take 1.14 of the peak memory (PSS) at
/// `-n 8`.
pub fn drop_clean_pages() {
    let Ok(smaps) = std::fs::read_to_string("/proc/self/smaps") else {
        return;
    };
    for range in readable_again(&smaps) {
        #[expect(unsafe_code, reason = "advising about memory")]
        // SAFETY: nothing in the range was ever written, nor can be; an access reads the page from the file again.
        let _kept = unsafe {
            madvise(
                std::ptr::with_exposed_provenance_mut(range.start),
                range.len(),
                Advice::LinuxDontNeed,
            )
        };
    }
}

/// A handle on another process, which never refers to a later process with the same id.
#[derive(Debug)]
pub struct Process(OwnedFd);

impl Process {
    /// Opens a process by its id; `None` if it is gone, or if the kernel has no descriptors of processes (before 5.3).
    #[must_use]
    pub fn open(process: i64) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(process).ok()?)?;
        pidfd_open(pid, PidfdFlags::empty()).ok().map(Self)
    }

    /// Has the process abort, even if it is stopped. With `faulthandler`, Python writes its stacks before that.
    pub fn abort(&self) {
        for signal in [Signal::ABORT, Signal::CONT] {
            self.send(signal);
        }
    }

    /// Kills the process.
    pub fn kill(&self) {
        self.send(Signal::KILL);
    }

    fn send(&self, signal: Signal) {
        // It may have exited, and its exit is reported elsewhere.
        let _gone = pidfd_send_signal(&self.0, signal);
    }
}

/// Whether two descriptors share one open file description, and so one file position.
///
/// Also false if the kernel does not support the check (it can be built without `kcmp`, and containers may forbid it).
#[must_use]
pub fn share_description(one: RawFd, other: RawFd) -> bool {
    /// The kind of comparison: `KCMP_FILE` of `linux/kcmp.h`.
    const FILE: libc::c_long = 0;
    let this = libc::c_long::from(getpid().as_raw_nonzero().get());
    #[expect(unsafe_code, reason = "rustix has no kcmp")]
    // SAFETY: the call takes numbers and changes nothing; an invalid descriptor is an error.
    let order = unsafe {
        libc::syscall(
            libc::SYS_kcmp,
            this,
            this,
            FILE,
            libc::c_long::from(one),
            libc::c_long::from(other),
        )
    };
    order == 0
}

/// Peak resident bytes of this process. A fork starts with its current size. The call takes 0.8 µs.
#[must_use]
pub fn peak_memory() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    #[expect(unsafe_code, reason = "rustix has no getrusage")]
    // SAFETY: the call writes to the structure or leaves it as it is, and one of zeros is valid.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    bytes(usage.ru_maxrss)
}

/// How a child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code, or minus the signal that killed it; `None` if something else has waited for it.
    pub code: Option<i32>,
    /// Peak resident bytes; 0 if unknown.
    pub peak: u64,
}

/// Waits for a child that has exited, without blocking; `None` while it runs.
///
/// Python's `os.wait4` would import `resource` in every process that calls it, which takes 1 ms while the run waits.
#[must_use]
pub fn reap(child: i32) -> Option<Exit> {
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    #[expect(unsafe_code, reason = "rustix has no wait4")]
    // SAFETY: the call writes to both or leaves them as they are, and a structure of zeros is valid.
    let (result, usage) = unsafe {
        let result = libc::wait4(child, &raw mut status, libc::WNOHANG, usage.as_mut_ptr());
        (result, usage.assume_init())
    };
    if result == 0 {
        return None;
    }
    let code = if libc::WIFSIGNALED(status) {
        -libc::WTERMSIG(status)
    } else {
        libc::WEXITSTATUS(status)
    };
    Some(Exit {
        code: (result == child).then_some(code),
        peak: bytes(usage.ru_maxrss),
    })
}

/// Linux reports kibibytes.
fn bytes(ru_maxrss: libc::c_long) -> u64 {
    u64::try_from(ru_maxrss).unwrap_or(0).saturating_mul(1024)
}

/// Resident bytes of a process, or of this one for `None`; `None` if it does not exist.
#[must_use]
pub fn resident_memory(process: Option<u32>) -> Option<u64> {
    memory::resident(&directory(process), rustix::param::page_size())
}

/// Proportional bytes of a process, or of this one for `None`; `None` if it does not exist.
#[must_use]
pub fn proportional_memory(process: Option<u32>) -> Option<u64> {
    memory::proportional(&directory(process))
}

fn directory(process: Option<u32>) -> PathBuf {
    let name = process.map_or_else(|| "self".to_owned(), |process| process.to_string());
    Path::new("/proc").join(name)
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    fn reaped(child: &Child) -> Exit {
        let id = child.id().cast_signed();
        loop {
            if let Some(exit) = reap(id) {
                return exit;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_child_is_reaped_once_with_its_exit_code_or_the_signal_that_killed_it() {
        let start = |program: &str| Command::new("sh").args(["-c", program]).spawn().expect("a child");
        let mut sleeping = start("exec sleep 60");
        assert_eq!(reap(sleeping.id().cast_signed()), None);
        for (program, code) in [
            ("exit 0", 0),
            ("exit 3", 3),
            ("kill -9 $$", -9),
            ("kill -15 $$", -15),
        ] {
            let mut child = start(program);
            let exit = reaped(&child);
            assert_eq!(exit.code, Some(code), "{program}");
            assert!(exit.peak > 100_000, "{program}");
            assert_eq!(reaped(&child), Exit { code: None, peak: 0 }, "{program}");
            assert!(child.wait().is_err(), "{program}");
        }
        sleeping.kill().expect("a child");
        assert_eq!(reaped(&sleeping).code, Some(-9));
        assert!(sleeping.wait().is_err());
    }
}
