//! Python bindings for comparing the runs of `rustpar doctor`.

use super::text::Text;
use crate::analysis::trials::{self, Record, Trials, Way};
use crate::report::terminal::doctor;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::collections::BTreeMap;

/// The record of a run: outcomes by node id, reasons against a template, and the exit status.
type Recorded = (BTreeMap<String, String>, Vec<String>, Option<i32>);

/// Parses the record that `rustpar.cli.outcome_recorder` has written; see the stub.
#[pyfunction]
pub(super) fn read_trial(py: Python<'_>, lines: &str, was_stopped: bool) -> Recorded {
    let record = py.detach(|| Record::parse(lines, was_stopped));
    (record.outcomes, record.reasons, record.status)
}

/// `rustpar.cli.trial.Trial`.
#[derive(FromPyObject)]
pub(super) struct Trial {
    key: String,
    name: String,
    seconds: f64,
    limit: Option<f64>,
    outcomes: BTreeMap<String, String>,
    reasons: Vec<Text>,
    status: Option<i32>,
}

impl TryFrom<Trial> for trials::Trial {
    type Error = PyErr;

    fn try_from(trial: Trial) -> PyResult<Self> {
        let unknown = || PyValueError::new_err(format!("unknown trial {:?}", trial.key));
        let way = Way::from_key(&trial.key).ok_or_else(unknown)?;
        Ok(Self {
            way,
            name: trial.name,
            seconds: trial.seconds,
            limit: trial.limit,
            record: Record {
                outcomes: trial.outcomes,
                reasons: super::text::texts(trial.reasons),
                status: trial.status,
            },
        })
    }
}

fn all(runs: Vec<Trial>) -> PyResult<Trials> {
    let runs: PyResult<Vec<_>> = runs.into_iter().map(trials::Trial::try_from).collect();
    runs.map(Trials)
}

/// The line about a finished run, compared with the run in plain pytest.
#[pyfunction]
pub(super) fn trial_line(trial: Trial, plain: Trial) -> PyResult<String> {
    Ok(doctor::ended(&trial.try_into()?, &plain.try_into()?))
}

/// Whether any test has different outcomes.
#[pyfunction]
pub(super) fn trials_differ(trials: Vec<Trial>) -> PyResult<bool> {
    Ok(!all(trials)?.differing().is_empty())
}

/// The lines that compare all runs, and whether they agree.
#[pyfunction]
pub(super) fn comparison_lines(py: Python<'_>, trials: Vec<Trial>) -> PyResult<(Vec<String>, bool)> {
    let trials = all(trials)?;
    Ok(py.detach(|| (doctor::comparison(&trials), trials.agree())))
}
