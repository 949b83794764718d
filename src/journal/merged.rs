//! Several runs merged into one: the shards of a suite, a run and its re-run, or a suite run in several environments.
//!
//! A test is identified by environment and node id. Its result is that of the latest run in which it has one; within
//! that run, the attempts listed by [`Run::results`] count.
//!
//! The hazard it handles: files come in any order, some twice, and some from runs that were killed. Runs are sorted by
//! start time, duplicates are dropped, and attempts without a result are ignored.

use super::Micros;
use super::event::{Detail, Outcome};
use super::read::{self, Log, Problem};
use super::run::{Attempt, Attempts, Run, Verdict};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

#[cfg(test)]
mod tests;

/// What distinguishes environments: Python, pytest, and the platform with its architecture.
type Traits = [String; 3];

/// Where tests ran, as far as it can affect their results. Machines of the same kind form one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its version of Python, and whatever else distinguishes it from the other environments.
    pub name: String,
    /// The values of `python`, `pytest` and `platform`.
    pub details: BTreeMap<&'static str, String>,
}

/// One of the merged runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The run.
    pub run: Run,
    /// Where it ran, as an index into [`Merged::environments`].
    pub environment: usize,
    /// Time between the start of the first run and the start of this one.
    pub offset: Micros,
}

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// Where it ran, as an index into [`Merged::environments`].
    pub environment: usize,
    /// The run that determines the result, as an index into [`Merged::parts`].
    pub part: usize,
    /// Its attempts in that run.
    pub attempts: Attempts,
    /// Its attempts in earlier runs: pairs of indices into [`Merged::parts`] and [`Run::attempts`].
    pub earlier: Vec<(usize, usize)>,
}

/// Several merged runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Merged {
    /// The environments, in the order of the runs' start times.
    pub environments: Vec<Environment>,
    /// The runs, in the order of their start times.
    pub parts: Vec<Part>,
    /// The result of each test, sorted by run and then by collection order.
    pub results: Vec<TestResult>,
}

impl Merged {
    /// Merges logs, which may come in any order.
    #[must_use]
    pub fn new(logs: Vec<Log>) -> Self {
        let logs = once_each(logs);
        let (environments, runs_with_ranges) = environments(&logs);
        let first = logs.first().map_or(0, |log| log.head.began);
        let parts: Vec<Part> = logs
            .into_iter()
            .zip(runs_with_ranges)
            .map(|(log, environment)| Part {
                offset: log.head.began - first,
                run: Run::new(log),
                environment,
            })
            .collect();
        Self {
            results: results(&parts),
            environments,
            parts,
        }
    }

    /// Reads a journal and merges its runs.
    ///
    /// # Errors
    /// [`Problem`].
    pub fn read(journal: &Path) -> Result<Self, Problem> {
        read::read(journal).map(Self::new)
    }

    /// The node id of a test.
    #[must_use]
    pub fn id(&self, result: &TestResult) -> &str {
        let run = &self.parts[result.part].run;
        run.id(run.attempts[result.attempts.all[0]].test)
    }

    /// The attempts that determine the result of a test.
    pub fn last<'a>(&'a self, result: &'a TestResult) -> impl Iterator<Item = &'a Attempt> {
        let attempts = &self.parts[result.part].run.attempts;
        let deciding = result.attempts.deciding.iter();
        deciding.map(|&index| &attempts[index])
    }

    /// The verdict of a test; the worst one if several attempts count.
    #[must_use]
    pub fn verdict(&self, result: &TestResult) -> Verdict {
        let verdicts = self.last(result).map(Attempt::verdict);
        verdicts
            .max_by_key(|verdict| verdict.rank())
            .unwrap_or(Verdict::Passed)
    }

