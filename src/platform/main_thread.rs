//! What another thread can do about the main thread of this process.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::write;
use rustix::process::getpid;
use std::os::fd::BorrowedFd;

/// Sends a signal to the main thread, and not to any other thread of this process.
pub fn signal(number: i32) {
    let main = libc::c_long::from(getpid().as_raw_nonzero().get());
    #[expect(unsafe_code, reason = "rustix has no tgkill")]
    // SAFETY: the call takes numbers only. On Linux the main thread has the id of the process.
    let _sent = unsafe { libc::syscall(libc::SYS_tgkill, main, main, libc::c_long::from(number)) };
}

/// Writes to a stream, unless that would have to wait.
pub fn write_at_once(stream: BorrowedFd<'_>, text: &str) {
    let mut streams = [PollFd::from_borrowed_fd(stream, PollFlags::OUT)];
    let now = Timespec::default();
    if poll(&mut streams, Some(&now)).is_ok_and(|count| count > 0) {
        let _written = write(stream, text.as_bytes());
    }
}

/// Ends this process at once, without exit functions, which the main thread would run.
pub fn exit_now(status: i32) -> ! {
    #[expect(unsafe_code, reason = "std::process::exit runs exit functions")]
    // SAFETY: the call does not return.
    unsafe {
        libc::_exit(status)
    }
}
