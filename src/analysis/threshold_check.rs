//! Checking the thresholds that a journal names among the options of a run.

use super::durations::Spread;
use super::parse::ParseError;
use super::threshold::{Figure, Limit, Threshold, Thresholds};
use super::{counted, slow};
use crate::journal::Micros;
use crate::journal::event::Test;
use crate::journal::merged::Merged;
use crate::journal::run::{Attempt, Run, Verdict};
use crate::text::duration::{apart, spoken};
use crate::text::{percent, percent_apart};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// The result of a threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// The threshold.
    pub text: String,
    /// The value of its figure; `no tests` if it is a duration or rate of no tests. A count of no tests is 0.
    pub value: String,
    /// Whether the threshold is broken. A duration or a rate of no tests is not.
    pub broken: bool,
}

/// Checks the thresholds of some runs, except those that ran no test. Runs with the same thresholds, such as the shards
/// of a suite, are checked together.
///
/// # Errors
/// If a journal contains invalid thresholds.
pub fn judge(merged: &Merged) -> Result<Vec<Judgement>, ParseError> {
    let mut asked: Vec<&str> = Vec::new();
    for part in &merged.parts {
        let text = thresholds_of(&part.run);
        if !asked.contains(&text) {
            asked.push(text);
        }
    }
    asked.retain(|asked| counted(merged).any(|counted| thresholds_of(counted.run) == *asked));
    let mut judgements = Vec::new();
    for text in asked {
        let thresholds: Thresholds = text.parse()?;
        let mut samples: HashMap<Option<&str>, Sample> = HashMap::new();
        judgements.extend(thresholds.0.iter().map(|threshold| {
            let marker = threshold.marker.as_deref();
            let sample = samples
                .entry(marker)
                .or_insert_with(|| Sample::new(merged, text, marker));
            sample.judge(threshold)
        }));
    }
    Ok(judgements)
}

fn thresholds_of(run: &Run) -> &str {
    let asked = run.head.options.get("rustpar_thresholds");
    asked.map_or("", String::as_str)
}

/// The tests to which a threshold applies.
#[derive(Default)]
struct Sample {
    spread: Spread,
    tests: u64,
    slow: u64,
    failed: u64,
}

impl Sample {
    /// The tests with a marker, or all, of the runs whose thresholds are `asked`.
    fn new(merged: &Merged, asked: &str, marker: Option<&str>) -> Self {
        let chosen: Vec<Option<HashSet<Test>>> = merged
            .parts
            .iter()
            .map(|part| {
                let tests = |marker| part.run.marks.get(marker).into_iter().flatten().copied();
                marker.map(|marker| tests(marker).collect())
            })
            .collect();
        let limits: Vec<Micros> = merged.parts.iter().map(|part| slow::limit(&part.run)).collect();
        let mut sample = Self::default();
        for counted in counted(merged).filter(|counted| thresholds_of(counted.run) == asked) {
            let chosen = chosen[counted.part].as_ref();
            if chosen.is_none_or(|tests| tests.contains(&counted.attempt.test)) {
                sample.add(counted.attempt, limits[counted.part]);
            }
        }
        sample
    }

    fn add(&mut self, attempt: &Attempt, limit: Micros) {
        let failures = [Verdict::Failed, Verdict::Error, Verdict::Crashed];
        self.tests += 1;
        self.failed += u64::from(failures.contains(&attempt.verdict()));
        self.slow += u64::from(slow::is_slow(attempt, limit));
        if !attempt.crashed {
            self.spread.add(attempt.took());
        }
    }

    /// The value of a figure, in the unit of its limits; `None` if it is a duration or rate of no tests.
    fn value(&self, figure: Figure) -> Option<Limit> {
        let spread = &self.spread;
        let time = match figure {
            Figure::Count => return Some(Limit::Count(self.tests)),
            Figure::SlowCount => return Some(Limit::Count(self.slow)),
            Figure::FailedCount => return Some(Limit::Count(self.failed)),
            Figure::SlowRate => return self.rate(self.slow),
            Figure::FailedRate => return self.rate(self.failed),
            Figure::Percentile(percent) => spread.percentile(percent),
            Figure::Average => spread.mean(),
            Figure::Median => spread.percentile(50.0),
            Figure::Least => spread.least(),
            Figure::Most => spread.most(),
        };
        time.map(Limit::Time)
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of tests are small")]
    fn rate(&self, part: u64) -> Option<Limit> {
        (self.tests > 0).then(|| Limit::Rate(part as f64 * 100.0 / self.tests as f64))
    }

    fn judge(&self, threshold: &Threshold) -> Judgement {
        let compare = threshold.comparison;
        let (value, kept) = match (self.value(threshold.figure), threshold.limit) {
            (Some(Limit::Time(time)), Limit::Time(limit)) => {
                let kept = compare.holds(time, limit);
                (if kept { spoken(time) } else { apart(time, limit) }, kept)
            }
            (Some(Limit::Count(count)), Limit::Count(limit)) => {
                (count.to_string(), compare.holds(count, limit))
            }
            (Some(Limit::Rate(rate)), Limit::Rate(limit)) => {
                let kept = compare.holds(rate, limit);
                (
                    if kept {
                        percent(rate)
                    } else {
                        percent_apart(rate, limit)
                    },
                    kept,
                )
            }
            _ => ("no tests".to_owned(), true),
        };
        Judgement {
            text: threshold.to_string(),
            value,
            broken: !kept,
        }
    }
}