    /// The attempts before the ones that count, in earlier runs and in the same run.
    pub fn before<'a>(&'a self, result: &'a TestResult) -> impl Iterator<Item = (usize, &'a Attempt)> {
        let Attempts { all, deciding } = &result.attempts;
        let others = all.iter().filter(|index| !deciding.contains(index));
        let here = others.map(|&index| (result.part, index));
        let before = result.earlier.iter().copied().chain(here);
        before.map(|(part, index)| (part, &self.parts[part].run.attempts[index]))
    }

    /// Whether a test failed in an earlier attempt and passed in the last.
    #[must_use]
    pub fn is_flaky(&self, result: &TestResult) -> bool {
        let passed = |attempt: &Attempt| {
            matches!(
                attempt.verdict(),
                Verdict::Passed | Verdict::Flaky | Verdict::Xpassed
            )
        };
        self.before(result).any(|(_, attempt)| failed(attempt)) && self.last(result).all(passed)
    }

    /// Number of times each verdict was counted in the runs that determine the results, in the order of
    /// [`Verdict::ALL`]. For a single run, and for the shards of one, these are the numbers in pytest's summary line.
    #[must_use]
    pub fn counts(&self) -> [usize; Verdict::ALL.len()] {
        let mut counts = [0; Verdict::ALL.len()];
        for result in &self.results {
            let attempts = &self.parts[result.part].run.attempts;
            for verdict in result
                .attempts
                .all
                .iter()
                .flat_map(|&index| attempts[index].counted())
            {
                counts[verdict as usize] += 1;
            }
        }
        for (_, detail) in self.collect_reports() {
            let verdict = match detail.o {
                Some(Outcome::Failed) => Verdict::Error,
                _ => Verdict::Skipped,
            };
            counts[verdict as usize] += 1;
        }
        counts
    }

    /// Reports of collectors that failed or were skipped, each with its index into [`Merged::parts`]. Those that a
    /// later run in the same environment has collected, or has reported again, are left out.
    #[must_use]
    pub fn collect_reports<'a>(&'a self) -> Vec<(usize, &'a Detail)> {
        let mut later = vec![HashSet::new(); self.environments.len()];
        let mut found = Vec::new();
        for (index, part) in self.parts.iter().enumerate().rev() {
            let known = &mut later[part.environment];
            let details = part.run.details.iter().rev();
            let details = details.filter(|detail| detail.t.is_none());
            let id = |detail: &'a Detail| detail.id.as_deref().unwrap_or_default();
            let news = details.clone().filter(|detail| !known.contains(id(detail)));
            found.extend(news.map(|detail| (index, detail)));
            known.extend(details.map(id));
            known.extend(part.run.ids.iter().flat_map(|id| containers(id)));
        }
        found.reverse();
        found
    }

    /// Tests that were collected but have no result: pairs of environment and node id.
    #[must_use]
    pub fn missing(&self) -> Vec<(usize, &str)> {
        let ran = self.results.iter();
        let mut known: HashSet<(usize, &str)> =
            ran.map(|result| (result.environment, self.id(result))).collect();
        let collected = self.parts.iter().flat_map(|part| {
            let ids = part.run.ids.iter();
            ids.map(|id| (part.environment, id.as_str()))
        });
        collected.filter(|&test| known.insert(test)).collect()
    }

    /// Tests with the duration of the attempts that count, the slowest first.
    #[must_use]
    pub fn slowest(&self) -> Vec<(Micros, &TestResult)> {
        let results = self.results.iter();
        let mut slowest: Vec<(Micros, &TestResult)> = results
            .map(|result| (self.last(result).map(Attempt::took).sum(), result))
            .collect();
        slowest.sort_by_key(|&(took, _)| Reverse(took));
        slowest
    }

    /// Total time during which runs were in progress, overall or in one environment. Overlapping runs count once.
    #[must_use]
    pub fn elapsed(&self, environment: Option<usize>) -> Micros {
        let parts = self.parts.iter();
        let wanted = parts.filter(|part| environment.is_none_or(|wanted| part.environment == wanted));
        let add = |(elapsed, counted): (Micros, Micros), part: &Part| {
            let end = counted.max(part.offset + part.run.lasted);
            (elapsed + end - counted.max(part.offset), end)
        };
        wanted.fold((0, 0), add).0
    }

    /// The name of an environment if there are several.
    #[must_use]
    pub fn environment_name(&self, environment: usize) -> Option<&str> {
        let several = self.environments.len() > 1;
        several.then(|| self.environments[environment].name.as_str())
    }

    /// The name of a process: as in its run, with the number of the run in front if there are several.
    #[must_use]
    pub fn process_name(&self, part: usize, process: usize) -> String {
        let name = self.parts[part].run.processes[process].name();
        if self.parts.len() == 1 {
            return name;
        }
        format!("run {}: {name}", part + 1)
    }

    /// Time from the start of the first run to the end of the last.
    #[must_use]
    pub fn lasted(&self) -> Micros {
        let ends = self.parts.iter().map(|part| part.offset + part.run.lasted);
        ends.max().unwrap_or(0)
    }
}

