//! The run that is resumed: comparison with the current run, and what is copied of it.

use super::code::digest;
use super::finished::{Execution, executions};
use crate::journal::Micros;
use crate::journal::event::{Detail, Event, Head, PhaseEnded, ReportData, Test, Worker};
use crate::journal::read::Log;
use crate::journal::run::Run;
use crate::protocol::report::Phase;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Why the results of an earlier run do not hold in the current run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// An option has another value.
    #[error("the option '{name}' was {then}, and is {now}")]
    Option {
        /// Its name.
        name: String,
        /// Its value in the earlier run.
        then: String,
        /// Its value now.
        now: String,
    },
    /// Python, pytest or a plugin has another version.
    #[error("{name} was {then}, and is {now}")]
    Version {
        /// Its name.
        name: String,
        /// Its version in the earlier run.
        then: String,
        /// Its version now.
        now: String,
    },
    /// A test was not collected then.
    #[error("the collection has changed: {0} is new")]
    New(String),
    /// A test is no longer collected.
    #[error("the collection has changed: {0} is missing")]
    Missing(String),
    /// A file that finished tests depend on has changed.
    #[error("{0} has changed, which finished tests may depend on")]
    Code(String),
    /// A conftest was added.
    #[error("{0} is new, and finished tests may depend on it")]
    NewCode(String),
    /// The journal has no digests.
    #[error("its journal does not contain which files were loaded")]
    NoCode,
}

/// A finished execution of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The node id.
    pub id: String,
    /// The process in which it ran.
    pub worker: Worker,
    /// Its reports and warnings, in the order in which they were recorded.
    pub steps: Vec<Step>,
}

/// Something that was recorded while a test ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A report.
    Report(Box<Reported>),
    /// A warning, as it was encoded.
    Warning(String),
}

/// A report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reported {
    /// The phase with its outcome; `None` for the crash of a worker.
    pub phase: Option<(&'static str, PhaseEnded)>,
    /// The error or the reason, with the captured output.
    pub detail: Option<Detail>,
    /// The other attributes.
    pub data: Option<ReportData>,
}

/// The run that is resumed.
#[derive(Debug)]
pub struct Earlier {
    /// Its journal.
    pub path: PathBuf,
    /// Its description.
    pub head: Head,
    /// How long it ran.
    pub lasted: Micros,
    /// Whether it ended, with an exit status, although not all tests had run.
    pub has_ended: bool,
    events: Vec<Event>,
    /// The node ids of the tests, by number.
    ids: Vec<String>,
    /// How many tests were collected; those after them were only reported.
    collected: usize,
    code: BTreeMap<String, String>,
    executions: Vec<Execution>,
    /// Whether each execution is finished.
    is_finished: Vec<bool>,
}

impl Earlier {
    /// The run of a log; `None` if it has not collected tests, or if it has not yet copied the results of a run that it
    /// resumes.
    #[must_use]
    pub fn new(path: PathBuf, log: Log) -> Option<Self> {
        let is_copied = |event: &Event| matches!(event, Event::Resumed { .. });
        if log.head.resumes.is_some() && !log.events.iter().any(is_copied) {
            return None;
        }
        let run = Run::new(log.clone());
        let has_collected = log
            .events
            .iter()
            .any(|event| matches!(event, Event::Collected(_)));
        let code = log.events.iter().find_map(|event| match event {
            Event::Code { files } => Some(files.clone()),
            _ => None,
        });
        let collected = log.events.iter().find_map(|event| match event {
            Event::Collected(collected) => Some(collected.ids.len()),
            _ => None,
        });
        let executions = executions(&log.events);
        let is_finished = executions.iter().map(|one| one.is_finished(None)).collect();
        has_collected.then_some(Self {
            path,
            head: log.head,
            lasted: run.lasted,
            has_ended: run.exit.is_some(),
            events: log.events,
            ids: run.ids,
            collected: collected.unwrap_or(0),
            code: code.unwrap_or_default(),
            executions,
            is_finished,
        })
    }

    /// Counts only tests whose coverage data is in a file, as `is_saved` tells of the process that wrote it.
    pub fn require_coverage(&mut self, is_saved: &dyn Fn(i64) -> bool) {
        let finished = self.executions.iter().map(|one| one.is_finished(Some(is_saved)));
        self.is_finished = finished.collect();
    }

    /// The processes that have saved coverage data of finished tests.
    #[must_use]
    pub fn saved_by(&self) -> BTreeSet<i64> {
        self.executions.iter().filter_map(|one| one.saved_by).collect()
    }

