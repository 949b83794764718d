//! What a process has open: descriptors, child processes, its working directory.
//!
//! The hazard it handles: it is read after every test, and between two tests everything takes two to four times as long as
//! in a loop. Listing 12 descriptors in `/proc` takes 3.6 µs in a loop without and 6 µs with their identities. Asking for
//! each number in one call takes 0.5 µs, and the number of descriptors, by which it is known whether those are all, 0.1 µs
//! from an open directory. By its path it takes 0.5 µs, and 4 µs between two tests.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat};
use rustix::net::{getpeername, getsockname};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::os::fd::{BorrowedFd, IntoRawFd, RawFd};
use std::path::{Path, PathBuf};

/// The directory in which the system lists this process's descriptors.
#[cfg(target_os = "linux")]
const DESCRIPTORS: &str = "/proc/self/fd";
#[cfg(not(target_os = "linux"))]
const DESCRIPTORS: &str = "/dev/fd";

/// Standard input, output and error: capturing redirects them.
const STANDARD: RawFd = 2;

/// How many numbers are asked for in one call at most.
const FIRST: usize = 256;

/// The number of free numbers among those of open descriptors at which more are asked for.
const GAPS: usize = 16;

/// An open descriptor and what it refers to. Descriptors without a file (epoll, eventfd) all have the same inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Descriptor {
    /// The number.
    pub number: RawFd,
    /// The device of the file.
    pub device: u64,
    /// The inode of the file.
    pub inode: u64,
}

impl Descriptor {
    /// The descriptor with this number; `None` if it is not open.
    #[must_use]
    pub fn of(number: RawFd) -> Option<Self> {
        stat_of(number).map(|stat| Self::from_stat(number, &stat))
    }

    fn from_stat(number: RawFd, stat: &Stat) -> Self {
        Self {
            number,
            device: device_number(stat.st_dev),
            inode: stat.st_ino,
        }
    }
}

fn stat_of(number: RawFd) -> Option<Stat> {
    #[expect(unsafe_code, reason = "any number can be asked for")]
    // SAFETY: the descriptor is not closed through the borrow, and a number that is not open is an error.
    (number >= 0).then(|| fstat(unsafe { BorrowedFd::borrow_raw(number) }).ok())?
}

#[cfg(target_os = "linux")]
fn device_number(device: u64) -> u64 {
    device
}

/// A signed number on some systems.
#[cfg(not(target_os = "linux"))]
fn device_number(device: impl TryInto<u64>) -> u64 {
    device.try_into().unwrap_or_default()
}

/// What a descriptor refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// A file, by its path.
    File(String),
    /// A socket: its own address and that of its peer, if it has them.
    Socket(Option<String>, Option<String>),
    /// An end of a pipe.
    Pipe,
    /// Anything else, in the system's words.
    Other(String),
}

/// The open descriptors of this process, read again and again.
///
/// Those that were open at the beginning are pytest's and its plugins'; while their numbers are open, they are not
/// identified, which takes 0.3 µs for each.
#[derive(Debug, Default)]
pub struct Descriptors {
    /// The process that has begun.
    process: u32,
    /// The numbers that were open at the beginning, and since.
    lasting: Vec<RawFd>,
    /// The system's list. It is never closed, because a test may have closed it, and its number may be another's.
    directory: Option<Descriptor>,
}

