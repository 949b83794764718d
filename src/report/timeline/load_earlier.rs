//! The same load test in an earlier run, for comparison.
//!
//! Few runs include load tests, so it need not be in the run before: it is searched for in all kept journals, the latest
//! first.

use super::load::{Measured, measurements};
use crate::journal::kept::kept_before;
use crate::journal::load::LoadEnd;
use crate::journal::merged::Merged;
use crate::journal::seconds;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

/// What the line of a load test's result begins with. Journals without such a line, most of them, are not parsed.
const RESULT: &[u8] = b"{\"e\":\"loadresult\"";

/// A load test of an earlier run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Before {
    /// The id of its run.
    run: String,
    /// When its run began, in seconds since the epoch.
    started: f64,
    #[serde(flatten)]
    measured: Measured,
}

/// Load tests of earlier runs, by node id and by what was asked for.
#[derive(Debug, Default)]
pub struct Earlier {
    found: HashMap<(String, String), Before>,
}

impl Earlier {
    /// Looks for the load tests of some runs in the journals that are kept from before them.
    #[must_use]
    pub fn find(journal: &Path, merged: &Merged) -> Self {
        let mut earlier = Self::default();
        let mut wanted = keys(merged);
        if wanted.is_empty() {
            return earlier;
        }
        let own = super::ids(merged);
        for path in kept_before(journal) {
            if wanted.is_empty() {
                break;
            }
            let Some(before) = has_results(&path).then(|| Merged::read(&path).ok()).flatten() else {
                continue;
            };
            if own.is_disjoint(&super::ids(&before)) {
                earlier.add(&before, &mut wanted);
            }
        }
        earlier
    }

    /// Takes the load tests of earlier runs that are wanted and that have not been broken off: of several, the latest.
    pub(super) fn add(&mut self, before: &Merged, wanted: &mut HashSet<(String, String)>) {
        for part in before.parts.iter().rev() {
            for (result, of_seconds) in measurements(part).into_iter().rev() {
                let Some(result) =
                    result.filter(|one| matches!(one.end, LoadEnd::Complete | LoadEnd::Stopped))
                else {
                    continue;
                };
                let key = (part.run.id(result.t).to_owned(), result.load.clone());
                if wanted.remove(&key) {
                    let before = Before {
                        run: part.run.head.id.clone(),
                        started: seconds(part.run.head.began),
                        measured: Measured::new(Some(result), &of_seconds),
                    };
                    self.found.insert(key, before);
                }
            }
        }
    }

    /// The earlier load test with this node id and plan.
    pub(super) fn of(&self, id: &str, plan: &str) -> Option<&Before> {
        self.found.get(&(id.to_owned(), plan.to_owned()))
    }
}

/// Node id and plan of each load test.
pub(super) fn keys(merged: &Merged) -> HashSet<(String, String)> {
    let results = merged.parts.iter().flat_map(|part| {
        let results = part.run.load_results.iter();
        results.map(|result| (part.run.id(result.t).to_owned(), result.load.clone()))
    });
    results.collect()
}

/// Whether a journal contains a result of a load test.
fn has_results(journal: &Path) -> bool {
    fs::read(journal).is_ok_and(|bytes| {
        bytes
            .split(|&byte| byte == b'\n')
            .any(|line| line.starts_with(RESULT))
    })
}
