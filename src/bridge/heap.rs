//! CPython's heap: where new objects are allocated, which the garbage collector visits, and which are touched at exit.

use crate::platform::allocator::{Allocator, BUDGET, fill};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyNone, PyType};

/// CPython's object allocator; the GIL is held for the lifetime of the value.
struct Objects<'py>(Python<'py>);

impl Allocator for Objects<'_> {
    fn take(&mut self, size: usize) -> Option<usize> {
        let Self(_held) = self;
        #[expect(unsafe_code, reason = "CPython's allocator")]
        // SAFETY: the GIL is held, which is all that the allocator requires.
        let block = unsafe { ffi::PyObject_Malloc(size) };
        (!block.is_null()).then(|| block.expose_provenance())
    }

    fn give_back(&mut self, block: usize) {
        let Self(_held) = self;
        #[expect(unsafe_code, reason = "CPython's allocator")]
        // SAFETY: the GIL is held, the block is from this allocator and is not used elsewhere.
        unsafe {
            ffi::PyObject_Free(std::ptr::with_exposed_provenance_mut(block));
        }
    }
}

/// Allocates the free blocks in CPython's pools, so that new objects are put into new pools; see `platform::allocator`.
///
/// Returns the number of bytes allocated. They are never freed.
#[pyfunction]
pub(super) fn fill_pools(py: Python<'_>) -> usize {
    fill(&mut Objects(py), BUDGET)
}

/// Sets the variables of a module to None, except builtins, classes, and instances of exactly the types in `kept`.
///
/// Increasing reference counts would write to pages that processes share: 3 MiB in each worker of a suite of 1,000
/// tests. So values to keep are identified by their type only, without taking references.
#[pyfunction]
pub(super) fn clear_namespace(namespace: &Bound<'_, PyDict>, kept: Vec<Bound<'_, PyType>>) -> PyResult<()> {
    let kept: Vec<_> = kept.iter().map(Bound::as_type_ptr).collect();
    for key in keys_to_clear(namespace, &kept) {
        if !key.eq(pyo3::intern!(key.py(), "__builtins__"))? {
            namespace.set_item(&key, PyNone::get(key.py()))?;
        }
    }
    Ok(())
}

fn keys_to_clear<'py>(
    namespace: &Bound<'py, PyDict>,
    kept: &[*mut ffi::PyTypeObject],
) -> Vec<Bound<'py, PyAny>> {
    let mut keys = Vec::new();
    let (mut position, mut key, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
    #[expect(unsafe_code, reason = "reading values without changing reference counts")]
    // SAFETY: the GIL is held and nothing is called that changes the dictionary, so the borrowed pointers stay valid.
    unsafe {
        while ffi::PyDict_Next(
            namespace.as_ptr(),
            &raw mut position,
            &raw mut key,
            &raw mut value,
        ) != 0
        {
            if ffi::PyType_Check(value) == 0 && !kept.contains(&ffi::Py_TYPE(value)) {
                keys.push(Bound::from_borrowed_ptr(namespace.py(), key));
            }
        }
    }
    keys
}

/// Lets the garbage collector no longer visit an object.
///
/// It is freed as ever when the last reference to it is gone. But garbage is not found if it is a cycle of references
/// through this object, or something that this object refers to. So this is for objects that are needed until they are
/// passed to [`track`].
pub(super) fn untrack(object: &Bound<'_, PyAny>) {
    #[expect(unsafe_code, reason = "CPython's garbage collector")]
    // SAFETY: the GIL is held, so no collection is running; only an object that is tracked has what is changed here.
    unsafe {
        if ffi::PyObject_GC_IsTracked(object.as_ptr()) != 0 {
            ffi::PyObject_GC_UnTrack(object.as_ptr().cast());
        }
    }
}

/// Lets the garbage collector visit an object again that may have been passed to [`untrack`]; false if it does.
///
/// Not for classes, of which some cannot be visited.
pub(super) fn track(object: &Bound<'_, PyAny>) -> bool {
    #[expect(unsafe_code, reason = "CPython's garbage collector")]
    // SAFETY: the GIL is held; the object is of a type for the collector and not tracked, and it is complete.
    unsafe {
        let flags = ffi::PyType_GetFlags(ffi::Py_TYPE(object.as_ptr()));
        let was_untracked =
            flags & ffi::Py_TPFLAGS_HAVE_GC != 0 && ffi::PyObject_GC_IsTracked(object.as_ptr()) == 0;
        if was_untracked {
            ffi::PyObject_GC_Track(object.as_ptr().cast());
        }
        was_untracked
    }
}
