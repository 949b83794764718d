//! A summary for a terminal, in sections.

use super::failures::{Failure, Lanes, failures};
use super::moment::{in_seconds, rfc3339};
use crate::journal::Micros;
use crate::journal::event::Ending;
use crate::journal::merged::{Merged, Part};
use crate::journal::run::{Attempt, Process, Run, Verdict};
use crate::text::counted;
use std::fmt::Write as _;

/// Maximum number of tests listed as running at the same time as a failure.
const MAX_CONCURRENT: usize = 8;

/// Maximum number of tests listed as not run.
const MAX_MISSING: usize = 20;

/// The runs: start, command, duration and outcome.
#[must_use]
pub fn overview(merged: &Merged) -> String {
    let mut found = String::new();
    for (index, part) in merged.parts.iter().enumerate() {
        let head = &part.run.head;
        let number = if merged.parts.len() > 1 {
            format!("run {}: ", index + 1)
        } else {
            String::new()
        };
        let moment = rfc3339(head.began);
        let (date, time) = (&moment[..10], &moment[11..19]);
        let details = &merged.environments[part.environment].details;
        let _ = writeln!(
            found,
            "{number}{date} {time} UTC, Python {}, pytest {}, {}",
            details["python"], details["pytest"], details["platform"]
        );
        let _ = writeln!(found, "  {}", head.command.join(" "));
        let _ = writeln!(found, "  {}", status_of(part));
    }
    let _ = writeln!(found, "{}", totals(merged));
    found
}

/// Counts and duration as in pytest's summary line.
#[must_use]
pub fn totals(merged: &Merged) -> String {
    let mut words = counts_in_words(merged.counts());
    let warnings = merged.parts.iter().map(|part| part.run.warnings).sum();
    if warnings > 0 {
        words.push(counted(warnings, "warning"));
    }
    format!("{} in {}", words.join(", "), in_seconds(merged.elapsed(None)))
}

/// The number for each verdict, as in pytest's summary line.
#[must_use]
pub fn counts_in_words(counts: [usize; Verdict::ALL.len()]) -> Vec<String> {
    let counts = Verdict::ALL.into_iter().zip(counts);
    let words: Vec<String> = counts
        .filter(|&(_, count)| count > 0)
        .map(|(verdict, count)| match (verdict, count) {
            (Verdict::Error, 2..) => format!("{count} errors"),
            _ => format!("{count} {}", verdict.name()),
        })
        .collect();
    if words.is_empty() {
        return vec!["no tests ran".to_owned()];
    }
    words
}

/// The number of workers of a run.
#[must_use]
pub fn workers_in_words(run: &Run) -> String {
    match run.workers() {
        0 => "one process".to_owned(),
        count => counted(count, "worker"),
    }
}

fn status_of(Part { run, .. }: &Part) -> String {
    let end = match run.exit {
        Some(status) => format!("exit status {status}"),
        None => "incomplete: the end is not in the journal".to_owned(),
    };
    format!("{}, {}, {end}", in_seconds(run.lasted), workers_in_words(run))
}

/// The failures, with their texts and the tests that ran at the same time.
#[must_use]
pub fn failed(merged: &Merged) -> String {
    let lanes: Vec<Lanes<'_>> = merged.parts.iter().map(|part| Lanes::new(&part.run)).collect();
    let mut found = String::new();
    for failure in failures(merged) {
        let environment = merged.parts[failure.part].environment;
        let id = in_environment(merged, environment, failure.id);
        let title = format!(" {id}: {} ", failure.verdict.name());
        let _ = writeln!(found, "{title:_^80}");
        if let Some(attempt) = failure.attempt {
            let name = merged.process_name(failure.part, attempt.process);
            let took = in_seconds(attempt.took());
            let _ = writeln!(found, "{name}, {took}{}", moment(attempt));
            let _ = writeln!(
                found,
                "{}",
                concurrent(merged, &lanes[failure.part], &failure, attempt)
            );
        }
        for detail in &failure.details {
            let text = if detail.text.is_empty() {
                &detail.message
            } else {
                &detail.text
            };
            let _ = writeln!(found, "\n{text}");
        }
        for (title, text) in failure.sections() {
            let title = format!(" {title} ");
            let _ = writeln!(found, "{title:-^80}\n{}", text.trim_end());
        }
        found.push('\n');
    }
    found
}