    /// The workers' processes, with the times since the epoch at which they were started.
    #[must_use]
    pub fn workers(&self) -> Vec<(i64, Micros)> {
        let started = self.events.iter().filter_map(|event| match event {
            Event::Worker { pid, at, .. } => Some((*pid, self.head.began + at)),
            _ => None,
        });
        started.collect()
    }

    /// How often each test has finished, by node id.
    fn counts(&self) -> HashMap<&str, usize> {
        let mut counts = HashMap::new();
        for (execution, is_finished) in self.executions.iter().zip(&self.is_finished) {
            if *is_finished {
                *counts.entry(self.id(execution.test)).or_default() += 1;
            }
        }
        counts
    }

    fn id(&self, test: Test) -> &str {
        self.ids.get(test as usize).map_or("", String::as_str)
    }

    /// How many of the collected tests have finished, and how many were collected.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        let counts = self.counts();
        let collected = self.ids.iter().take(self.collected);
        (
            collected.filter(|id| counts.contains_key(id.as_str())).count(),
            self.collected,
        )
    }

    /// Compares options and versions.
    ///
    /// # Errors
    /// The first difference.
    pub fn compare(
        &self,
        selection: &BTreeMap<String, String>,
        versions: &BTreeMap<String, String>,
    ) -> Result<(), Difference> {
        if let Some((name, then, now)) = first_difference(&self.head.selection, selection) {
            return Err(Difference::Option { name, then, now });
        }
        match first_difference(&self.head.versions, versions) {
            Some((name, then, now)) => Err(Difference::Version { name, then, now }),
            None => Ok(()),
        }
    }

    /// Tells which tests of the current collection have finished, in its order.
    ///
    /// # Errors
    /// The first test that only one of the collections has.
    pub fn divide(&self, ids: &[String]) -> Result<Vec<bool>, Difference> {
        let then: HashSet<&String> = self.ids.iter().take(self.collected).collect();
        if let Some(new) = ids.iter().find(|id| !then.contains(id)) {
            return Err(Difference::New(new.clone()));
        }
        let mut times: HashMap<&str, usize> = HashMap::new();
        for id in ids {
            *times.entry(id).or_default() += 1;
        }
        let mut collected = self.ids.iter().take(self.collected);
        if let Some(missing) = collected.find(|id| !times.contains_key(id.as_str())) {
            return Err(Difference::Missing(missing.clone()));
        }
        let counts = self.counts();
        let is_finished = |id: &String| {
            counts
                .get(id.as_str())
                .is_some_and(|count| *count >= times[id.as_str()])
        };
        Ok(ids.iter().map(is_finished).collect())
    }

    /// Compares the files that tests depend on: those of finished tests, and all that contain no tests.
    ///
    /// # Errors
    /// The first file that has changed, or a conftest among the `loaded` files that is new.
    pub fn compare_code(&self, root: &Path, loaded: &[String]) -> Result<(), Difference> {
        if self.code.is_empty() {
            return Err(Difference::NoCode);
        }
        let file_of = |id: &str| id.split("::").next().unwrap_or(id).to_owned();
        let counts = self.counts();
        let finished: HashSet<String> = counts.keys().map(|id| file_of(id)).collect();
        let all: HashSet<String> = self.ids.iter().map(|id| file_of(id)).collect();
        for (file, then) in &self.code {
            let is_needed = finished.contains(file) || !all.contains(file);
            if is_needed && digest(&root.join(file)).as_ref() != Some(then) {
                return Err(Difference::Code(file.clone()));
            }
        }
        let is_conftest = |file: &&String| {
            Path::new(file)
                .file_name()
                .is_some_and(|name| name == "conftest.py")
        };
        match loaded
            .iter()
            .filter(is_conftest)
            .find(|file| !self.code.contains_key(*file))
        {
            Some(new) => Err(Difference::NewCode(new.clone())),
            None => Ok(()),
        }
    }

    /// The executions to copy, given which tests of the current collection have finished.
    fn chosen<'a>(&'a self, finished: &HashSet<&str>) -> Vec<&'a Execution> {
        let executions = self.executions.iter().zip(&self.is_finished);
        let chosen = executions.filter(|(execution, is_finished)| {
            finished.contains(self.id(execution.test)) && (**is_finished || execution.leads_to_rerun())
        });
        chosen.map(|(execution, _)| execution).collect()
    }

    /// The reports of these finished tests, in the order in which the tests started.
    #[must_use]
    pub fn finished(&self, finished: &HashSet<&str>) -> Vec<Finished> {
        let warnings = self.warnings();
        let finished = self.chosen(finished).into_iter().map(|execution| Finished {
            id: self.id(execution.test).to_owned(),
            worker: execution.worker,
            steps: self.steps(execution, &warnings),
        });
        finished.collect()
    }

    /// The encoded warnings by their numbers.
    fn warnings(&self) -> HashMap<u32, &str> {
        let known = self.events.iter().filter_map(|event| match event {
            Event::Warning(warning) if !warning.data.is_empty() => Some((warning.n, warning.data.as_str())),
            _ => None,
        });
        known.collect()
    }

    fn steps(&self, execution: &Execution, warnings: &HashMap<u32, &str>) -> Vec<Step> {
        let mut steps = Vec::new();
        for event in execution.events.iter().map(|&index| &self.events[index]) {
            let phase = |phase: Phase, ended: &PhaseEnded| {
                let phase = Some((phase.name(), *ended));
                Step::Report(Box::new(Reported {
                    phase,
                    ..Reported::default()
                }))
            };
            match event {
                Event::Setup(ended) => steps.push(phase(Phase::Setup, ended)),
                Event::Call(ended) => steps.push(phase(Phase::Call, ended)),
                Event::Teardown(ended) => steps.push(phase(Phase::Teardown, ended)),
                Event::Detail(detail) if detail.when == "crash" => {
                    let detail = Some(detail.clone());
                    steps.push(Step::Report(Box::new(Reported {
                        detail,
                        ..Reported::default()
                    })));
                }
                Event::Detail(detail) => {
                    if let Some(report) = last_report(&mut steps) {
                        report.detail = Some(detail.clone());
                    }
                }
                Event::Report(data) => {
                    if let Some(report) = last_report(&mut steps) {
                        report.data = Some(data.clone());
                    }
                }
                Event::Warning(warning) => {
                    if let Some(data) = warnings.get(&warning.n) {
                        steps.push(Step::Warning((*data).to_owned()));
                    }
                }
                _ => {}
            }
        }
        steps
    }

    /// The events about these finished tests, as the resumed run's journal has them: `number` gives the numbers of
    /// tests there. Warnings have their data.
    pub fn copied(&self, finished: &HashSet<&str>, mut number: impl FnMut(&str) -> Test) -> Vec<Event> {
        let warnings = self.warnings();
        let mut copied: Vec<Event> = Vec::new();
        let of_processes = |event: &&Event| matches!(event, Event::Worker { .. } | Event::Memory { .. });
        copied.extend(self.events.iter().filter(of_processes).cloned());
        for execution in self.chosen(finished) {
            let test = number(self.id(execution.test));
            for &index in &execution.events {
                let mut event = self.events[index].clone();
                match &mut event {
                    Event::Setup(ended) | Event::Call(ended) | Event::Teardown(ended) => ended.t = test,
                    Event::Detail(detail) => detail.t = Some(test),
                    Event::Report(report) => report.t = test,
                    Event::Properties { t, .. } => *t = Some(test),
                    Event::Fixture { t, .. } | Event::Peak { t, .. } | Event::Leak { t, .. } => *t = test,
                    Event::Warning(warning) => {
                        warning.t = test;
                        warning.data = warnings
                            .get(&warning.n)
                            .map_or_else(String::new, |data| (*data).to_owned());
                    }
                    _ => continue,
                }
                copied.push(event);
            }
            if let Some(w) = execution.worker {
                copied.push(match execution.saved_by {
                    Some(pid) => Event::Saved { w, pid: Some(pid) },
                    None => Event::Done { w },
                });
            }
        }
        copied
    }
}

fn last_report(steps: &mut [Step]) -> Option<&mut Reported> {
    steps.iter_mut().rev().find_map(|step| match step {
        Step::Report(report) => Some(&mut **report),
        Step::Warning(_) => None,
    })
}

/// The first name whose values differ, with both values.
fn first_difference(
    then: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Option<(String, String, String)> {
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let name = names.into_iter().find(|name| then.get(*name) != now.get(*name))?;
    let value = |values: &BTreeMap<String, String>| {
        values
            .get(name)
            .map_or_else(|| "not there".to_owned(), Clone::clone)
    };
    Some((name.clone(), value(then), value(now)))
}
