//! Python bindings for this process, its parent and its children.

use crate::platform::{os, process_status};
use pyo3::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// This process's directory.
const OWN: &str = "/proc/self";

/// Asks the kernel to kill this process when its parent dies; returns False if `parent` is already dead.
#[pyfunction]
pub(super) fn die_with_parent(parent: u32) -> PyResult<bool> {
    Ok(os::die_with_parent(parent)?)
}

/// Ends this process with C's `exit`: functions registered with C's `atexit` run, and C's streams are flushed.
#[pyfunction]
pub(super) fn exit_process(status: i32) {
    std::process::exit(status);
}

/// Undoes `die_with_parent`.
#[pyfunction]
pub(super) fn outlive_parent() -> PyResult<()> {
    Ok(os::outlive_parent()?)
}

/// Releases memory that can be read again from its files.
#[pyfunction]
pub(super) fn drop_clean_pages() {
    os::drop_clean_pages();
}

/// Whether two descriptors of this process share a file position; False if the kernel cannot tell.
#[pyfunction]
pub(super) fn share_description(one: i32, other: i32) -> bool {
    os::share_description(one, other)
}

/// Sets whether this process adopts its orphaned descendants.
#[pyfunction]
pub(super) fn adopt_orphans(yes: bool) -> PyResult<()> {
    Ok(os::adopt_orphans(yes)?)
}

/// Whether a signal is in one of these masks of a process, by their names in `/proc/<pid>/status`.
#[pyfunction]
pub(super) fn is_in_mask(process: u32, signal: u32, masks: Vec<String>) -> bool {
    let masks: Vec<&str> = masks.iter().map(String::as_str).collect();
    process_status::is_in_mask(&directory(process), signal, &masks)
}

/// The threads of this process that have the main thread's name and block all of these signals, a mask, and those of
/// them that are asleep.
#[pyfunction]
pub(super) fn blocking_threads(signals: u64) -> (BTreeSet<u32>, BTreeSet<u32>) {
    process_status::blocking_threads(Path::new(OWN), std::process::id(), signals)
}

/// When a process was started, in ticks since boot, rounded up; None if there is none.
#[pyfunction]
pub(super) fn start_of_process(process: u32) -> Option<u64> {
    process_status::start_of(&directory(process))
}

/// Whether a process of a single thread is exiting, or has exited.
#[pyfunction]
pub(super) fn is_exiting(process: u32) -> bool {
    process_status::is_exiting(&directory(process))
}

/// Whether the description of an open file of this process holds a lock; raises OSError if that cannot be seen.
#[pyfunction]
pub(super) fn holds_lock(descriptor: u32) -> PyResult<bool> {
    let info = Path::new(OWN).join("fdinfo").join(descriptor.to_string());
    Ok(process_status::holds_lock(&info)?)
}

fn directory(process: u32) -> PathBuf {
    Path::new("/proc").join(process.to_string())
}

/// Waits for a child that has exited, without blocking.
///
/// Returns None while it runs; then its exit code, or minus the signal that killed it, and the peak of its resident
/// bytes. The exit code is None if something else has waited for the child.
#[pyfunction]
pub(super) fn reap(child: i32) -> Option<(Option<i32>, u64)> {
    os::reap(child).map(|exit| (exit.code, exit.peak))
}
