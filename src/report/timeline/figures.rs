//! Figures on the timeline page that are computed by the analysis: percentiles, the bound and thresholds.

use super::problem::Problem;
use crate::analysis::bound::{self, Limit};
use crate::analysis::durations::{Durations, Spread};
use crate::analysis::threshold_check::{Judgement, judge};
use crate::journal::merged::Merged;
use crate::journal::run::Run;
use crate::journal::seconds;
use serde::Serialize;
use std::collections::BTreeMap;

/// The figures, with the keys used by the page.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Figures {
    durations: BTreeMap<&'static str, BTreeMap<&'static str, f64>>,
    /// `None` for several runs, which were not scheduled together.
    bound: Option<Bound>,
    pub(super) thresholds: Vec<Judgement>,
}

#[derive(Debug, Clone, Serialize)]
struct Bound {
    seconds: f64,
    by: String,
}

impl Figures {
    /// Computes the figures of some runs.
    pub(super) fn new(merged: &Merged) -> Result<Self, Problem> {
        Ok(Self {
            durations: durations(&Durations::new(merged)),
            bound: match &merged.parts[..] {
                [only] => bound(&only.run),
                _ => None,
            },
            thresholds: judge(merged)?,
        })
    }
}

fn durations(all: &Durations) -> BTreeMap<&'static str, BTreeMap<&'static str, f64>> {
    let [set_up, call, teardown] = &all.phases;
    let spreads = [
        ("test", &all.whole),
        ("setup", set_up),
        ("call", call),
        ("teardown", teardown),
    ];
    let known = spreads
        .into_iter()
        .filter_map(|(name, spread)| Some((name, percentiles(spread)?)));
    known.collect()
}

/// `None` if there are no durations.
fn percentiles(spread: &Spread) -> Option<BTreeMap<&'static str, f64>> {
    let figures = [
        ("p50", spread.percentile(50.0)?),
        ("p95", spread.percentile(95.0)?),
        ("p99", spread.percentile(99.0)?),
        ("max", spread.most()?),
    ];
    Some(figures.map(|(name, time)| (name, seconds(time))).into())
}

fn bound(run: &Run) -> Option<Bound> {
    if run.attempts.is_empty() {
        return None;
    }
    let bound = bound::Bound::new(run);
    let by = match bound.limit {
        Limit::Work if bound.workers == 1 => "all tests one after the other".to_owned(),
        Limit::Work => format!("an even split over {} workers", bound.workers),
        Limit::Test(test) => run.id(test).to_owned(),
        Limit::Group { name, tests } => format!("{name}, {tests} tests that stay together"),
        Limit::Serial(tests) => format!("{tests} serial tests, and an even split of the rest"),
    };
    Some(Bound {
        seconds: seconds(bound.least),
        by,
    })
}
