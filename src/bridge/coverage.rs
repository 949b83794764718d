//! Python bindings for joining coverage.py's data files.

use crate::coverage::{Conflict, Data, Joined, Unreadable, duplicates};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{MAIN_SEPARATOR_STR, Path, PathBuf};

/// Number of files in memory at a time for each reading thread.
const FILES_PER_THREAD: usize = 2;

/// The files that were joined, duplicates of these, and those that are left to coverage.py with the reason.
type Sorted = (Vec<OsString>, Vec<OsString>, Vec<(OsString, String)>);

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
    /// The paths of source files in the result, by the paths in data files.
    mapped: HashMap<String, String>,
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
        Ok(Self {
            joined,
            pool,
            mapped: HashMap::new(),
        })
    }

    /// Adds files, one of each group of duplicates; see the stub. Raises OSError if a file is gone, and ValueError if
    /// two files conflict; the joiner must then be discarded.
    fn add(
        &mut self,
        py: Python<'_>,
        paths: Vec<PathBuf>,
        match_name: Option<Bound<'_, PyAny>>,
        map_path: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Sorted> {
        let with_hash = |path: PathBuf| match &match_name {
            None => Ok((path, None)),
            Some(match_name) => hash_in_name(&path, match_name).map(|hash| (path, hash)),
        };
        let files = paths.into_iter().map(with_hash).collect::<PyResult<_>>()?;
        let mut groups = py.detach(|| duplicates::group(files))?;
        let (mut joined, mut skipped, mut left) = Sorted::default();
        while !groups.is_empty() {
            let firsts: Vec<PathBuf> = groups.iter_mut().map(|group| group.remove(0)).collect();
            let reasons = self.add_each(py, &firsts, map_path.as_ref())?;
            let mut again = Vec::new();
            for ((first, others), reason) in firsts.into_iter().zip(groups).zip(reasons) {
                match reason {
                    None => {
                        joined.push(first.into());
                        skipped.extend(others.into_iter().map(OsString::from));
                    }
                    Some(reason) => {
                        left.push((first.into(), reason));
                        again.push(others);
                    }
                }
            }
            again.retain(|others| !others.is_empty());
            groups = again;
        }
        Ok((joined, skipped, left))
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

impl Joiner {
    /// Adds files. Returns for each file why it was left out, or None.
    fn add_each(
        &mut self,
        py: Python<'_>,
        paths: &[PathBuf],
        map_path: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<Option<String>>> {
        let mut reasons = Vec::with_capacity(paths.len());
        for some in paths.chunks(FILES_PER_THREAD * self.pool.current_num_threads()) {
            let read = |path: &PathBuf| Data::read(Path::new(path));
            let all: Vec<Result<Data, Unreadable>> =
                py.detach(|| self.pool.install(|| some.par_iter().map(read).collect()));
            for data in all {
                match data {
                    Ok(data) => {
                        let names = data.files.iter().map(|path| self.map(path, map_path));
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

    /// The path of a source file in the result, with this system's slashes.
    fn map(&mut self, path: &str, map_path: Option<&Bound<'_, PyAny>>) -> PyResult<String> {
        if let Some(mapped) = self.mapped.get(path) {
            return Ok(mapped.clone());
        }
        let mapped: String = match map_path {
            None => path.to_owned(),
            Some(map_path) => map_path.call1((path,))?.extract()?,
        };
        let mapped = mapped.replace(['/', '\\'], MAIN_SEPARATOR_STR);
        self.mapped.insert(path.to_owned(), mapped.clone());
        Ok(mapped)
    }
}

/// The hash in a data file's name, by coverage.py's own `filename_match`.
fn hash_in_name(path: &Path, match_name: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let found = match_name.call1((path.as_os_str(),))?;
    if found.is_none() {
        return Ok(None);
    }
    found.get_item("hash")?.extract()
}