fn moment(attempt: &Attempt) -> String {
    let began = attempt.began();
    began.map_or_else(String::new, |began| {
        format!(", started {} into the run", in_seconds(began))
    })
}

fn concurrent(merged: &Merged, lanes: &Lanes<'_>, failure: &Failure<'_>, attempt: &Attempt) -> String {
    let run = &merged.parts[failure.part].run;
    let others: Vec<&Attempt> = lanes.concurrent(attempt).collect();
    if others.is_empty() {
        return "no other test was running".to_owned();
    }
    let named = others.iter().take(MAX_CONCURRENT).map(|other| {
        let name = merged.process_name(failure.part, other.process);
        format!("{} ({name})", run.id(other.test))
    });
    let mut words = vec![format!(
        "running at the same time: {}",
        named.collect::<Vec<_>>().join(", ")
    )];
    let more = others.len().saturating_sub(MAX_CONCURRENT);
    words.extend((more > 0).then(|| format!("and {more} more")));
    words.join(" ")
}

/// Tests that passed after a rerun, and tests without a result.
#[must_use]
pub fn flaky_and_missing(merged: &Merged) -> String {
    let mut found = String::new();
    let results = merged.results.iter();
    let flaky = results.filter(|result| merged.is_flaky(result));
    let flaky = flaky.map(|result| (result.environment, merged.id(result)));
    list(
        &mut found,
        merged,
        "passed on a second try",
        &flaky.collect::<Vec<_>>(),
    );
    list(&mut found, merged, "did not finish", &merged.missing());
    found
}

fn list(found: &mut String, merged: &Merged, title: &str, tests: &[(usize, &str)]) {
    if tests.is_empty() {
        return;
    }
    let _ = writeln!(found, "{title}: {}", tests.len());
    for &(environment, id) in tests.iter().take(MAX_MISSING) {
        let _ = writeln!(found, "  {}", in_environment(merged, environment, id));
    }
    let more = tests.len().saturating_sub(MAX_MISSING);
    if more > 0 {
        let _ = writeln!(found, "  and {more} more");
    }
    found.push('\n');
}

/// Appends the name of the environment to a text, if there are several.
pub(super) fn in_environment(merged: &Merged, environment: usize, text: &str) -> String {
    let name = merged.environment_name(environment);
    name.map_or_else(|| text.to_owned(), |name| format!("{text} ({name})"))
}

/// The slowest tests, at most so many.
#[must_use]
pub fn slowest(merged: &Merged, most: usize) -> String {
    let slowest = merged.slowest();
    if slowest.is_empty() || most == 0 {
        return String::new();
    }
    let mut found = "slowest tests\n".to_owned();
    for (took, result) in slowest.into_iter().take(most) {
        let id = in_environment(merged, result.environment, merged.id(result));
        let _ = writeln!(found, "{:>12}  {id}", in_seconds(took));
    }
    found
}

/// The usage of the processes, and how they ended.
#[must_use]
pub fn workers(merged: &Merged) -> String {
    let mut found = "workers\n".to_owned();
    for (index, part) in merged.parts.iter().enumerate() {
        let mut work: Vec<(usize, Micros)> = vec![(0, 0); part.run.processes.len()];
        for attempt in &part.run.attempts {
            let (tests, busy) = &mut work[attempt.process];
            (*tests, *busy) = (*tests + 1, *busy + attempt.took());
        }
        for (place, (process, (tests, busy))) in part.run.processes.iter().zip(work).enumerate() {
            let name = merged.process_name(index, place);
            let busy = in_seconds(busy);
            let test_noun = if tests == 1 { "test " } else { "tests" };
            let _ = writeln!(
                found,
                "{name:>12}  {tests:>6} {test_noun} {busy:>12} busy{}",
                ending(part, process)
            );
        }
    }
    found
}

fn ending(part: &Part, process: &Process) -> String {
    let Some(gone) = &process.gone else {
        return String::new();
    };
    let status = match gone.status {
        code @ 0.. => format!("exit code {code}"),
        signal => format!("signal {}", -signal),
    };
    match (gone.how, gone.running, &gone.why) {
        (Ending::Left, ..) => String::new(),
        (Ending::Crashed, Some(test), _) => {
            format!(", crashed ({status}) in {}", part.run.id(test))
        }
        (Ending::Crashed, None, _) => format!(", crashed ({status})"),
        (Ending::Replaced, _, Some(why)) => format!(", replaced: {why}"),
        (Ending::Replaced, _, None) => ", replaced".to_owned(),
    }
}
