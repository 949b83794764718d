//! The journal of a run, as Python writes it. What is said once in a run comes through a method of its own here; the
//! phases of tests come through the `Recorder`.

use super::memory::{peak_memory, proportional_memory, resident_memory};
use super::text::{Text, texts};
use crate::journal::event::{Collected, Detail, Ending, Event, Head, Outcome, Start, Test, WorkerGone};
use crate::journal::kept::journals_in;
use crate::journal::read::is_journal;
use crate::journal::text_limits::{TextBudget, limits};
use crate::journal::write::{Writer, is_written};
use crate::journal::{FORMAT, Micros, VERSION, micros};
use crate::platform::memory::Peak;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The pairs of texts themselves.
fn pairs<T: FromIterator<(String, String)>>(pairs: impl IntoIterator<Item = (Text, Text)>) -> T {
    pairs
        .into_iter()
        .map(|(Text(first), Text(second))| (first, second))
        .collect()
}

/// The journal that a run writes.
#[pyclass(module = "rustpar._core")]
pub(super) struct Journal {
    writer: Writer,
    began: Micros,
    /// Whether who writes says when a batch is complete; else each test's end is one.
    batches: bool,
    /// Of the memory of this process, where its tests run.
    peak: Option<Peak>,
    budget: TextBudget,
}

impl Journal {
    /// Writes an event.
    pub(super) fn write(&mut self, event: &Event) {
        self.writer.event(event);
    }

    /// A test has ended: it is in the file when this returns, unless batches are longer.
    pub(super) fn test_ended(&mut self) {
        if !self.batches {
            self.writer.flush();
        }
    }

    /// A test has run in this process: the peak of its memory, if it has grown since the last one.
    pub(super) fn look_at_peak(&mut self, test: Test) {
        let grown = self.peak.as_mut().and_then(|peak| peak.grown(peak_memory()));
        if let Some(rss) = grown {
            self.write(&Event::Peak {
                t: test,
                w: None,
                rss,
            });
        }
    }

    /// A moment in seconds since the epoch, as a moment of the run.
    pub(super) fn moment(&self, seconds: f64) -> Micros {
        micros(seconds).saturating_sub(self.began)
    }

    /// The pairs of texts, the second ones as they fit.
    fn fit_pairs(&mut self, pairs: Vec<(Text, Text)>) -> Vec<(String, String)> {
        let pairs = pairs.into_iter();
        let fit = pairs.map(|(Text(name), Text(text))| (name, self.budget.fit(text)));
        fit.collect()
    }

    /// What happens once is in the file when this returns.
    fn tell(&mut self, event: &Event) {
        self.writer.event(event);
        self.writer.flush();
    }
}

/// Now, in microseconds since the epoch.
fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    micros(since.unwrap_or(Duration::ZERO).as_secs_f64())
}

#[pymethods]
impl Journal {
    /// Without a file, nothing is written.
    #[new]
    fn new() -> Self {
        Self {
            writer: Writer::default(),
            began: now(),
            batches: false,
            peak: None,
            budget: TextBudget::default(),
        }
    }

    /// Begins the file `path`. Raises OSError, also when there is such a file.
    fn open(&mut self, path: PathBuf) -> PyResult<()> {
        self.writer = Writer::create(&path)?;
        Ok(())
    }

    /// Keeps no more than so many characters of what failures say; all for None.
    fn keep(&mut self, limit: Option<u64>) {
        self.budget = TextBudget::new(limit);
    }

    /// Whether a file is a journal, to go by how it begins; an empty one may become one. Raises OSError.
    #[staticmethod]
    fn may_replace(path: PathBuf) -> PyResult<bool> {
        Ok(is_journal(&path)?)
    }

    /// The journals in a directory, those of earlier runs first.
    #[staticmethod]
    fn in_directory(directory: PathBuf) -> Vec<PathBuf> {
        journals_in(&directory)
    }

    /// Whether the run that writes this journal is under way.
    #[staticmethod]
    fn is_written(path: PathBuf) -> bool {
        is_written(&path)
    }

    /// Whether what stands at `path` is what was written here, all of it and nothing else.
    fn is_at(&self, path: PathBuf) -> bool {
        self.writer.is_at(&path)
    }

    /// From now on, `flush` is called after each batch of reports.
    fn use_batches(&mut self) {
        self.batches = true;
    }

    /// Hands everything to the system.
    fn flush(&mut self) {
        self.writer.flush();
    }

    /// What went wrong with the file, told once.
    fn error(&mut self) -> Option<String> {
        self.writer.take_error().map(|error| error.to_string())
    }

    /// The run begins, now.
    fn begin(&mut self) {
        self.began = now();
    }

    /// What the run is that has begun; the first thing to be told.
    fn run(
        &mut self,
        id: Text,
        command: Vec<Text>,
        options: HashMap<Text, Text>,
        versions: HashMap<Text, Text>,
        machine: HashMap<Text, Text>,
    ) {
        self.tell(&Event::Run(Head {
            format: FORMAT.to_owned(),
            version: VERSION,
            id: id.0,
            began: self.began,
            command: texts(command),
            options: pairs(options),
            versions: pairs(versions),
            machine: pairs(machine),
        }));
    }

