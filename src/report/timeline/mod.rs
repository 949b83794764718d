//! The timeline: a self-contained HTML page that shows a run.
//!
//! The hazard it handles: output of tests. A failure's text may contain the end of a script element, the start of a
//! comment, or anything else, and must neither end the data nor become part of the page.
//!
//! [`data`] makes the data from journals.
//!
//! # The data
//!
//! JSON, in columns where there is a row for each test. Times are in seconds from the run's start, unless said otherwise;
//! a dash is null.
//!
//! | key | what it holds |
//! |---|---|
//! | `version` | 1 |
//! | `run` | `id`, `command`, `started` (seconds since the epoch), `seconds` (wall time), `exit` (status or null), `complete` (false when the journal ends before the run did), `collected` (number of tests; one of several runs counts once), `ran` (how many of them came to a result), `slow` (the limit in seconds, or null) |
//! | `environments` | a list of `name` and `details` (texts by name) |
//! | `workers` | a list of `name`, `environment` (index), `pid`, `start`, `end`, `ended` (`left`, `crashed`, `replaced`), `reason`, all of them or null, `peak` (the most resident bytes that it ever held, or null), and `memory`: a list of moment, resident bytes, and proportional bytes or null |
//! | `outcomes` | their names |
//! | `tests` | columns: `id`, `worker` (index), `start`, `setup`, `call`, `teardown` (seconds each phase took), `end`, `outcome` (index), `usual` and `previous` (seconds it would take by the history, with the shared fixtures that it set up now, and took in the previous run, or null), `growth` (bytes by which the peak of the worker's memory grew) |
//! | `failures` | a list of `test` (index), `phase`, `text`, and `sections`: pairs of title and text; of attempts that decide about their tests, and of files that could not be collected |
//! | `superseded` | such a list of the other attempts |
//! | `leaks` | a list of `test` (index) and `text`: what a test, or a fixture that was torn down with it, has left |
//! | `once` | a list of `key` (a fixture that was set up once for all workers) and `seconds` |
//! | `marks` | a list of `at`, `worker` (index or null), `kind` (`crash`, `replaced`, `threshold`, `warning`) and `text` |
//! | `counts` | a number for each outcome, of the attempts that count, as in pytest's closing line |
//! | `durations` | `p50`, `p95`, `p99` and `max` in seconds, for `test`, `setup`, `call` and `teardown` |
//! | `bound` | what the run could not have been shorter than: `seconds`, and `by` which test or group; or null |
//! | `thresholds` | a list of `text`, `value` (a text) and `broken` |
//! | `previous` | `id`, `started`, `seconds` and `counts` of the run before, or null |
//! | `load` | a list of load tests, only if there are any; [`load`] and [`load_curves`] have its fields |
//!
//! A test that ran more than once is in the columns more than once, with the same `id`.
//!
//! # The page
//!
//! Its scripts are modules in files of their own, so that tools can check them one by one; [`page`] joins them into one.
//! A declaration is exported where it is made, an import is one line.

pub mod data;
mod figures;
mod load;
mod load_curves;
mod load_earlier;
pub mod problem;

use crate::journal::kept::kept_before;
use crate::journal::merged::Merged;
pub use load_earlier::Earlier;
use std::collections::HashSet;
use std::path::Path;

/// The template of the page, with placeholder lines.
const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// The scripts, in the order of their imports.
const SCRIPTS: [&str; 18] = [
    include_str!("format.js"),
    include_str!("dom.js"),
    include_str!("outcomes.js"),
    include_str!("data.js"),
    include_str!("state.js"),
    include_str!("blocks.js"),
    include_str!("lanes.js"),
    include_str!("memory.js"),
    include_str!("overview.js"),
    include_str!("lists.js"),
    include_str!("comparison.js"),
    include_str!("histogram.js"),
    include_str!("details.js"),
    include_str!("controls.js"),
    include_str!("keys.js"),
    include_str!("pointer.js"),
    include_str!("summary.js"),
    include_str!("optional.js"),
];
/// Style and scripts of load tests, only in pages that have some: 29 kB, beside 107 kB of all others.
const LOAD_STYLE: &str = include_str!("load.css");
const LOAD_SCRIPTS: [&str; 5] = [
    include_str!("load_lines.js"),
    include_str!("load_chart.js"),
    include_str!("load_pointer.js"),
    include_str!("load_tables.js"),
    include_str!("load.js"),
];
const MAIN: &str = include_str!("main.js");

/// The page for the runs of a journal, compared with the previous run.
///
/// # Errors
/// [`problem::Problem`].
pub fn page_of(journal: &Path, merged: &Merged) -> Result<String, problem::Problem> {
    let previous = previous_run(journal, merged);
    let earlier = Earlier::find(journal, merged);
    Ok(page(&data::data(merged, previous.as_ref(), &earlier)?))
}

/// The latest kept run before those of a journal; `None` if there is none or it cannot be read.
fn previous_run(journal: &Path, merged: &Merged) -> Option<Merged> {
    let own = ids(merged);
    for path in kept_before(journal) {
        let before = Merged::read(&path).ok()?;
        if own.is_disjoint(&ids(&before)) {
            return Some(before);
        }
    }
    None
}

