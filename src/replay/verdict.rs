//! The cause of a failure, in words, with the command that shows it.

use super::case::Mode;
use super::failure::{Failure, Seen, failure_texts};
use super::search::Count;
use crate::journal::Micros;
use crate::text::duration::spoken;
use crate::text::{counted, shell};

/// How many tests are named one by one.
const MAX_NAMED: usize = 20;

/// The kind of a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The test fails alone.
    Alone,
    /// It fails after other tests.
    Order,
    /// It fails beside other tests.
    Company,
    /// It fails now and then.
    Timing,
}

/// A cause that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its kind.
    pub cause: Cause,
    /// The mode of the trials that showed it.
    pub mode: Mode,
    /// The tests that run before the failed one in its process.
    pub before: Vec<String>,
    /// The tests that run in other processes.
    pub beside: Vec<String>,
    /// Whether none of them can be left out.
    pub is_minimal: bool,
    /// Trials with them.
    pub with: Count,
    /// Trials of the test alone.
    pub alone: Count,
}

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The cause was found.
    Found(Found),
    /// The test never failed as in the run.
    NotReproduced {
        /// Trials of the test alone.
        alone: Count,
        /// Trials with everything, by mode.
        whole: Vec<(Mode, Count)>,
        /// How it failed instead, in some trial.
        other: Option<Failure>,
    },
}

/// What the texts need to know about the search.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// The failed test.
    pub test: &'a str,
    /// How `rustpar replay` names the run, with `--worker` if its test alone does not tell it.
    pub run: &'a [String],
    /// The path from the current directory to rootdir: empty, or ending in a slash.
    pub prefix: &'a str,
    /// How many trials were run.
    pub trials: usize,
    /// How long they took.
    pub took: Micros,
}

impl Verdict {
    /// Whether a cause was found.
    #[must_use]
    pub fn is_found(&self) -> bool {
        matches!(self, Self::Found(_))
    }

    /// The arguments of pytest that may show the failure, relative to the current directory; `None` if plain pytest
    /// cannot show it.
    #[must_use]
    pub fn pytest_arguments(&self, about: &About<'_>) -> Option<Vec<String>> {
        let Self::Found(found) = self else {
            return None;
        };
        if !matches!(found.cause, Cause::Alone | Cause::Order) {
            return None;
        }
        let all = found.before.iter().map(String::as_str).chain([about.test]);
        let ids = all.map(|id| format!("{}{id}", about.prefix));
        Some(["-n0".to_owned()].into_iter().chain(ids).collect())
    }

    /// The arguments of `rustpar replay` that show the failure.
    fn replay_arguments(found: &Found, about: &About<'_>) -> Vec<String> {
        let mut words = about.run.to_vec();
        let mut add = |option: &str, value: &str| words.extend([option.to_owned(), value.to_owned()]);
        add("--until", about.test);
        match (found.mode, found.before.is_empty() && found.beside.is_empty()) {
            (Mode::After, true) => words.push("--alone".to_owned()),
            (Mode::After, false) => found.before.iter().for_each(|id| add("--after", id)),
            (Mode::Beside, _) => found.beside.iter().for_each(|id| add("--beside", id)),
            (Mode::Whole, _) => words.push("--with-others".to_owned()),
        }
        words
    }

    /// The lines of the result. `is_shown` says that plain pytest, with [`Verdict::pytest_arguments`], shows the failure.
    #[must_use]
    pub fn lines(&self, about: &About<'_>, is_shown: bool) -> Vec<String> {
        let effort = format!("{} in {}", counted(about.trials, "trial"), spoken(about.took));
        match self {
            Self::Found(found) => {
                let mut lines = found.lines(about.test);
                lines.push(effort);
                let pytest = self.pytest_arguments(about).filter(|_| is_shown);
                let command = pytest.map(|words| ("pytest", words));
                let (program, words) =
                    command.unwrap_or_else(|| ("rustpar replay", Self::replay_arguments(found, about)));
                lines.push("To reproduce it:".to_owned());
                lines.push(format!("  {program} {}", shell::joined(&words)));
                lines
            }
            Self::NotReproduced { alone, whole, other } => {
                let mut lines = vec![format!("{} could not be made to fail:", about.test)];
                lines.push(format!("  alone: {}", counted(alone.of, "time")));
                lines.extend(whole.iter().map(|(mode, count)| {
                    let place = match mode {
                        Mode::After => "after all that ran before it in its process",
                        Mode::Beside => "beside what ran at the same time",
                        Mode::Whole => "with everything as in the run",
                    };
                    format!("  {place}: {}", counted(count.of, "time"))
                }));
                let other = other.as_ref().map(Failure::in_words);
                lines.extend(other.map(|words| format!("It failed in another way: {words}")));
                lines.push(effort);
                lines
            }
        }
    }
}

