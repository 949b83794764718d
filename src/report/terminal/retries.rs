//! The tests of a run that were tried again, and why.

use super::Line;
use crate::text::counted;

/// Maximum number of tests listed.
const MAX_TESTS: usize = 50;

/// How a test that was tried again has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It passed in the attempt with this number.
    Flaky(u32),
    /// It failed in its last attempt, too.
    Failed,
    /// It was not tried again, because the run was stopped.
    Stopped,
}

/// A test that was tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retried {
    /// Its node id.
    pub id: String,
    /// How it has ended.
    pub end: End,
    /// Its attempts that have failed and were followed by another: number, worker if there are several, and the first
    /// line of the error.
    pub failures: Vec<(u32, Option<String>, String)>,
}

/// The lines about tests that were tried again, without a title.
#[must_use]
pub fn lines(tests: &[Retried]) -> Vec<Line> {
    let mut found = Vec::new();
    for test in tests.iter().take(MAX_TESTS) {
        let id = &test.id;
        let text = match test.end {
            End::Flaky(attempt) => format!("FLAKY {id}: passed in attempt {attempt}"),
            End::Failed => format!("FAILED {id}: in every attempt"),
            End::Stopped => format!("STOPPED {id}: not tried again, because the run was stopped"),
        };
        found.push(line(text, true));
        for (number, worker, message) in &test.failures {
            let place = worker.as_ref().map_or(String::new(), |name| format!(" ({name})"));
            let message = message.lines().next().unwrap_or_default().trim();
            let text = format!("    attempt {number}{place}: {message}");
            found.push(line(text.trim_end().to_owned(), false));
        }
    }
    let more = tests.len().saturating_sub(MAX_TESTS);
    if more > 0 {
        found.push(line(format!("and {}", counted(more, "more test")), false));
    }
    found
}

fn line(text: String, is_highlighted: bool) -> Line {
    Line { text, is_highlighted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retried(id: &str, end: End, failures: &[(u32, Option<&str>, &str)]) -> Retried {
        let failures = failures.iter();
        Retried {
            id: id.to_owned(),
            end,
            failures: failures
                .map(|(number, worker, text)| (*number, worker.map(str::to_owned), (*text).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn each_failed_attempt_is_named_with_its_worker_and_the_first_line_of_its_error() {
        let tests = [
            retried(
                "test_a.py::test_net",
                End::Flaky(3),
                &[
                    (1, Some("gw0"), "ConnectionError: refused\nby the server"),
                    (2, Some("gw1"), ""),
                ],
            ),
            retried("test_a.py::test_bad", End::Failed, &[(1, None, "assert 1 == 2")]),
            retried("test_b.py::test_late", End::Stopped, &[]),
        ];
        let lines: Vec<String> = lines(&tests).into_iter().map(|line| line.text).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        FLAKY test_a.py::test_net: passed in attempt 3
            attempt 1 (gw0): ConnectionError: refused
            attempt 2 (gw1):
        FAILED test_a.py::test_bad: in every attempt
            attempt 1: assert 1 == 2
        STOPPED test_b.py::test_late: not tried again, because the run was stopped
        ");
    }

    #[test]
    fn a_long_list_ends_with_the_number_of_those_left_out() {
        let tests = vec![retried("a", End::Failed, &[]); MAX_TESTS + 1];
        let lines = lines(&tests);
        assert_eq!(lines.len(), MAX_TESTS + 1);
        assert_eq!(
            lines.last().map(|line| line.text.as_str()),
            Some("and 1 more test")
        );
    }
}
