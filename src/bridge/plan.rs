//! What Python knows of a collection, as the scheduling wants it.

use crate::schedule::forecast::Forecast;
use crate::schedule::needs::Needs;
use crate::schedule::plan::{Mode, Rules};
use crate::schedule::scope;
use crate::schedule::{Fixture, Test};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::collections::HashMap;

/// What a test needs: its index, whether it is serial, and the resources with whether they may be shared.
type NeedsOf = (Test, bool, Vec<(String, bool)>);

/// What `inventory.facts` returns, and what is remembered of earlier runs.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Facts {
    classes: Vec<u32>,
    needs: Vec<NeedsOf>,
    places: HashMap<String, u32>,
    /// The keys of shared fixtures.
    pub(super) kinds: Vec<String>,
    instances: Vec<u32>,
    fixtures: Vec<(Test, Vec<Fixture>)>,
    /// Expected seconds of each test; empty when there is no history.
    seconds: Vec<Option<f64>>,
    failed: Vec<bool>,
    setup_seconds: Vec<Option<f64>>,
}

impl Facts {
    /// The rules and the forecast for these tests.
    pub(super) fn into_plan(self, node_ids: &[String]) -> (Rules, Forecast) {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut places = Vec::new();
        let mut needs = Vec::new();
        for (test, serial, holds) in self.needs {
            let mut holds: Vec<(u32, bool)> = holds
                .into_iter()
                .map(|(name, shared)| {
                    let place = self.places.get(&name).copied().unwrap_or(1);
                    let number = *numbers.entry(name).or_insert_with(|| {
                        places.push(place);
                        u32::try_from(places.len() - 1).unwrap_or(u32::MAX)
                    });
                    (number, shared)
                })
                .collect();
            holds.sort_unstable();
            needs.resize_with(node_ids.len(), Needs::default);
            if let Some(slot) = needs.get_mut(test as usize) {
                *slot = Needs { serial, holds };
            }
        }
        let mut fixtures = Vec::new();
        for (test, needed) in self.fixtures {
            fixtures.resize_with(node_ids.len(), Vec::new);
            if let Some(slot) = fixtures.get_mut(test as usize) {
                *slot = needed;
            }
        }
        let rules = Rules {
            classes: self.classes,
            needs,
            places,
        };
        let forecast = Forecast {
            tests: node_ids.len(),
            seconds: self.seconds,
            failed: self.failed,
            files: scope::by_key(node_ids, scope::file_key),
            fixtures,
            kinds: self.instances,
            setup_seconds: if self.setup_seconds.is_empty() {
                vec![None; self.kinds.len()]
            } else {
                self.setup_seconds
            },
        };
        (rules, forecast)
    }
}

/// The mode that `--dist` names. `groups` are the names that `xdist_group` marks give.
pub(super) fn mode(
    dist: &str,
    node_ids: &[String],
    groups: &[Option<String>],
    max_chunk: Option<usize>,
    reorder: bool,
) -> PyResult<Mode> {
    let units = |keys| Mode::Units { keys, reorder };
    Ok(match dist {
        "load" => Mode::Load(max_chunk),
        "worksteal" => Mode::WorkSteal,
        "each" => Mode::Each,
        "loadfile" => units(scope::by_key(node_ids, scope::file_key)),
        "loadscope" => units(scope::by_key(node_ids, scope::scope_key)),
        "loadgroup" => units(scope::by_group(groups)),
        _ => {
            return Err(PyValueError::new_err(format!(
                "unknown distribution mode {dist:?}"
            )));
        }
    })
}
