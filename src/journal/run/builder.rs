//! Building a run from the events of its journal.
//!
//! The hazard it handles: no event names the attempt that it belongs to. Which one that is follows from the order of the
//! events of a test in a process, with the ends of attempts missing where a worker has crashed.

use super::{Attempt, FixtureRun, PhaseRun, Process, Run};
use crate::journal::Micros;
use crate::journal::event::{Detail, Ending, Event, Head, Outcome, PhaseEnded, Test, Worker, WorkerGone};
use crate::protocol::report::Phase;
use std::collections::HashMap;

/// Builds a [`Run`] event by event.
#[derive(Default)]
pub(super) struct Builder {
    run: Run,
    processes: HashMap<Worker, usize>,
    /// The last attempt of each test in each process.
    attempts: HashMap<(Test, usize), usize>,
    /// The attempts after which their tests are tried again, as long as those have not begun.
    to_retry: HashMap<Test, Vec<usize>>,
    /// The attempt of the last reported phase or subtest, and its outcome.
    last: Option<(usize, Outcome)>,
    /// Memory of a process before its first test, or its last reported peak. Periodic samples are not included, because
    /// the growth is attributed to the test that reports it when it ends.
    known_peak: HashMap<Worker, u64>,
}

impl Builder {
    /// Begins a run that is described by `head`.
    pub(super) fn new(head: Head) -> Self {
        Self {
            run: Run {
                head,
                ..Run::default()
            },
            ..Self::default()
        }
    }

    /// Returns the run.
    pub(super) fn finish(self) -> Run {
        self.run
    }

    /// Adds the next event.
    pub(super) fn take(&mut self, event: Event) {
        let run = &mut self.run;
        match event {
            Event::Collected(mut collected) => {
                self.extend_to(collected.at);
                self.run.ids = std::mem::take(&mut collected.ids);
                self.run.collected = collected;
            }
            Event::Start(start) => {
                self.extend_to(start.at);
                self.run.start = Some(start);
            }
            Event::Code { files } => run.code = files,
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
            Event::Fixture { t, w, key, us, once } => {
                let process = self.process(w);
                let fixture = FixtureRun {
                    process,
                    key,
                    took: us,
                    once,
                };
                self.run.fixtures.push(fixture);
                if !once {
                    // The fixture event precedes the event of the phase in which it was set up.
                    self.attempt(t, w, Attempt::is_over).shared += us;
                }
            }
            Event::Leak {
                t, w, fixture, text, ..
            } => self.attempt(t, w, |_| false).leaks.push((fixture, text)),
            Event::LoadSecond(second) => {
                self.extend_to(second.at);
                self.run.load_seconds.push(second);
            }
            Event::LoadResult(result) => self.run.load_results.push(result),
            Event::Worker { w, at, pid, first } => {
                self.extend_to(at);
                let process = self.process(Some(w));
                let process = &mut self.run.processes[process];
                process.first = first.or(process.first);
                // In a resumed run, another worker can have had the number before.
                if process.came.is_none_or(|came| came <= at) {
                    process.pid = Some(pid);
                }
                process.came = Some(process.came.map_or(at, |came| came.min(at)));
            }
            Event::Gone(gone) => self.gone(gone),
            Event::Memory { w, at, rss, pss } => {
                let process = self.process(w);
                let process = &mut self.run.processes[process];
                process.memory.push((at, rss, pss));
                process.peak = process.peak.max(rss);
                self.known_peak.entry(w).or_insert(rss);
            }
            Event::Peak { t, w, rss } => self.peak(t, w, rss),
            Event::End { at, exit, warnings } => {
                self.extend_to(at);
                (self.run.exit, self.run.warnings) = (Some(exit), warnings);
            }
            Event::Run(_)
            | Event::Report(_)
            | Event::Warning(_)
            | Event::Done { .. }
            | Event::Lost { .. }
            | Event::Saved { .. }
            | Event::Resumed { .. }
            | Event::Unknown => {}
        }
    }

    fn extend_to(&mut self, at: Micros) {
        self.run.lasted = self.run.lasted.max(at);
    }

