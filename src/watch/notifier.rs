//! Notices of the operating system that something in watched directories may have changed.
//!
//! Each directory is watched by itself, so that those which are left out cost nothing: the kernel limits how many are
//! watched. A notice makes a descriptor readable, once until it is cleared.

use super::exclusions::{excludes_file, of_directory};
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why directories cannot be watched; what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum NotifierError {
    /// The kernel watches no more directories for this user.
    #[error(
        "the limit on watched directories is reached ({0} of them): raise it with \
        'sudo sysctl fs.inotify.max_user_watches=1048576', or let git ignore directories without sources"
    )]
    TooMany(usize),
    /// The kernel allows no further program of this user to watch.
    #[error(
        "the limit on programs that watch files is reached: raise it with \
        'sudo sysctl fs.inotify.max_user_instances=1024', or end another one"
    )]
    TooManyPrograms,
    /// Something else.
    #[error("could not watch files: {0}")]
    Other(String),
}

/// What the thread that receives notices shares with the one that waits.
#[derive(Debug)]
struct Shared {
    is_signalled: AtomicBool,
    writer: Mutex<PipeWriter>,
    /// The directories that are watched.
    watched: Mutex<HashSet<PathBuf>>,
    /// Files that git ignores: the last answer.
    ignored: Mutex<HashSet<PathBuf>>,
}

/// Watches directories.
#[derive(Debug)]
pub struct Notifier {
    watcher: RecommendedWatcher,
    shared: Arc<Shared>,
    reader: PipeReader,
}

impl Notifier {
    /// Watches nothing yet. Starts a thread.
    ///
    /// # Errors
    /// [`NotifierError`].
    pub fn new() -> Result<Self, NotifierError> {
        let (reader, writer) = pipe().map_err(|error| NotifierError::Other(error.to_string()))?;
        let shared = Arc::new(Shared {
            is_signalled: AtomicBool::new(false),
            writer: Mutex::new(writer),
            watched: Mutex::default(),
            ignored: Mutex::default(),
        });
        let receiver = Arc::clone(&shared);
        let watcher = notify::recommended_watcher(move |event| receiver.receive(&event));
        Ok(Self {
            watcher: watcher.map_err(|error| understood(&error, 0))?,
            shared,
            reader,
        })
    }

    /// The descriptor that a notice makes readable.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.reader.as_raw_fd()
    }

    /// Makes the descriptor unreadable until the next notice.
    pub fn clear(&mut self) {
        if self.shared.is_signalled.load(Ordering::Acquire) {
            // It is there, or about to be.
            let _read = self.reader.read(&mut [0]);
            self.shared.is_signalled.store(false, Ordering::Release);
        }
    }

    /// Watches a directory, unless it is watched. One that does not exist any more, or must not be read, is not.
    ///
    /// # Errors
    /// [`NotifierError`].
    pub fn watch(&mut self, directory: &Path) -> Result<(), NotifierError> {
        let count = {
            let mut watched = self.shared.watched.lock();
            if !watched.insert(directory.to_owned()) {
                return Ok(());
            }
            watched.len()
        };
        // Without the lock: the other thread may want it before it answers.
        match self.watcher.watch(directory, RecursiveMode::NonRecursive) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.shared.watched.lock().remove(directory);
                match (understood(&error, count), &error.kind) {
                    (_, ErrorKind::PathNotFound | ErrorKind::Io(_)) => Ok(()),
                    (error, _) => Err(error),
                }
            }
        }
    }

    /// Sets the files about which notices do not count.
    pub fn ignore(&self, files: HashSet<PathBuf>) {
        *self.shared.ignored.lock() = files;
    }
}

impl Shared {
    fn receive(&self, event: &notify::Result<notify::Event>) {
        if let Ok(event) = event {
            self.forget(event);
            let is_read =
                matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
            if is_read || (!event.need_rescan() && !event.paths.iter().any(|path| self.counts(path))) {
                return;
            }
        }
        // Also after an error, such as lost notices: whoever looks will see.
        if !self.is_signalled.swap(true, Ordering::AcqRel) {
            let _written = self.writer.lock().write(&[0]);
        }
    }

    /// A directory that is deleted or renamed has to be watched again when there is one of its name.
    fn forget(&self, event: &notify::Event) {
        if matches!(
            event.kind,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
        ) {
            let mut watched = self.watched.lock();
            for path in &event.paths {
                watched.retain(|directory| !directory.starts_with(path));
            }
        }
    }

    fn counts(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A file may have such a name, too.
        let is_left_out = excludes_file(&name) || (of_directory(&name, &[]).is_some() && path.is_dir());
        !is_left_out && !self.ignored.lock().contains(path)
    }
}

fn understood(error: &notify::Error, count: usize) -> NotifierError {
    let number = match &error.kind {
        ErrorKind::Io(error) => error.raw_os_error(),
        _ => None,
    };
    match (&error.kind, number) {
        (ErrorKind::MaxFilesWatch, _) => NotifierError::TooMany(count.saturating_sub(1)),
        (_, Some(libc::EMFILE)) => NotifierError::TooManyPrograms,
        _ => NotifierError::Other(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::{Duration, Instant};

    /// Waits until there is a notice, and clears it.
    fn is_noticed(notifier: &mut Notifier) -> bool {
        let end = Instant::now() + Duration::from_secs(20);
        while !notifier.shared.is_signalled.load(Ordering::Acquire) {
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        notifier.clear();
        true
    }

    #[test]
    fn a_directory_that_is_deleted_and_made_again_is_watched_again() {
        let top = tempfile::tempdir().expect("a directory");
        let inner = top.path().join("inner");
        let mut notifier = Notifier::new().expect("a notifier");
        fs::create_dir(&inner).expect("a directory");
        for directory in [top.path(), &inner, &top.path().join("missing")] {
            notifier.watch(directory).expect("it is watched");
        }
        fs::write(inner.join("a.py"), "1").expect("a file");
        assert!(is_noticed(&mut notifier));
        fs::remove_dir_all(&inner).expect("it is deleted");
        assert!(is_noticed(&mut notifier));
        let end = Instant::now() + Duration::from_secs(20);
        while notifier.shared.watched.lock().contains(&inner) {
            assert!(Instant::now() < end);
            std::thread::sleep(Duration::from_millis(2));
        }
        fs::create_dir(&inner).expect("a directory");
        notifier.watch(&inner).expect("it is watched");
        notifier.clear();
        fs::write(inner.join("a.py"), "2").expect("a file");
        assert!(is_noticed(&mut notifier));
    }

    #[test]
    fn excluded_and_ignored_files_are_not_noticed() {
        let top = tempfile::tempdir().expect("a directory");
        let mut notifier = Notifier::new().expect("a notifier");
        notifier.watch(top.path()).expect("it is watched");
        notifier.ignore([top.path().join("log")].into());
        for name in ["log", "a.pyc", ".a.py.swp"] {
            fs::write(top.path().join(name), "1").expect("a file");
        }
        fs::create_dir(top.path().join("__pycache__")).expect("a directory");
        let _entries: Vec<_> = fs::read_dir(top.path()).expect("entries").collect();
        // Notices come in order.
        fs::write(top.path().join("a.pyc"), "2").expect("a file");
        std::thread::sleep(Duration::from_millis(100));
        assert!(!notifier.shared.is_signalled.load(Ordering::Acquire));
        fs::write(top.path().join("a.py"), "1").expect("a file");
        assert!(is_noticed(&mut notifier));
    }
}
