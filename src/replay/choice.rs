//! Finding a worker and a test by what the user has typed.

use crate::journal::merged::Merged;
use crate::text::counted;

/// How many candidates a message names.
const MAX_NAMED: usize = 6;

/// Nothing, or more than one thing, has the name: one line that says which there are.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// No worker has the name.
    #[error("the run has no worker '{name}'; it has {}", listed(.workers))]
    Worker {
        /// What was typed.
        name: String,
        /// The workers.
        workers: Vec<String>,
    },
    /// The journal has several runs with such a worker.
    #[error("'{name}' is a worker of {}; name one of {}", counted(.workers.len(), "run"), listed(.workers))]
    AmbiguousWorker {
        /// What was typed.
        name: String,
        /// The workers.
        workers: Vec<String>,
    },
    /// No worker was named, and there are several.
    #[error("name a worker with --worker: {}", listed(.workers))]
    WhichWorker {
        /// The workers.
        workers: Vec<String>,
    },
    /// No test matches.
    #[error("no test of {among} matches '{pattern}'")]
    Test {
        /// What was typed.
        pattern: String,
        /// Where it was looked for.
        among: String,
    },
    /// Several tests match.
    #[error("'{pattern}' matches {}: {}", counted(.tests.len(), "test"), listed(.tests))]
    AmbiguousTest {
        /// What was typed.
        pattern: String,
        /// The tests.
        tests: Vec<String>,
    },
}

/// A list of names, shortened.
fn listed(names: &[String]) -> String {
    let shown = names.len().min(MAX_NAMED);
    let text = names[..shown].join(", ");
    match names.len() - shown {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// A process of a run: indices into [`Merged::parts`] and into its processes.
pub type Place = (usize, usize);

/// The name of a process: `gw3` or `main`; with the number of its run, `2:gw3`, if the journal has several.
#[must_use]
pub fn worker_name(merged: &Merged, (part, process): Place) -> String {
    let name = merged.parts[part].run.processes[process].name();
    if merged.parts.len() == 1 {
        return name;
    }
    format!("{}:{name}", part + 1)
}

/// All processes that ran tests.
pub fn workers(merged: &Merged) -> impl Iterator<Item = Place> {
    let parts = merged.parts.iter().enumerate();
    parts.flat_map(|(part, merged)| {
        let attempts = &merged.run.attempts;
        let ran = |process: &usize| attempts.iter().any(|attempt| attempt.process == *process);
        let processes = (0..merged.run.processes.len()).filter(ran);
        processes.map(move |process| (part, process)).collect::<Vec<_>>()
    })
}

/// Finds a worker: `gw3` or `main`, or `2:gw3` in the second run of a merged journal (`run 2: gw3`, as in reports).
///
/// # Errors
/// [`NotFound`].
pub fn find_worker(merged: &Merged, name: &str) -> Result<Place, NotFound> {
    let plain = name
        .trim()
        .strip_prefix("run ")
        .unwrap_or(name)
        .replace(": ", ":");
    let is_named = |place: &Place| {
        let own = merged.parts[place.0].run.processes[place.1].name();
        own == plain || format!("{}:{own}", place.0 + 1) == plain
    };
    let found: Vec<Place> = workers(merged).filter(is_named).collect();
    let names = |places: Vec<Place>| {
        places
            .into_iter()
            .map(|place| worker_name(merged, place))
            .collect()
    };
    match found[..] {
        [place] => Ok(place),
        [] => Err(NotFound::Worker {
            name: name.to_owned(),
            workers: names(workers(merged).collect()),
        }),
        _ => Err(NotFound::AmbiguousWorker {
            name: name.to_owned(),
            workers: names(found),
        }),
    }
}

/// Finds a test among node ids, which occur once: by its node id, the end of one, any part of one, or a pattern in which
/// `*` stands for any text. The first of these that matches counts; `among` says in a message where it was looked for.
///
/// # Errors
/// [`NotFound`].
pub fn find_test<'a>(ids: &[&'a str], pattern: &str, among: &str) -> Result<&'a str, NotFound> {
    match find_tests(ids, pattern)[..] {
        [id] => Ok(id),
        [] => Err(NotFound::Test {
            pattern: pattern.to_owned(),
            among: among.to_owned(),
        }),
        ref several => Err(ambiguous(pattern, several)),
    }
}

