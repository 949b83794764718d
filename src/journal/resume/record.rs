//! What a journal records in addition, so that its reports can be made again: attributes of reports, and warnings.
//!
//! The hazard it handles: each report of a test contains the captured output of all earlier ones, and a warning can occur
//! in thousands of tests. Both are written once. Large attributes are left out; the shortened texts remain.

use crate::journal::event::{ReportData, Test, TestWarning, Worker};
use crate::protocol::value::Value;
use crate::text::base64;
use std::collections::HashMap;

/// The attributes may use this fraction of the remaining budget, as a failure's text (`text_limits.rs`).
const SHARE: u64 = 64;

/// Attributes of so many bytes are always recorded: an ordinary traceback needs 2 KiB.
const MIN_BYTES: u64 = 256;

/// The attribute with the captured output.
const SECTIONS: &str = "sections";

/// Makes the events of reports.
#[derive(Debug, Default)]
pub struct ReportEncoder {
    left: Option<u64>,
    /// The sections of the last report of each process, with its test.
    last: HashMap<Worker, (Test, Vec<Value>)>,
}

impl ReportEncoder {
    /// Encodes up to so many bytes; `None` for no limit.
    #[must_use]
    pub fn new(limit: Option<u64>) -> Self {
        Self {
            left: limit,
            last: HashMap::new(),
        }
    }

    /// The event for a report with these attributes, a dictionary.
    pub fn event(&mut self, t: Test, w: Worker, mut attributes: Value) -> ReportData {
        let kept = self.remove_known_sections(t, w, &mut attributes);
        let mut bytes = Vec::new();
        attributes.encode(&mut bytes);
        let data = base64::encode(&bytes);
        if let Some(left) = &mut self.left {
            let size = data.len() as u64;
            if size > (*left / SHARE).max(MIN_BYTES) {
                self.last.remove(&w);
                return ReportData {
                    t,
                    w,
                    ..ReportData::default()
                };
            }
            *left = left.saturating_sub(size);
        }
        ReportData { t, w, kept, data }
    }

    /// Removes the sections that the preceding report of the test has, too; returns how many.
    fn remove_known_sections(&mut self, test: Test, worker: Worker, attributes: &mut Value) -> usize {
        let Some(sections) = member(attributes, SECTIONS) else {
            return 0;
        };
        let last = self.last.insert(worker, (test, sections.clone()));
        let known = last
            .filter(|(last, _)| *last == test)
            .map_or_else(Vec::new, |(_, known)| known);
        if known.is_empty() || !sections.starts_with(&known) {
            return 0;
        }
        sections.drain(..known.len());
        known.len()
    }
}

/// Decodes the attributes of an event, with the `known` sections of the preceding report; `None` if they were left out,
/// or are damaged.
#[must_use]
pub fn attributes(report: &ReportData, known: &[Value]) -> Option<Value> {
    let bytes = base64::decode(&report.data)?;
    let mut reader = crate::protocol::wire::Reader::new(&bytes);
    let mut value = Value::decode(&mut reader).ok()?;
    reader.end().ok()?;
    if report.kept > 0 {
        let sections = member(&mut value, SECTIONS)?;
        sections.splice(0..0, known.get(..report.kept)?.iter().cloned());
    }
    Some(value)
}

/// The sections in decoded attributes.
pub fn sections_of(attributes: &mut Value) -> &[Value] {
    member(attributes, SECTIONS).map_or(&[], |sections| sections.as_slice())
}

/// The list with this name in a dictionary.
fn member<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Vec<Value>> {
    let Value::Dict(pairs) = value else {
        return None;
    };
    pairs.iter_mut().find_map(|(key, value)| match (key, value) {
        (Value::Str(key), Value::List(items)) if key == name => Some(items),
        _ => None,
    })
}

/// Numbers warnings.
#[derive(Debug, Default)]
pub struct WarningNumbers(HashMap<String, u32>);

impl WarningNumbers {
    /// The event for a warning, given its encoded form.
    pub fn event(&mut self, t: Test, data: String) -> TestWarning {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        if let Some(&n) = self.0.get(&data) {
            return TestWarning {
                t,
                n,
                data: String::new(),
            };
        }
        self.0.insert(data.clone(), next);
        TestWarning { t, n: next, data }
    }
}