impl Descriptors {
    /// Takes those that are open now as lasting, at the first call in a process.
    pub fn begin(&mut self) {
        let process = std::process::id();
        if self.process == process {
            return;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(DESCRIPTORS, flags, Mode::empty());
        let directory = directory.ok().map(IntoRawFd::into_raw_fd);
        self.process = process;
        self.directory = directory.and_then(Descriptor::of);
        self.lasting = self.numbers();
    }

    /// The open descriptors, in ascending order, except the standard ones. Lasting ones have no device and inode.
    pub fn open(&mut self) -> Vec<Descriptor> {
        let numbers = self.numbers();
        self.lasting
            .retain(|number| numbers.binary_search(number).is_ok());
        let identified = numbers.into_iter().filter(|&number| number > STANDARD);
        let identified = identified.filter_map(|number| match self.lasting.binary_search(&number) {
            Ok(_) => Some(Descriptor {
                number,
                device: 0,
                inode: 0,
            }),
            // The descriptor with which a directory was read is closed now.
            Err(_) => Descriptor::of(number),
        });
        identified.collect()
    }

    fn numbers(&self) -> Vec<RawFd> {
        self.count()
            .and_then(|count| first_numbers(count, &self.lasting))
            .unwrap_or_else(listed_numbers)
    }

    /// The number of open descriptors, which Linux tells since version 6.2.
    fn count(&self) -> Option<usize> {
        let size = self.directory.and_then(|directory| {
            let stat = stat_of(directory.number)?;
            (directory == Descriptor::from_stat(directory.number, &stat)).then_some(stat.st_size)
        });
        let size = match size {
            Some(size) => u64::try_from(size).ok()?,
            None => std::fs::metadata(DESCRIPTORS).ok()?.len(),
        };
        usize::try_from(size).ok()
    }
}

/// The open numbers, if all `count` are among the first and those of `others`, which are in ascending order; otherwise
/// `None`.
fn first_numbers(count: usize, others: &[RawFd]) -> Option<Vec<RawFd>> {
    // The system assigns the lowest free number. A shell may leave its pipe at 250, and asking for so many takes 3 µs,
    // a fifth of all that is done for a test.
    let limit = (count + GAPS).min(FIRST);
    let high = &others
        [others.partition_point(|number| usize::try_from(*number).is_ok_and(|number| number < limit))..];
    [(limit, high), (FIRST, &[])]
        .into_iter()
        .filter_map(|(limit, high)| open_of(limit, high))
        .find(|open| open.len() == count)
}

/// The open ones of the numbers below `limit` and of `high`; `None` if they are more than [`FIRST`].
fn open_of(limit: usize, high: &[RawFd]) -> Option<Vec<RawFd>> {
    let mut high_numbers = high.iter();
    let numbers: [RawFd; FIRST] = std::array::from_fn(|number| {
        let number = RawFd::try_from(number).ok().filter(|_| number < limit);
        number
            .or_else(|| high_numbers.next().copied())
            .unwrap_or(RawFd::MAX)
    });
    let mut candidates = numbers.map(|number| {
        #[expect(unsafe_code, reason = "any number can be asked for")]
        // SAFETY: the descriptor is not closed through the borrow, and one that is not open is reported as such.
        PollFd::from_borrowed_fd(unsafe { BorrowedFd::borrow_raw(number) }, PollFlags::empty())
    });
    let candidates = candidates.get_mut(..limit + high.len())?;
    poll(candidates, Some(&Timespec::default())).ok()?;
    let open = numbers
        .into_iter()
        .zip(candidates)
        .filter(|(_, found)| !found.revents().contains(PollFlags::NVAL));
    Some(open.map(|(number, _)| number).collect())
}

/// The open numbers, from the system's list.
fn listed_numbers() -> Vec<RawFd> {
    let entries = std::fs::read_dir(DESCRIPTORS).into_iter().flatten();
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut numbers: Vec<RawFd> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

/// Describes what a descriptor refers to.
#[must_use]
pub fn opened(number: RawFd) -> Opened {
    let target = std::fs::read_link(Path::new(DESCRIPTORS).join(number.to_string()));
    let target = target.map_or_else(|_| String::new(), |target| target.to_string_lossy().into_owned());
    if target.starts_with('/') {
        return Opened::File(target);
    }
    #[expect(unsafe_code, reason = "any number can be asked for")]
    // SAFETY: the descriptor is not closed through the borrow, and a number that is not open is an error.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    match fstat(borrowed).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::Socket) => {
            let own = getsockname(borrowed).ok().and_then(address);
            Opened::Socket(own, getpeername(borrowed).ok().flatten().and_then(address))
        }
        Ok(FileType::Fifo) => Opened::Pipe,
        _ => Opened::Other(target),
    }
}

fn address(found: rustix::net::SocketAddrAny) -> Option<String> {
    if let Ok(internet) = std::net::SocketAddr::try_from(found.clone()) {
        return Some(internet.to_string());
    }
    let local = rustix::net::SocketAddrUnix::try_from(found).ok()?;
    let name = local.path_bytes().or_else(|| local.abstract_name())?;
    // One of a pair has an empty name.
    (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned())
}

/// Whether this process has a child that is running or was not waited for.
#[must_use]
pub fn has_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::All, options).is_ok()
}

/// The child processes of this process, in ascending order; none where the system does not list them.
#[must_use]
pub fn children() -> Vec<u32> {
    if !has_children() {
        return Vec::new();
    }
    let mut found = children_of_threads().unwrap_or_else(children_by_parent);
    found.sort_unstable();
    found
}

/// The children as listed for each thread, which is the one that has forked them; `None` if the kernel lists none.
fn children_of_threads() -> Option<Vec<u32>> {
    let mut found = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        match std::fs::read_to_string(thread.path().join("children")) {
            Ok(pids) => found.extend(
                pids.split_ascii_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            ),
            // A thread that has just ended; its children belong to another one now.
            Err(_) if !thread.path().exists() => {}
            Err(_) => return None,
        }
    }
    Some(found)
}

fn children_by_parent() -> Vec<u32> {
    let parent = std::process::id().to_string();
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|&pid| status_field(pid, 1).is_some_and(|found| found == parent))
        .collect()
}

/// A field of `/proc/PID/stat` after the name, counted from 0: the state, the parent.
fn status_field(pid: u32, index: usize) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = status.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(index).map(str::to_owned)
}

/// The command line of a process; of one that has ended and was not waited for, the name of its program.
#[must_use]
pub fn command(pid: u32) -> Vec<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = line.strip_suffix(b"\0").unwrap_or(&line);
    if !line.is_empty() {
        let words = line.split(|&byte| byte == 0);
        return words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
    }
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    vec![name.trim_end().to_owned()]
}

/// Whether a process has ended and was not waited for.
#[must_use]
pub fn has_ended(pid: u32) -> bool {
    status_field(pid, 0).is_none_or(|state| state == "Z" || state == "X")
}

/// The working directory; `None` if it was deleted.
#[must_use]
pub fn current_directory() -> Option<PathBuf> {
    std::env::current_dir().ok()
}

#[cfg(test)]
mod tests;
