//! The tests of a run that repeats them: how often each has failed, and how long it took.

use super::Line;
use crate::text::duration::{Micros, spoken};
use crate::text::{counted, percent, shell};
use std::collections::HashMap;

/// Maximum number of tests listed; those that have failed come first.
const MAX_TESTS: usize = 50;

/// One repetition that has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which repetition of the test it was, in the order in which they ended.
    pub number: usize,
    /// The worker; `None` if there is only one process.
    pub worker: Option<String>,
    /// Which repetition in that worker.
    pub in_worker: usize,
    /// The first line of the error.
    pub message: String,
}

/// The repetitions of a test.
#[derive(Debug, Clone, Default)]
struct Repeated {
    seconds: Vec<Micros>,
    failed: usize,
    skipped: usize,
    first: Option<Failure>,
    /// The repetitions in each worker.
    in_workers: HashMap<Option<String>, usize>,
}

/// Counts repetitions, by the node ids of the tests.
#[derive(Debug, Clone, Default)]
pub struct Repetitions {
    tests: HashMap<String, Repeated>,
    order: Vec<String>,
}

impl Repetitions {
    /// Adds a repetition that has ended: how long it took, whether it was skipped, its worker, and why it has failed.
    pub fn add(
        &mut self,
        id: &str,
        took: Micros,
        is_skipped: bool,
        worker: Option<String>,
        failure: Option<String>,
    ) {
        if !self.tests.contains_key(id) {
            self.order.push(id.to_owned());
        }
        let test = self.tests.entry(id.to_owned()).or_default();
        test.seconds.push(took);
        test.skipped += usize::from(is_skipped);
        let in_worker = test.in_workers.entry(worker.clone()).or_default();
        *in_worker += 1;
        if let Some(failure) = failure {
            let message = failure.lines().next().unwrap_or_default().to_owned();
            test.failed += 1;
            let (number, in_worker) = (test.seconds.len(), *in_worker);
            test.first.get_or_insert(Failure {
                number,
                worker,
                in_worker,
                message,
            });
        }
    }

    /// The lines of the summary; those about failures are highlighted. `selected` are the arguments that select the
    /// tests, for the command that repeats them in one worker as often as that of a failure has.
    #[must_use]
    pub fn lines(&self, selected: &[String]) -> Vec<Line> {
        let mut order: Vec<&String> = self.order.iter().collect();
        order.sort_by_key(|id| std::cmp::Reverse(self.tests[*id].failed));
        let mut lines = Vec::new();
        for id in order.iter().take(MAX_TESTS) {
            let test = &self.tests[*id];
            lines.push(Line {
                text: test.line(id),
                is_highlighted: test.failed > 0,
            });
            if let Some(first) = &test.first {
                let worker = first
                    .worker
                    .as_ref()
                    .map_or_else(String::new, |worker| format!(" ({worker})"));
                lines.push(plain(format!(
                    "    first in run {}{worker}: {}",
                    first.number, first.message
                )));
                let mut command = vec!["pytest".to_owned()];
                if self.order.len() == 1 {
                    command.push((*id).clone());
                } else {
                    command.extend_from_slice(selected);
                }
                let times = format!("--rustpar-repeat={}", first.in_worker);
                command.extend([
                    "-n1".to_owned(),
                    times,
                    "--rustpar-repeat-until=failure".to_owned(),
                ]);
                lines.push(plain(format!("    run again: {}", shell::joined(&command))));
            }
        }
        if order.len() > MAX_TESTS {
            lines.push(plain(format!(
                "and {}",
                counted(order.len() - MAX_TESTS, "more test")
            )));
        }
        lines
    }
}

impl Repeated {
    fn line(&self, id: &str) -> String {
        let runs = self.seconds.len();
        let mut sorted = self.seconds.clone();
        sorted.sort_unstable();
        // The nearest rank: the shortest time that so many percent of the runs did not exceed.
        let at = |share: usize| spoken(sorted[(runs * share).div_ceil(100).max(1) - 1]);
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let rate = percent(self.failed as f64 / runs as f64 * 100.0);
        let failed = match self.failed {
            0 => String::new(),
            failed => format!(", {failed} failed ({rate})"),
        };
        let skipped = match self.skipped {
            0 => String::new(),
            skipped => format!(", {skipped} skipped"),
        };
        let (median, most) = (at(50), at(100));
        format!(
            "{id}: {}{failed}{skipped}; median {median}, p95 {}, max {most}",
            counted(runs, "run"),
            at(95)
        )
    }
}

fn plain(text: String) -> Line {
    Line {
        text,
        is_highlighted: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_has_its_failures_and_its_durations() {
        let mut all = Repetitions::default();
        for run in 1..=100 {
            let failure = (run % 40 == 0).then(|| "AssertionError: no".to_owned());
            let worker = format!("gw{}", run % 2);
            all.add("test_a.py::test_a", run * 1000, false, Some(worker), failure);
            all.add("test_a.py::test_b", 2000, run == 1, Some("gw1".to_owned()), None);
        }
        let lines: Vec<(String, bool)> = all
            .lines(&["tests/a b".to_owned()])
            .into_iter()
            .map(|line| (line.text, line.is_highlighted))
            .collect();
        insta::assert_debug_snapshot!(lines, @r#"
        [
            (
                "test_a.py::test_a: 100 runs, 2 failed (2.00 %); median 50.0 ms, p95 95.0 ms, max 100 ms",
                true,
            ),
            (
                "    first in run 40 (gw0): AssertionError: no",
                false,
            ),
            (
                "    run again: pytest 'tests/a b' -n1 --rustpar-repeat=20 --rustpar-repeat-until=failure",
                false,
            ),
            (
                "test_a.py::test_b: 100 runs, 1 skipped; median 2.00 ms, p95 2.00 ms, max 2.00 ms",
                false,
            ),
        ]
        "#);
    }

    #[test]
    fn only_so_many_tests_are_listed() {
        let mut all = Repetitions::default();
        for test in 0..60 {
            all.add(&format!("test_a.py::test[{test}]"), 1000, false, None, None);
        }
        let lines = all.lines(&[]);
        assert_eq!(lines.len(), 51);
        assert_eq!(lines[50].text, "and 10 more tests");
    }
}
