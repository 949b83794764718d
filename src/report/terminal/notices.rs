//! Lines of a run about itself: how its workers start and why, and what to do about new failures.

use crate::text::counted;

/// How workers start.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// `template` or `early`.
    pub name: &'a str,
    /// Why it was chosen, most telling first; empty where nothing speaks against a template, and where it was asked for.
    pub reasons: &'a [String],
    /// Whether an earlier run has seen the reasons.
    pub remembered: bool,
}

/// The lines that say how workers start; with a `verbosity` above 0, with every reason.
#[must_use]
pub fn start(start: Start<'_>, verbosity: i32) -> Vec<String> {
    let Some((first, others)) = start.reasons.split_first() else {
        return vec![format!("start: {}", start.name)];
    };
    let more = if others.is_empty() || verbosity > 0 {
        String::new()
    } else {
        format!(", and {}: -v", counted(others.len(), "more reason"))
    };
    let seen = if start.remembered {
        ", as an earlier run has seen"
    } else {
        ""
    };
    let mut lines = vec![format!("start: {} ({first}{more}{seen})", start.name)];
    if verbosity > 0 {
        lines.extend(others.iter().map(|reason| format!("  and {reason}")));
    }
    lines
}

/// How to find the cause, where so many tests fail that did not in the last run. Workers that are forked from a template
/// share what it made, which may be the cause, too.
#[must_use]
pub fn new_failures(tests: usize, with_template: bool) -> String {
    let tests = if tests == 1 {
        "a test".to_owned()
    } else {
        counted(tests, "test")
    };
    let (cause, ways) = if with_template {
        (
            "their order or company, or what forked workers share,",
            "-n0 and with --rustpar-start=early",
        )
    } else {
        ("their order or company", "-n0")
    };
    format!(
        "{tests} failed that did not in the last run; to see if {cause} is the cause, run with {ways}, or \
         `rustpar doctor`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, reasons: &[&str], remembered: bool, verbosity: i32) -> String {
        let reasons: Vec<String> = reasons.iter().map(|&reason| reason.to_owned()).collect();
        let about = Start {
            name,
            reasons: &reasons,
            remembered,
        };
        start(about, verbosity).join("\n")
    }

    #[test]
    fn a_start_without_reasons_is_only_named() {
        insta::assert_snapshot!(shown("template", &[], false, 0), @"start: template");
    }

    #[test]
    fn the_first_reason_stands_for_all_unless_they_are_asked_for() {
        let reasons = [
            "a.py:1 starts a thread",
            "a.py:2 opens a socket",
            "b.py:3 makes a uuid",
        ];
        insta::assert_snapshot!(shown("early", &reasons[..1], true, 0), @"start: early (a.py:1 starts a thread, as an earlier run has seen)");
        insta::assert_snapshot!(shown("early", &reasons[..2], false, 0), @"start: early (a.py:1 starts a thread, and 1 more reason: -v)");
        insta::assert_snapshot!(shown("early", &reasons, true, 0), @"start: early (a.py:1 starts a thread, and 2 more reasons: -v, as an earlier run has seen)");
        insta::assert_snapshot!(shown("early", &reasons, true, 1), @r"
        start: early (a.py:1 starts a thread, as an earlier run has seen)
          and a.py:2 opens a socket
          and b.py:3 makes a uuid
        ");
    }

    #[test]
    fn new_failures_name_sharing_as_a_cause_only_where_workers_share() {
        insta::assert_snapshot!(new_failures(1, false), @"a test failed that did not in the last run; to see if their order or company is the cause, run with -n0, or `rustpar doctor`");
        insta::assert_snapshot!(new_failures(3, true), @"3 tests failed that did not in the last run; to see if their order or company, or what forked workers share, is the cause, run with -n0 and with --rustpar-start=early, or `rustpar doctor`");
    }
}
