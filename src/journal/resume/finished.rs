//! The executions of tests in a journal, and which of them are finished.
//!
//! The hazard it handles: the process that wrote the journal can have been killed between any two events. A test is
//! finished if its teardown was reported, and if its worker has later said that everything about it is complete
//! (`done`), or reported another test. In the main process nothing is recorded between a teardown and the next test but
//! warnings; there the teardown suffices. A test whose worker crashed is finished, unless a plugin runs it again, or the
//! worker died because the process that had forked it did.

use crate::journal::Micros;
use crate::journal::event::{Event, Outcome, PhaseEnded, Test, Worker};
use std::collections::HashMap;

/// Workers are killed with the process that forked them, which the controller notices within this time.
const LOSS: Micros = 1_000_000;
const KILLED: i64 = -9;

/// One execution of a test: all events about it, until its worker reports another test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The test.
    pub test: Test,
    /// The process in which it ran.
    pub worker: Worker,
    /// Its events, as indices into the run's events.
    pub events: Vec<usize>,
    /// Whether its last phase was reported, or its worker crashed.
    is_over: bool,
    /// Whether its journal is complete.
    is_complete: bool,
    /// The crash of its worker: then it has no coverage data.
    crash: Option<Crash>,
    /// The process whose data file has the coverage of the test.
    pub saved_by: Option<i64>,
}

/// The crash of a worker in a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Crash {
    /// Whether a plugin runs the test again.
    will_rerun: bool,
    /// When the worker was killed, if it was.
    killed: Option<Micros>,
}

impl Execution {
    fn new(test: Test, worker: Worker) -> Self {
        Self {
            test,
            worker,
            events: Vec::new(),
            is_over: false,
            is_complete: false,
            crash: None,
            saved_by: None,
        }
    }

    /// Whether the test has finished. With `is_saved`, its coverage data must also be in a file for which that holds.
    #[must_use]
    pub fn is_finished(&self, is_saved: Option<&dyn Fn(i64) -> bool>) -> bool {
        let has_result = self.is_over && self.is_complete && !self.leads_to_rerun();
        has_result
            && (self.crash.is_some() || is_saved.is_none_or(|is_saved| self.saved_by.is_some_and(is_saved)))
    }

    /// Whether it belongs to the result of a test that was finished by another execution.
    #[must_use]
    pub fn leads_to_rerun(&self) -> bool {
        self.crash.is_some_and(|crash| crash.will_rerun)
    }
}

/// The executions in the events of a run, in the order in which they started.
#[must_use]
pub fn executions(events: &[Event]) -> Vec<Execution> {
    let mut reader = Reader::default();
    for (index, event) in events.iter().enumerate() {
        reader.take(index, event);
    }
    reader.found
}

#[derive(Default)]
struct Reader {
    found: Vec<Execution>,
    /// The execution that each process reported last.
    current: HashMap<Worker, usize>,
    /// The last execution of each test.
    of_test: HashMap<Test, usize>,
    /// Executions of each worker whose coverage data is not known to be saved.
    unsaved: HashMap<u32, Vec<usize>>,
    pids: HashMap<u32, i64>,
    /// When workers were killed.
    killed: HashMap<u32, Micros>,
    is_lost: bool,
}

impl Reader {
    fn take(&mut self, index: usize, event: &Event) {
        match event {
            Event::Fixture { t, w, .. } => {
                self.of(*t, *w).events.push(index);
            }
            Event::Setup(ended) | Event::Call(ended) => {
                self.phase(index, ended).is_over = false;
            }
            Event::Teardown(ended) => {
                let execution = self.phase(index, ended);
                execution.is_over = true;
                execution.is_complete |= ended.w.is_none();
            }
            Event::Detail(detail) => {
                let Some(test) = detail.t else { return };
                let killed = detail.w.and_then(|w| self.killed.get(&w).copied());
                let is_lost = killed.is_some() && self.is_lost;
                let execution = self.of(test, detail.w);
                execution.events.push(index);
                if detail.when == "crash" {
                    execution.crash = Some(Crash {
                        will_rerun: detail.o == Some(Outcome::Rerun),
                        killed,
                    });
                    (execution.is_over, execution.is_complete) = (!is_lost, true);
                }
            }
            Event::Report(report) => self.of(report.t, report.w).events.push(index),
            Event::Properties { t: Some(test), .. } => self.add_to(*test, index),
            Event::Warning(warning) => self.add_to(warning.t, index),
            Event::Leak { t, .. } => self.add_to(*t, index),
            Event::Peak { t, w, .. } => {
                if let Some(&current) = self.current.get(w)
                    && self.found[current].test == *t
                {
                    self.found[current].events.push(index);
                }
            }
            Event::Worker { w, pid, .. } => {
                self.pids.insert(*w, *pid);
            }
            Event::Gone(gone) if gone.status == KILLED => {
                self.killed.insert(gone.w, gone.at);
            }
            Event::Lost { at } => {
                self.is_lost = true;
                for execution in &mut self.found {
                    let killed = execution.crash.and_then(|crash| crash.killed);
                    execution.is_over &= killed.is_none_or(|killed| killed + LOSS < *at);
                }
            }
            Event::Done { w } => self.complete(Some(*w)),
            Event::Saved { w, pid } => {
                self.complete(Some(*w));
                let saved_by = pid.or_else(|| self.pids.get(w).copied());
                for execution in self.unsaved.remove(w).unwrap_or_default() {
                    self.found[execution].saved_by = saved_by;
                }
            }
            _ => {}
        }
    }

