//! A plan as text: how much each worker runs, when it ends, and what limits the run.
//!
//! The hazard it handles: if no duration is known, times would be invented. Then tests are counted.

use crate::schedule::expected_run::ExpectedRun;
use crate::schedule::forecast::Forecast;
use crate::schedule::mode::{Mode, Rules};
use crate::schedule::policy::Test;
use crate::schedule::simulation::{SimulationError, Step};
use crate::text::duration::{micros, spoken};
use crate::text::{counted, table};
use std::collections::HashMap;

/// Number of tests or groups shown for the worker that ends last.
const MAX_STEPS_SHOWN: usize = 3;

/// A bound limits the plan if the plan is at most this factor longer: a better order could not save more.
const LIMITING_FACTOR: f64 = 1.1;

/// The tests to plan.
#[derive(Debug)]
pub struct Suite<'a> {
    /// Their node ids.
    pub node_ids: &'a [String],
    /// The names of `xdist_group` marks; `None` for tests without one.
    pub groups: &'a [Option<String>],
    /// `--dist`, as it was given.
    pub dist: &'a str,
    /// The parsed distribution mode.
    pub mode: Mode,
    /// The constraints of the tests.
    pub rules: Rules,
    /// The names of the resources, indexed by number.
    pub resources: Vec<String>,
    /// Expected durations.
    pub forecast: Forecast,
}

/// The lines about a run on `workers` workers, with `warnings` after the first one.
///
/// # Errors
/// If no plan can be made.
pub fn lines(suite: &Suite<'_>, workers: usize, warnings: &[String]) -> Result<Vec<String>, SimulationError> {
    let made_by = |mode: &Mode| ExpectedRun::new(mode, &suite.forecast, &suite.rules, workers);
    let made = made_by(&suite.mode)?;
    let by_duration = suite.mode.by_duration().map(|mode| made_by(&mode)).transpose()?;
    let view = View::new(suite, &made);
    let mut lines = vec![view.head()];
    lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.push(String::new());
    lines.extend(view.table());
    lines.push(String::new());
    lines.push(view.result());
    lines.extend(by_duration.and_then(|other| view.gain(&other)));
    lines.push("limited by:".to_owned());
    lines.extend(view.limits().into_iter().map(|limit| format!("  {limit}")));
    Ok(lines)
}

/// A plan and its inputs.
struct View<'a> {
    suite: &'a Suite<'a>,
    made: &'a ExpectedRun,
    /// Number of tests whose durations are known.
    known: usize,
    ends: Vec<f64>,
    end: f64,
}

impl<'a> View<'a> {
    fn new(suite: &'a Suite<'a>, made: &'a ExpectedRun) -> Self {
        Self {
            suite,
            made,
            known: suite.forecast.seconds.iter().flatten().count(),
            ends: made.ends(),
            end: made.end(),
        }
    }

