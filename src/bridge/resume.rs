//! Python bindings for the run that is resumed.

use super::text::{Text, texts};
use super::value::{decode_object, to_object};
use crate::journal::event::{Detail, Event, Outcome, Test};
use crate::journal::resume::code::digest_of;
use crate::journal::resume::earlier::{Earlier, Reported, Step};
use crate::journal::resume::record::{attributes, sections_of};
use crate::journal::resume::search;
use crate::journal::{micros, seconds};
use crate::platform::local_time::local_time;
use crate::protocol::value::Value;
use crate::text::{base64, grouped};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

/// Converts pairs of texts.
fn sorted(pairs: HashMap<Text, Text>) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(Text(name), Text(value))| (name, value))
        .collect()
}

/// A digest of a text, in hexadecimal digits.
#[pyfunction]
pub(super) fn digest(text: Text) -> String {
    digest_of(text.0.as_bytes())
}

/// An earlier run that is resumed.
#[pyclass(module = "rustpar._core")]
pub(super) struct EarlierRun {
    earlier: Earlier,
    /// The index of each finished test in the current collection, by node id; set by `divide`.
    finished: HashMap<String, usize>,
}

impl EarlierRun {
    fn new(earlier: Earlier) -> Self {
        Self {
            earlier,
            finished: HashMap::new(),
        }
    }

    fn ids(&self) -> HashSet<&str> {
        self.finished.keys().map(String::as_str).collect()
    }

    /// The events to copy; `number` gives the numbers of tests in the new journal.
    pub(super) fn copied(&self, number: impl FnMut(&str) -> Test) -> Vec<Event> {
        self.earlier.copied(&self.ids(), number)
    }

    /// The event that says that everything is copied.
    pub(super) fn resumed(&self) -> Event {
        Event::Resumed {
            id: self.earlier.head.id.clone(),
            began: self.earlier.head.began,
            tests: self.finished.len(),
        }
    }
}

fn refused(error: &impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

#[pymethods]
impl EarlierRun {
    /// Finds the last unfinished run among the journals in a directory.
    #[staticmethod]
    fn latest(py: Python<'_>, directory: PathBuf, selection: HashMap<Text, Text>) -> Option<Self> {
        let selection = sorted(selection);
        let found = py.detach(|| search::latest(&directory, &selection));
        found.map(Self::new)
    }

    /// Finds a run by the path of its journal, relative to `here`, or by the beginning of its id. Raises `ValueError`.
    #[staticmethod]
    fn named(py: Python<'_>, name: Text, here: PathBuf, directory: Option<PathBuf>) -> PyResult<Self> {
        let found = py.detach(|| search::named(&name.0, &here, directory.as_deref()));
        found.map(Self::new).map_err(|error| refused(&error))
    }

    /// The journal.
    #[getter]
    fn path(&self) -> PathBuf {
        self.earlier.path.clone()
    }

    /// The run's id.
    #[getter]
    fn id(&self) -> &str {
        &self.earlier.head.id
    }

    /// How long it ran, in seconds.
    #[getter]
    fn seconds(&self) -> f64 {
        seconds(self.earlier.lasted)
    }

    /// When it started, in local time.
    #[getter]
    fn began(&self) -> String {
        let began = i64::try_from(self.earlier.head.began / 1_000_000).ok();
        began
            .and_then(local_time)
            .unwrap_or_else(|| self.earlier.head.id.clone())
    }

    /// Whether it ended with an exit status, although not all tests had run.
    #[getter]
    pub(super) fn has_ended(&self) -> bool {
        self.earlier.has_ended
    }

    /// Its workers: process ids, and times at which they were started, in seconds since the epoch.
    #[getter]
    fn workers(&self) -> Vec<(i64, f64)> {
        let workers = self.earlier.workers().into_iter();
        workers.map(|(pid, began)| (pid, seconds(began))).collect()
    }

    /// The processes that have saved coverage data of its tests, and of those that it has copied.
    #[getter]
    fn saved_by(&self) -> Vec<i64> {
        self.earlier.saved_by().into_iter().collect()
    }

    /// A line for the header that says how many tests have finished.
    fn summary(&self) -> String {
        let (finished, collected) = self.earlier.progress();
        format!(
            "resumed: {} of {} tests are from the run of {}",
            grouped(finished),
            grouped(collected),
            self.began()
        )
    }

    /// Compares options and versions; raises `ValueError` with the first difference.
    fn compare(&self, selection: HashMap<Text, Text>, versions: HashMap<Text, Text>) -> PyResult<()> {
        let compared = self.earlier.compare(&sorted(selection), &sorted(versions));
        compared.map_err(|difference| refused(&difference))
    }

    /// Counts only tests whose coverage data was saved by one of these processes.
    fn require_coverage(&mut self, processes: HashSet<i64>) {
        self.earlier.require_coverage(&|pid| processes.contains(&pid));
    }

    /// Whether each of the collected tests has finished. Raises `ValueError` with the first test that only one of the
    /// collections has.
    fn divide(&mut self, node_ids: Vec<Text>) -> PyResult<Vec<bool>> {
        let ids: Vec<String> = texts(node_ids);
        let mask = self
            .earlier
            .divide(&ids)
            .map_err(|difference| refused(&difference))?;
        let numbered = ids.into_iter().enumerate().zip(&mask);
        let finished = numbered.filter(|(_, is_finished)| **is_finished);
        self.finished = finished.map(|((index, id), _)| (id, index)).collect();
        Ok(mask)
    }

    /// Compares the files that tests depend on, relative to `root`; `loaded` are those of the current run. Raises
    /// `ValueError` with the first file that has changed.
    fn compare_code(&self, py: Python<'_>, root: PathBuf, loaded: Vec<Text>) -> PyResult<()> {
        let loaded: Vec<String> = texts(loaded);
        let compared = py.detach(|| self.earlier.compare_code(&root, &loaded));
        compared.map_err(|difference| refused(&difference))
    }

    /// The finished tests: index in the collection that `divide` was given, worker, and what was recorded while the test
    /// ran.
    fn tests<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let tests = PyList::empty(py);
        for test in self.earlier.finished(&self.ids()) {
            let steps = PyList::empty(py);
            let mut sections: Vec<Value> = Vec::new();
            for step in &test.steps {
                match step {
                    Step::Report(report) => steps.append(self.report(py, report, &mut sections)?)?,
                    Step::Warning(data) => {
                        let bytes = base64::decode(data).unwrap_or_default();
                        steps.append(decode_object(py, &bytes)?)?;
                    }
                }
            }
            tests.append((self.finished[&test.id], test.worker, steps))?;
        }
        Ok(tests)
    }
}

