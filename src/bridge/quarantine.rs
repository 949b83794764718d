//! Python bindings for the quarantine.

use super::text::{Text, texts};
use crate::analysis::quarantine::{Entry, parse};
use crate::report::terminal::quarantine::{line_about, lines};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;

/// The entries of a quarantine file; see the stub.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct Quarantine {
    entries: Vec<Entry>,
    today: String,
}

#[pymethods]
impl Quarantine {
    /// Parses a file; `today` is the date. Raises ValueError with a line that says what to write.
    #[new]
    fn new(text: &str, today: String) -> PyResult<Self> {
        let entries = parse(text).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { entries, today })
    }

    /// The number of the first entry that applies to a test and holds; None if there is none.
    fn find(&self, node_id: Text) -> Option<usize> {
        let holds = |entry: &Entry| !entry.is_expired(&self.today) && entry.matches(&node_id.0);
        self.entries.iter().position(holds)
    }

    /// What excuses a failure: the date and the reason of an entry.
    fn note(&self, entry: usize) -> PyResult<String> {
        let Entry { until, reason, .. } = self.entry(entry)?;
        Ok(format!("quarantined until {until}, {reason}"))
    }

    /// The lines about failed tests, given by node id, error and entry, and whether each is highlighted.
    fn lines(&self, failed: Vec<(Text, Text, usize)>) -> PyResult<Vec<(String, bool)>> {
        let failed = failed.into_iter();
        let failed = failed.map(|(Text(id), Text(error), entry)| Ok((id, error, self.entry(entry)?)));
        let lines = lines(&failed.collect::<PyResult<Vec<_>>>()?).into_iter();
        Ok(lines.map(|line| (line.text, line.is_highlighted)).collect())
    }

    /// The lines about entries that have expired, if one of these tests is theirs.
    fn expired(&self, node_ids: Vec<Text>, file: &str) -> Vec<String> {
        let ids: Vec<String> = texts(node_ids);
        let entries = self.entries.iter().filter(|entry| entry.is_expired(&self.today));
        let entries = entries.filter(|entry| ids.iter().any(|id| entry.matches(id)));
        entries.map(|entry| line_about(entry, file, true)).collect()
    }

    /// The lines about entries that apply to none of these tests.
    fn unused(&self, node_ids: Vec<Text>, file: &str) -> Vec<String> {
        let ids: Vec<String> = texts(node_ids);
        let entries = self.entries.iter();
        let entries = entries.filter(|entry| !ids.iter().any(|id| entry.matches(id)));
        entries.map(|entry| line_about(entry, file, false)).collect()
    }
}

impl Quarantine {
    fn entry(&self, entry: usize) -> PyResult<&Entry> {
        let found = self.entries.get(entry);
        found.ok_or_else(|| PyIndexError::new_err(format!("no entry {entry}")))
    }
}
