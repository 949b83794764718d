//! CPU quota and available memory of this process's control group, which limit the number of workers, and how often the
//! kernel has killed one of its processes to get memory.
//!
//! A container that may use two of 64 CPUs, or a hundredth of the memory, sees all of them; the limits are in the
//! control group's files. Formats: Linux `Documentation/admin-guide/cgroup-v2.rst` (`cpu.max`, `memory.max`) and, for
//! version 1, `scheduler/sched-bwc.rst` and `admin-guide/cgroup-v1/memory.rst`; `filesystems/proc.rst` for `meminfo`.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Reads a number of one group from its directory.
type Limit<T> = fn(&Path) -> Option<T>;

/// CPUs of the control group's quota, rounded up; `None` without a quota.
///
/// `proc` and `sys` are `/proc` and `/sys/fs/cgroup`. The quotas of all ancestors apply too, so the smallest counts.
#[must_use]
pub fn cpu_quota(proc: &Path, sys: &Path) -> Option<usize> {
    of_groups(proc, sys, "cpu", cpus_2, cpus_1).into_iter().min()
}

/// Bytes of memory that are still available: on the machine, or within the limits of the control group and its
/// ancestors if that is less; `None` if unknown.
///
/// Inactive file pages count as free: the kernel reclaims them before it kills processes.
#[must_use]
pub fn memory_left(proc: &Path, sys: &Path) -> Option<u64> {
    let machine = read_to_string(proc.join("meminfo")).ok().and_then(|text| {
        let kibibytes = field(&text, "MemAvailable:")?;
        Some(kibibytes.saturating_mul(1024))
    });
    let group = of_groups(proc, sys, "memory", memory_2, memory_1);
    machine.into_iter().chain(group).min()
}

/// How often the kernel has killed a process to get memory back: in the control group or one of its ancestors, and on the
/// whole machine; 0 if unknown.
#[must_use]
pub fn memory_kills(proc: &Path, sys: &Path) -> (u64, u64) {
    let group = of_groups(
        proc,
        sys,
        "memory",
        |group| kills(&group.join("memory.events")),
        |group| kills(&group.join("memory.oom_control")),
    );
    let machine = kills(&proc.join("vmstat"));
    (group.into_iter().max().unwrap_or(0), machine.unwrap_or(0))
}

fn kills(file: &Path) -> Option<u64> {
    field(&read_to_string(file).ok()?, "oom_kill")
}

/// A number of each of this process's groups and all their ancestors, where there is one.
fn of_groups<T: Ord>(
    proc: &Path,
    sys: &Path,
    controller: &str,
    version_2: Limit<T>,
    version_1: Limit<T>,
) -> Vec<T> {
    let groups = read_to_string(proc.join("self/cgroup")).unwrap_or_default();
    let numbers = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_hierarchy, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let (root, limit) = if controllers.is_empty() {
            (sys.to_owned(), version_2)
        } else if controllers.split(',').any(|name| name == controller) {
            (version_1_root(sys, controllers, controller), version_1)
        } else {
            return None;
        };
        let path = Path::new(path.trim_start_matches('/'));
        let numbers = path
            .ancestors()
            .filter_map(|ancestor| limit(&root.join(ancestor)));
        Some(numbers.collect::<Vec<_>>())
    });
    numbers.flatten().collect()
}

fn version_1_root(sys: &Path, controllers: &str, controller: &str) -> PathBuf {
    let joined = sys.join(controllers);
    if joined.is_dir() {
        joined
    } else {
        sys.join(controller)
    }
}