    fn process(&mut self, worker: Worker) -> usize {
        let processes = &mut self.run.processes;
        *self.processes.entry(worker).or_insert_with(|| {
            processes.push(Process {
                number: worker,
                first: worker,
                ..Process::default()
            });
            processes.len() - 1
        })
    }

    /// The current attempt of a test; a new one if it has none, or if `is_over` says that the last one has ended.
    fn attempt(&mut self, test: Test, worker: Worker, is_over: impl Fn(&Attempt) -> bool) -> &mut Attempt {
        let index = self.attempt_index(test, worker, is_over);
        &mut self.run.attempts[index]
    }

    fn attempt_index(&mut self, test: Test, worker: Worker, is_over: impl Fn(&Attempt) -> bool) -> usize {
        let process = self.process(worker);
        let attempts = &mut self.run.attempts;
        let known = self.attempts.get(&(test, process)).copied();
        if let Some(index) = known.filter(|&index| !is_over(&attempts[index])) {
            return index;
        }
        let index = attempts.len();
        attempts.push(Attempt::new(test, process));
        self.attempts.insert((test, process), index);
        self.run.attempts[index].is_retry = self.take_retry(test, process);
        index
    }

    /// Whether a new attempt of a test is a retry: by the same process or its replacement, or by another unless each runs
    /// all tests.
    fn take_retry(&mut self, test: Test, process: usize) -> bool {
        let is_each = self.run.dist() == "each";
        let Some(waiting) = self.to_retry.get_mut(&test) else {
            return false;
        };
        let processes = &self.run.processes;
        let same = |&tried_by: &usize| processes[tried_by].first == processes[process].first;
        let found = waiting.iter().position(same);
        let found = found.or_else(|| (!is_each && !waiting.is_empty()).then_some(0));
        found.map(|place| waiting.remove(place)).is_some()
    }

    /// Records that an attempt has failed and its test is tried again.
    fn will_rerun(&mut self, index: usize) {
        let attempt = &mut self.run.attempts[index];
        if !std::mem::replace(&mut attempt.will_rerun, true) {
            self.to_retry
                .entry(attempt.test)
                .or_default()
                .push(attempt.process);
        }
    }

    fn phase(&mut self, phase: Phase, ended: PhaseEnded) {
        self.extend_to(ended.at + ended.us);
        let filled = |attempt: &Attempt| attempt.crashed || attempt.phases[phase as usize].is_some();
        let attempt_index = self.attempt_index(ended.t, ended.w, filled);
        self.last = Some((attempt_index, ended.o));
        if ended.o == Outcome::Rerun {
            self.will_rerun(attempt_index);
        }
        let attempt = &mut self.run.attempts[attempt_index];
        if ended.part {
            // A subtest: its call phase is reported later.
            attempt.subtests.push(ended.o);
            return;
        }
        attempt.phases[phase as usize] = Some(PhaseRun {
            at: ended.at,
            took: ended.us,
            outcome: ended.o,
        });
    }

    /// A detail belongs to the preceding phase, or to none.
    fn detail(&mut self, mut detail: Detail) {
        let index = self.run.details.len();
        if let Some(test) = detail.t {
            let attempt_index = self.attempt_index(test, detail.w, |_| false);
            let attempt = &mut self.run.attempts[attempt_index];
            attempt.details.push(index);
            if detail.when == "crash" {
                attempt.crashed = true;
                attempt.crash_outcome = detail.o;
                if detail.o == Some(Outcome::Rerun) {
                    self.will_rerun(attempt_index);
                }
                detail.o = detail.o.or(Some(Outcome::Failed));
            } else {
                let last = self.last.filter(|&(last, _)| last == attempt_index);
                detail.o = last.map(|(_, outcome)| outcome);
            }
        }
        self.run.details.push(detail);
    }

    /// The properties of a test follow the last phase of the attempt.
    fn properties(&mut self, test: Test, properties: Vec<(String, String)>) {
        if let Some((last, _)) = self.last {
            let attempt = &mut self.run.attempts[last];
            if attempt.test == test {
                attempt.properties = properties;
            }
        }
    }

    fn gone(&mut self, gone: WorkerGone) {
        self.extend_to(gone.at);
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
        if let Some(before) = self.known_peak.insert(worker, rss) {
            self.attempt(test, worker, |_| false).growth += rss.saturating_sub(before);
        }
    }
}