/// The lines about a single trial: how the test failed, with the whole text, or that it did not.
#[must_use]
pub fn trial_lines(test: &str, record: &str, is_stopped: bool) -> Vec<String> {
    match Seen::parse(record, is_stopped) {
        Seen::Passed => vec![format!("{test} did not fail")],
        Seen::NotReached => vec![format!("{test} was not reached")],
        Seen::Failed(failure) => {
            let mut lines = vec![format!("{test} failed: {}", failure.in_words())];
            lines.extend(failure_texts(record));
            lines
        }
    }
}

impl Found {
    fn lines(&self, test: &str) -> Vec<String> {
        let several = self.before.len() + self.beside.len() > 1;
        let (kind, words) = match (self.cause, self.before.is_empty(), self.beside.is_empty()) {
            (Cause::Alone, ..) => ("the test alone", "fails alone"),
            (Cause::Timing, true, true) => ("timing", "fails alone, but not always"),
            (Cause::Timing, ..) => ("timing", "fails now and then"),
            (_, false, false) => ("order and company", "fails after some tests, beside others"),
            (_, false, true) if several => ("order", "fails after these tests, which are all needed"),
            (_, false, true) => ("order", "fails after another test"),
            (_, true, _) if several => ("company", "fails beside these tests, which are all needed"),
            (_, true, _) => ("company", "fails beside another test"),
        };
        let words = if self.is_minimal {
            words
        } else {
            words.split(", which").next().unwrap_or(words)
        };
        let mut lines = vec![format!("{test} {words} ({kind})")];
        lines.extend(named("after", &self.before));
        lines.extend(named("beside", &self.beside));
        if !self.is_minimal && self.cause != Cause::Timing {
            lines.push("Fewer tests may be enough; --limit gives it more time.".to_owned());
        }
        let often = |count: Count| format!("{} of {}", count.failed, counted(count.of, "time"));
        if self.before.is_empty() && self.beside.is_empty() {
            lines.push(format!("It failed {}.", often(self.with)));
        } else {
            let alone = often(self.alone);
            let them = if several { "them" } else { "it" };
            lines.push(format!(
                "It failed {} with {them}, and {alone} alone.",
                often(self.with)
            ));
        }
        lines
    }
}