fn cpus_2(group: &Path) -> Option<usize> {
    let text = read_to_string(group.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    cpus(quota, period)
}

fn cpus_1(group: &Path) -> Option<usize> {
    let read = |name| read_to_string(group.join(name)).ok();
    cpus(
        read("cpu.cfs_quota_us")?.trim(),
        read("cpu.cfs_period_us")?.trim(),
    )
}

/// Converts a quota (microseconds of CPU time per period of so many microseconds) to CPUs. "max" and -1 mean no limit.
fn cpus(quota: &str, period: &str) -> Option<usize> {
    let (quota, period) = (quota.parse::<usize>().ok()?, period.parse::<usize>().ok()?);
    (period > 0).then(|| quota.div_ceil(period).max(1))
}

fn memory_2(group: &Path) -> Option<u64> {
    memory(group, ["memory.max", "memory.current", "inactive_file"])
}

/// Version 1 expresses "no limit" as a number of exabytes: the remainder is more than any machine has.
fn memory_1(group: &Path) -> Option<u64> {
    memory(
        group,
        [
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ],
    )
}

/// Bytes left within a group's limit; `None` if the limit is not a number, such as "max".
fn memory(group: &Path, [limit, usage, reclaimable]: [&str; 3]) -> Option<u64> {
    let number = |name| -> Option<u64> { read_to_string(group.join(name)).ok()?.trim().parse().ok() };
    let stat = read_to_string(group.join("memory.stat")).unwrap_or_default();
    let used = number(usage)?.saturating_sub(field(&stat, reclaimable).unwrap_or(0));
    Some(number(limit)?.saturating_sub(used))
}

/// The number after the name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == name).then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};

    fn tree(name: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
        let root = std::env::temp_dir().join(format!("rustpar-machine-{}-{name}", std::process::id()));
        for (file, text) in files {
            let path = root.join(file);
            create_dir_all(path.parent().unwrap()).unwrap();
            write(path, text).unwrap();
        }
        root
    }

    fn quota(name: &str, files: &[(&str, &str)]) -> Option<usize> {
        let root = tree(name, files);
        let found = cpu_quota(&root.join("proc"), &root.join("sys"));
        std::fs::remove_dir_all(root).unwrap();
        found
    }

    fn left(name: &str, files: &[(&str, &str)]) -> Option<u64> {
        let root = tree(name, files);
        let found = memory_left(&root.join("proc"), &root.join("sys"));
        std::fs::remove_dir_all(root).unwrap();
        found
    }

    #[test]
    fn the_smallest_quota_on_the_way_to_the_root_counts() {
        let files = [
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/a/cpu.max", "150000 100000\n"),
            ("sys/a/b/cpu.max", "400000 100000\n"),
        ];
        assert_eq!(quota("v2", &files), Some(2));
    }

    #[test]
    fn version_1_is_read_where_the_cpu_controller_is_mounted() {
        let files = [
            ("proc/self/cgroup", "5:memory:/x\n3:cpu,cpuacct:/x\n"),
            ("sys/cpu,cpuacct/x/cpu.cfs_quota_us", "300000\n"),
            ("sys/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota("v1", &files), Some(3));
    }

    #[test]
    fn without_a_limit_there_is_no_quota() {
        let unlimited = [("proc/self/cgroup", "0::/\n"), ("sys/cpu.max", "max 100000\n")];
        assert_eq!(quota("max", &unlimited), None);
        let version_1 = [
            ("proc/self/cgroup", "3:cpu:/\n"),
            ("sys/cpu/cpu.cfs_quota_us", "-1\n"),
            ("sys/cpu/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota("v1max", &version_1), None);
    }

    #[test]
    fn kills_for_memory_are_counted_in_the_group_and_on_the_machine() {
        let count = |name, files: &[(&str, &str)]| {
            let root = tree(name, files);
            let found = memory_kills(&root.join("proc"), &root.join("sys"));
            std::fs::remove_dir_all(root).unwrap();
            found
        };
        let machine = ("proc/vmstat", "oom_kill_other 9\noom_kill 7\n");
        let version_2 = [
            machine,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/a/memory.events", "low 0\noom 5\noom_kill 3\n"),
            ("sys/a/b/memory.events", "oom_kill 2\n"),
        ];
        assert_eq!(count("kills2", &version_2), (3, 7));
        let version_1 = [
            ("proc/self/cgroup", "5:memory:/x\n"),
            (
                "sys/memory/x/memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
            ),
        ];
        assert_eq!(count("kills1", &version_1), (4, 0));
        assert_eq!(count("kills0", &[("proc/self/cgroup", "0::/\n")]), (0, 0));
    }

    const MEMINFO: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:       4000 kB\nMemFree:         100 kB\nMemAvailable:   2000 kB\n",
    );

    #[test]
    fn without_a_limit_the_memory_that_the_machine_has_available_is_left() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/a\n"),
            ("sys/a/memory.max", "max\n"),
            ("sys/a/memory.current", "5000\n"),
        ];
        assert_eq!(left("available", &files), Some(2000 * 1024));
        assert_eq!(left("nothing", &[("proc/self/cgroup", "0::/\n")]), None);
    }

    #[test]
    fn the_group_that_leaves_least_counts_and_idle_pages_of_files_are_free() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/a/memory.max", "900000\n"),
            ("sys/a/memory.current", "600000\n"),
            (
                "sys/a/memory.stat",
                "anon 7\ninactive_file 100000\nactive_file 9\n",
            ),
            ("sys/a/b/memory.max", "800000\n"),
            ("sys/a/b/memory.current", "100000\n"),
        ];
        assert_eq!(left("memory-v2", &files), Some(400_000));
    }

    #[test]
    fn a_group_over_its_limit_leaves_nothing() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/\n"),
            ("sys/memory.max", "1000\n"),
            ("sys/memory.current", "1001\n"),
        ];
        assert_eq!(left("memory-over", &files), Some(0));
    }

    #[test]
    fn version_1_has_other_names_for_memory_and_a_huge_number_for_no_limit() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "7:cpu:/x\n4:memory:/x\n"),
            ("sys/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/memory/memory.usage_in_bytes", "4000000\n"),
            ("sys/memory/x/memory.limit_in_bytes", "500000\n"),
            ("sys/memory/x/memory.usage_in_bytes", "300000\n"),
            (
                "sys/memory/x/memory.stat",
                "inactive_file 1\ntotal_inactive_file 50000\n",
            ),
        ];
        assert_eq!(left("memory-v1", &files), Some(250_000));
        assert_eq!(left("memory-v1max", &files[..4]), Some(2000 * 1024));
    }
}