    /// Formats an amount of work: a time, or a number of tests if no durations are known.
    fn amount(&self, value: f64) -> String {
        if self.known > 0 {
            return spoken(micros(value));
        }
        // Every test counts as 1, but a policy may wait for fractions of that.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of tests, not below 0"
        )]
        let count = (value - 0.05).ceil().max(0.0) as usize;
        counted(count, "test")
    }

    fn total(&self, steps: &[Step]) -> [String; 2] {
        [sum(steps, took), sum(steps, set_up)].map(|seconds| self.amount(seconds))
    }

    /// The heading.
    fn head(&self) -> String {
        let (known, total) = (self.known, self.suite.node_ids.len());
        let known = match known {
            _ if known == total => format!("durations of {total} tests known"),
            0 => "no durations known: run the tests once to see times".to_owned(),
            _ => format!("durations of {known} of {total} tests known"),
        };
        let workers = counted(self.made.workers.len(), "worker");
        let tests = counted(total, "test");
        format!("{tests}, {workers}, --dist {}, {known}", self.suite.dist)
    }

    /// The table of workers.
    fn table(&self) -> Vec<String> {
        let mut head = vec!["worker", "tests"];
        if self.known > 0 {
            head.extend(["expected", "set-up", "ends at"]);
        }
        let mut rows: Vec<Vec<String>> = vec![head.into_iter().map(str::to_owned).collect()];
        let workers = self.made.workers.iter().zip(&self.ends).enumerate();
        rows.extend(workers.map(|(number, (steps, end))| self.row(format!("gw{number}"), steps, Some(*end))));
        let every = self.made.workers.concat();
        rows.push(self.row("total".to_owned(), &every, None));
        table::aligned(&rows, &[0])
    }

    fn row(&self, name: String, steps: &[Step], end: Option<f64>) -> Vec<String> {
        let mut row = vec![name, steps.len().to_string()];
        if self.known > 0 {
            row.extend(self.total(steps));
            row.push(end.map_or_else(String::new, |end| self.amount(end)));
        }
        row
    }

    /// The expected duration and the lower bound.
    fn result(&self) -> String {
        let least = self.made.bounds.least();
        let above = if least > 0.0 {
            percent(self.end / least - 1.0)
        } else {
            0.0
        };
        let (end, least) = (self.amount(self.end), self.amount(least));
        format!("expected: {end}; lower bound {least} ({above:.0} % above)")
    }

    /// The saving of `other`, the plan by duration; `None` if no durations are known.
    fn gain(&self, other: &ExpectedRun) -> Option<String> {
        const OPTION: &str = "--rustpar-plan=duration";
        if self.known == 0 {
            return None;
        }
        let end = other.end();
        let less = if self.end > 0.0 {
            percent(1.0 - end / self.end)
        } else {
            0.0
        };
        if less < 1.0 {
            return Some(format!("{OPTION} would save nothing"));
        }
        let end = self.amount(end);
        Some(format!(
            "{OPTION} would take {end} ({less:.0} % less), if no test depends on another"
        ))
    }

    /// What limits the plan.
    fn limits(&self) -> Vec<String> {
        let (bounds, suite) = (&self.made.bounds, self.suite);
        let even = self.amount(bounds.even);
        let workers = counted(self.made.workers.len(), "worker");
        let even = if self.known > 0 {
            format!("an even split over {workers} would take {even}")
        } else {
            format!("an even split over {workers} would be {even} each")
        };
        let mut limits = Vec::new();
        let longest = &bounds.longest;
        if self.limits_by(longest.seconds) {
            let takes = if self.known > 0 {
                format!("takes {}", self.amount(longest.seconds))
            } else {
                "stays on one worker".to_owned()
            };
            limits.push(format!("{} alone {takes}", self.name(&longest.tests)));
        }
        if bounds.serial > 0.0 && self.limits_by(bounds.around_serial) {
            let tests = suite.rules.needs.iter().filter(|needs| needs.serial);
            let tests = counted(tests.count(), "serial test");
            let groups = match suite.mode {
                Mode::Units { .. } => " with all of their groups",
                _ => "",
            };
            let seconds = self.amount(bounds.serial);
            limits.push(format!("nothing else runs during {tests}{groups}: {seconds}"));
        }
        let resources = suite.resources.iter().zip(&suite.rules.places);
        for ((name, places), &held) in resources.zip(&bounds.resources) {
            if self.limits_by(held) {
                let places = counted(*places as usize, "place");
                let held = self.amount(held);
                limits.push(format!("resource {name} has {places}, and is in use for {held}"));
            }
        }
        if limits.is_empty() {
            let mut lines = Vec::new();
            if self.end <= bounds.even * LIMITING_FACTOR {
                lines.push(format!("the work as a whole; {even}"));
            }
            lines.extend(self.last());
            return lines;
        }
        limits
            .into_iter()
            .map(|limit| format!("{limit}; {even}"))
            .collect()
    }

    /// Whether this bound, rather than the amount of work, limits the run.
    fn limits_by(&self, bound: f64) -> bool {
        bound > self.made.bounds.even * 1.001 && self.end <= bound * LIMITING_FACTOR
    }

    /// The worker that ends last, with its longest tests or groups.
    fn last(&self) -> Vec<String> {
        let steps = self.ends.iter().zip(&self.made.workers).enumerate();
        let last = steps
            .rev()
            .max_by(|(_, (one, _)), (_, (other, _))| one.total_cmp(other));
        let Some((number, (end, steps))) = last else {
            return Vec::new();
        };
        let what = match self.suite.mode {
            Mode::Units { .. } => "groups",
            _ => "tests",
        };
        let end = self.amount(*end);
        let mut lines = vec![format!(
            "gw{number} ends last, at {end}; the longest of its {what}:"
        )];
        let mut longest = self.together(steps);
        longest.sort_by(|one, other| sum(other, took).total_cmp(&sum(one, took)));
        longest.truncate(MAX_STEPS_SHOWN);
        let rows: Vec<Vec<String>> = longest.iter().map(|steps| self.longest(steps)).collect();
        let rows = table::aligned(&rows, &[1]);
        lines.extend(rows.into_iter().map(|row| format!("  {row}")));
        lines
    }

    /// Groups steps that must stay on one worker, in the order of their start.
    fn together(&self, steps: &[Step]) -> Vec<Vec<Step>> {
        let Mode::Units { keys, .. } = &self.suite.mode else {
            return steps.iter().map(|step| vec![*step]).collect();
        };
        let mut found: Vec<Vec<Step>> = Vec::new();
        let mut places = HashMap::new();
        for step in steps {
            let place = *places.entry(keys[step.test as usize]).or_insert(found.len());
            if place == found.len() {
                found.push(Vec::new());
            }
            found[place].push(*step);
        }
        found
    }

    fn longest(&self, steps: &[Step]) -> Vec<String> {
        let tests: Vec<Test> = steps.iter().map(|step| step.test).collect();
        let [took, shared] = self.total(steps);
        let shared = if sum(steps, set_up) > 0.0 {
            format!(", {shared} of it for setting up shared fixtures")
        } else {
            String::new()
        };
        let needs = |test: &Test| self.suite.rules.needs.get(*test as usize);
        let serial = if tests.iter().filter_map(needs).any(|needs| needs.serial) {
            ", serial"
        } else {
            ""
        };
        vec![took, format!("{}{shared}{serial}", self.name(&tests))]
    }

    /// The node id of a single test; the group, class or file of several.
    fn name(&self, tests: &[Test]) -> String {
        let Some(&first) = tests.first() else {
            return String::new();
        };
        let node_id = &self.suite.node_ids[first as usize];
        if tests.len() == 1 {
            return node_id.clone();
        }
        let group = match &self.suite.groups[first as usize] {
            Some(group) => group.clone(),
            None => scope(node_id, self.suite.dist == "loadfile"),
        };
        format!("{group} ({} tests)", tests.len())
    }
}

/// The file of a test, or its class if it has one and `file` is false.
fn scope(node_id: &str, file: bool) -> String {
    let (path, names) = node_id.split_once("::").unwrap_or((node_id, ""));
    // Parameters may contain colons, too.
    let names = names.split_once('[').map_or(names, |(names, _)| names);
    match names.rsplit_once("::") {
        Some((classes, _)) if !file => format!("{path}::{classes}"),
        _ => path.to_owned(),
    }
}

/// Expected duration of a test, including the shared fixtures set up for it.
fn took(step: &Step) -> f64 {
    step.end.saturating_sub(step.start).as_secs_f64()
}

fn set_up(step: &Step) -> f64 {
    step.set_up.as_secs_f64()
}

fn sum(steps: &[Step], of: fn(&Step) -> f64) -> f64 {
    steps.iter().map(of).sum()
}

fn percent(rate: f64) -> f64 {
    // Adding 0.0 avoids "-0".
    (rate * 100.0).round() + 0.0
}

#[cfg(test)]
mod tests;
