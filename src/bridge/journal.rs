//! Python bindings for writing the journal of a run. Events that occur once per run have methods here; the phases of
//! tests are written by the `Recorder`.

use super::memory::{peak_memory, proportional_memory, resident_memory};
use super::text::{Text, texts};
use crate::journal::event::{Collected, Detail, Ending, Event, Head, Outcome, Start, Test, WorkerGone};
use crate::journal::read::is_journal;
use crate::journal::retention::Retention as CoreRetention;
use crate::journal::text_limits::TextBudget;
use crate::journal::write::Writer;
use crate::journal::{FORMAT, Micros, VERSION, micros};
use crate::platform::memory::Peak;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Converts pairs of texts.
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
    /// Whether `flush` is called after each batch; otherwise each test's end is flushed.
    batches: bool,
    /// The peak memory of this process, if tests run in it.
    peak: Option<Peak>,
    budget: TextBudget,
}

impl Journal {
    /// Writes an event.
    pub(super) fn write(&mut self, event: &Event) {
        self.writer.event(event);
    }

    /// Called when a test has ended: flushes the file, unless batches are used.
    pub(super) fn test_ended(&mut self) {
        if !self.batches {
            self.writer.flush();
        }
    }

    /// Writes the peak memory of this process after a test, if it has grown.
    pub(super) fn record_peak_growth(&mut self, test: Test) {
        let grown = self.peak.as_mut().and_then(|peak| peak.grown(peak_memory()));
        if let Some(rss) = grown {
            self.write(&Event::Peak {
                t: test,
                w: None,
                rss,
            });
        }
    }

    /// Converts seconds since the epoch to a time relative to the start of the run.
    pub(super) fn moment(&self, seconds: f64) -> Micros {
        micros(seconds).saturating_sub(self.began)
    }

    /// Converts pairs of texts, of which the second ones are shortened to the budget.
    fn fit_pairs(&mut self, pairs: Vec<(Text, Text)>) -> Vec<(String, String)> {
        let pairs = pairs.into_iter();
        let fit = pairs.map(|(Text(name), Text(text))| (name, self.budget.fit(text)));
        fit.collect()
    }

    /// Writes an event and flushes the file.
    fn write_and_flush(&mut self, event: &Event) {
        self.writer.event(event);
        self.writer.flush();
    }
}

/// The current time in microseconds since the epoch.
fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    micros(since.unwrap_or(Duration::ZERO).as_secs_f64())
}

#[pymethods]
impl Journal {
    /// Creates a journal without a file, which writes nothing.
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

    /// Creates the file `path`. Raises OSError, also if the file exists.
    fn open(&mut self, path: PathBuf) -> PyResult<()> {
        self.writer = Writer::create(&path)?;
        Ok(())
    }

    /// Limits the characters of failure texts; None for no limit.
    fn limit_failure_texts(&mut self, limit: Option<u64>) {
        self.budget = TextBudget::new(limit);
    }

    /// Whether a file looks like a journal, judged by its first bytes; an empty one counts. Raises OSError.
    #[staticmethod]
    fn may_replace(path: PathBuf) -> PyResult<bool> {
        Ok(is_journal(&path)?)
    }

    /// Whether the file at `path` contains exactly what this journal wrote.
    fn is_at(&self, path: PathBuf) -> bool {
        self.writer.is_at(&path)
    }

    /// Switches to batches: from now on, `flush` is called after each batch of reports.
    fn use_batches(&mut self) {
        self.batches = true;
    }

    /// Writes all buffered events to the file.
    fn flush(&mut self) {
        self.writer.flush();
    }

    /// The first error of the file, returned once.
    fn error(&mut self) -> Option<String> {
        self.writer.take_error().map(|error| error.to_string())
    }

    /// Sets the start time of the run to now.
    fn begin(&mut self) {
        self.began = now();
    }

