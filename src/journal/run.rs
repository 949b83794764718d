//! What a journal amounts to: the tests with their attempts, and the processes that ran them.
//!
//! A test has one attempt for each time it was begun: more than one where a plugin repeats what fails, where a worker
//! died in it, or with `--dist each`, in each worker.

pub use super::attempt::{Attempt, PhaseRun, Verdict};
use super::event::{
    Collected, Detail, Ending, Event, Head, Outcome, PhaseEnded, Start, Test, Worker, WorkerGone,
};
use super::read::Log;
use super::{Micros, micros};
use crate::protocol::report::Phase;
use std::collections::{BTreeMap, HashMap};

/// A process that ran tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// Its number as a worker; `None` for the process that the user has started.
    pub number: Worker,
    /// Its process id.
    pub pid: Option<i64>,
    /// When it came, as a worker.
    pub came: Option<Micros>,
    /// When and how it went.
    pub gone: Option<WorkerGone>,
    /// Moments, resident bytes and proportional bytes.
    pub memory: Vec<(Micros, u64, Option<u64>)>,
    /// The most resident bytes that it was seen to hold.
    pub peak: u64,
}

impl Process {
    /// `gw0` and so on, or `main`.
    #[must_use]
    pub fn name(&self) -> String {
        self.number
            .map_or_else(|| "main".to_owned(), |number| format!("gw{number}"))
    }
}

/// A shared fixture that was set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixtureRun {
    /// The process, as an index into [`Run::processes`].
    pub process: usize,
    /// The fixture.
    pub key: String,
    /// How long it took.
    pub took: Micros,
}

/// One run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// What the run is.
    pub head: Head,
    /// Node ids, by the tests' numbers.
    pub ids: Vec<String>,
    /// What was collected; `ids` are moved out of it.
    pub collected: Collected,
    /// The tests that carry markers which thresholds of the run name.
    pub marks: BTreeMap<String, Vec<Test>>,
    /// How workers came up.
    pub start: Option<Start>,
    /// Every attempt, in the order in which they became known.
    pub attempts: Vec<Attempt>,
    /// The processes that ran tests, in the order in which they came.
    pub processes: Vec<Process>,
    /// What reports said beyond their outcomes.
    pub details: Vec<Detail>,
    /// What was recorded of the suite.
    pub suite_properties: Vec<(String, String)>,
    /// Set-ups of shared fixtures.
    pub fixtures: Vec<FixtureRun>,
    /// pytest's exit status; `None` when the run did not come to its end.
    pub exit: Option<i32>,
    /// Warnings.
    pub warnings: usize,
    /// The last moment of which something is known.
    pub lasted: Micros,
}

impl Run {
    /// What a log amounts to.
    #[must_use]
    pub fn new(log: Log) -> Self {
        let mut builder = Builder::default();
        builder.run.head = log.head;
        for event in log.events {
            builder.take(event);
        }
        builder.run
    }

    /// The node id of a test.
    #[must_use]
    pub fn id(&self, test: Test) -> &str {
        self.ids.get(test as usize).map_or("?", String::as_str)
    }

    /// What a test is expected to take, by the history; `None` when nothing is known.
    #[must_use]
    pub fn usual(&self, test: Test) -> Option<Micros> {
        self.collected.usual.get(test as usize).copied().flatten()
    }

    /// The errors of files that were collected.
    pub fn collect_errors(&self) -> impl Iterator<Item = &Detail> {
        let collected = self.details.iter().filter(|detail| detail.t.is_none());
        collected.filter(|detail| detail.o == Some(Outcome::Failed))
    }

    /// How often each verdict was counted, as in pytest's closing line; in the order of [`Verdict::ALL`].
    #[must_use]
    pub fn counts(&self) -> [usize; 8] {
        let mut counts = [0; 8];
        for verdict in self.attempts.iter().flat_map(Attempt::counted) {
            counts[verdict as usize] += 1;
        }
        for detail in self.details.iter().filter(|detail| detail.t.is_none()) {
            match detail.o {
                Some(Outcome::Failed) => counts[Verdict::Error as usize] += 1,
                Some(Outcome::Skipped) => counts[Verdict::Skipped as usize] += 1,
                _ => {}
            }
        }
        counts
    }

