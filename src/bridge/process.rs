//! Python bindings for this process, its parent and its children.

use crate::platform::os;
use pyo3::prelude::*;

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

/// Waits for a child that has exited, without blocking.
///
/// Returns None while it runs; then its exit code, or minus the signal that killed it, and the peak of its resident
/// bytes. The exit code is None if something else has waited for the child.
#[pyfunction]
pub(super) fn reap(child: i32) -> Option<(Option<i32>, u64)> {
    os::reap(child).map(|exit| (exit.code, exit.peak))
}
