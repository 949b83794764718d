//! CPython's heap in processes that share it: where new objects come to lie, and what is touched on the way out.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyNone, PyType};
use std::ffi::c_void;

/// Sizes that CPython takes from pools: multiples of 16 bytes up to 512 (`Objects/obmalloc.c`).
const POOLED: std::ops::RangeInclusive<usize> = 1..=32;
const STEP: usize = 16;

/// Bytes of a pool, and of what is written at its start.
const POOL: usize = 16 * 1024;
const POOL_HEADER: usize = 48;

/// Where to stop looking for an empty pool: with another allocator there is none.
const MOST_BYTES: usize = 4 << 20;

/// Takes the free places in CPython's pools, so that new objects come to lie in pools of their own.
///
/// What a heap of many libraries has freed lies everywhere in it. A forked worker that puts its new objects there
/// writes to pages that it shares: 20 pages for each test with numpy and pandas loaded, and 3 with full pools.
///
/// Returns the bytes that were taken. They are never given back.
#[pyfunction]
pub(super) fn fill_pools(_py: Python<'_>) -> usize {
    POOLED.map(|steps| fill_size(steps * STEP)).sum()
}

/// Takes blocks of `size` bytes until they come from an empty pool, and gives that pool back.
fn fill_size(size: usize) -> usize {
    let whole_pool = (POOL - POOL_HEADER) / size;
    let mut last_pool: Vec<*mut c_void> = Vec::with_capacity(whole_pool);
    let mut taken = 0;
    while taken < MOST_BYTES {
        #[expect(unsafe_code, reason = "CPython's allocator")]
        // SAFETY: the GIL is held, which is all that the allocator asks for.
        let block = unsafe { ffi::PyObject_Malloc(size) };
        if block.is_null() {
            break;
        }
        taken += size;
        let follows = last_pool.last().is_some_and(|last| {
            last.addr() + size == block.addr() && last.addr() / POOL == block.addr() / POOL
        });
        if !follows {
            last_pool.clear();
        }
        last_pool.push(block);
        if last_pool.len() == whole_pool {
            break;
        }
    }
    taken -= last_pool.len() * size;
    for block in last_pool {
        #[expect(unsafe_code, reason = "CPython's allocator")]
        // SAFETY: the block is from this allocator and nobody else knows it.
        unsafe {
            ffi::PyObject_Free(block);
        }
    }
    taken
}

/// Sets to None what a module holds, but for its builtins, classes, and instances of exactly the types in `kept`.
///
/// To count what is kept would write to pages that processes share: 3 MiB in each worker of a suite of 1,000 tests. So
/// it is told by its type alone, uncounted.
#[pyfunction]
pub(super) fn let_go(namespace: &Bound<'_, PyDict>, kept: Vec<Bound<'_, PyType>>) -> PyResult<()> {
    let kept: Vec<_> = kept.iter().map(Bound::as_type_ptr).collect();
    for key in keys_to_let_go(namespace, &kept) {
        if !key.eq(pyo3::intern!(key.py(), "__builtins__"))? {
            namespace.set_item(&key, PyNone::get(key.py()))?;
        }
    }
    Ok(())
}

fn keys_to_let_go<'py>(
    namespace: &Bound<'py, PyDict>,
    kept: &[*mut ffi::PyTypeObject],
) -> Vec<Bound<'py, PyAny>> {
    let mut keys = Vec::new();
    let (mut position, mut key, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
    #[expect(unsafe_code, reason = "looking at values without counting them")]
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
