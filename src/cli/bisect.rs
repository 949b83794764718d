//! `rustpar bisect`: the fewest tests that make one fail. The native half decides which trials to run and what they mean;
//! `rustpar.cli.bisect` runs them.

use super::console::Console;
use super::error::Error;
use super::journal_lookup::RunChoice;
use super::project;
use crate::journal::merged::Merged;
use crate::journal::{Micros, micros};
use crate::replay::case::{Case, Mode};
use crate::replay::choice::{NotFound, Place, ambiguous, find_test, find_tests, worker_name, workers};
use crate::replay::failure::{Failure, Seen};
use crate::replay::order::{Step, steps};
use crate::replay::search::Search;
use crate::replay::setting::Setting;
use crate::replay::verdict::{About, Verdict};
use crate::text::counted;
use crate::text::duration;
use clap::Args;
use serde::Serialize;
use std::collections::HashSet;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// the failed test: its node id, the end of it, any part of it, or a pattern with *
    #[arg(value_name = "NODEID")]
    test: String,
    #[command(flatten)]
    run: RunChoice,
    /// stop searching after this time
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration::parse)]
    limit: f64,
    /// arguments for pytest
    #[arg(last = true, value_name = "ARGUMENT")]
    extra: Vec<String>,
}

/// A search for the cause of a failure.
#[derive(Debug)]
pub struct Bisection {
    search: Search,
    setting: Setting,
    extra: Vec<String>,
    limit: f64,
    /// How `rustpar replay` names the run.
    run: Vec<String>,
    prefix: String,
}

/// What the process that runs trials needs to know.
#[derive(Serialize)]
struct Plan<'a> {
    setting: &'a Setting,
    tests: Vec<&'a str>,
    /// The index of the failed test.
    test: usize,
    extra: &'a [String],
    /// Seconds for the whole search.
    limit: f64,
}

/// Finds the failure and prints it.
pub(super) fn prepare(options: Options, console: &mut Console<'_>) -> Result<Bisection, Error> {
    let (merged, place, step) = find(&options, console)?;
    let run = &merged.parts[place.0].run;
    let failure = Failure::recorded(run, &run.attempts[step.attempt]).ok_or(Error::NoRun)?;
    let case = Case::new(run, place.1, &step, failure);
    let root = project::root(&[case.test().id.clone()])?;
    let worker = worker_name(&merged, place);
    console.line(&format!(
        "{} failed on {worker} in run {}: {}",
        case.test().id,
        run.head.id,
        case.failure.in_words()
    ))?;
    let beside = case.count(Mode::Beside);
    console.line(&format!(
        "{} ran before it on {worker}, {beside} at the same time on other workers",
        counted(case.count(Mode::After), "test")
    ))?;
    let setting = Setting::new(&merged, place, &root);
    console.line(&setting.seed_line())?;
    let mut words = options.run.words(&merged);
    if merged.parts.len() > 1 {
        words.extend(["--worker".to_owned(), worker]);
    }
    Ok(Bisection {
        search: Search::new(case, 1),
        setting,
        extra: options.extra,
        limit: options.limit,
        run: words,
        prefix: project::prefix(&root)?,
    })
}

/// The latest run in which the test failed, and its first failed attempt there.
fn find(options: &Options, console: &mut Console<'_>) -> Result<(Merged, Place, Step), Error> {
    let mut last = None;
    for journal in options.run.latest_first(console)? {
        let merged = Merged::read(&journal)?;
        let error = match failed(&merged, &options.test) {
            Ok((place, step)) => return Ok((merged, place, step)),
            Err(Error::NotFound(error @ NotFound::AmbiguousTest { .. })) => return Err(error.into()),
            Err(error) => error,
        };
        last = last.or(Some(error));
    }
    Err(last.unwrap_or(Error::NoRun))
}