impl EarlierRun {
    /// A report; `sections` are those of the preceding report of the test, and afterwards of this one.
    fn report<'py>(
        &self,
        py: Python<'py>,
        reported: &Reported,
        sections: &mut Vec<Value>,
    ) -> PyResult<Bound<'py, EarlierReport>> {
        let mut decoded = reported.data.as_ref().and_then(|data| attributes(data, sections));
        if let Some(decoded) = &mut decoded {
            *sections = sections_of(decoded).to_vec();
        }
        let is_shortened = decoded.is_none() && reported.data.is_some();
        let detail = reported.detail.as_ref();
        let outcome = match &reported.phase {
            Some((_, ended)) => ended.o,
            None => detail.and_then(|detail| detail.o).unwrap_or(Outcome::Failed),
        };
        let (when, start, took) = match &reported.phase {
            Some((when, ended)) => (Some(*when), self.earlier.head.began + ended.at, ended.us),
            None => (None, self.earlier.head.began, micros(0.0)),
        };
        let report = EarlierReport {
            when,
            outcome: match outcome {
                Outcome::Passed | Outcome::Xpassed => "passed",
                Outcome::Skipped | Outcome::Xfailed => "skipped",
                Outcome::Rerun => "rerun",
                // Whether its entry in the quarantine holds is decided anew.
                Outcome::Failed | Outcome::Quarantined => "failed",
            },
            is_xfail: matches!(outcome, Outcome::Xfailed | Outcome::Xpassed),
            start: seconds(start),
            seconds: seconds(took),
            attributes: decoded
                .map(|value| to_object(py, &value))
                .transpose()?
                .map(Bound::unbind),
            is_shortened,
            detail: detail.cloned().unwrap_or_default(),
        };
        Bound::new(py, report)
    }
}

/// A report of a test that an earlier run has finished.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct EarlierReport {
    /// The phase; None for the crash of a worker.
    #[pyo3(get)]
    when: Option<&'static str>,
    /// The report's outcome.
    #[pyo3(get)]
    outcome: &'static str,
    /// Whether a failure was expected.
    #[pyo3(get)]
    is_xfail: bool,
    /// When it started, in seconds since the epoch.
    #[pyo3(get)]
    start: f64,
    /// How long it took.
    #[pyo3(get)]
    seconds: f64,
    /// The other attributes; None if there are none or they were too large.
    #[pyo3(get)]
    attributes: Option<Py<PyAny>>,
    /// Whether the attributes were too large.
    #[pyo3(get)]
    is_shortened: bool,
    detail: Detail,
}

#[pymethods]
impl EarlierReport {
    /// The error or the reason.
    #[getter]
    fn message(&self) -> &str {
        &self.detail.message
    }

    /// The file and the line, counted from 1, in which it happened.
    #[getter]
    fn place(&self) -> (Option<&str>, Option<u32>) {
        (self.detail.path.as_deref(), self.detail.line)
    }

    /// The text of the failure.
    #[getter]
    fn text(&self) -> &str {
        &self.detail.text
    }

    /// Captured output: pairs of title and text.
    #[getter]
    fn sections<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let sections = self.detail.sections.iter();
        let sections: PyResult<Vec<Bound<'py, PyTuple>>> = sections
            .map(|(title, text)| (title, text).into_pyobject(py))
            .collect();
        PyList::new(py, sections?)
    }
}
