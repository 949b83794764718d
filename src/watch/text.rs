//! The lines below a run: what it has said, what still fails, and the keys.

use super::session::{Last, Mode, Report, Session};
use super::snapshot::{Changes, Event};
use crate::text::counted;
use crate::text::duration::spoken;
use crate::text::width::{beginning, width};

/// Names of files or tests in a line: more do not fit into 80 columns.
const MOST_NAMES: usize = 3;

/// Lines about tests that still fail: they must not push the last failure from the screen.
const MOST_FAILING: usize = 5;

/// The exit status of pytest for arguments or a configuration that it does not accept.
const USAGE_ERROR: i32 = 4;

/// What the keys do.
pub const HELP: &[&str] = &[
    "Enter, a   run all tests that the arguments select",
    "f          run the tests that have failed",
    "c          run the tests that depend on changes which no run has seen",
    "p, /       run the tests that match an expression of -k, also after changes; empty for all",
    "q, Ctrl-C  quit; during a run, Ctrl-C ends the run",
    "?, h       show this",
];

/// The colour of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    Green,
    Red,
    Yellow,
    None,
}

impl Session {
    /// The lines after a run, none wider than the terminal. `has_keys` is false without a terminal.
    #[must_use]
    pub fn lines(&self, columns: usize, has_keys: bool, is_coloured: bool) -> Vec<String> {
        let mut lines: Vec<(Colour, String)> = Vec::new();
        if let Some(last) = &self.last {
            lines.push((colour_of(last), format!("rustpar watch: {}", what_happened(last))));
        }
        if !self.failing.is_empty() {
            lines.push((Colour::Red, "failing:".to_owned()));
            let shown = self.failing.iter().take(MOST_FAILING);
            lines.extend(shown.map(|test| (Colour::Red, format!("  {test}"))));
            if self.failing.len() > MOST_FAILING {
                let more = self.failing.len() - MOST_FAILING;
                lines.push((Colour::Red, format!("  and {more} more")));
            }
        }
        let restless = self.restless();
        if !restless.is_empty() {
            let names = listed(restless.iter().copied());
            lines.push((
                Colour::Yellow,
                format!("changed by every run, so it starts none: {names}; let git ignore what tests write"),
            ));
        }
        if self.owes_all() {
            lines.push((Colour::Yellow, "not finished yet: all tests".to_owned()));
        } else if !self.pending.is_empty() {
            let files = listed(self.pending.keys().map(String::as_str));
            lines.push((Colour::Yellow, format!("not run yet: what depends on {files}")));
        }
        if let Some(filter) = &self.filter {
            lines.push((Colour::Yellow, format!("filter: -k '{filter}'")));
        }
        let waiting = if has_keys {
            self.keys()
        } else {
            "waiting for changes".to_owned()
        };
        lines.push((Colour::None, waiting));
        lines
            .into_iter()
            .map(|(colour, line)| painted(&line, columns, colour, is_coloured))
            .collect()
    }

    fn keys(&self) -> String {
        let mut keys = vec!["Enter: all"];
        if !self.failing.is_empty() {
            keys.push("f: failed");
        }
        if !self.pending.is_empty() && !self.owes_all() {
            keys.push("c: changed");
        }
        keys.extend(["p: filter", "q: quit", "?: help"]);
        format!("waiting for changes; {}", keys.join(", "))
    }
}

fn what_happened(last: &Last) -> String {
    let took = spoken(last.ending.micros);
    if last.ending.is_interrupted
        && !last
            .ending
            .report
            .as_ref()
            .is_some_and(|report| report.is_complete)
    {
        return format!("interrupted after {took}");
    }
    let is_empty = |report: &Report| {
        let mut names = report.counts.iter().map(|(name, _)| name);
        !report.is_complete && names.all(|name| name == "deselected")
    };
    let status = last.ending.status;
    let report = last
        .ending
        .report
        .as_ref()
        .filter(|report| !is_empty(report) && status != USAGE_ERROR);
    let Some(report) = report else {
        return match status {
            USAGE_ERROR => "pytest does not accept the arguments or the configuration".to_owned(),
            status if status < 0 => format!("the run was killed by signal {} after {took}", -status),
            status => format!("the run ended with exit status {status} after {took}"),
        };
    };
    let counts = report.counts.iter().filter(|(name, _)| name != "deselected");
    let counts: Vec<String> = counts
        .map(|(name, count)| counted_as_pytest(name, *count))
        .collect();
    if report.ran.is_empty() && report.failed.is_empty() && report.is_complete {
        return match last.mode {
            _ if report.is_dry => format!("no tests were to run{}", reason(last)),
            Mode::Affected => format!("no test depends on {}", changed(&last.changes)),
            Mode::Failed => "no test that has failed was found".to_owned(),
            Mode::All => "no tests ran".to_owned(),
        };
    }
    let cut = if report.is_complete {
        ""
    } else {
        "; the run was cut short"
    };
    format!("{} in {took}{}{cut}", counts.join(", "), reason(last))
}

fn reason(last: &Last) -> String {
    match last.mode {
        Mode::All => String::new(),
        Mode::Failed => ", those that had failed".to_owned(),
        Mode::Affected => format!(", after the change of {}", changed(&last.changes)),
    }
}

/// The line before a run.
#[must_use]
pub fn start(mode: Mode, changes: &Changes, failing: usize, filter: Option<&str>) -> String {
    let mut line = match mode {
        Mode::All => "all tests".to_owned(),
        Mode::Failed => format!("what has failed: {}", counted(failing, "test")),
        Mode::Affected => {
            let failed = match failing {
                0 => String::new(),
                count => format!(", and {} that failed", counted(count, "test")),
            };
            format!("what depends on {}{failed}", changed(changes))
        }
    };
    if let Some(filter) = filter {
        for part in ["; filter: -k '", filter, "'"] {
            line.push_str(part);
        }
    }
    format!("rustpar watch: {line}")
}

