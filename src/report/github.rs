//! Reports for GitHub Actions: annotations on the lines of failures, and a job summary.
//!
//! The format of the commands and their escapes is that of `@actions/core`:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.

use super::cut::{line, tail};
use super::failures::{Failure, failures};
use super::moment::in_seconds;
use super::text::{in_environment, totals};
use crate::journal::event::Detail;
use crate::journal::merged::{Merged, TestResult};
use crate::journal::run::{Attempt, Verdict};
use std::fmt::Write as _;

/// Maximum size of a summary in bytes. GitHub accepts 1 MiB for each step and drops larger ones.
const MAX_SUMMARY_BYTES: usize = 1_000_000;

/// Maximum number of lines of a failure's text in the summary.
const MAX_LINES: usize = 100;

/// Maximum number of bytes of a failure's text in the summary: 100 lines of 160. HTML escapes make it at most five
/// times larger.
const MAX_BYTES: usize = 16_000;

/// Maximum number of texts of a failure in the summary: the error and the captured output of three phases, or as many
/// subtests.
const MAX_TEXTS: usize = 10;

/// Maximum number of bytes of a node id, or of an error shown in one line.
const MAX_LINE_BYTES: usize = 1000;

/// Maximum number of flaky tests in the summary.
const MAX_FLAKY: usize = 50;

/// Number of tests in the table of the slowest.
const SLOWEST_TESTS: usize = 10;

/// One line `::error …::…` per failure, and one line `::warning …::…` per test that is flaky or failed in the quarantine.
/// GitHub shows the first ten of each kind of a step.
#[must_use]
pub fn annotations(merged: &Merged) -> String {
    let mut found = String::new();
    for failure in failures(merged) {
        let detail = failure.details.first();
        let mut properties = detail.map(|detail| place(detail)).unwrap_or_default();
        let title = format!("{} {}", line(failure.id, MAX_LINE_BYTES), failure.verdict.name());
        properties.push(format!("title={}", property(&title)));
        let message = data(&message(merged, &failure));
        let _ = writeln!(found, "::error {}::{message}", properties.join(","));
    }
    for result in merged.results.iter().filter(|result| merged.is_flaky(result)) {
        found.push_str(&flaky_annotation(merged, result));
    }
    for result in &merged.results {
        let mut last = merged.last(result);
        if let Some(attempt) = last.find(|attempt| attempt.verdict() == Verdict::Quarantined) {
            let detail = first_detail(merged, result.part, attempt);
            let text = line(error_of(detail), MAX_LINE_BYTES);
            found.push_str(&warning(merged, result, detail, Verdict::Quarantined, &text));
        }
    }
    found
}

/// The warning about a test that has passed when it was tried again: its last failure before.
fn flaky_annotation(merged: &Merged, result: &TestResult) -> String {
    let last = merged.before(result).last();
    let detail = last.and_then(|(part, attempt)| first_detail(merged, part, attempt));
    let error = line(error_of(detail), MAX_LINE_BYTES);
    let text = format!("passed on a second try, after: {error}");
    warning(merged, result, detail, Verdict::Flaky, &text)
}

fn first_detail<'a>(merged: &'a Merged, part: usize, attempt: &Attempt) -> Option<&'a Detail> {
    let details = &merged.parts[part].run.details;
    attempt.details.iter().map(|&index| &details[index]).next()
}

fn error_of(detail: Option<&Detail>) -> &str {
    detail.map_or("it failed", |detail| &detail.message)
}

/// A line about a test that does not fail the run.
fn warning(
    merged: &Merged,
    result: &TestResult,
    detail: Option<&Detail>,
    verdict: Verdict,
    text: &str,
) -> String {
    let id = line(merged.id(result), MAX_LINE_BYTES);
    let title = format!("title={}", property(&format!("{id} {}", verdict.name())));
    let mut properties: Vec<String> = detail.map(place).unwrap_or_default();
    properties.push(title);
    let text = data(&in_environment(merged, result.environment, text));
    format!("::warning {}::{text}\n", properties.join(","))
}

/// The file and the line of a failure, as properties of a command.
fn place(detail: &Detail) -> Vec<String> {
    let file = detail
        .path
        .as_ref()
        .map(|path| format!("file={}", property(path)));
    let line = detail.line.map(|line| format!("line={line}"));
    file.into_iter().chain(line).collect()
}