    /// How many workers there were, those that came in the place of others included; 0 where tests ran in the process
    /// that the user has started.
    #[must_use]
    pub fn workers(&self) -> usize {
        let workers = self.processes.iter().filter(|process| process.number.is_some());
        workers.count()
    }

    /// The attempts of the tests that came to a result.
    #[must_use]
    pub fn results(&self) -> BTreeMap<Test, Attempts> {
        let mut found: BTreeMap<Test, Attempts> = BTreeMap::new();
        for (index, attempt) in self.attempts.iter().enumerate() {
            found.entry(attempt.test).or_default().all.push(index);
        }
        found.retain(|_, attempts| {
            let all = attempts.all.iter().copied();
            attempts.deciding = all.filter(|&index| self.attempts[index].has_result()).collect();
            !attempts.deciding.is_empty()
        });
        found
    }

    /// The distribution mode; `no` where nothing was distributed.
    #[must_use]
    pub fn dist(&self) -> &str {
        let asked = || self.head.options.get("dist").map(String::as_str);
        let settled = self.start.as_ref().map(|start| start.dist.as_str());
        settled.or_else(asked).unwrap_or("no")
    }

    /// The value of an option that was noted as seconds.
    #[must_use]
    pub fn option_seconds(&self, name: &str) -> Option<Micros> {
        Some(micros(self.head.options.get(name)?.parse().ok()?))
    }
}

/// The attempts of a test, as indices into [`Run::attempts`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    /// All of them.
    pub all: Vec<usize>,
    /// Those that decide about it: all that came to a result but those after which it began anew. Mostly that is one;
    /// several are of tests that share a node id, of a test that was asked for twice, or with `--dist each`, of the same
    /// in several workers.
    pub deciding: Vec<usize>,
}

/// A run of which more is to come.
#[derive(Default)]
struct Builder {
    run: Run,
    processes: HashMap<Worker, usize>,
    /// The last attempt of a test in a process.
    attempts: HashMap<(Test, usize), usize>,
    /// The attempt of the last phase, or part of one, and what came of that.
    last: Option<(usize, Outcome)>,
    /// What a process held before its first test, or the peak that it has told of since. Looks at what it holds while a
    /// test runs are no part of it: the growth is the test's, and told when it has ended.
    told: HashMap<Worker, u64>,
}

impl Builder {
    fn take(&mut self, event: Event) {
        let run = &mut self.run;
        match event {
            Event::Collected(mut collected) => {
                self.saw(collected.at);
                self.run.ids = std::mem::take(&mut collected.ids);
                self.run.collected = collected;
            }
            Event::Start(start) => {
                self.saw(start.at);
                self.run.start = Some(start);
            }
            Event::Test { t, id } => {
                let ids = &mut run.ids;
                ids.resize(ids.len().max(t as usize + 1), String::new());
                ids[t as usize] = id;
            }
            Event::Setup(ended) => self.phase(Phase::Setup, ended),
            Event::Call(ended) => self.phase(Phase::Call, ended),
            Event::Teardown(ended) => self.phase(Phase::Teardown, ended),
            Event::Detail(detail) => self.detail(detail),
            Event::Properties { t, properties } => match t {
                Some(test) => self.properties(test, properties),
                None => run.suite_properties.extend(properties),
            },
            Event::Marks { marks } => run.marks = marks,
            Event::Fixture { t, w, key, us } => {
                let process = self.process(w);
                let fixture = FixtureRun {
                    process,
                    key,
                    took: us,
                };
                self.run.fixtures.push(fixture);
                // It is told before the phase that it was in.
                self.attempt(t, w, Attempt::is_over).shared += us;
            }
            Event::Worker { w, at, pid } => {
                self.saw(at);
                let process = self.process(Some(w));
                let process = &mut self.run.processes[process];
                (process.came, process.pid) = (Some(at), Some(pid));
            }
            Event::Gone(gone) => self.gone(gone),
            Event::Memory { w, at, rss, pss } => {
                let process = self.process(w);
                let process = &mut self.run.processes[process];
                process.memory.push((at, rss, pss));
                process.peak = process.peak.max(rss);
                self.told.entry(w).or_insert(rss);
            }
            Event::Peak { t, w, rss } => self.peak(t, w, rss),
            Event::End { at, exit, warnings } => {
                self.saw(at);
                (self.run.exit, self.run.warnings) = (Some(exit), warnings);
            }
            Event::Run(_) | Event::Unknown => {}
        }
    }

