//! The audit hook that monitors a template while it configures and collects, and records temporary files and files that are
//! opened while tests run.

use crate::platform::audit::{
    add_hook, creates_temporary_file, creates_unshareable_state, is_monitoring, is_recording_opened_files,
    is_recording_temporary_files, is_recording_uses, may_start_threads, named_files, set_monitoring,
    set_recording_opened_files, set_recording_temporary_files, set_recording_uses, shows_use, threads,
};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use std::path::{Path, PathBuf};

/// The Python function that is called for events.
static LISTENER: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

/// An event around which a library may start threads, and the number of threads at that time.
struct Earlier {
    event: Py<PyString>,
    args: Py<PyTuple>,
    threads: u64,
}

/// The names that `tempfile` has made since they were last forgotten; most of those that exist will be removed.
static TEMPORARY_NAMES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The last such event.
static BEFORE: Mutex<Option<Earlier>> = Mutex::new(None);

/// Name of the event reported to the listener when the number of threads has grown; not one of the interpreter's
/// events.
const MORE_THREADS: &str = "rustpar.threads";

/// Flags of `open` that mean writing: O_WRONLY and O_RDWR.
const WRITING: i64 = 3;

/// Adds the hook; returns False if this interpreter cannot call it, and `sys.addaudithook(audit)` is needed.
#[pyfunction]
pub(super) fn add_audit_hook(py: Python<'_>) -> PyResult<bool> {
    let function = pyo3::wrap_pyfunction!(audit, py)?;
    Ok(add_hook(function.into_ptr().expose_provenance()))
}

/// The hook. Calls the listener for events that create state which must not be shared, for files opened for writing, and
/// when there are more threads than at the previous event, which is passed as well.
#[pyfunction]
pub(super) fn audit(event: &Bound<'_, PyString>, args: &Bound<'_, PyTuple>) -> PyResult<()> {
    if is_recording_temporary_files()
        && creates_temporary_file(event.to_str().unwrap_or_default())
        && let Ok(path) = args.get_item(0)?.extract::<PathBuf>()
    {
        let path = std::path::absolute(&path).unwrap_or(path);
        TEMPORARY_NAMES.lock().push(path);
    }
    if is_recording_opened_files() {
        report_files(event.to_str().unwrap_or_default(), args)?;
    }
    if is_recording_uses() && shows_use(event.to_str().unwrap_or_default()) {
        let listener = USES
            .lock()
            .as_ref()
            .map(|listener| listener.clone_ref(event.py()));
        if let Some(listener) = listener {
            listener.call1(event.py(), (event, args))?;
        }
    }
    if !is_monitoring() {
        return Ok(());
    }
    let name = event.to_str().unwrap_or_default();
    if may_start_threads(name) {
        count_threads(event, args)?;
    }
    if !creates_unshareable_state(name) {
        return Ok(());
    }
    if args.len() == 3 && event.to_str()? == "open" && !is_for_writing(args)? {
        return Ok(());
    }
    notify(event, args)
}

/// Whether the arguments of the event `open` are those for a file that is written.
fn is_for_writing(args: &Bound<'_, PyTuple>) -> PyResult<bool> {
    let flags: i64 = args.get_item(2)?.extract().unwrap_or(0);
    Ok(flags & WRITING != 0)
}

/// The function that is called with what code uses outside the process.
static USES: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

/// Calls `listener(event, args)` for each use of a file, a directory or a connection; None for nobody.
#[pyfunction]
#[pyo3(signature = (listener))]
pub(super) fn set_use_listener(listener: Option<Py<PyAny>>) {
    set_recording_uses(listener.is_some());
    let before = std::mem::replace(&mut *USES.lock(), listener);
    drop(before);
}

/// The directories whose files are reported when they are opened, and the function that is called with their paths.
static OPENED: Mutex<Option<(Vec<PathBuf>, Py<PyAny>)>> = Mutex::new(None);

