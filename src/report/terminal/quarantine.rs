//! The failures of a run that are in the quarantine, and entries of it that are to be removed.

use super::Line;
use crate::analysis::quarantine::Entry;
use crate::text::counted;

/// Maximum number of tests listed.
const MAX_TESTS: usize = 50;

/// The lines about failed tests, without a title: node id, error and entry of each.
#[must_use]
pub fn lines(failed: &[(String, String, &Entry)]) -> Vec<Line> {
    let mut found = Vec::new();
    for (id, error, entry) in failed.iter().take(MAX_TESTS) {
        let (until, reason) = (&entry.until, &entry.reason);
        found.push(line(format!("QUARANTINED {id}: until {until}, {reason}"), true));
        let error = error.lines().next().unwrap_or_default().trim();
        if !error.is_empty() {
            found.push(line(format!("    {error}"), false));
        }
    }
    let more = failed.len().saturating_sub(MAX_TESTS);
    if more > 0 {
        found.push(line(format!("and {}", counted(more, "more test")), false));
    }
    found
}

/// The line about an entry that has expired, or that applies to no test.
#[must_use]
pub fn line_about(entry: &Entry, file: &str, is_expired: bool) -> String {
    let Entry {
        line, pattern, until, ..
    } = entry;
    let problem = if is_expired {
        format!("expired on {until}: fix the test, or change the date")
    } else {
        "applies to no test: remove it".to_owned()
    };
    format!("{file}:{line}: the entry '{pattern}' {problem}")
}

fn line(text: String, is_highlighted: bool) -> Line {
    Line { text, is_highlighted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::quarantine::parse;

    #[test]
    fn each_failure_is_named_with_its_reason_and_the_first_line_of_its_error() {
        let entry = &parse("test_a.py 2026-12-31 the mirror is slow").expect("an entry")[0];
        let failed = [
            (
                "test_a.py::test_b".to_owned(),
                "OSError: no\nmore".to_owned(),
                entry,
            ),
            ("test_a.py::test_c".to_owned(), String::new(), entry),
        ];
        let mut texts: Vec<String> = lines(&failed).into_iter().map(|line| line.text).collect();
        texts.extend([true, false].map(|is_expired| line_about(entry, "q.txt", is_expired)));
        insta::assert_snapshot!(texts.join("\n"), @r"
        QUARANTINED test_a.py::test_b: until 2026-12-31, the mirror is slow
            OSError: no
        QUARANTINED test_a.py::test_c: until 2026-12-31, the mirror is slow
        q.txt:1: the entry 'test_a.py' expired on 2026-12-31: fix the test, or change the date
        q.txt:1: the entry 'test_a.py' applies to no test: remove it
        ");
    }

    #[test]
    fn a_long_list_ends_with_the_number_of_those_left_out() {
        let entry = &parse("a 2026-12-31 b").expect("an entry")[0];
        let failed = vec![("a".to_owned(), String::new(), entry); MAX_TESTS + 2];
        let lines = lines(&failed);
        let last = lines.last().map(|line| line.text.as_str());
        assert_eq!((lines.len(), last), (MAX_TESTS + 1, Some("and 2 more tests")));
    }
}
