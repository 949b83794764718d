//! Where the time of a run went: slow tests, percentiles, workers, the lower bound, and thresholds.
//!
//! Node ids are formatted by `place`: at the end of a run relative to the start directory, as pytest does.

use super::Line;
use crate::analysis::bound::{Bound, Limit};
use crate::analysis::durations::{Durations, Spread};
use crate::analysis::slow;
use crate::analysis::threshold_check::Judgement;
use crate::analysis::usage::{Usage, usage};
use crate::journal::Micros;
use crate::journal::merged::{Merged, Part};
use crate::text::counted;
use crate::text::duration::spoken;
use crate::text::table::aligned;

/// A slow test that took so many times its usual duration is highlighted.
const HIGHLIGHT_FACTOR: f64 = 2.0;

/// Maximum number of slow tests listed. If there are more, the limit is too low, and a longer list would hide the
/// failures.
const SLOWEST_TESTS: usize = 25;

const PHASES: [&str; 4] = ["tests", "set-up", "call", "teardown"];

/// Formats a node id.
pub type Place<'a> = &'a dyn Fn(&str) -> String;

/// The title of the slow tests, with the limit of the last run.
#[must_use]
pub fn slow_title(merged: &Merged) -> String {
    let last = merged.parts.last();
    let limit = last.map_or(slow::DEFAULT_LIMIT, |last| slow::limit(&last.run));
    format!("slow tests ({} and more)", spoken(limit))
}

/// The slow tests, longest first; those that took far longer than usual are highlighted. Empty if there are none.
#[must_use]
pub fn slow_tests(merged: &Merged, place: Place<'_>) -> Vec<Line> {
    let found = slow::slow(merged);
    if found.is_empty() {
        return Vec::new();
    }
    let [_, set_up, call, teardown] = PHASES;
    let mut rows = vec![
        ["whole", set_up, call, teardown, "worker", "", "test"]
            .map(str::to_owned)
            .into(),
    ];
    let mut stand_out = vec![false];
    for slow in found.iter().take(SLOWEST_TESTS) {
        let attempt = slow.attempt;
        let times = slow::times_usual(slow.run, attempt);
        let mut row = vec![spoken(attempt.took())];
        let phases = attempt.phases.iter();
        row.extend(phases.map(|phase| phase.map_or_else(String::new, |phase| spoken(phase.took))));
        row.push(merged.process_name(slow.part, attempt.process));
        row.push(times.map_or_else(String::new, |times| format!("{times:.1}x its usual")));
        row.push(place(slow.run.id(attempt.test)));
        rows.push(row);
        stand_out.push(times.is_some_and(|times| times >= HIGHLIGHT_FACTOR));
    }
    let texts = aligned(&rows, &[4, 6]).into_iter();
    let mut lines: Vec<Line> = texts
        .zip(stand_out)
        .map(|(text, is_highlighted)| Line { text, is_highlighted })
        .collect();
    if found.len() > SLOWEST_TESTS {
        lines.push(Line {
            text: format!("and {} more", found.len() - SLOWEST_TESTS),
            is_highlighted: false,
        });
    }
    lines
}

/// Percentiles, and if workers ran the tests, their usage and the lower bound of the run. Empty if no test ran.
#[must_use]
pub fn timing(merged: &Merged, place: Place<'_>) -> Vec<String> {
    let mut lines = percentiles(merged);
    let workers = workers(merged);
    if !workers.is_empty() {
        lines.push(String::new());
        lines.extend(workers);
        lines.extend(lower_bound(merged, place));
    }
    lines
}

