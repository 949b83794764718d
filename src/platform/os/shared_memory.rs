//! Memory that several processes share, and waiting for changes of it.
//!
//! The hazard it handles: memory that several processes write. It is only accessible as atomics, and borrows end with
//! the [`SharedMemory`].

use super::{OsError, timespec};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use rustix::thread::futex;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

/// Zeroed memory that this process shares with every process forked from it.
#[derive(Debug)]
pub struct SharedMemory {
    start: NonNull<AtomicU64>,
    words: usize,
}

#[expect(unsafe_code, reason = "the memory is plain atomics, which any thread may use")]
// SAFETY: `start` points to a mapping that nobody moves or unmaps before drop, and all access is through atomics.
unsafe impl Send for SharedMemory {}
#[expect(unsafe_code, reason = "the memory is plain atomics, which any thread may use")]
// SAFETY: as for `Send`.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// Maps `words` 64-bit words. Pages that are never touched use no memory.
    ///
    /// # Errors
    /// [`OsError`] if the system has no memory.
    pub fn new(words: usize) -> Result<Self, OsError> {
        #[expect(unsafe_code, reason = "mapping memory")]
        // SAFETY: no address is asked for, so nothing that exists can be overwritten.
        let start = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                words * size_of::<AtomicU64>(),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::NORESERVE,
            )
        }
        .map_err(OsError::new("map shared memory"))?;
        let start =
            NonNull::new(start.cast()).ok_or_else(|| OsError::new("map shared memory")(Errno::FAULT))?;
        Ok(Self { start, words })
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        #[expect(unsafe_code, reason = "the mapping as a slice")]
        // SAFETY: the mapping is `words` long, page-aligned, zeroed (a valid AtomicU64), and lives as long as `self`.
        unsafe {
            std::slice::from_raw_parts(self.start.as_ptr(), self.words)
        }
    }

    /// A 32-bit view of the first half of one word, for futexes. The word must be used through this view only.
    ///
    /// # Panics
    /// When `index` is out of range.
    #[must_use]
    pub fn futex_word(&self, index: usize) -> &AtomicU32 {
        let word = &self.words()[index];
        #[expect(unsafe_code, reason = "the kernel's futexes are 32 bits wide")]
        // SAFETY: an AtomicU64 is at least as large and as aligned as an AtomicU32, and the borrow is the same.
        unsafe {
            AtomicU32::from_ptr(word.as_ptr().cast())
        }
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "unmapping memory")]
        // SAFETY: the mapping is ours, and borrows of it have ended with `self`.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.words * size_of::<AtomicU64>()) };
        debug_assert!(unmapped.is_ok());
    }
}

/// Sleeps while `word` holds `seen`, for at most `limit`; also wakes for signals.
pub fn futex_wait(word: &AtomicU32, seen: u32, limit: Duration) {
    // Woken, changed, interrupted or timed out: the caller checks the word again in every case.
    let _woken = futex::wait(word, futex::Flags::empty(), seen, Some(&timespec(limit)));
}

/// Wakes all sleepers of [`futex_wait`] on `word`, in any process.
pub fn futex_wake(word: &AtomicU32) {
    let _count = futex::wake(word, futex::Flags::empty(), u32::MAX);
}
