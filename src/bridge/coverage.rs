//! Python bindings for joining coverage.py's data files.

use crate::coverage::{Conflict, Data, Joined, Unreadable};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::path::{Path, PathBuf};

/// Number of files in memory at a time for each reading thread.
const FILES_PER_THREAD: usize = 2;

impl From<Conflict> for PyErr {
    fn from(conflict: Conflict) -> Self {
        PyValueError::new_err(conflict.to_string())
    }
}

/// Joins data files of coverage.py in memory.
#[pyclass(module = "rustpar._core")]
pub(super) struct Joiner {
    joined: Joined,
    /// Its threads end with it: none may be left when the process forks again.
    pool: ThreadPool,
}

#[pymethods]
impl Joiner {
    /// Starts empty, or with the contents of the file `onto`. Raises ValueError if that file is left to coverage.py.
    #[new]
    #[pyo3(signature = (onto = None))]
    fn new(py: Python<'_>, onto: Option<PathBuf>) -> PyResult<Self> {
        let pool = ThreadPoolBuilder::new().thread_name(|number| format!("rustpar-join-{number}"));
        let pool = pool
            .build()
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        let joined = match onto {
            None => Joined::default(),
            Some(path) => {
                let data = py.detach(|| Data::read(&path));
                Joined::onto(data.map_err(|error| PyValueError::new_err(error.to_string()))?)?
            }
        };
        Ok(Self { joined, pool })
    }

    /// Adds files; `map_path` maps the paths of source files. Returns for each file why it was left out, or None.
    ///
    /// Raises ValueError if two files conflict; the joiner must then be discarded.
    fn add(
        &mut self,
        py: Python<'_>,
        paths: Vec<PathBuf>,
        map_path: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<Option<String>>> {
        let mut reasons = Vec::with_capacity(paths.len());
        for some in paths.chunks(FILES_PER_THREAD * self.pool.current_num_threads()) {
            let read = |path: &PathBuf| Data::read(Path::new(path));
            let all: Vec<Result<Data, Unreadable>> =
                py.detach(|| self.pool.install(|| some.par_iter().map(read).collect()));
            for data in all {
                match data {
                    Ok(data) => {
                        let names = data.files.iter().map(|path| map_path.call1((path,))?.extract());
                        let names = names.collect::<PyResult<Vec<String>>>()?;
                        let joined = &mut self.joined;
                        py.detach(|| self.pool.install(|| joined.add(data, names)))?;
                        reasons.push(None);
                    }
                    Err(reason) => reasons.push(Some(reason.to_string())),
                }
            }
        }
        Ok(reasons)
    }

    /// Writes the data to the file `path` atomically, as made by `version` of coverage.py. Raises OSError.
    ///
    /// The joiner cannot be used afterwards.
    fn write(&mut self, py: Python<'_>, path: PathBuf, version: &str) -> PyResult<()> {
        let mut joined = std::mem::take(&mut self.joined);
        joined.set_default_meta("version", version);
        let done = py.detach(|| self.pool.install(|| joined.write(&path)));
        done.map_err(|error| PyOSError::new_err(error.to_string()))
    }
}
