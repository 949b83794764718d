//! Threads of native libraries, which the interpreter does not know.
//!
//! A thread does not survive a fork, and a library that waits for its own threads after a fork waits forever. `OpenBLAS`
//! is safe: it ends its thread pools before a fork, and restarts them when needed. So its threads are distinguished from
//! others by the code in which a thread waits: the innermost library on its stack.
//!
//! Formats: Linux `Documentation/filesystems/proc.rst`, for `task`, `syscall` and `mem`.

use super::libraries::{Mapping, OPENBLAS_COUNTS, largest_result, mappings};
use std::collections::BTreeSet;
use std::fs::{File, read_to_string};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

const TASKS: &str = "/proc/self/task";

/// Libraries whose threads are prepared for a fork, by a part of the file name.
const PREPARED: &str = "openblas";

/// Threads by which jemalloc returns memory, as in pyarrow. It takes all its locks before a fork, and goes on without these
/// threads after it (`background_thread_postfork_child`).
const JEMALLOC: &str = "jemalloc_bg_thd";

/// Libraries that are on every thread's stack.
const IGNORED: [&str; 6] = ["libc.", "libc-", "libpthread", "ld-linux", "ld-musl", "[vdso]"];

/// The interpreter: its threads are counted by itself.
const INTERPRETER: [&str; 2] = ["python", "libpython"];

/// How many bytes of a waiting thread's stack are searched: the frames of the C library, and of its caller.
const STACK_SIZE: usize = 4096;

/// Number of threads of this process; 1 if the system does not tell.
#[must_use]
pub fn thread_count() -> u64 {
    // Each thread has a directory, which links to the one that it is in; so does that, and its parent.
    std::fs::metadata(TASKS).map_or(1, |directory| directory.nlink().saturating_sub(2))
}

/// Number of threads of this process that are not prepared for a fork, except `known` ones, and the names of libraries
/// that they wait in, as far as known. Threads start and end at any moment, so it may be wrong for a moment.
#[must_use]
pub fn unknown_threads(known: u64) -> (u64, Vec<String>) {
    let mut unknown = thread_count().saturating_sub(known);
    if unknown > 0 {
        unknown = unknown.saturating_sub(jemalloc_threads());
    }
    if unknown == 0 {
        return (0, Vec::new());
    }
    let mapped = mappings();
    let Some(owners) = owners(&mapped) else {
        return (unknown.saturating_sub(openblas_threads(&mapped)), Vec::new());
    };
    let (prepared, others): (Vec<&str>, Vec<&str>) =
        owners.into_iter().partition(|owner| owner.contains(PREPARED));
    let is_library =
        |owner: &&str| !owner.is_empty() && !INTERPRETER.iter().any(|name| owner.starts_with(name));
    let others: BTreeSet<&str> = others.into_iter().filter(is_library).collect();
    (
        unknown.saturating_sub(prepared.len() as u64),
        others.into_iter().map(str::to_owned).collect(),
    )
}

/// For each thread but the main one the library in which it waits, empty if unknown; `None` if the system hides it.
fn owners(mapped: &[Mapping]) -> Option<Vec<&str>> {
    let memory = File::open("/proc/self/mem").ok()?;
    let mut found = Vec::new();
    for task in std::fs::read_dir(TASKS).ok()? {
        let task = task.ok()?;
        if task.file_name().to_str() == Some(&std::process::id().to_string()) || is_jemalloc(&task.path()) {
            continue;
        }
        match read_to_string(task.path().join("syscall")) {
            Ok(text) => found.push(match stack_of(&text) {
                Some(stack) => library_on(&read_stack(&memory, stack)?, mapped),
                None => "",
            }),
            // It has ended meanwhile: the file is gone, or the thread that it is about.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            Err(_) => return None,
        }
    }
    Some(found)
}

fn jemalloc_threads() -> u64 {
    let tasks = std::fs::read_dir(TASKS).into_iter().flatten().flatten();
    tasks.filter(|task| is_jemalloc(&task.path())).count() as u64
}

/// Whether a thread is one of jemalloc's, from its directory in `/proc`.
fn is_jemalloc(task: &Path) -> bool {
    read_to_string(task.join("comm")).is_ok_and(|name| name.trim_end() == JEMALLOC)
}