    fn saw(&mut self, at: Micros) {
        self.run.lasted = self.run.lasted.max(at);
    }

    fn process(&mut self, worker: Worker) -> usize {
        let processes = &mut self.run.processes;
        *self.processes.entry(worker).or_insert_with(|| {
            processes.push(Process {
                number: worker,
                ..Process::default()
            });
            processes.len() - 1
        })
    }

    /// The attempt that a test is in; a new one when it is in none, or in one that `is_over`.
    fn attempt(&mut self, test: Test, worker: Worker, is_over: impl Fn(&Attempt) -> bool) -> &mut Attempt {
        let index = self.place(test, worker, is_over);
        &mut self.run.attempts[index]
    }

    fn place(&mut self, test: Test, worker: Worker, is_over: impl Fn(&Attempt) -> bool) -> usize {
        let process = self.process(worker);
        let attempts = &mut self.run.attempts;
        let known = self.attempts.get(&(test, process)).copied();
        known
            .filter(|&index| !is_over(&attempts[index]))
            .unwrap_or_else(|| {
                attempts.push(Attempt::new(test, process));
                self.attempts.insert((test, process), attempts.len() - 1);
                attempts.len() - 1
            })
    }

    fn phase(&mut self, phase: Phase, ended: PhaseEnded) {
        self.saw(ended.at + ended.us);
        let filled = |attempt: &Attempt| attempt.crashed || attempt.phases[phase as usize].is_some();
        let place = self.place(ended.t, ended.w, filled);
        self.last = Some((place, ended.o));
        let attempt = &mut self.run.attempts[place];
        if ended.part {
            // A subtest: it lies within the call that is still to come.
            attempt.parts.push(ended.o);
            return;
        }
        attempt.begins_anew |= ended.o == Outcome::Rerun;
        attempt.phases[phase as usize] = Some(PhaseRun {
            at: ended.at,
            took: ended.us,
            outcome: ended.o,
        });
    }

    /// What a report says that is no phase, or the one before.
    fn detail(&mut self, mut detail: Detail) {
        let index = self.run.details.len();
        if let Some(test) = detail.t {
            let place = self.place(test, detail.w, |_| false);
            let attempt = &mut self.run.attempts[place];
            attempt.details.push(index);
            if detail.when == "crash" {
                attempt.crashed = true;
                attempt.begins_anew |= detail.o == Some(Outcome::Rerun);
                detail.o = detail.o.or(Some(Outcome::Failed));
            } else {
                let last = self.last.filter(|&(last, _)| last == place);
                detail.o = last.map(|(_, outcome)| outcome);
            }
        }
        self.run.details.push(detail);
    }

    /// What was recorded of a test is told behind the last phase of the attempt.
    fn properties(&mut self, test: Test, properties: Vec<(String, String)>) {
        if let Some((last, _)) = self.last {
            let attempt = &mut self.run.attempts[last];
            if attempt.test == test {
                attempt.properties = properties;
            }
        }
    }

    fn gone(&mut self, gone: WorkerGone) {
        self.saw(gone.at);
        let process = self.process(Some(gone.w));
        if let (Some(test), Ending::Crashed) = (gone.running, gone.how) {
            self.attempt(test, Some(gone.w), |attempt| {
                attempt.phases[Phase::Teardown as usize].is_some()
            })
            .crashed = true;
        }
        self.run.processes[process].gone = Some(gone);
    }

    fn peak(&mut self, test: Test, worker: Worker, rss: u64) {
        let process = self.process(worker);
        let process = &mut self.run.processes[process];
        process.peak = process.peak.max(rss);
        if let Some(before) = self.told.insert(worker, rss) {
            self.attempt(test, worker, |_| false).growth += rss.saturating_sub(before);
        }
    }
}
