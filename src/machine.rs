//! How many workers this machine can feed: the CPU quota of the control group this process runs in.
//!
//! A container that may use two of 64 CPUs sees all 64 of them; the limit stands in the control group's files. Formats:
//! Linux `Documentation/admin-guide/cgroup-v2.rst` (`cpu.max`) and `scheduler/sched-bwc.rst` (version 1).

use std::path::Path;

/// CPUs that the control group's quota amounts to, rounded up; `None` without a quota.
///
/// `proc` and `sys` are `/proc/self` and `/sys/fs/cgroup`. Every ancestor's quota holds too, so the smallest counts.
#[must_use]
pub fn cpu_quota(proc: &Path, sys: &Path) -> Option<usize> {
    let groups = std::fs::read_to_string(proc.join("cgroup")).ok()?;
    groups.lines().filter_map(|line| group_quota(line, sys)).min()
}

fn group_quota(line: &str, sys: &Path) -> Option<usize> {
    let mut fields = line.splitn(3, ':');
    let (_hierarchy, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let path = Path::new(path.trim_start_matches('/'));
    let quota_of: fn(&Path) -> Option<usize> = if controllers.is_empty() {
        version_2
    } else if controllers.split(',').any(|controller| controller == "cpu") {
        version_1
    } else {
        return None;
    };
    let root = if controllers.is_empty() {
        sys.to_owned()
    } else {
        version_1_root(sys, controllers)
    };
    path.ancestors()
        .filter_map(|ancestor| quota_of(&root.join(ancestor)))
        .min()
}

fn version_1_root(sys: &Path, controllers: &str) -> std::path::PathBuf {
    let joined = sys.join(controllers);
    if joined.is_dir() { joined } else { sys.join("cpu") }
}

fn version_2(group: &Path) -> Option<usize> {
    let text = std::fs::read_to_string(group.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    cpus(quota, period)
}

fn version_1(group: &Path) -> Option<usize> {
    let read = |name| std::fs::read_to_string(group.join(name)).ok();
    cpus(
        read("cpu.cfs_quota_us")?.trim(),
        read("cpu.cfs_period_us")?.trim(),
    )
}

/// Microseconds of CPU time in each period of so many microseconds, as CPUs. "max" and -1 stand for no limit.
fn cpus(quota: &str, period: &str) -> Option<usize> {
    let (quota, period) = (quota.parse::<usize>().ok()?, period.parse::<usize>().ok()?);
    (period > 0).then(|| quota.div_ceil(period).max(1))
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

    #[test]
    fn the_smallest_quota_on_the_way_to_the_root_counts() {
        let files = [
            ("proc/cgroup", "0::/a/b\n"),
            ("sys/a/cpu.max", "150000 100000\n"),
            ("sys/a/b/cpu.max", "400000 100000\n"),
        ];
        assert_eq!(quota("v2", &files), Some(2));
    }

    #[test]
    fn version_1_is_read_where_the_cpu_controller_is_mounted() {
        let files = [
            ("proc/cgroup", "5:memory:/x\n3:cpu,cpuacct:/x\n"),
            ("sys/cpu,cpuacct/x/cpu.cfs_quota_us", "300000\n"),
            ("sys/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota("v1", &files), Some(3));
    }

    #[test]
    fn no_limit_is_no_quota() {
        let unlimited = [("proc/cgroup", "0::/\n"), ("sys/cpu.max", "max 100000\n")];
        assert_eq!(quota("max", &unlimited), None);
        let version_1 = [
            ("proc/cgroup", "3:cpu:/\n"),
            ("sys/cpu/cpu.cfs_quota_us", "-1\n"),
            ("sys/cpu/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota("v1max", &version_1), None);
    }
}