/// The stack pointer of a waiting thread; `None` if it is running.
fn stack_of(syscall: &str) -> Option<u64> {
    let words: Vec<&str> = syscall.split_ascii_whitespace().collect();
    let [.., _, pointer, _] = words[..] else {
        return None;
    };
    u64::from_str_radix(pointer.strip_prefix("0x")?, 16).ok()
}

fn read_stack(memory: &File, stack: u64) -> Option<Vec<u64>> {
    let mut bytes = [0; STACK_SIZE];
    let count = memory.read_at(&mut bytes, stack).ok()?;
    Some(
        bytes[..count]
            .as_chunks()
            .0
            .iter()
            .map(|word| u64::from_ne_bytes(*word))
            .collect(),
    )
}

/// The innermost library on a stack that is not the C library, of what is mapped, ascending; empty if there is none.
fn library_on<'a>(stack: &[u64], mapped: &'a [Mapping]) -> &'a str {
    let owner = |address: &u64| {
        let place = mapped.partition_point(|one| one.start <= *address);
        let found = &mapped[place.checked_sub(1)?];
        let name = &*found.name;
        let is_code = found.is_code && *address < found.end && (!found.path.is_empty() || name == "[vdso]");
        (is_code && !IGNORED.iter().any(|start| name.starts_with(start))).then_some(name)
    };
    stack.iter().find_map(owner).unwrap_or_default()
}

/// Number of threads of all `OpenBLAS` libraries, except the calling threads.
fn openblas_threads(mapped: &[Mapping]) -> u64 {
    // It may be a directory that has the name.
    let is_openblas = |path: &&[u8]| {
        path.windows(PREPARED.len())
            .any(|part| part == PREPARED.as_bytes())
    };
    let files: BTreeSet<&[u8]> = mapped.iter().map(|one| &*one.path).filter(is_openblas).collect();
    let counts = files
        .into_iter()
        .filter_map(|file| largest_result(file, &OPENBLAS_COUNTS));
    counts
        .map(|count| u64::try_from(count - 1).unwrap_or_default())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::libraries::parse_maps;
    use super::*;

    #[test]
    fn a_waiting_thread_has_a_stack_and_a_running_one_has_none() {
        let waiting = "202 0x7f03 0x80 0x0 0x0 0x0 0x0 0x7f0312ab 0x7f0398cd\n";
        assert_eq!(stack_of(waiting), Some(0x7f03_12ab));
        assert_eq!(stack_of("-1 0x7f0312ab 0x7f0398cd\n"), Some(0x7f03_12ab));
        assert_eq!(stack_of("running\n"), None);
        assert_eq!(stack_of(""), None);
    }

    #[test]
    fn a_thread_belongs_to_the_innermost_library_that_is_not_the_c_library() {
        let text = "\
1000-2000 r-xp 00000000 08:01 11    /usr/lib/libc.so.6
2000-3000 r-xp 00000000 08:01 12    /usr/lib/libopenblas.so.0
3000-4000 rw-p 00001000 08:01 12    /usr/lib/libpool.so
4000-5000 r-xp 00002000 08:01 12    /usr/lib/libpool.so
6000-7000 r-xp 00000000 00:00 0     [vdso]
";
        let mapped: Vec<Mapping> = parse_maps(text.as_bytes()).collect();
        assert_eq!(
            library_on(&[0, 0x1800, 0x3800, 0x6001, 0x4fff, 0x2000], &mapped),
            "libpool.so"
        );
        assert_eq!(library_on(&[0x2fff, 0x4000], &mapped), "libopenblas.so.0");
        assert_eq!(library_on(&[0x10, 0x5000, 0x5fff, 0x7000, u64::MAX], &mapped), "");
        assert_eq!(library_on(&[], &mapped), "");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_of_jemalloc_is_known_by_its_name() {
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let (started, is_started) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .name(JEMALLOC.to_owned())
            .spawn(move || {
                started.send(()).expect("the test waits");
                wait.recv()
            });
        is_started.recv().expect("the thread starts");
        assert_eq!(jemalloc_threads(), 1);
        drop(end);
        assert!(
            thread
                .expect("a thread")
                .join()
                .expect("the thread ends")
                .is_err()
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_of_this_process_is_counted_unless_it_is_known() {
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .spawn(move || wait.recv())
            .expect("a thread");
        assert!(thread_count() >= 2);
        assert!(unknown_threads(1).0 >= 1);
        assert_eq!(unknown_threads(u64::MAX), (0, Vec::new()));
        drop(end);
        assert!(thread.join().expect("the thread ends").is_err());
    }
}
