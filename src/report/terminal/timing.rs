//! Where the time of a run went: slow tests, percentiles, workers, the lower bound, and thresholds.
//!
//! Node ids are shown as `place` has them: at the end of a run relative to where pytest was started, as pytest itself does.

use super::Line;
use crate::analysis::bound::{Bound, Decider};
use crate::analysis::durations::{Durations, Spread};
use crate::analysis::judge::Judgement;
use crate::analysis::slow;
use crate::analysis::usage::{Usage, usage};
use crate::journal::Micros;
use crate::journal::merged::{Merged, Part};
use crate::text::counted;
use crate::text::duration::spoken;
use crate::text::table::aligned;

/// A slow test that took so many times its usual time stands out.
const STANDS_OUT: f64 = 2.0;

/// Slow tests that are listed. Where more are slow, the limit is too low, and a longer list would hide the failures.
const MOST_SLOW: usize = 25;

const PHASES: [&str; 4] = ["tests", "set-up", "call", "teardown"];

/// What a node id is shown as.
pub type Place<'a> = &'a dyn Fn(&str) -> String;

/// The title above the slow tests, with the limit that the last run has.
#[must_use]
pub fn slow_title(merged: &Merged) -> String {
    let last = merged.parts.last();
    let limit = last.map_or(slow::USUAL_LIMIT, |last| slow::limit(&last.run));
    format!("slow tests ({} and more)", spoken(limit))
}

/// The slow tests, the longest first; those that took far longer than usual stand out. No line without slow tests.
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
    for slow in found.iter().take(MOST_SLOW) {
        let attempt = slow.attempt;
        let times = slow::times_usual(slow.run, attempt);
        let mut row = vec![spoken(attempt.took())];
        let phases = attempt.phases.iter();
        row.extend(phases.map(|phase| phase.map_or_else(String::new, |phase| spoken(phase.took))));
        row.push(merged.process_name(slow.part, attempt.process));
        row.push(times.map_or_else(String::new, |times| format!("{times:.1}x its usual")));
        row.push(place(slow.run.id(attempt.test)));
        rows.push(row);
        stand_out.push(times.is_some_and(|times| times >= STANDS_OUT));
    }
    let texts = aligned(&rows, &[4, 6]).into_iter();
    let mut lines: Vec<Line> = texts
        .zip(stand_out)
        .map(|(text, stands_out)| Line { text, stands_out })
        .collect();
    if found.len() > MOST_SLOW {
        lines.push(Line {
            text: format!("and {} more", found.len() - MOST_SLOW),
            stands_out: false,
        });
    }
    lines
}

/// Percentiles, and where workers ran the tests, what these did and how close the run came to its bound. No line when no
/// test ran.
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

/// Percentiles of durations, whole and by phase; no line when no test ran.
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

/// What each worker did; no line where tests ran in the process that the user has started.
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

/// How close a run came to what it could not be shorter than, and why that is so. No line where no test ran, and of
/// several runs: nobody has scheduled them together.
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
    let limit = match &bound.decider {
        Decider::Work => "the work as a whole".to_owned(),
        Decider::Test(test) => format!("{} alone takes {least}", place(run.id(*test))),
        Decider::Group { name, tests } => {
            format!("{name} ({}) alone takes {least}", counted(*tests, "test"))
        }
        Decider::Serial(tests) => format!("nothing runs beside {}", counted(*tests, "serial test")),
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

/// What became of thresholds; those that are broken stand out.
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
        stands_out: one.broken,
    });
    lines.collect()
}

/// How much of `whole` a part is, in whole per cent.
fn part_of(part: Micros, whole: Micros) -> u128 {
    let (part, whole) = (u128::from(part), u128::from(whole));
    (200 * part + whole).checked_div(2 * whole).unwrap_or(0)
}

#[cfg(test)]
mod tests;