    fn phase(&mut self, index: usize, ended: &PhaseEnded) -> &mut Execution {
        let execution = self.of(ended.t, ended.w);
        execution.events.push(index);
        execution
    }

    /// The current execution of a process; a new one if it is that of another test, which is then complete.
    fn of(&mut self, test: Test, worker: Worker) -> &mut Execution {
        let current = self.current.get(&worker).copied();
        let index = current
            .filter(|&index| self.found[index].test == test)
            .unwrap_or_else(|| {
                self.complete(worker);
                self.found.push(Execution::new(test, worker));
                self.found.len() - 1
            });
        self.current.insert(worker, index);
        self.of_test.insert(test, index);
        &mut self.found[index]
    }

    /// Adds an event to the last execution of a test.
    fn add_to(&mut self, test: Test, index: usize) {
        if let Some(&execution) = self.of_test.get(&test) {
            self.found[execution].events.push(index);
        }
    }

    /// Ends the current execution of a process.
    fn complete(&mut self, worker: Worker) {
        let Some(current) = self.current.remove(&worker) else {
            return;
        };
        let execution = &mut self.found[current];
        execution.is_complete |= execution.is_over;
        if let (Some(worker), true) = (worker, execution.is_over) {
            self.unsaved.entry(worker).or_default().push(current);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::example::journal;
    use crate::journal::read::parse;
    use crate::journal::resume::earlier::{Difference, Earlier};
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    /// Workers that run tests in turn: (worker, outcome of the call, whether what follows it is written).
    fn run(tests: &[(u32, u8)]) -> String {
        let ids: Vec<String> = (0..tests.len()).map(|test| format!("\"a.py::{test}\"")).collect();
        let mut events = vec![format!(r#"{{"e":"collected","at":0,"ids":[{}]}}"#, ids.join(","))];
        for w in 0..3 {
            events.push(format!(r#"{{"e":"worker","w":{w},"at":0,"pid":{}}}"#, 100 + w));
        }
        for (t, (w, kind)) in tests.iter().enumerate() {
            for (phase, outcome) in [("setup", "passed"), ("call", "failed"), ("teardown", "passed")] {
                events.push(format!(
                    r#"{{"e":"{phase}","t":{t},"w":{w},"at":0,"us":1,"o":"{outcome}"}}"#
                ));
                if phase == "call" {
                    events.push(format!(
                        r#"{{"e":"detail","t":{t},"w":{w},"when":"call","text":"wrong"}}"#
                    ));
                }
                if phase == "call" && *kind == 3 {
                    events.push(format!(
                        r#"{{"e":"detail","t":{t},"w":{w},"when":"crash","text":"died"}}"#
                    ));
                    break;
                }
            }
            match kind {
                0 => events.push(format!(r#"{{"e":"done","w":{w}}}"#)),
                1 => events.push(format!(r#"{{"e":"saved","w":{w}}}"#)),
                _ => {}
            }
        }
        journal("one", 1, &[], &(events.join("\n") + "\n"))
    }

    fn earlier(bytes: &[u8]) -> Option<Earlier> {
        let log = parse(bytes, Path::new("journal.jsonl")).unwrap().pop()?;
        Earlier::new(PathBuf::from("journal.jsonl"), log)
    }

    /// The ids of the finished tests.
    fn finished(earlier: &Earlier, tests: usize) -> BTreeSet<String> {
        let ids: Vec<String> = (0..tests).map(|test| format!("a.py::{test}")).collect();
        let mask = earlier.divide(&ids).unwrap();
        ids.into_iter()
            .zip(mask)
            .filter(|(_, is_finished)| *is_finished)
            .map(|(id, _)| id)
            .collect()
    }

    fn any_run() -> impl Strategy<Value = Vec<(u32, u8)>> {
        prop::collection::vec((0_u32..3, 0_u8..4), 1..12)
    }

    proptest! {
        #[test]
        fn a_run_killed_at_any_byte_has_finished_a_part_of_what_it_would_have(tests in any_run(), at: prop::sample::Index) {
            let bytes = run(&tests).into_bytes();
            let whole = finished(&earlier(&bytes).unwrap(), tests.len());
            let Some(part) = earlier(&bytes[..at.index(bytes.len())]) else { return Ok(()); };
            let part = finished(&part, tests.len());
            prop_assert!(part.is_subset(&whole), "{part:?} {whole:?}");
        }

        #[test]
        fn a_resumed_run_that_is_killed_has_what_it_has_copied(tests in any_run(), at: prop::sample::Index) {
            let bytes = run(&tests).into_bytes();
            let Some(first) = earlier(&bytes[..at.index(bytes.len())]) else { return Ok(()); };
            let copied = finished(&first, tests.len());
            let ids = copied.iter().map(String::as_str).collect();
            let number = |id: &str| id.trim_start_matches("a.py::").parse().unwrap();
            let mut lines = vec![serde_json::to_string(&Event::Collected(crate::journal::event::Collected {
                ids: (0..tests.len()).map(|test| format!("a.py::{test}")).collect(),
                ..Default::default()
            })).unwrap()];
            let events = first.copied(&ids, number);
            lines.extend(events.iter().map(|event| serde_json::to_string(event).unwrap()));
            let second = earlier(journal("two", 2, &[], &(lines.join("\n") + "\n")).as_bytes()).unwrap();
            prop_assert_eq!(finished(&second, tests.len()), copied.clone());
            prop_assert_eq!(second.finished(&ids), first.finished(&ids));
            prop_assert_eq!(second.saved_by(), first.saved_by());
        }
    }

    #[test]
    fn a_test_counts_when_its_worker_has_gone_on() {
        let cut = |text: &str| {
            earlier(
                run(&[(0, 2), (1, 2), (0, 2)])
                    .split_once(text)
                    .unwrap()
                    .0
                    .as_bytes(),
            )
            .unwrap()
        };
        let end = r#"{"e":"setup","t":2"#;
        assert_eq!(cut(end).progress(), (0, 3));
        assert_eq!(
            earlier(run(&[(0, 2), (1, 2), (0, 2)]).as_bytes())
                .unwrap()
                .progress(),
            (1, 3)
        );
        assert_eq!(
            earlier(run(&[(0, 0), (1, 1), (0, 3)]).as_bytes())
                .unwrap()
                .progress(),
            (3, 3)
        );
    }

    #[test]
    fn with_coverage_only_tests_with_saved_data_count() {
        let mut run = earlier(run(&[(0, 0), (0, 1), (0, 0), (1, 1), (2, 3)]).as_bytes()).unwrap();
        assert_eq!(run.saved_by(), BTreeSet::from([100, 101]));
        run.require_coverage(&|pid| pid == 100);
        // A test that has crashed its worker has no data in an undisturbed run either.
        assert_eq!(run.progress(), (3, 5));
    }

    #[test]
    fn tests_that_died_with_the_process_that_forks_workers_are_run_again() {
        let crash = r#"{"e":"gone","w":0,"at":AT,"how":"crashed","status":-9,"running":0}
{"e":"detail","t":0,"w":0,"when":"crash","text":"died"}"#;
        let begin = run(&[(0, 2)]);
        let begin = begin.split_once(r#"{"e":"setup"#).unwrap().0;
        let lost = r#"{"e":"lost","at":9000000}"#;
        for (at, count) in [("8999000", 0), ("1000", 1)] {
            let crash = crash.replace("AT", at);
            let run = format!("{begin}{crash}\n{lost}\n");
            assert_eq!(earlier(run.as_bytes()).unwrap().progress().0, count);
        }
        let crash = crash.replace("AT", "9000001");
        assert_eq!(
            earlier(format!("{begin}{lost}\n{crash}\n").as_bytes())
                .unwrap()
                .progress()
                .0,
            0
        );
    }

    #[test]
    fn a_run_that_has_not_copied_the_results_of_another_is_not_resumed() {
        let begin = run(&[(0, 0)]).replacen("\"options\"", "\"resumes\":\"zero\",\"options\"", 1);
        assert!(earlier(begin.as_bytes()).is_none());
        let whole = begin + "{\"e\":\"resumed\",\"id\":\"zero\",\"began\":1,\"tests\":0}\n";
        assert!(earlier(whole.as_bytes()).is_some());
    }

    #[test]
    fn the_first_test_that_only_one_collection_has_is_named() {
        let run = earlier(run(&[(0, 0), (0, 0)]).as_bytes()).unwrap();
        let divide = |ids: &[&str]| run.divide(&ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        assert_eq!(divide(&["a.py::1", "a.py::0"]), Ok(vec![true, true]));
        assert_eq!(
            divide(&["a.py::0", "a.py::2"]),
            Err(Difference::New("a.py::2".to_owned()))
        );
        assert_eq!(
            divide(&["a.py::1"]),
            Err(Difference::Missing("a.py::0".to_owned()))
        );
        // Each occurrence of a test that was given twice has to have finished.
        assert_eq!(
            divide(&["a.py::0", "a.py::0", "a.py::1"]),
            Ok(vec![false, false, true])
        );
    }
}
