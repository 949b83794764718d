//! The machine of a run: its name, its operating system and its memory.

/// What is known of this machine, by name.
#[cfg(unix)]
#[must_use]
pub fn description() -> Vec<(&'static str, String)> {
    let system = rustix::system::uname();
    let kind = [system.sysname(), system.release(), system.machine()];
    let kind = kind.map(std::ffi::CStr::to_string_lossy).join(" ");
    let name = system.nodename().to_string_lossy().into_owned();
    let memory = memory().map(|bytes| ("memory", bytes.to_string()));
    [("name", name), ("system", kind)]
        .into_iter()
        .chain(memory)
        .collect()
}

/// The bytes of memory that this machine has, if the system says.
#[cfg(unix)]
fn memory() -> Option<u64> {
    #[expect(unsafe_code, reason = "rustix has no sysconf")]
    // SAFETY: the call takes a number, and returns one.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    let size = u64::try_from(rustix::param::page_size()).ok()?;
    u64::try_from(pages).ok()?.checked_mul(size)
}

/// Nothing is known of this machine.
#[cfg(not(unix))]
#[must_use]
pub fn description() -> Vec<(&'static str, String)> {
    Vec::new()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_a_name_a_system_and_memory() {
        let all = description();
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["name", "system", "memory"]);
        assert!(all[1].1.starts_with("Linux "));
        assert!(all[2].1.parse::<u64>().unwrap() > 1 << 20);
    }
}