fn message(merged: &Merged, failure: &Failure<'_>) -> String {
    let environment = merged.parts[failure.part].environment;
    in_environment(merged, environment, &line(failure.message(), MAX_LINE_BYTES))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The job summary in GitHub's Markdown.
#[must_use]
pub fn summary(merged: &Merged) -> String {
    let mut found = format!("### pytest: {}\n\n", totals(merged));
    let failures = failures(merged);
    if merged.environments.len() > 1 {
        environments(&mut found, merged, &failures);
    }
    flaky(&mut found, merged);
    slowest(&mut found, merged);
    let mut left_out = 0;
    for failure in &failures {
        let told = details(merged, failure);
        if found.len() + told.len() > MAX_SUMMARY_BYTES {
            left_out += 1;
        } else {
            found.push_str(&told);
        }
    }
    if left_out > 0 {
        let _ = writeln!(found, "{left_out} more failures are left out.");
    }
    found
}

fn environments(found: &mut String, merged: &Merged, failures: &[Failure<'_>]) {
    found.push_str("| environment | tests | failed | time |\n|---|---:|---:|---:|\n");
    for (index, environment) in merged.environments.iter().enumerate() {
        let tests = merged.results.iter();
        let tests = tests.filter(|result| result.environment == index).count();
        let failed = failures.iter();
        let failed = failed.filter(|failure| merged.parts[failure.part].environment == index);
        let took = in_seconds(merged.elapsed(Some(index)));
        let name = cell(&environment.name);
        let _ = writeln!(found, "| {name} | {tests} | {} | {took} |", failed.count());
    }
    found.push('\n');
}

fn flaky(found: &mut String, merged: &Merged) {
    let results = merged.results.iter();
    let flaky: Vec<_> = results.filter(|result| merged.is_flaky(result)).collect();
    if !flaky.is_empty() {
        found.push_str("Passed on a second try:\n\n");
        for result in flaky.iter().take(MAX_FLAKY) {
            let _ = writeln!(found, "- {}", test(merged, result));
        }
        let more = flaky.len().saturating_sub(MAX_FLAKY);
        if more > 0 {
            let _ = writeln!(found, "- and {more} more");
        }
        found.push('\n');
    }
}

fn slowest(found: &mut String, merged: &Merged) {
    let slowest = merged.slowest();
    if slowest.is_empty() {
        return;
    }
    found.push_str("<details><summary>The slowest tests</summary>\n\n| time | test |\n|---:|---|\n");
    for (took, result) in slowest.into_iter().take(SLOWEST_TESTS) {
        let _ = writeln!(found, "| {} | {} |", in_seconds(took), test(merged, result));
    }
    found.push_str("\n</details>\n\n");
}

fn details(merged: &Merged, failure: &Failure<'_>) -> String {
    let title = format!("{}: {}", line(failure.id, MAX_LINE_BYTES), failure.verdict.name());
    let errors = failure.details.iter().map(|detail| (String::new(), &detail.text));
    let captured = failure.sections().iter();
    let captured = captured.map(|(title, text)| (format!("--- {title} ---\n"), text));
    let texts: Vec<_> = errors.chain(captured).collect();
    let mut shown = String::new();
    for (title, text) in texts.iter().take(MAX_TEXTS) {
        let text = tail(text, MAX_LINES, MAX_BYTES);
        let _ = writeln!(shown, "{title}{}", text.trim_end_matches('\n'));
    }
    let more = texts.len().saturating_sub(MAX_TEXTS);
    if more > 0 {
        let _ = writeln!(shown, "[{more} more texts are left out]");
    }
    format!(
        "<details><summary><code>{}</code></summary>\n\n{}\n\n<pre>{}</pre>\n\n</details>\n\n",
        html(&title),
        html(&message(merged, failure)),
        // An empty line would end the HTML block.
        html(shown.trim_end()).replace('\n', "&#10;")
    )
}

/// A table cell with the node id and the environment of a test.
fn test(merged: &Merged, result: &TestResult) -> String {
    let id = cell(&line(merged.id(result), MAX_LINE_BYTES));
    in_environment(merged, result.environment, &id)
}

fn cell(text: &str) -> String {
    format!("<code>{}</code>", html(text).replace('|', "&#124;"))
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