/// Reports the files that an event opens or changes, unless they are compiled code that is read.
fn report_files(event: &str, args: &Bound<'_, PyTuple>) -> PyResult<()> {
    let Some(named) = named_files(event) else {
        return Ok(());
    };
    let is_written = event != "open" || (args.len() == 3 && is_for_writing(args)?);
    for path in args.iter().skip(named.start).take(named.len()) {
        // Otherwise it is a descriptor.
        if let Some(path) = path_of(&path) {
            report_file(args.py(), database_of(&path).unwrap_or(&path), is_written)?;
        }
    }
    Ok(())
}

/// The path in an argument: a text or, from sqlite3 before Python 3.11, bytes.
fn path_of(argument: &Bound<'_, PyAny>) -> Option<PathBuf> {
    if let Ok(bytes) = argument.cast::<PyBytes>() {
        return PathBuf::from(std::str::from_utf8(bytes.as_bytes()).ok()?).into();
    }
    argument.extract().ok()
}

/// The path in an address of SQLite, as `file:data.db?mode=rwc` or `file:///tmp/data.db`; without escapes.
fn database_of(path: &Path) -> Option<&Path> {
    let address = path.to_str()?.strip_prefix("file:")?;
    let address = address.find(['?', '#']).map_or(address, |end| &address[..end]);
    let Some(rest) = address.strip_prefix("//") else {
        return Some(Path::new(address));
    };
    // Before the path, there is a host, which is this one.
    Some(Path::new(&rest[rest.find('/')?..]))
}

fn report_file(py: Python<'_>, path: &Path, is_written: bool) -> PyResult<()> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let is_compiled = path
        .extension()
        .is_some_and(|extension| extension == "pyc" || extension == "so");
    if is_compiled && !is_written {
        return Ok(());
    }
    let listener = OPENED.lock().as_ref().and_then(|(directories, listener)| {
        let is_wanted = directories.iter().any(|directory| path.starts_with(directory));
        is_wanted.then(|| listener.clone_ref(py))
    });
    if let Some(listener) = listener {
        listener.call1(py, (path.as_os_str(), is_written))?;
    }
    Ok(())
}

/// Calls `listener(path, is_written)` for each file in one of these directories that is opened, replaced or deleted.
#[pyfunction]
pub(super) fn record_opened_files(directories: Vec<PathBuf>, listener: Py<PyAny>) {
    let before = OPENED.lock().replace((directories, listener));
    drop(before);
    set_recording_opened_files();
}

/// Calls the listener if there are more threads than at the previous event.
fn count_threads(event: &Bound<'_, PyString>, args: &Bound<'_, PyTuple>) -> PyResult<()> {
    let count = threads();
    let now = Earlier {
        event: event.clone().unbind(),
        args: args.clone().unbind(),
        threads: count,
    };
    let before = BEFORE.lock().replace(now);
    if let Some(before) = before
        && count > before.threads
    {
        let py = event.py();
        let about = (before.event, before.args).into_pyobject(py)?;
        notify(&PyString::new(py, MORE_THREADS), &about)?;
    }
    Ok(())
}

fn notify(event: &Bound<'_, PyString>, args: &Bound<'_, PyTuple>) -> PyResult<()> {
    let py = event.py();
    let listener = LISTENER.lock().as_ref().map(|listener| listener.clone_ref(py));
    if let Some(listener) = listener {
        listener.call1(py, (event, args))?;
    }
    Ok(())
}

/// Sets the function `listener(event, args)` that the hook calls; None for none.
#[pyfunction]
#[pyo3(signature = (listener))]
pub(super) fn set_audit_listener(listener: Option<Py<PyAny>>) {
    set_monitoring(listener.is_some());
    let earlier = BEFORE.lock().take();
    drop(earlier);
    let before = std::mem::replace(&mut *LISTENER.lock(), listener);
    drop(before);
}

/// Starts recording the names of temporary files.
#[pyfunction]
pub(super) fn record_temporary_files() {
    set_recording_temporary_files();
}

/// The names of temporary files that were recorded, from the one with this index.
pub(super) fn temporary_names(from: usize) -> Vec<PathBuf> {
    TEMPORARY_NAMES.lock().get(from..).unwrap_or_default().to_vec()
}

/// Forgets the recorded names.
pub(super) fn forget_temporary_names() {
    TEMPORARY_NAMES.lock().clear();
}