/// Lines with the names of tests.
fn named(how: &str, ids: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = ids
        .iter()
        .take(MAX_NAMED)
        .map(|id| format!("  {how} {id}"))
        .collect();
    if ids.len() > MAX_NAMED {
        lines.push(format!("  {how} {} more", ids.len() - MAX_NAMED));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn shown(verdict: &Verdict, is_shown: bool) -> String {
        let about = About {
            test: "b.py::test[x y]",
            run: &["run-id".to_owned()],
            prefix: "../",
            trials: 21,
            took: 1_900_000,
        };
        verdict.lines(&about, is_shown).join("\n")
    }

    fn found(cause: Cause, mode: Mode, before: &[&str], beside: &[&str]) -> Found {
        let texts = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
        Found {
            cause,
            mode,
            before: texts(before),
            beside: texts(beside),
            is_minimal: true,
            with: Count { failed: 3, of: 3 },
            alone: Count { failed: 0, of: 3 },
        }
    }

    #[test]
    fn order_is_shown_by_plain_pytest() {
        let verdict = Verdict::Found(found(Cause::Order, Mode::After, &["a.py::test"], &[]));
        assert_snapshot!(shown(&verdict, true), @r"
        b.py::test[x y] fails after another test (order)
          after a.py::test
        It failed 3 of 3 times with it, and 0 of 3 times alone.
        21 trials in 1.90 s
        To reproduce it:
          pytest -n0 ../a.py::test '../b.py::test[x y]'
        ");
        assert_snapshot!(shown(&verdict, false), @r"
        b.py::test[x y] fails after another test (order)
          after a.py::test
        It failed 3 of 3 times with it, and 0 of 3 times alone.
        21 trials in 1.90 s
        To reproduce it:
          rustpar replay run-id --until 'b.py::test[x y]' --after a.py::test
        ");
    }

    #[test]
    fn company_is_shown_by_a_replay() {
        let verdict = Verdict::Found(found(
            Cause::Company,
            Mode::Beside,
            &[],
            &["a.py::one", "a.py::two"],
        ));
        assert_snapshot!(shown(&verdict, false), @r"
        b.py::test[x y] fails beside these tests, which are all needed (company)
          beside a.py::one
          beside a.py::two
        It failed 3 of 3 times with them, and 0 of 3 times alone.
        21 trials in 1.90 s
        To reproduce it:
          rustpar replay run-id --until 'b.py::test[x y]' --beside a.py::one --beside a.py::two
        ");
    }

    #[test]
    fn order_and_company_are_shown_by_repeating_everything() {
        let verdict = Verdict::Found(found(Cause::Company, Mode::Whole, &["a.py::one"], &["a.py::two"]));
        assert_snapshot!(shown(&verdict, false), @r"
        b.py::test[x y] fails after some tests, beside others (order and company)
          after a.py::one
          beside a.py::two
        It failed 3 of 3 times with them, and 0 of 3 times alone.
        21 trials in 1.90 s
        To reproduce it:
          rustpar replay run-id --until 'b.py::test[x y]' --with-others
        ");
    }

    #[test]
    fn a_test_that_fails_alone_is_shown_alone() {
        let verdict = Verdict::Found(found(Cause::Alone, Mode::After, &[], &[]));
        assert_snapshot!(shown(&verdict, true), @r"
        b.py::test[x y] fails alone (the test alone)
        It failed 3 of 3 times.
        21 trials in 1.90 s
        To reproduce it:
          pytest -n0 '../b.py::test[x y]'
        ");
        assert_snapshot!(shown(&verdict, false), @r"
        b.py::test[x y] fails alone (the test alone)
        It failed 3 of 3 times.
        21 trials in 1.90 s
        To reproduce it:
          rustpar replay run-id --until 'b.py::test[x y]' --alone
        ");
    }

    #[test]
    fn an_unfinished_result_says_so() {
        let mut found = found(Cause::Order, Mode::After, &["a.py::one", "a.py::two"], &[]);
        found.is_minimal = false;
        assert_snapshot!(shown(&Verdict::Found(found), true), @r"
        b.py::test[x y] fails after these tests (order)
          after a.py::one
          after a.py::two
        Fewer tests may be enough; --limit gives it more time.
        It failed 3 of 3 times with them, and 0 of 3 times alone.
        21 trials in 1.90 s
        To reproduce it:
          pytest -n0 ../a.py::one ../a.py::two '../b.py::test[x y]'
        ");
    }

    #[test]
    fn timing_says_how_often_it_failed() {
        let mut found = found(Cause::Timing, Mode::After, &["a.py::one"], &[]);
        found.with.failed = 1;
        assert_snapshot!(shown(&Verdict::Found(found), false), @r"
        b.py::test[x y] fails now and then (timing)
          after a.py::one
        It failed 1 of 3 times with it, and 0 of 3 times alone.
        21 trials in 1.90 s
        To reproduce it:
          rustpar replay run-id --until 'b.py::test[x y]' --after a.py::one
        ");
    }

    #[test]
    fn what_was_tried_in_vain_is_listed() {
        let count = |of| Count { failed: 0, of };
        let verdict = Verdict::NotReproduced {
            alone: count(1),
            whole: vec![
                (Mode::After, count(1)),
                (Mode::Beside, count(1)),
                (Mode::Whole, count(5)),
            ],
            other: Some(Failure {
                kind: super::super::failure::Kind::Call,
                message: "KeyError: 'x'".to_owned(),
            }),
        };
        assert_snapshot!(shown(&verdict, false), @r"
        b.py::test[x y] could not be made to fail:
          alone: 1 time
          after all that ran before it in its process: 1 time
          beside what ran at the same time: 1 time
          with everything as in the run: 5 times
        It failed in another way: KeyError: 'x'
        21 trials in 1.90 s
        ");
    }
}
