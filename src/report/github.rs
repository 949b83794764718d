//! What GitHub Actions shows: annotations at the lines of failures, and a job summary.
//!
//! The format of the commands and their escapes is that of `@actions/core`:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.

use super::failures::{Failure, captured, failures};
use super::moment::in_seconds;
use super::text::totals;
use crate::journal::merged::Merged;
use std::fmt::Write as _;

/// Bytes of a summary. GitHub takes 1 MiB for each step, and shows none that is larger.
const LARGEST_SUMMARY: usize = 1_000_000;

/// Lines of a failure's text in the summary, the last ones: the error is at the end.
const MOST_LINES: usize = 100;

/// Tests in the table of the slowest.
const MOST_SLOW: usize = 10;

/// A line `::error …::…` for each failure. GitHub shows the first ten of a step.
#[must_use]
pub fn annotations(merged: &Merged) -> String {
    let mut found = String::new();
    for failure in failures(merged) {
        let mut properties = Vec::new();
        if let Some(detail) = failure.details.first() {
            properties.extend(
                detail
                    .path
                    .as_ref()
                    .map(|path| format!("file={}", property(path))),
            );
            properties.extend(detail.line.map(|line| format!("line={line}")));
        }
        let title = format!("{} {}", failure.id, failure.verdict.name());
        properties.push(format!("title={}", property(&title)));
        let message = data(&message(merged, &failure));
        let _ = writeln!(found, "::error {}::{message}", properties.join(","));
    }
    found
}

fn message(merged: &Merged, failure: &Failure<'_>) -> String {
    let environment = merged.parts[failure.part].environment;
    merged.environment_name(environment).map_or_else(
        || failure.message().to_owned(),
        |name| format!("{} ({name})", failure.message()),
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The job summary: GitHub's Markdown.
#[must_use]
pub fn summary(merged: &Merged) -> String {
    let mut found = format!("### pytest: {}\n\n", totals(merged));
    let failures = failures(merged);
    if merged.environments.len() > 1 {
        environments(&mut found, merged, &failures);
    }
    flaky(&mut found, merged);
    slowest(&mut found, merged);
    for (number, failure) in failures.iter().enumerate() {
        let told = details(merged, failure);
        if found.len() + told.len() > LARGEST_SUMMARY {
            let _ = writeln!(found, "{} more failures are left out.", failures.len() - number);
            break;
        }
        found.push_str(&told);
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
    let flaky: Vec<&str> = results
        .filter(|result| merged.is_flaky(result))
        .map(|result| merged.id(result))
        .collect();
    if !flaky.is_empty() {
        found.push_str("Passed on a second try:\n\n");
        for id in flaky {
            let _ = writeln!(found, "- <code>{}</code>", html(id));
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
    for (took, result) in slowest.into_iter().take(MOST_SLOW) {
        let _ = writeln!(found, "| {} | {} |", in_seconds(took), cell(merged.id(result)));
    }
    found.push_str("\n</details>\n\n");
}

fn details(merged: &Merged, failure: &Failure<'_>) -> String {
    let title = format!("{}: {}", failure.id, failure.verdict.name());
    let mut text = String::new();
    for detail in &failure.details {
        let _ = writeln!(text, "{}", detail.text);
    }
    for (title, captured) in captured(&failure.details) {
        let _ = writeln!(text, "--- {title} ---\n{captured}");
    }
    let lines: Vec<&str> = text.lines().collect();
    let text = lines[lines.len().saturating_sub(MOST_LINES)..].join("\n");
    format!(
        "<details><summary><code>{}</code></summary>\n\n{}\n\n<pre>{}</pre>\n\n</details>\n\n",
        html(&title),
        html(&message(merged, failure)),
        // An empty line would end the block of HTML.
        html(&text).replace('\n', "&#10;")
    )
}

fn cell(text: &str) -> String {
    format!("<code>{}</code>", html(text).replace('|', "&#124;"))
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