/// Percentiles of durations, in total and by phase; empty if no test ran.
#[must_use]
pub fn percentiles(merged: &Merged) -> Vec<String> {
    let durations = Durations::new(merged);
    let [set_up, call, teardown] = &durations.phases;
    let row = |(name, spread): (&str, &Spread)| {
        let times = [50.0, 95.0, 99.0].map(|percent| spread.percentile(percent));
        let mut row = vec![name.to_owned(), spread.count().to_string()];
        for time in times.into_iter().chain([spread.most()]) {
            row.push(spoken(time?));
        }
        Some(row)
    };
    let spreads = PHASES.into_iter().zip([&durations.whole, set_up, call, teardown]);
    let rows: Vec<Vec<String>> = spreads.filter_map(row).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let head = ["", "count", "p50", "p95", "p99", "max"].map(str::to_owned);
    aligned(&[vec![head.into()], rows].concat(), &[0])
}

/// The usage of each worker; empty if tests ran in the main process.
#[must_use]
pub fn workers(merged: &Merged) -> Vec<String> {
    let parts = merged.parts.iter().enumerate();
    let usages: Vec<(usize, Usage)> = parts
        .flat_map(|(part, known)| usage(&known.run).into_iter().map(move |usage| (part, usage)))
        .collect();
    let is_worker = |(part, usage): &(usize, Usage)| {
        let process = &merged.parts[*part].run.processes[usage.process];
        merged.parts.len() > 1 || process.number.is_some()
    };
    if !usages.first().is_some_and(is_worker) {
        return Vec::new();
    }
    let head = ["worker", "tests", "busy", "", "set-up", "shared fixtures", "idle"];
    let rows = usages.iter().map(|(part, usage)| {
        vec![
            merged.process_name(*part, usage.process),
            usage.tests.to_string(),
            spoken(usage.busy),
            format!("{} %", part_of(usage.busy, usage.busy + usage.idle)),
            spoken(usage.set_up),
            spoken(usage.shared),
            spoken(usage.idle),
        ]
    });
    let rows: Vec<Vec<String>> = [head.map(str::to_owned).into()].into_iter().chain(rows).collect();
    aligned(&rows, &[0])
}

/// The lower bound of a run's duration and what limits it. Empty if no test ran, and for several runs, which were not
/// scheduled together.
#[must_use]
pub fn lower_bound(merged: &Merged, place: Place<'_>) -> Vec<String> {
    let [Part { run, .. }] = &merged.parts[..] else {
        return Vec::new();
    };
    if run.attempts.is_empty() {
        return Vec::new();
    }
    let bound = Bound::new(run);
    let least = spoken(bound.least);
    let limit = match &bound.limit {
        Limit::Work => "the work as a whole".to_owned(),
        Limit::Test(test) => format!("{} alone takes {least}", place(run.id(*test))),
        Limit::Group { name, tests } => {
            format!("{name} ({}) alone takes {least}", counted(*tests, "test"))
        }
        Limit::Serial(tests) => format!("nothing else runs during {}", counted(*tests, "serial test")),
    };
    vec![
        format!(
            "tests ran for {}; lower bound {least} ({} % above)",
            spoken(bound.took),
            part_of(bound.took.saturating_sub(bound.least), bound.least)
        ),
        format!(
            "limited by: {limit}; an even split over {} would take {}",
            counted(bound.workers, "worker"),
            spoken(bound.even)
        ),
    ]
}

/// The results of thresholds; broken ones are highlighted.
#[must_use]
pub fn thresholds(judgements: &[Judgement]) -> Vec<Line> {
    let rows: Vec<Vec<String>> = judgements
        .iter()
        .map(|one| {
            let became = if one.broken { "broken" } else { "kept" };
            vec![became.to_owned(), one.text.clone(), one.value.clone()]
        })
        .collect();
    let texts = aligned(&rows, &[0, 1]).into_iter().zip(judgements);
    let lines = texts.map(|(text, one)| Line {
        text,
        is_highlighted: one.broken,
    });
    lines.collect()
}

/// The share of `part` in `whole`, in whole percent.
fn part_of(part: Micros, whole: Micros) -> u128 {
    let (part, whole) = (u128::from(part), u128::from(whole));
    (200 * part + whole).checked_div(2 * whole).unwrap_or(0)
}

#[cfg(test)]
mod tests;
