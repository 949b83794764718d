//! Conversion of facts about the collection from Python to the scheduling types.

use super::collection::NeedsOf;
use super::text::{Text, texts};
use crate::report::terminal::plan::{self, Suite};
use crate::schedule::constraints::needs::Needs;
use crate::schedule::forecast::Forecast;
use crate::schedule::mode::{Dist, Mode, Rules};
use crate::schedule::policies::load::Plan as Order;
use crate::schedule::policies::scope;
use crate::schedule::policy::{Fixture, Test, Worker};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::collections::{HashMap, HashSet};

/// The result of `inventory.facts`, with values from the history.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Facts {
    classes: Vec<u32>,
    needs: Vec<NeedsOf>,
    places: HashMap<String, u32>,
    /// The keys of shared fixtures.
    kinds: Vec<Text>,
    instances: Vec<u32>,
    fixtures: Vec<(Test, Vec<Fixture>)>,
    /// The worker that has collected each test; empty if one process has collected all.
    owners: Vec<Worker>,
    /// Seconds that collecting one file has taken then.
    collect_seconds: f64,
    /// Expected seconds of each test; empty without a history.
    seconds: Vec<Option<f64>>,
    failed: Vec<bool>,
    setup_seconds: Vec<Option<f64>>,
}

impl Facts {
    /// The keys of shared fixtures.
    pub(super) fn keys(&self) -> impl Iterator<Item = String> {
        self.kinds.iter().map(|Text(key)| key.clone())
    }

    /// The names of the resources that tests need, indexed by number.
    fn resources(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let names = self.needs.iter().flat_map(|(.., holds)| holds);
        names
            .filter(|(name, _)| seen.insert(name))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The constraints and the forecast for these tests.
    pub(super) fn into_plan(self, node_ids: &[String]) -> (Rules, Forecast) {
        let names = self.resources();
        let places = names
            .iter()
            .map(|name| self.places.get(name).copied().unwrap_or(1))
            .collect();
        let numbers: HashMap<String, u32> = names.into_iter().zip(0..).collect();
        let mut needs = Vec::new();
        for (test, serial, holds) in self.needs {
            let mut holds: Vec<(u32, bool)> = holds
                .iter()
                .map(|(name, shared)| (numbers[name], *shared))
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
            scopes: scope::by_key(node_ids, scope::scope_key),
            cuts: Vec::new(),
            owners: self.owners,
            collect_seconds: self.collect_seconds,
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

/// The value of `--dist` of this name.
fn dist_of(name: &str) -> PyResult<Dist> {
    Dist::from_name(name).ok_or_else(|| PyValueError::new_err(format!("unknown distribution mode {name:?}")))
}

/// The name of xdist's scheduler class for `--dist`. Raises ValueError for an unknown mode.
#[pyfunction]
pub(super) fn scheduler_name(dist: &str) -> PyResult<&'static str> {
    dist_of(dist).map(Dist::scheduler_name)
}

/// The mode for `--dist` and, for `load`, `--rustpar-plan`. `groups` are the names of `xdist_group` marks.
pub(super) fn mode(
    dist: &str,
    node_ids: &[String],
    groups: &[Option<String>],
    max_chunk: Option<usize>,
    reorder: bool,
    plan: &str,
) -> PyResult<Mode> {
    let units = |keys| Mode::Units { keys, reorder };
    Ok(match dist_of(dist)? {
        Dist::Load => {
            let plan = match plan {
                "collection" => Order::Collection,
                "duration" => Order::Duration,
                _ => return Err(PyValueError::new_err(format!("unknown plan {plan:?}"))),
            };
            Mode::Load { max_chunk, plan }
        }
        Dist::WorkSteal => Mode::WorkSteal,
        Dist::Each => Mode::Each,
        Dist::LoadFile => units(scope::by_key(node_ids, scope::file_key)),
        Dist::LoadScope => units(scope::by_key(node_ids, scope::scope_key)),
        Dist::LoadGroup => units(scope::by_group(groups)),
    })
}

/// The lines about the expected run: the tests of each worker and their times. The arguments are those of
/// `Engine.schedule`, with the node ids and the groups of all tests, the number of workers that were asked for, and
/// warnings to show. Raises RuntimeError if no
/// plan can be made.
#[pyfunction]
#[pyo3(signature = (node_ids, groups, dist, workers, *, max_chunk, reorder, plan, facts, warnings))]
pub(super) fn plan_lines(
    py: Python<'_>,
    node_ids: Vec<Text>,
    groups: Vec<Option<String>>,
    dist: &str,
    workers: usize,
    max_chunk: Option<usize>,
    reorder: bool,
    plan: &str,
    facts: Facts,
    warnings: Vec<Text>,
) -> PyResult<Vec<String>> {
    let node_ids: Vec<String> = texts(node_ids);
    let workers = dist_of(dist)?.workers_needed(workers, node_ids.len());
    let mode = mode(dist, &node_ids, &groups, max_chunk, reorder, plan)?;
    let warnings: Vec<String> = texts(warnings);
    let lines = py.detach(|| {
        let resources = facts.resources();
        let (rules, forecast) = facts.into_plan(&node_ids);
        let suite = Suite {
            node_ids: &node_ids,
            groups: &groups,
            dist,
            mode,
            rules,
            resources,
            forecast,
        };
        plan::lines(&suite, workers, &warnings)
    });
    Ok(lines?)
}