/// Files that have changed, with what has happened to them if that is not a new content.
fn changed(changes: &Changes) -> String {
    let names: Vec<String> = changes
        .iter()
        .take(MOST_NAMES)
        .map(|(path, event)| match event {
            Event::Added => format!("{path} (new)"),
            Event::Deleted => format!("{path} (deleted)"),
            Event::Modified => path.clone(),
        })
        .collect();
    with_rest(&names, changes.len())
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(str::to_owned).collect();
    with_rest(names.get(..MOST_NAMES).unwrap_or(&names), names.len())
}

fn with_rest(names: &[String], count: usize) -> String {
    match count - names.len() {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// `1 error`, `2 errors`; outcomes have no plural.
fn counted_as_pytest(name: &str, count: usize) -> String {
    match name {
        "error" => counted(count, name),
        "warnings" => counted(count, "warning"),
        _ => format!("{count} {name}"),
    }
}

fn colour_of(last: &Last) -> Colour {
    match (&last.ending.report, last.ending.status) {
        (_, 0) => Colour::Green,
        (Some(report), _) if report.failed.is_empty() => Colour::Yellow,
        _ => Colour::Red,
    }
}

/// A line that does not wrap.
fn painted(line: &str, columns: usize, colour: Colour, is_coloured: bool) -> String {
    let line = line.replace(char::is_control, "?");
    let cut = if width(&line) < columns {
        line
    } else {
        format!("{}...", beginning(&line, columns.saturating_sub(4)))
    };
    let code = match colour {
        Colour::Green => "32",
        Colour::Red => "31",
        Colour::Yellow => "33",
        Colour::None => "2",
    };
    if is_coloured {
        format!("\x1b[{code}m{cut}\x1b[0m")
    } else {
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::super::session::Ending;
    use super::*;
    use std::collections::BTreeSet;

    fn changes(paths: &[(&str, Event)]) -> Changes {
        paths
            .iter()
            .map(|(path, event)| ((*path).to_owned(), *event))
            .collect()
    }

    fn ending(counts: &[(&str, usize)], failed: &[&str], status: i32) -> Ending {
        Ending {
            report: Some(Report {
                counts: counts
                    .iter()
                    .map(|(name, count)| ((*name).to_owned(), *count))
                    .collect(),
                failed: failed.iter().map(|test| (*test).to_owned()).collect(),
                ran: counts.iter().map(|(name, _)| (*name).to_owned()).collect(),
                is_complete: true,
                ..Report::default()
            }),
            status,
            micros: 1_234_567,
            ..Ending::default()
        }
    }

    #[test]
    fn lines_after_runs() {
        let mut session = Session::default();
        let mut shown: Vec<String> = Vec::new();
        let mut show = |session: &Session| {
            shown.extend(session.lines(100, true, false));
            shown.push(String::new());
        };
        show(&session);
        session.begin(Mode::All);
        session.end(
            ending(&[("passed", 12), ("skipped", 1), ("warnings", 1)], &[], 0),
            Changes::new(),
            &BTreeSet::new(),
        );
        show(&session);
        session.note(changes(&[
            ("src/cart.py", Event::Modified),
            ("src/new.py", Event::Added),
        ]));
        session.begin(Mode::Affected);
        let failed: Vec<String> = (0..7)
            .map(|number| format!("tests/test_cart.py::test_{number}"))
            .collect();
        let failed: Vec<&str> = failed.iter().map(String::as_str).collect();
        session.end(
            ending(&[("failed", 7), ("passed", 3), ("error", 1)], &failed, 1),
            Changes::new(),
            &BTreeSet::new(),
        );
        show(&session);
        session.begin(Mode::Failed);
        session.end(ending(&[("passed", 7)], &[], 0), Changes::new(), &BTreeSet::new());
        session.set_filter("cart and not slow");
        session.note(changes(&[("README.md", Event::Modified)]));
        session.begin(Mode::Affected);
        session.end(ending(&[], &[], 0), Changes::new(), &BTreeSet::new());
        show(&session);
        for (status, is_interrupted) in [(4, false), (-9, false), (3, false), (2, true)] {
            session.begin(Mode::All);
            let ending = Ending {
                status,
                is_interrupted,
                micros: 70_000_000,
                ..Ending::default()
            };
            session.end(ending, changes(&[("a.py", Event::Deleted)]), &BTreeSet::new());
            show(&session);
        }
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn lines_before_runs() {
        let many = changes(&[
            ("a.py", Event::Modified),
            ("b.py", Event::Deleted),
            ("c.py", Event::Added),
            ("d.py", Event::Added),
        ]);
        let lines = [
            start(Mode::All, &Changes::new(), 0, None),
            start(Mode::All, &Changes::new(), 0, Some("cart")),
            start(Mode::Failed, &Changes::new(), 2, None),
            start(Mode::Affected, &many, 1, None),
        ];
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn lines_fit_into_the_terminal_and_have_colours() {
        let mut session = Session::default();
        session.begin(Mode::All);
        session.end(
            ending(&[("failed", 1)], &["tests/test_日本.py::test_日本\u{1b}"], 1),
            Changes::new(),
            &BTreeSet::new(),
        );
        for columns in 5..60 {
            assert!(
                session
                    .lines(columns, true, false)
                    .iter()
                    .all(|line| width(line) < columns)
            );
        }
        assert!(session.lines(60, false, true)[0].starts_with("\x1b[31m"));
    }
}
