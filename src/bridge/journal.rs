//! Python bindings for writing the journal of a run. Events that occur once per run have methods here; the phases of
//! tests are written by the `Recorder`.

use super::memory::{peak_memory, resident_memory};
use super::text::{Text, texts};
use super::value::to_value;
use crate::journal::event::{Detail, Ending, Event, Head, Outcome, Start, Test, Worker, WorkerGone};
use crate::journal::read::is_journal;
use crate::journal::resume::code::digests;
use crate::journal::run_writer::RunWriter;
use crate::journal::{FORMAT, VERSION};
use crate::platform::machine::description;
use crate::platform::memory::Peak;
use crate::text::base64;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

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
    pub(super) run: RunWriter,
    /// The peak memory of this process, if tests run in it.
    peak: Option<Peak>,
}

impl Journal {
    /// Writes the peak memory of this process after a test, if it has grown.
    pub(super) fn record_peak_growth(&mut self, test: Test) {
        let grown = self.peak.as_mut().and_then(|peak| peak.grown(peak_memory()));
        if let Some(rss) = grown {
            self.peak(test, None, rss);
        }
    }

    /// Converts pairs of texts, of which the second ones are shortened to the budget.
    fn fit_pairs(&mut self, pairs: Vec<(Text, Text)>) -> Vec<(String, String)> {
        let pairs = pairs.into_iter();
        let fit = pairs.map(|(Text(name), Text(text))| (name, self.run.budget.fit(text)));
        fit.collect()
    }
}

#[pymethods]
impl Journal {
    /// Creates a journal without a file, which writes nothing.
    #[new]
    fn new() -> Self {
        Self {
            run: RunWriter::default(),
            peak: None,
        }
    }

    /// Creates the file `path`. Raises OSError, also if the file exists.
    fn open(&mut self, path: PathBuf) -> PyResult<()> {
        Ok(self.run.create(&path)?)
    }

    /// Limits the characters of failure texts; None for no limit.
    fn limit_failure_texts(&mut self, limit: Option<u64>) {
        self.run.limit_failure_texts(limit);
    }

    /// Whether a file looks like a journal, judged by its first bytes; an empty one counts. Raises OSError.
    #[staticmethod]
    fn may_replace(path: PathBuf) -> PyResult<bool> {
        Ok(is_journal(&path)?)
    }

    /// Whether the file at `path` contains exactly what this journal wrote.
    fn is_at(&self, path: PathBuf) -> bool {
        self.run.is_at(&path)
    }

    /// Switches to batches: from now on, `flush` is called after each batch of reports.
    fn use_batches(&mut self) {
        self.run.use_batches();
    }

    /// Writes all buffered events to the file.
    fn flush(&mut self) {
        self.run.end_batch();
    }

    /// Writes the buffered events about a report to the file, unless batches are used.
    fn flush_report(&mut self) {
        self.run.test_ended();
    }

    /// Lets the times of all events continue after those of a run that is resumed, which lasted so many seconds.
    fn continue_after(&mut self, seconds: f64) {
        self.run.continue_after(seconds);
    }

    /// The first error of the file, returned once.
    fn error(&mut self) -> Option<String> {
        self.run.take_error().map(|error| error.to_string())
    }

    /// Sets the start time of the run to now.
    fn begin(&mut self) {
        self.run.begin();
    }

