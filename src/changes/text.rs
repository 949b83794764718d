//! The lines about the selection.

use super::files::{Files, Number};
use super::git::Event;
use super::graph::{ForAll, Graph, Link};
use super::kind::name_of;
use super::selection::{Chain, Reason, Step};
use crate::text::counted;
use std::collections::BTreeMap;

/// Lines about reasons that are shown without `-vv`: with the others of the summary, they fit on a screen.
const MOST_LINES: usize = 20;

/// The line about the whole selection.
///
/// `reference` is what the user compares with, `changed` the number of changed files, `selected` that of selected tests
/// of `all`.
#[must_use]
pub fn summary(reference: &str, changed: usize, selected: usize, all: usize) -> String {
    if changed == 0 && selected == 0 {
        return format!("nothing has changed since {reference}");
    }
    let files = counted(changed, "file");
    if selected == 0 {
        return format!("no test depends on what has changed since {reference}: {files}");
    }
    let (tests, depend) = (
        counted(all, "test"),
        if selected == 1 { "depends" } else { "depend" },
    );
    let them = if changed == 1 { "it" } else { "them" };
    format!("changed since {reference}: {files}; {selected} of {tests} {depend} on {them}")
}

/// The lines about why tests are selected: one for each file with tests and each reason. `of_tests` has the group of
/// each test. Without `is_whole`, there are at most twenty.
#[must_use]
pub fn reasons(graph: &Graph, found: &[Option<Reason>], of_tests: &[usize], is_whole: bool) -> Vec<String> {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for group in of_tests {
        if let Some(Some(reason)) = found.get(*group) {
            let file = graph.groups().get(*group).and_then(|group| group.file);
            let key = (
                tests_of(&graph.files, file, reason),
                words(&graph.files, file, reason),
            );
            *counts.entry(key).or_default() += 1;
        }
    }
    let lines = counts.into_iter().map(|((tests, why), count)| {
        let number = counted(count, "test");
        match tests.as_str() {
            "" => format!("{number}: {why}"),
            file => format!("{file} ({number}): {why}"),
        }
    });
    let mut lines: Vec<String> = lines.collect();
    if !is_whole && lines.len() > MOST_LINES {
        let left = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("and {left} more; -vv shows all"));
    }
    lines
}

/// The file whose tests a line is about; empty for a reason that is the same for all tests.
fn tests_of(files: &Files, file: Option<Number>, reason: &Reason) -> String {
    match reason {
        Reason::Chain(_) => file.map_or("", |file| files.path(file)).to_owned(),
        _ => String::new(),
    }
}

fn words(files: &Files, file: Option<Number>, reason: &Reason) -> String {
    match reason {
        Reason::EveryTest(chain) => {
            format!("{}, which every test may depend on", words_of(files, chain, None))
        }
        Reason::Loaded(chain, ForAll::Plugin) => {
            format!(
                "{}, which pytest has loaded as a plugin",
                words_of(files, chain, None)
            )
        }
        Reason::Loaded(chain, ForAll::Dynamic) => {
            format!(
                "{}, which is imported where no import names it",
                words_of(files, chain, None)
            )
        }
        Reason::Chain(chain) => words_of(files, chain, file),
        Reason::Unknown => "git does not have their files".to_owned(),
    }
}

fn words_of(files: &Files, chain: &Chain, tests: Option<Number>) -> String {
    let what = match chain.event {
        Event::Added => "is new",
        Event::Deleted => "was deleted",
        Event::Modified => "has changed",
    };
    let mut text = match tests {
        Some(file) if file == chain.changed => format!("the file {what}"),
        _ => format!("{} {what}", files.path(chain.changed)),
    };
    for (step, file) in &chain.steps {
        let path = files.path(*file);
        let (before, after) = match step {
            Step::Link(Link::Import) => ("imported by ", ""),
            Step::Link(Link::Name) => ("named in ", ""),
            Step::Link(Link::Package) => ("the package of ", ""),
            Step::Link(Link::Opened) => ("opened by ", ""),
            Step::Link(Link::SymbolicLink) => ("the same file as ", ""),
            Step::Dynamic => ("which ", " may import dynamically"),
            Step::Listed => ("in a directory that ", " may list"),
            Step::Everything => ("which processes or texts of ", " may use"),
            Step::Near => ("near ", ""),
        };
        for part in [", ", before, path, after] {
            text.push_str(part);
        }
    }
    let last = chain.steps.last().map_or(chain.changed, |(_, file)| *file);
    match tests {
        Some(file) if file != last => {
            let path = files.path(last);
            let how = if name_of(path) == "conftest.py" {
                "which applies to them"
            } else {
                "which they use"
            };
            text + ", " + how
        }
        _ => text,
    }
}