    /// Tests have been collected; `usual` is what each is expected to take in seconds.
    fn collected(
        &mut self,
        ids: Vec<Text>,
        usual: Vec<Option<f64>>,
        groups: Vec<Option<Text>>,
        serial: Vec<u32>,
        deselected: usize,
    ) {
        let known = |values: &[Option<_>]| values.iter().any(Option::is_some);
        let in_micros = |usual: Vec<Option<f64>>| usual.into_iter().map(|time| time.map(micros)).collect();
        let any_group = groups.iter().any(Option::is_some);
        let event = Event::Collected(Collected {
            at: self.elapsed(),
            ids: texts(ids),
            usual: if known(&usual) {
                in_micros(usual)
            } else {
                Vec::new()
            },
            groups: if any_group {
                groups
                    .into_iter()
                    .map(|group| group.map(|Text(name)| name))
                    .collect()
            } else {
                Vec::new()
            },
            serial,
            deselected,
        });
        self.tell(&event);
    }

    /// Which tests carry markers that thresholds name.
    fn marks(&mut self, marks: HashMap<Text, Vec<u32>>) {
        self.tell(&Event::Marks {
            marks: marks
                .into_iter()
                .map(|(Text(name), tests)| (name, tests))
                .collect(),
        });
    }

    /// It is settled how `workers` processes come up, and how tests are scheduled.
    fn start(&mut self, start: String, workers: usize, dist: String) {
        let at = self.elapsed();
        self.tell(&Event::Start(Start {
            at,
            start,
            workers,
            dist,
        }));
    }

    /// What a report says beyond its outcome; `outcome` only where no phase says so.
    #[pyo3(signature = (when, *, test=None, worker=None, outcome=None, node_id=None, message, path=None, line=None, longrepr, sections))]
    fn detail(
        &mut self,
        when: String,
        test: Option<u32>,
        worker: Option<u32>,
        outcome: Option<&str>,
        node_id: Option<Text>,
        message: Text,
        path: Option<Text>,
        line: Option<u32>,
        longrepr: Text,
        sections: Vec<(Text, Text)>,
    ) -> PyResult<()> {
        let outcome = match outcome {
            None => None,
            Some("failed") => Some(Outcome::Failed),
            Some("skipped") => Some(Outcome::Skipped),
            Some("rerun") => Some(Outcome::Rerun),
            Some(other) => return Err(PyValueError::new_err(format!("{other:?} is no outcome"))),
        };
        let (message, longrepr) = (self.budget.fit(message.0), self.budget.fit(longrepr.0));
        let sections = self.fit_pairs(sections);
        let cut = self.budget.take_cut();
        self.write(&Event::Detail(Detail {
            t: test,
            w: worker,
            when,
            o: outcome,
            id: node_id.map(|Text(id)| id),
            message,
            path: path.map(|Text(path)| path),
            line,
            text: longrepr,
            sections,
            cut,
        }));
        self.test_ended();
        Ok(())
    }

    /// What a test, or without one the suite, has recorded of itself.
    fn properties(&mut self, test: Option<u32>, properties: Vec<(Text, Text)>) {
        let properties = match test {
            Some(_) => self.fit_pairs(properties),
            None => pairs(properties),
        };
        self.write(&Event::Properties { t: test, properties });
        self.test_ended();
    }

    /// A worker is there, as process `pid`.
    fn worker(&mut self, worker: u32, pid: i64) {
        let at = self.elapsed();
        self.tell(&Event::Worker { w: worker, at, pid });
    }

    /// A worker is gone; `how` is "left", "crashed" or "replaced".
    #[pyo3(signature = (worker, how, status, *, running=None, why=None))]
    fn gone(
        &mut self,
        worker: u32,
        how: &str,
        status: i64,
        running: Option<u32>,
        why: Option<String>,
    ) -> PyResult<()> {
        let how = match how {
            "left" => Ending::Left,
            "crashed" => Ending::Crashed,
            "replaced" => Ending::Replaced,
            other => return Err(PyValueError::new_err(format!("{other:?} is no way to go"))),
        };
        let at = self.elapsed();
        self.tell(&Event::Gone(WorkerGone {
            w: worker,
            at,
            how,
            status,
            running,
            why,
        }));
        Ok(())
    }

    /// Tests are about to run in this process: begins to watch its memory.
    fn monitor_memory(&mut self) {
        self.peak = Some(Peak::known(peak_memory()));
        self.look_at_memory();
    }

    /// Writes down what this process holds, if tests run in it.
    fn look_at_memory(&mut self) {
        if let (Some(_), Some(rss)) = (self.peak, resident_memory(None)) {
            self.memory(None, rss, proportional_memory(None));
        }
    }

    /// A process holds so many bytes now.
    fn memory(&mut self, worker: Option<u32>, rss: u64, pss: Option<u64>) {
        let at = self.elapsed();
        self.write(&Event::Memory {
            w: worker,
            at,
            rss,
            pss,
        });
    }

    /// The peak of a process's memory has grown in a test, to so many bytes.
    fn peak(&mut self, test: u32, worker: Option<u32>, rss: u64) {
        self.write(&Event::Peak {
            t: test,
            w: worker,
            rss,
        });
    }

    /// The run is over.
    fn end(&mut self, exit: i32, warnings: usize) {
        let at = self.elapsed();
        self.tell(&Event::End { at, exit, warnings });
    }
}

impl Journal {
    fn elapsed(&self) -> Micros {
        now().saturating_sub(self.began)
    }
}

/// Characters of failures that a journal keeps, and bytes that all journals in a cache may take, by a size; None for "all".
/// Raises ValueError with a line that says what to write.
#[pyfunction]
pub(super) fn journal_limits(text: Text) -> PyResult<Option<(u64, u64)>> {
    limits(&text.0).map_err(|error| PyValueError::new_err(error.to_string()))
}
