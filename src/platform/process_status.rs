//! What the system says of processes and threads: signal masks, threads that wait, the start of a process.
//!
//! Format: Linux `Documentation/filesystems/proc.rst`, for `status` and `stat`; `proc_pid_fdinfo(5)`.

use std::collections::BTreeSet;
use std::path::Path;

/// The fields of `stat`, counted from the one after a process's name: its state, the kernel's flags, its start.
const STATE: usize = 0;
const FLAGS: usize = 6;
const START: usize = 19;

/// The flag of a process that is exiting, `PF_EXITING` of Linux's `sched.h`: the kernel sets it first, then closes files,
/// then sends the signals of `PR_SET_PDEATHSIG`, and only then it can be waited for.
const EXITING: u64 = 0x4;

/// The lines of a `status` file, as names and values.
struct Status(String);

impl Status {
    /// That of a process or a thread, given its directory; `None` if there is none.
    fn read(directory: &Path) -> Option<Self> {
        let status = std::fs::read(directory.join("status")).ok()?;
        Some(Self(String::from_utf8_lossy(&status).into_owned()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.lines().filter_map(|line| line.split_once(":\t"));
        fields.find_map(|(field, value)| (field == name).then_some(value))
    }

    fn mask(&self, name: &str) -> Option<u64> {
        u64::from_str_radix(self.get(name)?, 16).ok()
    }
}

/// Whether a signal is in one of these masks of a process, given its directory in `/proc`: `SigCgt` (caught), `SigPnd`
/// (pending), `SigBlk` (blocked) ... False if there is no such process.
#[must_use]
pub fn is_in_mask(process: &Path, signal: u32, masks: &[&str]) -> bool {
    Status::read(process).is_some_and(|status| {
        let has = |mask: u64| mask >> signal.saturating_sub(1) & 1 == 1;
        masks.iter().any(|name| status.mask(name).is_some_and(has))
    })
}

/// The threads that have the main thread's name and block all of these signals, a mask, and those of them that are
/// asleep; given a process's directory in `/proc`, and its id.
#[must_use]
pub fn blocking_threads(process: &Path, id: u32, signals: u64) -> (BTreeSet<u32>, BTreeSet<u32>) {
    let (mut alike, mut asleep) = (BTreeSet::new(), BTreeSet::new());
    let tasks = process.join("task");
    let main = Status::read(&tasks.join(id.to_string()));
    let name = main
        .as_ref()
        .and_then(|status| status.get("Name"))
        .unwrap_or_default();
    for task in std::fs::read_dir(&tasks).into_iter().flatten().flatten() {
        let number = task.file_name().to_str().and_then(|text| text.parse().ok());
        // A thread may have ended meanwhile.
        let (Some(number), Some(status)) = (number, Status::read(&task.path())) else {
            continue;
        };
        let blocks_all = status.mask("SigBlk").is_some_and(|mask| !mask & signals == 0);
        if number != id && blocks_all && status.get("Name") == Some(name) {
            alike.insert(number);
            if status.get("State").is_some_and(|state| state.starts_with('S')) {
                asleep.insert(number);
            }
        }
    }
    (alike, asleep)
}

/// The fields of a `stat` file after the process's name, given its directory; `None` if there is none.
fn stat_of(process: &Path) -> Option<Vec<String>> {
    let stat = std::fs::read(process.join("stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name may contain anything.
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_ascii_whitespace().map(str::to_owned).collect())
}

/// When a process was started, in ticks since boot, rounded up; `None` if there is none.
#[must_use]
pub fn start_of(process: &Path) -> Option<u64> {
    let ticks: u64 = stat_of(process)?.get(START)?.parse().ok()?;
    Some(ticks + 1)
}

/// Whether a process of a single thread is exiting, or has exited.
#[must_use]
pub fn is_exiting(process: &Path) -> bool {
    let Some(stat) = stat_of(process) else {
        return true;
    };
    let has_exited = stat.get(STATE).is_some_and(|state| state == "Z" || state == "X");
    let flags = stat.get(FLAGS).and_then(|flags| flags.parse::<u64>().ok());
    has_exited || flags.is_some_and(|flags| flags & EXITING != 0)
}

/// Whether the description of an open file holds a lock: flock's, or fcntl's newer kind, as traditional ones belong to a
/// process. `info` is its file in `/proc/<pid>/fdinfo`.
///
/// # Errors
/// That file cannot be read.
pub fn holds_lock(info: &Path) -> std::io::Result<bool> {
    let info = std::fs::read(info)?;
    let info = String::from_utf8_lossy(&info);
    Ok(info
        .lines()
        .any(|line| line.starts_with("lock:") && !line.contains(" POSIX ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};

    fn process(files: &[(&str, &str)]) -> tempfile::TempDir {
        let process = tempfile::tempdir().expect("a directory");
        for (name, content) in files {
            let path = process.path().join(name);
            create_dir_all(path.parent().expect("a directory")).expect("a directory");
            write(path, content).expect("a file");
        }
        process
    }

    #[test]
    fn a_signal_is_in_a_mask_if_its_bit_is_set() {
        let status = "Name:\ta: b\nSigQ:\t0/1\nSigPnd:\t0000000000000000\nSigCgt:\t4000000000000002\n";
        let process = process(&[("status", status)]);
        assert!(is_in_mask(process.path(), 2, &["SigPnd", "SigCgt"]));
        assert!(is_in_mask(process.path(), 63, &["SigCgt"]));
        assert!(!is_in_mask(process.path(), 62, &["SigCgt"]));
        assert!(!is_in_mask(
            process.path(),
            2,
            &["SigPnd", "SigBlk", "Name", "SigQ"]
        ));
    }

    #[test]
    fn a_process_that_has_ended_has_nothing() {
        let gone = Path::new("/nowhere");
        assert!(!is_in_mask(gone, 2, &["SigCgt"]));
        assert_eq!(blocking_threads(gone, 1, 2), (BTreeSet::new(), BTreeSet::new()));
        assert_eq!(start_of(gone), None);
        assert!(holds_lock(gone).is_err());
    }

    #[test]
    fn a_thread_that_blocks_all_signals_has_the_main_threads_name() {
        let process = process(&[
            (
                "task/7/status",
                "Name:\tpytest\nState:\tR (running)\nSigBlk:\t0000000000000000\n",
            ),
            (
                "task/8/status",
                "Name:\tpytest\nState:\tS (sleeping)\nSigBlk:\tfffffffe7ffbfeff\n",
            ),
            (
                "task/9/status",
                "Name:\tpytest\nState:\tR (running)\nSigBlk:\tfffffffe7ffbfeff\n",
            ),
            (
                "task/10/status",
                "Name:\tblas\nState:\tS (sleeping)\nSigBlk:\tfffffffe7ffbfeff\n",
            ),
            (
                "task/11/status",
                "Name:\tpytest\nState:\tS (sleeping)\nSigBlk:\t0000000000000002\n",
            ),
        ]);
        let found = blocking_threads(process.path(), 7, 0xffff_fffe_7ffb_feff);
        assert_eq!(found, (BTreeSet::from([8, 9]), BTreeSet::from([8])));
    }

    #[test]
    fn the_start_of_a_process_follows_its_name() {
        let stat = "12 (a) b 1) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21\n";
        assert_eq!(start_of(process(&[("stat", stat)]).path()), Some(4712));
        assert_eq!(start_of(process(&[("stat", "12 (a) S 1 2")]).path()), None);
    }

    #[test]
    fn a_process_is_exiting_before_it_has_exited() {
        let exiting = |stat: &str| is_exiting(process(&[("stat", stat)]).path());
        assert!(!exiting("12 (a) b) S 1 12 12 0 -1 4194304 0 0"));
        assert!(exiting("12 (a) b) R 1 12 12 0 -1 4194308 0 0"));
        assert!(exiting("12 (a) Z 1 12 12 0 -1 4194304 0 0"));
        assert!(is_exiting(process(&[]).path()));
        assert!(!is_exiting(Path::new("/proc/self")));
    }

    #[test]
    fn only_locks_of_a_description_count() {
        let info = process(&[
            ("0", "pos:\t0\nlock:\t1: FLOCK  ADVISORY  WRITE 1 08:01:1 0 EOF\n"),
            (
                "1",
                "pos:\t0\nlock:\t1: OFDLCK  ADVISORY  READ -1 08:01:1 0 EOF\n",
            ),
            ("2", "pos:\t0\nlock:\t1: POSIX  ADVISORY  WRITE 1 08:01:1 0 EOF\n"),
            ("3", "pos:\t0\nflags:\t02\n"),
        ]);
        let found = ["0", "1", "2", "3"].map(|name| holds_lock(&info.path().join(name)).expect("a file"));
        assert_eq!(found, [true, true, false, false]);
    }
}
