//! Memory use of a process.
//!
//! Formats: Linux `Documentation/filesystems/proc.rst`, for `statm` and `smaps_rollup`. *Resident* memory includes what
//! is shared with others; in *proportional* memory a page shared by n processes counts as 1/n.
//!
//! The hazard it handles: a process can end at any time. What cannot be read is `None`.

use std::fs::read_to_string;
use std::path::Path;

/// Minimum growth of a peak that is reported, in bytes: the kernel's batch size for per-thread page counters
/// (`TASK_RSS_EVENTS_THRESH`, 64 pages of 4 KiB until Linux 6.2, 32 and more for each CPU since). Of 10,000 trivial
/// tests in two workers, 33 grow by so much.
pub const LEAST_GROWTH: u64 = 64 << 10;

/// Resident bytes of a process, given its directory in `/proc`; `None` also for a zombie.
#[must_use]
pub fn resident(process: &Path, page_size: usize) -> Option<u64> {
    let text = read_to_string(process.join("statm")).ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    (pages > 0).then(|| pages.saturating_mul(page_size as u64))
}

/// Proportional bytes of a process, given its directory in `/proc`. The kernel walks all page tables for it, which
/// takes 6 ms for 200 MiB of private memory.
#[must_use]
pub fn proportional(process: &Path) -> Option<u64> {
    let text = read_to_string(process.join("smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kibibytes.saturating_mul(1024))
}

/// The peak memory of a process that was last reported.
#[derive(Debug, Clone, Copy, Default)]
pub struct Peak {
    told: u64,
}

impl Peak {
    /// An initial peak, which need not be reported.
    #[must_use]
    pub fn known(bytes: u64) -> Self {
        Self { told: bytes }
    }

    /// Returns the current peak if it is to be reported: if it has grown by [`LEAST_GROWTH`] since the last report.
    pub fn grown(&mut self, bytes: u64) -> Option<u64> {
        let is_news = bytes >= self.told.saturating_add(LEAST_GROWTH);
        is_news.then(|| {
            self.told = bytes;
            bytes
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(statm: &str, rollup: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("statm"), statm).expect("a file");
        std::fs::write(directory.path().join("smaps_rollup"), rollup).expect("a file");
        directory
    }

    #[test]
    fn resident_is_the_second_number_of_statm_in_pages() {
        let process = process("9000 250 100 1 0 300 0\n", "");
        assert_eq!(resident(process.path(), 4096), Some(250 * 4096));
    }

    #[test]
    fn the_memory_of_an_ended_process_is_unknown() {
        assert_eq!(resident(process("0 0 0 0 0 0 0\n", "").path(), 4096), None);
        assert_eq!(resident(Path::new("/nowhere"), 4096), None);
        assert_eq!(proportional(Path::new("/nowhere")), None);
    }

    #[test]
    fn proportional_is_what_the_rollup_calls_pss() {
        let rollup = "\
5581a000-7ffd3000 ---p 00000000 00:00 0                          [rollup]
Rss:               11324 kB
Pss:                4242 kB
Pss_Dirty:          3100 kB
";
        assert_eq!(proportional(process("", rollup).path()), Some(4242 << 10));
        assert_eq!(proportional(process("", "Pss: many kB").path()), None);
    }

    #[test]
    fn a_peak_is_reported_when_it_has_grown_enough_since_the_last_report() {
        let mut peak = Peak::known(1 << 20);
        assert_eq!(peak.grown(1 << 20), None);
        assert_eq!(peak.grown((1 << 20) + LEAST_GROWTH / 2), None);
        assert_eq!(
            peak.grown((1 << 20) + LEAST_GROWTH),
            Some((1 << 20) + LEAST_GROWTH)
        );
        assert_eq!(peak.grown((1 << 20) + LEAST_GROWTH), None);
    }
}
