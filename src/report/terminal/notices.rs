//! Notices during a run: how its workers start and why, and what to do about new failures.

use crate::text::counted;
use crate::text::duration::{self, Micros};

/// How workers start.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// `template` or `early`.
    pub name: &'a str,
    /// Why it was chosen, most important first; empty if a template is possible, or if it was requested.
    pub reasons: &'a [String],
    /// Whether the reasons are from an earlier run.
    pub remembered: bool,
}

/// The lines about how workers start; with a `verbosity` above 0, with all reasons.
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
        ", as seen in an earlier run"
    } else {
        ""
    };
    let mut lines = vec![format!("start: {} ({first}{more}{seen})", start.name)];
    if verbosity > 0 {
        lines.extend(others.iter().map(|reason| format!("  and {reason}")));
    }
    lines
}

/// A line if the threads of a numerical library in `workers` workers are more than the CPUs can run; `variable` sets the
/// number of `threads` per process.
#[must_use]
pub fn thread_pool(
    library: &str,
    threads: usize,
    variable: &str,
    workers: usize,
    cpus: usize,
) -> Vec<String> {
    if workers < 2 || threads < 2 || workers * threads <= cpus + cpus / 2 {
        return Vec::new();
    }
    let cpus = counted(cpus, "CPU");
    vec![format!(
        "{workers} workers with {threads} threads of {library} each share {cpus}: {variable}=1 may be faster"
    )]
}

/// The fixtures that were set up once for all workers, and the time that took.
#[must_use]
pub fn set_up_once(names: &[String], took: Micros) -> String {
    format!("set up once: {} ({})", names.join(", "), duration::spoken(took))
}

/// Advice for a run in which tests fail that passed in the last run. With a template, state shared by forked
/// workers may be the cause, too.
#[must_use]
pub fn new_failures(tests: usize, with_template: bool) -> String {
    let tests = if tests == 1 {
        "a test".to_owned()
    } else {
        counted(tests, "test")
    };
    let (cause, ways) = if with_template {
        (
            "test order, parallel execution or state shared by forked workers",
            "-n0 and with --rustpar-start=early",
        )
    } else {
        ("test order or parallel execution", "-n0")
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
    fn a_start_without_reasons_has_only_its_name() {
        insta::assert_snapshot!(shown("template", &[], false, 0), @"start: template");
    }

    #[test]
    fn only_the_first_reason_is_shown_unless_all_are_requested() {
        let reasons = [
            "a.py:1 starts a thread",
            "a.py:2 opens a socket",
            "b.py:3 makes a uuid",
        ];
        insta::assert_snapshot!(shown("early", &reasons[..1], true, 0), @"start: early (a.py:1 starts a thread, as seen in an earlier run)");
        insta::assert_snapshot!(shown("early", &reasons[..2], false, 0), @"start: early (a.py:1 starts a thread, and 1 more reason: -v)");
        insta::assert_snapshot!(shown("early", &reasons, true, 0), @"start: early (a.py:1 starts a thread, and 2 more reasons: -v, as seen in an earlier run)");
        insta::assert_snapshot!(shown("early", &reasons, true, 1), @r"
        start: early (a.py:1 starts a thread, as seen in an earlier run)
          and a.py:2 opens a socket
          and b.py:3 makes a uuid
        ");
    }

    #[test]
    fn new_failures_name_sharing_as_a_cause_only_where_workers_share() {
        insta::assert_snapshot!(new_failures(1, false), @"a test failed that did not in the last run; to see if test order or parallel execution is the cause, run with -n0, or `rustpar doctor`");
        insta::assert_snapshot!(new_failures(3, true), @"3 tests failed that did not in the last run; to see if test order, parallel execution or state shared by forked workers is the cause, run with -n0 and with --rustpar-start=early, or `rustpar doctor`");
    }
}