    /// Writes the description of the run, its first event. `machine` is completed with what the system says.
    fn run(
        &mut self,
        id: Text,
        command: Vec<Text>,
        options: HashMap<Text, Text>,
        versions: HashMap<Text, Text>,
        machine: HashMap<Text, Text>,
        rootdir: Text,
        directory: Text,
        environment: HashMap<Text, Text>,
        seeds: HashMap<Text, Text>,
        selection: HashMap<Text, Text>,
        resumes: Option<Text>,
    ) {
        let system = description()
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text));
        self.run.write_and_flush(&Event::Run(Head {
            format: FORMAT.to_owned(),
            version: VERSION,
            id: id.0,
            began: self.run.began(),
            command: texts(command),
            options: pairs(options),
            versions: pairs(versions),
            machine: pairs::<BTreeMap<_, _>>(machine)
                .into_iter()
                .chain(system)
                .collect(),
            rootdir: rootdir.0,
            directory: directory.0,
            environment: pairs(environment),
            seeds: pairs(seeds),
            selection: pairs(selection),
            resumes: resumes.map(|Text(id)| id),
        }));
    }

    /// Writes the start mode, the number of workers, the distribution mode, and what each worker is told: the number of
    /// workers and the id of the run.
    fn start(&mut self, start: String, workers: usize, dist: String, count: u64, uid: Text) {
        let at = self.run.elapsed();
        self.run.write_and_flush(&Event::Start(Start {
            at,
            start,
            workers,
            dist,
            count,
            uid: uid.0,
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
            Some("quarantined") => Some(Outcome::Quarantined),
            Some(other) => return Err(PyValueError::new_err(format!("{other:?} is not an outcome"))),
        };
        let (message, longrepr) = (self.run.budget.fit(message.0), self.run.budget.fit(longrepr.0));
        let sections = self.fit_pairs(sections);
        let cut = self.run.budget.take_cut();
        self.run.write(&Event::Detail(Detail {
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
        Ok(())
    }

    /// Writes the attributes of a report that the other events about it do not contain.
    fn report(&mut self, test: u32, worker: Worker, attributes: &Bound<'_, PyDict>) -> PyResult<()> {
        let value = to_value(attributes, &mut Vec::new())?;
        self.run.write_report(test, worker, value);
        Ok(())
    }

    /// Writes a warning that was recorded while a test ran.
    fn warning(&mut self, test: u32, warning: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut bytes = Vec::new();
        to_value(warning, &mut Vec::new())?.encode(&mut bytes);
        self.run.write_warning(test, base64::encode(&bytes));
        Ok(())
    }

    /// Records that a worker has completed its last test: written with the batch, unless it reports another test in it.
    fn done(&mut self, worker: u32) {
        self.run.done(worker);
    }

    /// Writes that the coverage data of all tests that a worker has completed is saved.
    fn saved(&mut self, worker: u32) {
        self.run.saved(worker);
    }

    /// Writes digests of the project's own files, given relative to `root`.
    fn code(&mut self, py: Python<'_>, root: PathBuf, files: Vec<Text>) {
        let files: Vec<String> = texts(files);
        let files = py.detach(|| digests(&root, files));
        self.run.write_and_flush(&Event::Code { files });
    }

    /// Writes the properties recorded by a test, or without a test, by the suite.
    fn properties(&mut self, test: Option<u32>, properties: Vec<(Text, Text)>) {
        let properties = match test {
            Some(_) => self.fit_pairs(properties),
            None => pairs(properties),
        };
        self.run.write(&Event::Properties { t: test, properties });
    }

    /// Writes that a worker has started, with its process id; if it is a replacement, with the first of the workers that
    /// replaced one another.
    #[pyo3(signature = (worker, pid, first=None))]
    fn worker(&mut self, worker: u32, pid: i64, first: Option<u32>) {
        let (w, at) = (worker, self.run.elapsed());
        self.run.write_and_flush(&Event::Worker { w, at, pid, first });
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
        let at = self.run.elapsed();
        self.run.write_and_flush(&Event::Gone(WorkerGone {
            w: worker,
            at,
            how,
            status,
            running,
            why,
        }));
        Ok(())
    }

    /// Writes that the process that forks workers has died.
    fn lost(&mut self) {
        let at = self.run.elapsed();
        self.run.write_and_flush(&Event::Lost { at });
    }

    /// Starts monitoring the memory of this process, in which tests are about to run.
    fn monitor_memory(&mut self) {
        self.peak = Some(Peak::known(peak_memory()));
        self.sample_memory();
    }

    /// Writes the current memory of this process, if tests run in it. It has nobody to share memory with, and the
    /// kernel takes 0.9 ms for the proportional memory of pytest alone.
    fn sample_memory(&mut self) {
        if let (Some(_), Some(rss)) = (self.peak, resident_memory(None)) {
            self.memory(None, rss, None);
        }
    }

    /// Writes the current memory of a process.
    fn memory(&mut self, worker: Option<u32>, rss: u64, pss: Option<u64>) {
        let at = self.run.elapsed();
        self.run.write(&Event::Memory {
            w: worker,
            at,
            rss,
            pss,
        });
    }

    /// Writes the new peak memory of a process, which has grown during a test.
    fn peak(&mut self, test: u32, worker: Option<u32>, rss: u64) {
        self.run.write(&Event::Peak {
            t: test,
            w: worker,
            rss,
        });
    }

    /// Writes the end of the run.
    fn end(&mut self, exit: i32, warnings: usize) {
        let at = self.run.elapsed();
        self.run.write_and_flush(&Event::End { at, exit, warnings });
    }
}
