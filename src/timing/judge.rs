//! Whether a run has kept its thresholds: those that its journal names among the options.

use super::durations::Spread;
use super::parse::ParseError;
use super::spoken::{apart, spoken};
use super::thresholds::{Figure, Limit, Threshold, Thresholds};
use super::{counted, slow};
use crate::journal::Micros;
use crate::journal::event::Test;
use crate::journal::run::{Attempt, Run, Verdict};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// What became of a threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// The threshold.
    pub text: String,
    /// What the figure is; `no tests` where there are none that it could be of.
    pub value: String,
    /// Whether the figure breaks the threshold. One that is of no tests does not.
    pub broken: bool,
}

/// What became of the thresholds of a run; nothing when it ran no test.
///
/// # Errors
/// When the journal names thresholds that cannot be understood.
pub fn judge(run: &Run) -> Result<Vec<Judgement>, ParseError> {
    let asked = run.head.options.get("rustpar_thresholds");
    let thresholds: Thresholds = asked.map_or("", String::as_str).parse()?;
    if run.attempts.is_empty() {
        return Ok(Vec::new());
    }
    let mut samples: HashMap<Option<&str>, Sample> = HashMap::new();
    let judgements = thresholds.0.iter().map(|threshold| {
        let marker = threshold.marker.as_deref();
        let sample = samples.entry(marker).or_insert_with(|| Sample::new(run, marker));
        sample.judge(threshold)
    });
    Ok(judgements.collect())
}

/// The tests that a threshold is about.
#[derive(Default)]
struct Sample {
    spread: Spread,
    tests: u64,
    slow: u64,
    failed: u64,
}

impl Sample {
    fn new(run: &Run, marker: Option<&str>) -> Self {
        let limit = slow::limit(run);
        let chosen: Option<HashSet<Test>> =
            marker.map(|marker| run.marks.get(marker).into_iter().flatten().copied().collect());
        let mut sample = Self::default();
        for attempt in counted(run) {
            if chosen.as_ref().is_none_or(|tests| tests.contains(&attempt.test)) {
                sample.add(attempt, limit);
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

    /// The figure, as what its limits are of; `None` when it is of no tests.
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
                (format!("{rate:.2} %"), compare.holds(rate, limit))
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