    /// Writes the description of the run, its first event.
    fn run(
        &mut self,
        id: Text,
        command: Vec<Text>,
        options: HashMap<Text, Text>,
        versions: HashMap<Text, Text>,
        machine: HashMap<Text, Text>,
    ) {
        self.write_and_flush(&Event::Run(Head {
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

    /// Writes the collection; `usual` are the expected seconds of each test.
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
        self.write_and_flush(&event);
    }

    /// Writes which tests carry the markers that thresholds name.
    fn marks(&mut self, marks: HashMap<Text, Vec<u32>>) {
        self.write_and_flush(&Event::Marks {
            marks: marks
                .into_iter()
                .map(|(Text(name), tests)| (name, tests))
                .collect(),
        });
    }

    /// Writes the start mode, the number of workers and the distribution mode.
    fn start(&mut self, start: String, workers: usize, dist: String) {
        let at = self.elapsed();
        self.write_and_flush(&Event::Start(Start {
            at,
            start,
            workers,
            dist,
        }));
    }

    /// Writes the contents of a report beyond its outcome; `outcome` only if no phase states it.
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
            Some(other) => return Err(PyValueError::new_err(format!("{other:?} is not an outcome"))),
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

    /// Writes the properties recorded by a test, or without a test, by the suite.
    fn properties(&mut self, test: Option<u32>, properties: Vec<(Text, Text)>) {
        let properties = match test {
            Some(_) => self.fit_pairs(properties),
            None => pairs(properties),
        };
        self.write(&Event::Properties { t: test, properties });
        self.test_ended();
    }

    /// Writes that a worker has started, with its process id.
    fn worker(&mut self, worker: u32, pid: i64) {
        let at = self.elapsed();
        self.write_and_flush(&Event::Worker { w: worker, at, pid });
    }

    /// Writes that a worker has ended; `how` is "left", "crashed" or "replaced".
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
            other => {
                return Err(PyValueError::new_err(format!(
                    "{other:?} is not one of left, crashed and replaced"
                )));
            }
        };
        let at = self.elapsed();
        self.write_and_flush(&Event::Gone(WorkerGone {
            w: worker,
            at,
            how,
            status,
            running,
            why,
        }));
        Ok(())
    }

    /// Starts monitoring the memory of this process, in which tests are about to run.
    fn monitor_memory(&mut self) {
        self.peak = Some(Peak::known(peak_memory()));
        self.sample_memory();
    }

    /// Writes the current memory of this process, if tests run in it.
    fn sample_memory(&mut self) {
        if let (Some(_), Some(rss)) = (self.peak, resident_memory(None)) {
            self.memory(None, rss, proportional_memory(None));
        }
    }

    /// Writes the current memory of a process.
    fn memory(&mut self, worker: Option<u32>, rss: u64, pss: Option<u64>) {
        let at = self.elapsed();
        self.write(&Event::Memory {
            w: worker,
            at,
            rss,
            pss,
        });
    }

    /// Writes the new peak memory of a process, which has grown during a test.
    fn peak(&mut self, test: u32, worker: Option<u32>, rss: u64) {
        self.write(&Event::Peak {
            t: test,
            w: worker,
            rss,
        });
    }

    /// Writes the end of the run.
    fn end(&mut self, exit: i32, warnings: usize) {
        let at = self.elapsed();
        self.write_and_flush(&Event::End { at, exit, warnings });
    }
}

impl Journal {
    fn elapsed(&self) -> Micros {
        now().saturating_sub(self.began)
    }
}

/// How many journals stay in pytest's cache, and how large they may be.
#[pyclass(frozen, module = "rustpar._core")]
pub(super) struct Retention(CoreRetention);

#[pymethods]
impl Retention {
    /// Parses `rustpar_journals` and `rustpar_journal_size`. Raises ValueError with a line that names the entry.
    #[new]
    fn new(number: Text, size: Text) -> PyResult<Self> {
        let parsed = CoreRetention::parse(&number.0, &size.0);
        Ok(Self(
            parsed.map_err(|error| PyValueError::new_err(error.to_string()))?,
        ))
    }

    /// How many journals are kept, including that of the current run; 0 for none.
    #[getter]
    fn number(&self) -> usize {
        self.0.number
    }

    /// How many characters of failure texts a journal keeps; None for no limit.
    #[getter]
    fn characters(&self) -> Option<u64> {
        self.0.characters
    }

    /// Deletes the oldest journals of a directory, to make room for one more. Raises OSError.
    fn make_room(&self, directory: PathBuf) -> PyResult<()> {
        Ok(self.0.make_room(&directory)?)
    }
}