/// The error about several tests.
#[must_use]
pub fn ambiguous(pattern: &str, tests: &[&str]) -> NotFound {
    NotFound::AmbiguousTest {
        pattern: pattern.to_owned(),
        tests: tests.iter().map(|&id| id.to_owned()).collect(),
    }
}

/// All tests that match in the first way, of those of [`find_test`], in which any does.
#[must_use]
pub fn find_tests<'a>(ids: &[&'a str], pattern: &str) -> Vec<&'a str> {
    let ends = |id: &str| {
        id.strip_suffix(pattern)
            .is_some_and(|begin| begin.ends_with("::") || begin.ends_with('/'))
    };
    let ways: [&dyn Fn(&str) -> bool; 4] = [&|id| id == pattern, &ends, &|id| id.contains(pattern), &|id| {
        pattern.contains('*') && matches(id, pattern)
    }];
    let mut found = ways.into_iter().map(|way| {
        let matching = ids.iter().copied().filter(|id| way(id));
        matching.collect::<Vec<_>>()
    });
    found.find(|matching| !matching.is_empty()).unwrap_or_default()
}

/// Whether the parts of the pattern between its `*` occur in the text, one after the other.
fn matches(text: &str, pattern: &str) -> bool {
    let mut rest = text;
    pattern.split('*').all(|part| {
        let found = rest.find(part);
        rest = found.map_or("", |at| &rest[at + part.len()..]);
        found.is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::example::{ONE_PROCESS, TWO_WORKERS, journal, merged};

    const IDS: [&str; 5] = [
        "a/test_x.py::test_one",
        "b/test_x.py::test_one[a b]",
        "b/test_x.py::test_one[é]",
        "b/test_y.py::TestIt::test_two",
        "test_two",
    ];

    fn found(pattern: &str) -> Result<&'static str, String> {
        find_test(&IDS, pattern, "gw3").map_err(|error| error.to_string())
    }

    #[test]
    fn a_test_is_found_by_as_much_as_is_needed() {
        assert_eq!(found("test_two"), Ok(IDS[4]));
        assert_eq!(found("TestIt::test_two"), Ok(IDS[3]));
        assert_eq!(found("test_one"), Ok(IDS[0]));
        assert_eq!(found("[é]"), Ok(IDS[2]));
        assert_eq!(found("b/*[a*"), Ok(IDS[1]));
    }

    #[test]
    fn candidates_are_named() {
        insta::assert_snapshot!(found("b/test_x").unwrap_err(), @"'b/test_x' matches 2 tests: b/test_x.py::test_one[a b], b/test_x.py::test_one[é]");
        insta::assert_snapshot!(found("other").unwrap_err(), @"no test of gw3 matches 'other'");
    }

    #[test]
    fn a_worker_of_several_runs_needs_the_number_of_its_run() {
        let all = journal("one", 0, &[], TWO_WORKERS) + &journal("two", 9, &[], TWO_WORKERS);
        let runs = merged(&(all + &journal("three", 10, &[], ONE_PROCESS)));
        assert_eq!(find_worker(&runs, "2:gw1"), Ok((1, 1)));
        assert_eq!(find_worker(&runs, "run 2: gw1"), Ok((1, 1)));
        assert_eq!(find_worker(&runs, "main"), Ok((2, 0)));
        let error = |name| find_worker(&runs, name).unwrap_err().to_string();
        insta::assert_snapshot!(error("gw1"), @"'gw1' is a worker of 2 runs; name one of 1:gw1, 2:gw1");
        insta::assert_snapshot!(error("gw7"), @"the run has no worker 'gw7'; it has 1:gw0, 1:gw1, 2:gw0, 2:gw1, 3:main");
    }
}
