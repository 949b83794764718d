//! Python bindings of the plans of load tests.

use super::text::{Text, texts};
use crate::load::mark::Mark;
use crate::load::plan::Plan;
use crate::load::profile::{AS_MARKED, Profile};
use crate::text::duration;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

fn invalid(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A duration as a mark writes it: seconds, or a text with a unit.
#[derive(FromPyObject)]
enum Time {
    Seconds(f64),
    Text(Text),
}

impl Time {
    fn seconds(&self) -> PyResult<f64> {
        match self {
            Self::Seconds(seconds) if *seconds >= 0.0 => Ok(*seconds),
            Self::Seconds(seconds) => Err(invalid(format!("invalid duration '{seconds}'"))),
            Self::Text(Text(text)) => duration::parse(text).map_err(invalid),
        }
    }
}

/// A pause: a duration, or a text with two of them.
fn pause(think: &Time) -> PyResult<(f64, f64)> {
    if let Time::Text(Text(text)) = think
        && let Some((least, most)) = text.split_once("..")
    {
        let seconds = |text: &str| duration::parse(text).map_err(invalid);
        let (least, most) = (seconds(least)?, seconds(most)?);
        if least > most {
            return Err(invalid(format!(
                "invalid pause '{text}': expected for example 1s..3s"
            )));
        }
        return Ok((least, most));
    }
    let seconds = think.seconds()?;
    Ok((seconds, seconds))
}

fn stages(stages: Option<Vec<(Time, f64)>>) -> PyResult<Vec<(f64, f64)>> {
    let stages = stages.unwrap_or_default();
    let stages = stages.iter().map(|(time, target)| {
        if *target < 0.0 {
            return Err(invalid(format!("invalid target {target} of a stage")));
        }
        Ok((time.seconds()?, *target))
    });
    stages.collect()
}

/// What a load test does; see the stub.
#[pyclass(module = "rustpar._core", frozen)]
pub(super) struct LoadPlan {
    pub(super) core: Plan,
}

#[pymethods]
impl LoadPlan {
    #[new]
    #[pyo3(signature = (
        *, users=None, duration=None, stages=None, rate=None, rate_stages=None, iterations=None,
        iterations_per_user=None, think=None, graceful_stop=None, seed=0, thresholds=None, abort=None, weights=vec![],
        sequence=false,
    ))]
    fn new(
        users: Option<f64>,
        duration: Option<Time>,
        stages: Option<Vec<(Time, f64)>>,
        rate: Option<f64>,
        rate_stages: Option<Vec<(Time, f64)>>,
        iterations: Option<u64>,
        iterations_per_user: Option<u64>,
        think: Option<Time>,
        graceful_stop: Option<Time>,
        seed: u64,
        thresholds: Option<Text>,
        abort: Option<Text>,
        weights: Vec<u32>,
        sequence: bool,
    ) -> PyResult<Self> {
        let seconds = |time: Option<Time>| time.map(|time| time.seconds()).transpose();
        let mark = Mark {
            users,
            duration: seconds(duration)?,
            stages: self::stages(stages)?,
            rate,
            rate_stages: self::stages(rate_stages)?,
            iterations,
            iterations_per_user,
            think: think.map(|think| pause(&think)).transpose()?,
            graceful_stop: seconds(graceful_stop)?,
            seed,
            thresholds: thresholds.map_or_else(String::new, |Text(text)| text),
            abort: abort.map(|Text(text)| text),
            weights,
            sequence,
        };
        Ok(Self {
            core: mark.plan().map_err(invalid)?,
        })
    }

    /// The plan in another profile.
    fn in_profile(&self, name: &str, defined: Vec<Text>) -> PyResult<Self> {
        let profile = Profile::named(name, &texts::<Vec<String>>(defined)).map_err(invalid)?;
        let mut core = self.core.clone();
        profile.apply(&mut core).map_err(invalid)?;
        Ok(Self { core })
    }

    /// Checks the name of a profile.
    #[staticmethod]
    fn check_profile(name: &str, defined: Vec<Text>) -> PyResult<()> {
        Profile::named(name, &texts::<Vec<String>>(defined)).map_err(invalid)?;
        Ok(())
    }

    /// As a text, for another process.
    fn dumps(&self) -> PyResult<String> {
        serde_json::to_string(&self.core).map_err(invalid)
    }

    #[staticmethod]
    fn loads(text: &str) -> PyResult<Self> {
        Ok(Self { core: parse(text)? })
    }

    /// What is asked for, in words.
    #[getter]
    fn words(&self) -> String {
        self.core.words()
    }

    /// The highest number of users.
    #[getter]
    fn users(&self) -> u32 {
        self.core.users
    }

    /// Seconds without the graceful stop.
    #[getter]
    fn seconds(&self) -> f64 {
        self.core.seconds()
    }

    /// Seconds for which running iterations may go on at the end.
    #[getter]
    fn graceful_stop(&self) -> f64 {
        self.core.graceful_stop
    }

    #[classattr]
    const AS_MARKED: &str = AS_MARKED;
}

/// Parses what [`LoadPlan::dumps`] has returned.
pub(super) fn parse(text: &str) -> PyResult<Plan> {
    serde_json::from_str(text).map_err(invalid)
}