fn ids(merged: &Merged) -> HashSet<&str> {
    let parts = merged.parts.iter();
    parts.map(|part| part.run.head.id.as_str()).collect()
}

/// The complete page for a run; `data` is JSON as described above.
#[must_use]
pub fn page(data: &str) -> String {
    let mut page = String::with_capacity(data.len() + data.len() / 64 + (256 << 10));
    let (style, scripts) = if has_load_tests(data) {
        (LOAD_STYLE, &LOAD_SCRIPTS[..])
    } else {
        ("", &[][..])
    };
    for line in PAGE.lines() {
        match line {
            "{{style}}" => page.extend([STYLE, style]),
            "{{script}}" => SCRIPTS
                .iter()
                .chain(scripts)
                .chain([&MAIN])
                .for_each(|script| join(&mut page, script)),
            "{{run}}" => embed(&mut page, data),
            _ => page.push_str(line),
        }
        page.push('\n');
    }
    page
}

/// Whether the data has load tests. In a text, the quotes would be escaped, so this can only be the key.
fn has_load_tests(data: &str) -> bool {
    data.contains("\"load\":")
}

/// Appends a module in its own scope, and its exports in the scope of the page, where later modules find them.
fn join(page: &mut String, script: &str) {
    let exports: Vec<&str> = script.lines().filter_map(exported).collect();
    let exports = exports.join(", ");
    page.extend(["const { ", &exports, " } = (() => {\n"]);
    for line in script.lines().filter(|line| !line.starts_with("import ")) {
        page.push_str(line.strip_prefix("export ").unwrap_or(line));
        page.push('\n');
    }
    page.extend(["return { ", &exports, " };\n})();\n"]);
}

/// The name exported by a line.
fn exported(line: &str) -> Option<&str> {
    let (_, rest) = line.strip_prefix("export ")?.split_once(' ')?;
    rest.split(|character: char| !character.is_alphanumeric()).next()
}

/// Appends JSON with all characters escaped that have a meaning in HTML or JavaScript. They only occur in strings.
fn embed(page: &mut String, data: &str) {
    let mut rest = data;
    while let Some(at) = rest.find(['<', '\u{2028}', '\u{2029}']) {
        page.push_str(&rest[..at]);
        let mut tail = rest[at..].chars();
        page.push_str(match tail.next() {
            Some('\u{2028}') => "\\u2028",
            Some('\u{2029}') => "\\u2029",
            _ => "\\u003c",
        });
        rest = tail.as_str();
    }
    page.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::{LOAD_SCRIPTS, LOAD_STYLE, MAIN, SCRIPTS, STYLE, exported, page};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// The text of the element that contains the data.
    fn embedded(page: &str) -> &str {
        let (_, rest) = page.split_once("id=\"run\">").expect("the page has data");
        rest.split_once("</script>").expect("the data ends").0
    }

    #[test]
    fn a_text_cannot_end_the_data_or_begin_a_comment() {
        let text =
            "</script><script>alert(1)</script><!-- \u{2028}\u{2029} \0 \u{1b}[31mred\u{1b}[0m {{style}}";
        let data = json!({ "failures": [{ "text": text }] });
        let page = page(&data.to_string());
        let inside = embedded(&page);
        assert!(!inside.contains(['<', '\u{2028}', '\u{2029}']));
        assert_eq!(serde_json::from_str::<Value>(inside).unwrap(), data);
    }

    #[test]
    fn the_page_is_self_contained() {
        let page = page("{\"load\":[]}");
        assert!(!page.contains("{{"));
        assert!(page.contains(STYLE) && page.contains(LOAD_STYLE));
        assert!(
            !page
                .lines()
                .any(|line| line.starts_with("import ") || line.starts_with("export "))
        );
        for reference in ["src=", "href=\"http", "url(", "@import", "fetch("] {
            assert!(!page.contains(reference), "{reference}");
        }
    }

    #[test]
    fn a_script_comes_after_those_it_imports() {
        let all: Vec<&str> = SCRIPTS.into_iter().chain(LOAD_SCRIPTS).chain([MAIN]).collect();
        for (place, script) in all.iter().enumerate() {
            let names = script
                .lines()
                .filter_map(|line| line.strip_prefix("import { ")?.split_once(" } from"));
            for name in names.flat_map(|(names, _)| names.split(", ")) {
                let exports = |script: &&str| script.lines().filter_map(exported).any(|other| other == name);
                assert!(all[..place].iter().any(exports), "{name}");
            }
        }
    }

    #[test]
    fn only_a_page_with_load_tests_contains_their_scripts_and_style() {
        let text = json!({ "failures": [{ "text": "\"load\": [" }], "load-tests": 1 });
        let (without, with) = (page(&text.to_string()), page("{\"load\": []}"));
        assert!(!without.contains("load-chart") && !without.contains("LoadChart"));
        assert!(with.contains("load-chart") && with.contains("LoadChart"));
    }

    proptest! {
        #[test]
        fn any_text_round_trips(text in any::<String>()) {
            let data = Value::String(text);
            let page = page(&data.to_string());
            prop_assert_eq!(serde_json::from_str::<Value>(embedded(&page)).unwrap(), data);
        }
    }
}
