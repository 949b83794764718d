//! Several runs told as one: the shards of a suite, a run and its re-run, the same suite in several environments.
//!
//! A test is an environment and a node id. The run that began last, of those in which the test came to a result, decides
//! about it; in that run, the attempts that [`Run::results`] names.
//!
//! The hazard it handles: files come in any order, some twice, and some of runs that were killed. Runs are sorted by when
//! they began, a run that is there twice counts once, and an attempt that came to no result decides nothing.

use super::Micros;
use super::event::{Detail, Outcome};
use super::read::{self, Log, Problem};
use super::run::{Attempt, Attempts, Run, Verdict};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

#[cfg(test)]
mod tests;

/// What tells environments apart: Python, pytest, and the platform with its architecture.
type Traits = [String; 3];

/// Where tests ran, as far as that can change what comes of them. Machines of one kind are one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its version of Python, and what else tells it from the others here.
    pub name: String,
    /// What it is: `python`, `pytest` and `platform`.
    pub details: BTreeMap<&'static str, String>,
}

/// One of the runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The run.
    pub run: Run,
    /// Where it ran, as an index into [`Merged::environments`].
    pub environment: usize,
    /// How long after the first run it began.
    pub offset: Micros,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// Where it ran, as an index into [`Merged::environments`].
    pub environment: usize,
    /// The run that decides, as an index into [`Merged::parts`].
    pub part: usize,
    /// Its attempts in that run.
    pub attempts: Attempts,
    /// Its attempts in earlier runs: indices into [`Merged::parts`] and [`Run::attempts`].
    pub earlier: Vec<(usize, usize)>,
}

/// Several runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// Where they ran, in the order in which runs began.
    pub environments: Vec<Environment>,
    /// The runs, in the order in which they began.
    pub parts: Vec<Part>,
    /// What came of each test, in the order of runs and, in each, of collection.
    pub results: Vec<TestResult>,
}

impl Merged {
    /// What several logs, in any order, amount to.
    #[must_use]
    pub fn new(logs: Vec<Log>) -> Self {
        let logs = once_each(logs);
        let (environments, places) = environments(&logs);
        let first = logs.first().map_or(0, |log| log.head.began);
        let parts: Vec<Part> = logs
            .into_iter()
            .zip(places)
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

    /// What the runs in a journal amount to.
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

    /// The attempts that decide about a test.
    pub fn last<'a>(&'a self, result: &'a TestResult) -> impl Iterator<Item = &'a Attempt> {
        let attempts = &self.parts[result.part].run.attempts;
        let deciding = result.attempts.deciding.iter();
        deciding.map(|&index| &attempts[index])
    }

    /// What came of a test; the worst, where several attempts decide.
    #[must_use]
    pub fn verdict(&self, result: &TestResult) -> Verdict {
        let verdicts = self.last(result).map(Attempt::verdict);
        verdicts
            .max_by_key(|verdict| verdict.weight())
            .unwrap_or(Verdict::Passed)
    }

    /// The attempts before those that decide about a test, in earlier runs and in that one.
    pub fn before<'a>(&'a self, result: &'a TestResult) -> impl Iterator<Item = (usize, &'a Attempt)> {
        let Attempts { all, deciding } = &result.attempts;
        let others = all.iter().filter(|index| !deciding.contains(index));
        let here = others.map(|&index| (result.part, index));
        let before = result.earlier.iter().copied().chain(here);
        before.map(|(part, index)| (part, &self.parts[part].run.attempts[index]))
    }

    /// Whether a test failed before it passed.
    #[must_use]
    pub fn is_flaky(&self, result: &TestResult) -> bool {
        let passed = |attempt: &Attempt| matches!(attempt.verdict(), Verdict::Passed | Verdict::Xpassed);
        self.before(result).any(|(_, attempt)| failed(attempt)) && self.last(result).all(passed)
    }

    /// How often each verdict was counted in the runs that decide, in the order of [`Verdict::ALL`]: for one run, and
    /// for the shards of one, what pytest's closing line says.
    #[must_use]
    pub fn counts(&self) -> [usize; 8] {
        let mut counts = [0; 8];
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

    /// What could not be collected, or was skipped as a whole, each with its index into [`Merged::parts`]: not what a later
    /// run in the same environment has collected, or could not either.
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

    /// Tests that were collected and came to no result: environments and node ids.
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

    /// Tests with what their attempts that decide took, the slowest first.
    #[must_use]
    pub fn slowest(&self) -> Vec<(Micros, &TestResult)> {
        let results = self.results.iter();
        let mut slowest: Vec<(Micros, &TestResult)> = results
            .map(|result| (self.last(result).map(Attempt::took).sum(), result))
            .collect();
        slowest.sort_by_key(|&(took, _)| Reverse(took));
        slowest
    }

    /// How long runs were under way: all of them, or those in one environment. Runs at the same time count once.
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

    /// The name of an environment, where there are several.
    #[must_use]
    pub fn environment_name(&self, environment: usize) -> Option<&str> {
        let several = self.environments.len() > 1;
        several.then(|| self.environments[environment].name.as_str())
    }

    /// What a process is called: as in its run, after the number of the run where there are several.
    #[must_use]
    pub fn process_name(&self, part: usize, process: usize) -> String {
        let name = self.parts[part].run.processes[process].name();
        if self.parts.len() == 1 {
            return name;
        }
        format!("run {}: {name}", part + 1)
    }

    /// From the begin of the first run to the end of the last.
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

/// Each run once, in the order in which they began. An id alone does not tell: `--testrunuid` can give one to all shards.
/// Of a run that is there twice, what holds more counts: the other one is a copy of its begin.
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

/// The environments, and the place of each log's own among them.
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
    let places = logs.iter().map(|log| place(traits(log))).collect();
    let varies = [0, 1, 2].map(|index| found.iter().any(|traits| traits[index] != found[0][index]));
    let environments = found.iter().map(|traits| Environment {
        name: name(traits, varies),
        details: ["python", "pytest", "platform"]
            .into_iter()
            .zip(traits.iter().cloned())
            .collect(),
    });
    (environments.collect(), places)
}

/// Of a system, its release is left out: the machines of one CI service differ in it.
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
    let mut places: HashMap<(usize, &str), usize> = HashMap::new();
    for (index, part) in parts.iter().enumerate() {
        for (test, attempts) in part.run.results() {
            let mut result = TestResult {
                environment: part.environment,
                part: index,
                attempts,
                earlier: Vec::new(),
            };
            let place = *places
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
