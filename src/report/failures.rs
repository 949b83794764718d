//! Failures of runs, in the order of environments and tests, and the tests that ran at the same time.

use super::spans::spans;
use crate::journal::Micros;
use crate::journal::event::{Detail, Outcome};
use crate::journal::merged::Merged;
use crate::journal::run::{Attempt, Run, Verdict};

/// A test whose last attempt failed, or a collector that failed.
#[derive(Debug, Clone)]
pub struct Failure<'a> {
    /// The node id.
    pub id: &'a str,
    /// The run, as an index into [`Merged::parts`].
    pub part: usize,
    /// Its verdict.
    pub verdict: Verdict,
    /// The failed attempt; `None` for a collector.
    pub attempt: Option<&'a Attempt>,
    /// The details of each failed phase; empty if the worker crashed and the run was killed.
    pub details: Vec<&'a Detail>,
}

impl<'a> Failure<'a> {
    /// The error message, possibly of several lines.
    #[must_use]
    pub fn message(&self) -> &'a str {
        self.details
            .first()
            .map_or("the worker crashed", |detail| &detail.message)
    }

    /// Titles and texts of captured output; a later report of an attempt repeats that of earlier ones.
    #[must_use]
    pub fn sections(&self) -> &'a [(String, String)] {
        captured(&self.details)
    }
}

/// The captured output of the last report that has any.
#[must_use]
pub fn captured<'a>(details: &[&'a Detail]) -> &'a [(String, String)] {
    let sections = details.iter().rev().map(|detail| &detail.sections[..]);
    sections
        .into_iter()
        .find(|sections| !sections.is_empty())
        .unwrap_or_default()
}

/// All failures of some runs.
#[must_use]
pub fn failures(merged: &Merged) -> Vec<Failure<'_>> {
    let mut found = Vec::new();
    for (part, detail) in merged.collect_reports() {
        if detail.o == Some(Outcome::Failed) {
            found.push(Failure {
                id: detail.id.as_deref().unwrap_or_default(),
                part,
                verdict: Verdict::Error,
                attempt: None,
                details: vec![detail],
            });
        }
    }
    for result in &merged.results {
        let run = &merged.parts[result.part].run;
        for attempt in merged.last(result) {
            let verdict = attempt.verdict();
            if matches!(verdict, Verdict::Failed | Verdict::Error | Verdict::Crashed) {
                found.push(Failure {
                    id: merged.id(result),
                    part: result.part,
                    verdict,
                    attempt: Some(attempt),
                    details: errors(run, attempt),
                });
            }
        }
    }
    found.sort_by_key(|failure| merged.parts[failure.part].environment);
    found
}

/// The details of an attempt's failed phases.
#[must_use]
pub fn errors<'a>(run: &'a Run, attempt: &Attempt) -> Vec<&'a Detail> {
    let details = attempt.details.iter().map(|&index| &run.details[index]);
    details
        .filter(|detail| detail.o == Some(Outcome::Failed))
        .collect()
}

/// The attempts of a run in each process, with their times.
pub struct Lanes<'a> {
    /// Start, end and attempt, sorted by start.
    lanes: Vec<Vec<(Micros, Micros, &'a Attempt)>>,
}

impl<'a> Lanes<'a> {
    /// Builds the lanes of a run.
    #[must_use]
    pub fn new(run: &'a Run) -> Self {
        let mut lanes = vec![Vec::new(); run.processes.len()];
        for (attempt, (began, ended)) in run.attempts.iter().zip(spans(run)) {
            lanes[attempt.process].push((began, ended, attempt));
        }
        for lane in &mut lanes {
            lane.sort_by_key(|&(began, ..)| began);
        }
        Self { lanes }
    }

    /// The attempts in other processes that overlap this one in time.
    pub fn concurrent(&self, attempt: &'a Attempt) -> impl Iterator<Item = &'a Attempt> {
        let process = attempt.process;
        let (from, to) = self.span(attempt);
        let others = self.lanes.iter().enumerate();
        let others = others.filter(move |&(other, _)| other != process);
        others.flat_map(move |(_, lane)| {
            // A process runs one test at a time, so ends are sorted, too.
            let first = lane.partition_point(|&(_, ended, _)| ended <= from);
            let lane = lane[first..].iter();
            lane.take_while(move |&&(began, ..)| began <= to)
                .map(|&(.., attempt)| attempt)
        })
    }

    fn span(&self, attempt: &Attempt) -> (Micros, Micros) {
        let lane = &self.lanes[attempt.process];
        let first = attempt
            .began()
            .map_or(0, |began| lane.partition_point(|&(other, ..)| other < began));
        let mut others = lane[first..].iter();
        let own = others.find(|&&(.., other)| std::ptr::eq(other, attempt));
        own.map_or((0, 0), |&(began, ended, _)| (began, ended))
    }
}
