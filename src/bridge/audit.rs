//! The audit hook that watches a template while it configures and collects.

use crate::audit::{is_telling, is_watching, watch};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

/// Who is told.
static LISTENER: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

/// Flags of `open` that mean writing: O_WRONLY and O_RDWR.
const WRITING: i64 = 3;

/// The hook, for `sys.addaudithook`: tells the listener of events that tell something, and of files opened for writing.
#[pyfunction]
pub(super) fn audit(event: &Bound<'_, PyString>, args: &Bound<'_, PyTuple>) -> PyResult<()> {
    if !is_watching() || !is_telling(event.to_str().unwrap_or_default()) {
        return Ok(());
    }
    if args.len() == 3 && event.to_str()? == "open" {
        let flags: i64 = args.get_item(2)?.extract().unwrap_or(0);
        if flags & WRITING == 0 {
            return Ok(());
        }
    }
    let py = event.py();
    let listener = LISTENER.lock().as_ref().map(|listener| listener.clone_ref(py));
    if let Some(listener) = listener {
        listener.call1(py, (event, args))?;
    }
    Ok(())
}

/// Has the hook tell `listener(event, args)`, or nobody.
#[pyfunction]
#[pyo3(signature = (listener))]
pub(super) fn listen(listener: Option<Py<PyAny>>) {
    watch(listener.is_some());
    let before = std::mem::replace(&mut *LISTENER.lock(), listener);
    drop(before);
}