fn failed(attempt: &Attempt) -> bool {
    use Verdict::{Crashed, Error, Failed, Rerun};
    matches!(attempt.verdict(), Failed | Error | Crashed | Rerun)
}

/// Drops duplicate runs and sorts by start time. The id alone is not enough, because `--testrunuid` can give all shards
/// the same one. Of two copies the longer one is kept: the other is its truncated beginning.
#[must_use]
pub fn once_each(logs: Vec<Log>) -> Vec<Log> {
    let mut found: BTreeMap<(Micros, String), Log> = BTreeMap::new();
    for log in logs {
        let key = (log.head.began, log.head.id.clone());
        let known = found.get(&key).map_or(0, |known| known.events.len() + 1);
        if log.events.len() + 1 > known {
            found.insert(key, log);
        }
    }
    found.into_values().collect()
}

/// The environments, and for each log the index of its environment.
fn environments(logs: &[Log]) -> (Vec<Environment>, Vec<usize>) {
    let mut found: Vec<Traits> = Vec::new();
    let mut place = |traits: Traits| {
        found
            .iter()
            .position(|known| *known == traits)
            .unwrap_or_else(|| {
                found.push(traits);
                found.len() - 1
            })
    };
    let runs_with_ranges = logs.iter().map(|log| place(traits(log))).collect();
    let varies = [0, 1, 2].map(|index| found.iter().any(|traits| traits[index] != found[0][index]));
    let environments = found.iter().map(|traits| Environment {
        name: name(traits, varies),
        details: ["python", "pytest", "platform"]
            .into_iter()
            .zip(traits.iter().cloned())
            .collect(),
    });
    (environments.collect(), runs_with_ranges)
}

/// The release of the system is left out, because the machines of one CI service differ in it.
fn traits(log: &Log) -> Traits {
    let text = |texts: &BTreeMap<String, String>, key| texts.get(key).cloned().unwrap_or_default();
    let platform = text(&log.head.machine, "platform");
    let system = text(&log.head.machine, "system");
    let architecture = system.rsplit(' ').next().unwrap_or_default();
    let versions = &log.head.versions;
    [
        text(versions, "python"),
        text(versions, "pytest"),
        format!("{platform} {architecture}").trim().to_owned(),
    ]
}

fn name([python, pytest, platform]: &Traits, [_, by_pytest, by_platform]: [bool; 3]) -> String {
    let mut words = vec![format!("Python {python}")];
    words.extend(by_pytest.then(|| format!("pytest {pytest}")));
    words.extend(by_platform.then(|| platform.clone()));
    words.join(", ")
}

fn results(parts: &[Part]) -> Vec<TestResult> {
    let mut found: Vec<TestResult> = Vec::new();
    let mut runs_with_ranges: HashMap<(usize, &str), usize> = HashMap::new();
    for (index, part) in parts.iter().enumerate() {
        for (test, attempts) in part.run.results() {
            let mut result = TestResult {
                environment: part.environment,
                part: index,
                attempts,
                earlier: Vec::new(),
            };
            let place = *runs_with_ranges
                .entry((part.environment, part.run.id(test)))
                .or_insert(found.len());
            let Some(before) = found.get_mut(place) else {
                found.push(result);
                continue;
            };
            result.earlier = std::mem::take(&mut before.earlier);
            let attempts = before.attempts.all.iter();
            result
                .earlier
                .extend(attempts.map(|&attempt| (before.part, attempt)));
            *before = result;
        }
    }
    found
}

/// The files, directories and classes that a node id lies in.
fn containers(id: &str) -> impl Iterator<Item = &str> {
    let path = id.find("::").unwrap_or(id.len());
    let name = id[path..].find('[').map_or(id.len(), |at| path + at);
    let directories = id[..path].match_indices('/').map(|(at, _)| at);
    let others = id[..name].match_indices("::").map(|(at, _)| at);
    directories.chain(others).map(|at| &id[..at])
}