/// The node ids of the steps for which `is_wanted` holds, each once.
fn ids(merged: &Merged, is_wanted: impl Fn(Place, &Step) -> bool) -> Vec<&str> {
    let mut found = Vec::new();
    for place in workers(merged) {
        let run = &merged.parts[place.0].run;
        let steps = steps(run, place.1);
        let steps = steps.iter().filter(|step| is_wanted(place, step));
        found.extend(steps.map(|step| run.id(step.test)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The first failed attempt of a test, in the latest of several runs.
fn failed(merged: &Merged, pattern: &str) -> Result<(Place, Step), Error> {
    let is_failed = |place: Place, step: &Step| {
        let run = &merged.parts[place.0].run;
        Failure::recorded(run, &run.attempts[step.attempt]).is_some()
    };
    let all = ids(merged, |_, _| true);
    let failed = ids(merged, is_failed);
    let mut matching = find_tests(&all, pattern);
    if let [only] = matching[..]
        && !failed.contains(&only)
    {
        return Err(Error::NotFailed(only.to_owned()));
    }
    if matching.len() > 1 {
        matching.retain(|id| failed.contains(id));
    }
    let test = match matching[..] {
        [test] => test,
        [] => find_test(&failed, pattern, "the failed tests")?,
        _ => return Err(ambiguous(pattern, &matching).into()),
    };
    let mut found = None;
    for place in workers(merged) {
        let run = &merged.parts[place.0].run;
        let steps = steps(run, place.1).into_iter();
        let mut failed = steps.filter(|step| run.id(step.test) == test && is_failed(place, step));
        let is_later = found.is_none_or(|((part, _), _)| part < place.0);
        found = failed
            .next()
            .filter(|_| is_later)
            .map(|step| (place, step))
            .or(found);
    }
    found.ok_or_else(|| Error::NotFailed(test.to_owned()))
}

impl Bisection {
    /// What the process that runs trials needs to know, as JSON.
    ///
    /// # Errors
    /// None of these values fails to be serialized.
    pub fn plan(&self) -> serde_json::Result<String> {
        let case = self.search.case();
        serde_json::to_string(&Plan {
            setting: &self.setting,
            tests: case.tests().collect(),
            test: case.lanes[0].before.len(),
            extra: &self.extra,
            limit: self.limit,
        })
    }

    /// Starts the search, without the tests that no longer exist, with at most `jobs` trials at the same time. Returns
    /// whether the failed test itself still exists.
    pub fn begin(&mut self, missing: &HashSet<String>, jobs: usize) -> bool {
        let mut case = self.search.case().clone();
        if missing.contains(&case.test().id) {
            return false;
        }
        case.leave_out(missing);
        self.search = Search::new(case, jobs);
        true
    }

    /// The next trials, as JSON; an empty list when the search is over.
    ///
    /// # Errors
    /// None of these values fails to be serialized.
    pub fn next_trials(&mut self) -> serde_json::Result<String> {
        serde_json::to_string(&self.search.next_trials())
    }

    /// Takes the results of the trials: their records, and whether their time was up.
    pub fn answer(&mut self, results: &[(String, bool)]) {
        let seen = results
            .iter()
            .map(|(record, is_stopped)| Seen::parse(record, *is_stopped));
        self.search.answer(seen.collect());
    }

    /// Ends the search because its time is up.
    pub fn stop(&mut self) {
        self.search.stop();
    }

    /// The lines about what has become known since the last call.
    #[must_use]
    pub fn take_lines(&mut self) -> Vec<String> {
        self.search.take_lines()
    }

    fn about(&self, took: Micros) -> About<'_> {
        About {
            test: &self.search.case().test().id,
            run: &self.run,
            prefix: &self.prefix,
            trials: self.search.trials(),
            took,
        }
    }

    /// Arguments of plain pytest that may show the failure; none if it cannot.
    #[must_use]
    pub fn pytest_arguments(&self) -> Option<Vec<String>> {
        self.search.verdict()?.pytest_arguments(&self.about(0))
    }

    /// Whether the failure that a run of plain pytest has shown is the one in question.
    #[must_use]
    pub fn is_it(&self, record: &str) -> bool {
        let failure = &self.search.case().failure;
        matches!(Seen::parse(record, false), Seen::Failed(seen) if seen.is_like(failure))
    }

    /// The lines of the result after this many seconds; `is_shown` says that plain pytest shows the failure.
    #[must_use]
    pub fn result(&self, seconds: f64, is_shown: bool) -> Vec<String> {
        let verdict = self.search.verdict();
        verdict.map_or_else(Vec::new, |verdict| {
            verdict.lines(&self.about(micros(seconds)), is_shown)
        })
    }

    /// Whether a cause was found.
    #[must_use]
    pub fn is_found(&self) -> bool {
        self.search.verdict().is_some_and(Verdict::is_found)
    }
}
