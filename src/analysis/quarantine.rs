//! The quarantine: tests whose failures do not fail the run, each with a reason, until a date.
//!
//! ```text
//! # Comments and empty lines are ignored.
//! tests/test_net.py::test_download*  2026-12-31  the mirror is slow
//! ```
//!
//! A pattern is compared with whole node ids; `*` stands for any characters and `?` for one. A file, a class, or a test
//! without its parameters stands for all tests in it, and so does a directory with a `/` at its end.
//!
//! The hazard it handles: an entry that is never removed hides failures for ever. So a date and a reason are mandatory.

use crate::text::shortened;

/// An entry of the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its line in the file, counted from 1.
    pub line: usize,
    /// Which tests it applies to.
    pub pattern: String,
    /// The last day on which it holds: `2026-12-31`.
    pub until: String,
    /// Why the tests are in the quarantine.
    pub reason: String,
}

impl Entry {
    /// Whether it applies to a test.
    #[must_use]
    pub fn matches(&self, id: &str) -> bool {
        let parameters = id.find('[').unwrap_or(id.len());
        let mut ends = id[..parameters].match_indices("::").map(|(end, _)| end);
        let mut directories = id.match_indices('/').map(|(end, _)| end + 1);
        is_like(&self.pattern, id)
            || is_like(&self.pattern, &id[..parameters])
            || ends.any(|end| is_like(&self.pattern, &id[..end]))
            || (self.pattern.ends_with('/') && directories.any(|end| is_like(&self.pattern, &id[..end])))
    }

    /// Whether it no longer holds on a day, written as its date is.
    #[must_use]
    pub fn is_expired(&self, today: &str) -> bool {
        self.until.as_str() < today
    }
}

/// An invalid line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It has no date, or nothing before it.
    #[error(
        "line {0}: expected a pattern, a date and a reason: tests/test_net.py::test_get*  2026-12-31  reason"
    )]
    Incomplete(usize),
    /// The date does not exist.
    #[error("line {0}: invalid date '{1}'")]
    Date(usize, String),
    /// It has no reason.
    #[error("line {0}: no reason after the date of '{1}'")]
    Reason(usize, String),
}

/// Parses a file.
///
/// # Errors
///
/// The first invalid line.
pub fn parse(text: &str) -> Result<Vec<Entry>, Problem> {
    let lines = (1..).zip(text.lines().map(str::trim));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| entry(number, line))
        .collect()
}

fn entry(number: usize, line: &str) -> Result<Entry, Problem> {
    // Node ids may contain spaces, but hardly a date between them.
    let is_space = |char: char| char == ' ' || char == '\t';
    let words = line.split(is_space).scan(0, |place, word| {
        let begin = *place;
        *place += word.len() + 1;
        Some((begin, word))
    });
    let found = words.skip(1).find(|(_, word)| has_form_of_date(word));
    let (place, date) = found.ok_or(Problem::Incomplete(number))?;
    if !exists(date) {
        return Err(Problem::Date(number, date.to_owned()));
    }
    let pattern = line[..place].trim();
    let reason = line[place + date.len()..].trim();
    if reason.is_empty() {
        return Err(Problem::Reason(number, shortened(pattern)));
    }
    Ok(Entry {
        line: number,
        pattern: pattern.to_owned(),
        until: date.to_owned(),
        reason: reason.to_owned(),
    })
}

fn has_form_of_date(word: &str) -> bool {
    let form = word
        .chars()
        .map(|char| if char.is_ascii_digit() { '0' } else { char });
    form.eq("0000-00-00".chars())
}

/// Whether a date of the right form is in the calendar.
fn exists(date: &str) -> bool {
    let mut numbers = date.split('-').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let (year, month, day) = (next(), next(), next());
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// Whether a text is like a pattern with `*` and `?`.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut place) = (0, 0);
    // Where to go on if what follows the last `*` does not match: there, with one more character for the `*`.
    let mut last_star = None;
    while place < text.len() {
        match pattern.get(at) {
            Some('*') => {
                last_star = Some((at, place));
                at += 1;
            }
            Some(&char) if char == '?' || char == text[place] => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((star, taken)) = last_star else {
                    return false;
                };
                last_star = Some((star, taken + 1));
                (at, place) = (star + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|char| *char == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn applies(pattern: &str, id: &str) -> bool {
        let text = format!("{pattern} 2026-12-31 reason");
        parse(&text).expect("an entry")[0].matches(id)
    }

    #[test]
    fn a_line_has_a_pattern_a_date_and_a_reason() {
        let text = "# Comment\n\n  test_a.py::test_b[x y]\t2026-02-28  slow since #12  \n";
        let expected = Entry {
            line: 3,
            pattern: "test_a.py::test_b[x y]".to_owned(),
            until: "2026-02-28".to_owned(),
            reason: "slow since #12".to_owned(),
        };
        assert_eq!(parse(text), Ok(vec![expected]));
    }

    #[test]
    fn an_invalid_line_is_named() {
        let message = |text: &str| parse(text).expect_err("a problem").to_string();
        assert_eq!(message("\na 2026-02-29 b"), "line 2: invalid date '2026-02-29'");
        assert_eq!(message("a 2026-13-01 b"), "line 1: invalid date '2026-13-01'");
        assert_eq!(
            message("a 2026-12-01 "),
            "line 1: no reason after the date of 'a'"
        );
        for text in ["a", "a b", "2026-12-01 b", "a 2026-1-1 b"] {
            assert!(
                message(text).starts_with("line 1: expected a pattern, a date"),
                "{text}"
            );
        }
        assert!(parse("a 2028-02-29 b").is_ok());
    }

    #[test]
    fn a_pattern_applies_to_whole_ids_and_to_all_that_is_in_a_file_a_class_or_a_directory() {
        let id = "tests/test_a.py::TestB::test_c[1-x::y]";
        for pattern in [
            id,
            "*",
            "tests/",
            "tests/test_a.py",
            "tests/test_a.py::TestB",
            "tests/test_a.py::TestB::test_c",
            "*::test_c[?-*]",
            "*::TestB",
        ] {
            assert!(applies(pattern, id), "{pattern}");
        }
        for pattern in [
            "tests",
            "test_a.py",
            "tests/test_a.py::Test",
            "*::test_c[2*",
            "*test_c[[]1-x::y]",
            "?",
        ] {
            assert!(!applies(pattern, id), "{pattern}");
        }
    }

    #[test]
    fn an_entry_holds_on_its_last_day() {
        let entry = &parse("a 2026-12-31 b").expect("an entry")[0];
        assert!(!entry.is_expired("2026-12-31"));
        assert!(entry.is_expired("2027-01-01"));
    }

    proptest! {
        #[test]
        fn a_pattern_made_of_an_id_applies_to_it(id in "[ab:/\\[\\]*?]{1,12}", from in 0usize..12, to in 0usize..12) {
            let (from, to) = (from.min(to).min(id.len()), from.max(to).min(id.len()));
            let pattern = format!("{}*{}", &id[..from], &id[to..]);
            prop_assert!(is_like(&pattern, &id));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "([a*# \t\n-]|2026-12-31|0000-00-00){0,30}") {
            for entry in parse(&text).into_iter().flatten() {
                prop_assert!(!entry.pattern.is_empty() && !entry.reason.is_empty());
            }
        }
    }
}
