//! Writing the journal of a run: its times, the limit on its texts, and when the file is flushed.

use super::event::{Collected, Event, Test, Worker};
use super::resume::record::{ReportEncoder, WarningNumbers};
use super::text_limits::TextBudget;
use super::write::Writer;
use super::{Micros, micros};
use crate::protocol::value::Value;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The journal that a run writes.
#[derive(Debug)]
pub struct RunWriter {
    writer: Writer,
    began: Micros,
    /// Whether [`RunWriter::end_batch`] is called after each batch; otherwise each test's end is flushed.
    batches: bool,
    /// The characters that are left for texts of failures.
    pub budget: TextBudget,
    /// The length of the run that is resumed: the times of this run's events continue there.
    offset: Micros,
    /// Workers whose last test is complete, and that have not reported another one in this batch.
    completed: BTreeSet<u32>,
    reports: ReportEncoder,
    warnings: WarningNumbers,
}

impl Default for RunWriter {
    /// Without a file, which writes nothing.
    fn default() -> Self {
        Self {
            writer: Writer::default(),
            began: now(),
            batches: false,
            budget: TextBudget::default(),
            offset: 0,
            completed: BTreeSet::new(),
            reports: ReportEncoder::default(),
            warnings: WarningNumbers::default(),
        }
    }
}

impl RunWriter {
    /// Creates the file.
    ///
    /// # Errors
    /// The system's error, also if the file exists.
    pub fn create(&mut self, path: &Path) -> io::Result<()> {
        self.writer = Writer::create(path)?;
        Ok(())
    }

    /// Limits the characters of failure texts; `None` for no limit.
    pub fn limit_failure_texts(&mut self, limit: Option<u64>) {
        self.budget = TextBudget::new(limit);
        self.reports = ReportEncoder::new(limit);
    }

    /// Whether the file at `path` contains exactly what this journal wrote.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        self.writer.is_at(path)
    }

    /// Switches to batches: from now on, [`RunWriter::end_batch`] is called after each batch of reports.
    pub fn use_batches(&mut self) {
        self.batches = true;
    }

    /// The first error of the file, returned once.
    pub fn take_error(&mut self) -> Option<io::Error> {
        self.writer.take_error()
    }

    /// Sets the start time of the run to now, and returns it in microseconds since the epoch.
    pub fn begin(&mut self) -> Micros {
        self.began = now();
        self.began
    }

    /// The start time of the run, in microseconds since the epoch.
    #[must_use]
    pub fn began(&self) -> Micros {
        self.began
    }

    /// Lets the times of all events continue after those of a run that is resumed, which lasted so many seconds.
    pub fn continue_after(&mut self, seconds: f64) {
        self.offset = micros(seconds);
    }

    /// The time since the start of the run.
    #[must_use]
    pub fn elapsed(&self) -> Micros {
        now().saturating_sub(self.began) + self.offset
    }

    /// Converts a time of the monotonic clock in microseconds to a time relative to the start of the run.
    #[cfg(unix)]
    #[must_use]
    pub fn since_start(&self, at: Micros) -> Micros {
        let ago = (crate::platform::clock::nanos() / 1000).saturating_sub(at);
        self.elapsed().saturating_sub(ago)
    }

    /// Converts seconds since the epoch to a time relative to the start of the run.
    #[must_use]
    pub fn moment(&self, seconds: f64) -> Micros {
        micros(seconds).saturating_sub(self.began) + self.offset
    }

    /// Writes an event.
    pub fn write(&mut self, event: &Event) {
        if let Event::Setup(ended) = event
            && let Some(worker) = ended.w
        {
            self.completed.remove(&worker);
        }
        self.writer.event(event);
    }

    /// Writes an event and flushes the file.
    pub fn write_and_flush(&mut self, event: &Event) {
        self.writer.event(event);
        self.writer.flush();
    }

    /// Writes an event copied from the run that is resumed.
    pub fn write_copied(&mut self, event: Event) {
        let event = match event {
            Event::Warning(warning) => Event::Warning(self.warnings.event(warning.t, warning.data)),
            event => event,
        };
        self.writer.event(&event);
    }

    /// Writes what else is in the preceding report, a dictionary of attributes.
    pub fn write_report(&mut self, test: Test, worker: Worker, attributes: Value) {
        let event = self.reports.event(test, worker, attributes);
        self.write(&Event::Report(event));
    }

    /// Writes a warning that was recorded while a test ran: its data in base64.
    pub fn write_warning(&mut self, test: Test, data: String) {
        let event = self.warnings.event(test, data);
        self.write(&Event::Warning(event));
        self.test_ended();
    }

    /// Writes the collection: `usual` are the expected seconds of each test, empty without a history; `groups` are
    /// empty without groups.
    pub fn write_collected(
        &mut self,
        ids: Vec<String>,
        usual: Vec<Option<f64>>,
        groups: Vec<Option<String>>,
        serial: Vec<Test>,
        deselected: usize,
    ) {
        let usual = usual.into_iter().map(|time| time.map(micros)).collect();
        let event = Event::Collected(Collected {
            at: self.elapsed(),
            ids,
            usual: unless_unknown(usual),
            groups: unless_unknown(groups),
            serial,
            deselected,
        });
        self.write_and_flush(&event);
    }

    /// Records that a worker has completed its last test: written with the batch, unless it reports another test in it.
    pub fn done(&mut self, worker: u32) {
        self.completed.insert(worker);
    }

    /// Writes that the coverage data of all tests that a worker has completed is saved.
    pub fn saved(&mut self, worker: u32) {
        self.completed.remove(&worker);
        self.writer.event(&Event::Saved { w: worker, pid: None });
    }

    /// Called when a test has ended: flushes the file, unless batches are used.
    pub fn test_ended(&mut self) {
        if !self.batches {
            self.writer.flush();
        }
    }

    /// Writes all buffered events to the file, and which workers have completed their last test.
    pub fn end_batch(&mut self) {
        for w in std::mem::take(&mut self.completed) {
            self.writer.event(&Event::Done { w });
        }
        self.writer.flush();
    }

    /// Writes all buffered events to the file.
    pub fn flush(&mut self) {
        self.writer.flush();
    }
}

/// These values; none if all are unknown.
fn unless_unknown<T>(values: Vec<Option<T>>) -> Vec<Option<T>> {
    if values.iter().any(Option::is_some) {
        values
    } else {
        Vec::new()
    }
}

/// The current time in microseconds since the epoch.
fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    micros(since.unwrap_or(Duration::ZERO).as_secs_f64())
}
