//! How often tests have changed their mind: passed and failed, although the code was the same.
//!
//! Within a run, the attempts of a test are compared: retries, and with `--dist each` the workers. Between runs, an
//! outcome is compared with that of the latest earlier run in which the test had one and that ran the same code.
//!
//! The hazard it handles: a test that fails because somebody has broken something is not flaky. Two runs have the same
//! code for a test if they had the same versions of Python and of all plugins, and if the digests agree of all files
//! that both have loaded: its own, and all that are not those of other tests. A run that was killed before it recorded
//! digests, and a test in a file that Python does not import, are not compared with other runs.

use crate::journal::run::{Run, Verdict};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A test that has changed its mind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaky<'a> {
    /// Its node id.
    pub id: &'a str,
    /// How often its outcome was not that of the execution before.
    pub changes: usize,
    /// How often its outcome was compared with another one.
    pub compared: usize,
    /// How often it was executed, skips not counted.
    pub executions: usize,
    /// How often it failed.
    pub failures: usize,
    /// Its last failure, as indices of the run and of the attempt; `None` if it is expected to fail.
    pub last_failure: Option<(usize, usize)>,
}

/// How an execution ended, as far as a test can change its mind about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Passed,
    Failed,
    /// It failed as expected.
    Xfailed,
}

impl Ended {
    fn of(verdict: Verdict) -> Option<Self> {
        match verdict {
            Verdict::Passed | Verdict::Flaky | Verdict::Xpassed => Some(Self::Passed),
            Verdict::Xfailed => Some(Self::Xfailed),
            Verdict::Failed | Verdict::Error | Verdict::Rerun | Verdict::Crashed | Verdict::Quarantined => {
                Some(Self::Failed)
            }
            Verdict::Skipped => None,
        }
    }
}

/// The executions of a test in a run, in the order of their reports; at least one.
struct Executions {
    run: usize,
    /// The outcome of each, and the index of its attempt.
    ended: Vec<(Ended, usize)>,
}

/// The tests that have changed their mind in these runs, which are in the order of their starts; most changes first.
#[must_use]
pub fn flaky<'a>(runs: &[&'a Run]) -> Vec<Flaky<'a>> {
    let mut tests: BTreeMap<&str, Vec<Executions>> = BTreeMap::new();
    let resumed: HashSet<&str> = runs
        .iter()
        .filter_map(|run| run.head.resumes.as_deref())
        .collect();
    for (index, run) in runs.iter().enumerate() {
        // The run that has resumed it contains its results.
        if resumed.contains(run.head.id.as_str()) {
            continue;
        }
        for (test, attempts) in run.results() {
            let ended = attempts.all.iter().filter_map(|&attempt| {
                let verdict = run.attempts[attempt].verdict();
                Some((Ended::of(verdict)?, attempt))
            });
            let ended: Vec<_> = ended.collect();
            if !ended.is_empty() {
                let executions = Executions { run: index, ended };
                tests.entry(run.id(test)).or_default().push(executions);
            }
        }
    }
    let mut code = Code::new(runs);
    let found = tests
        .into_iter()
        .map(|(id, executions)| judged(id, &executions, &mut code));
    let mut found: Vec<Flaky<'_>> = found.filter(|test| test.changes > 0).collect();
    // Node ids are in order already.
    found.sort_by_key(|test| (Reverse(test.changes), test.compared));
    found
}

fn judged<'a>(id: &'a str, runs: &[Executions], code: &mut Code<'_>) -> Flaky<'a> {
    let mut test = Flaky {
        id,
        changes: 0,
        compared: 0,
        executions: 0,
        failures: 0,
        last_failure: None,
    };
    for (place, Executions { run, ended }) in runs.iter().enumerate() {
        let before = runs[..place]
            .iter()
            .rfind(|earlier| code.is_same(id, earlier.run, *run));
        let before = before.and_then(|earlier| earlier.ended.last());
        let all: Vec<Ended> = before.into_iter().chain(ended).map(|&(ended, _)| ended).collect();
        test.compared += all.len() - 1;
        test.changes += all.windows(2).filter(|pair| pair[0] != pair[1]).count();
        test.executions += ended.len();
        let failed = ended.iter().filter(|(ended, _)| *ended == Ended::Failed);
        for &(_, attempt) in failed {
            test.failures += 1;
            test.last_failure = Some((*run, attempt));
        }
    }
    test
}

/// The code of the runs.
struct Code<'a> {
    runs: &'a [&'a Run],
    /// Files that contain tests.
    test_files: HashSet<&'a str>,
    /// Whether two runs, the earlier one first, had the same code but for the files with tests.
    known: HashMap<(usize, usize), bool>,
}

impl<'a> Code<'a> {
    fn new(runs: &'a [&'a Run]) -> Self {
        let ids = runs.iter().flat_map(|run| &run.ids);
        Self {
            runs,
            test_files: ids.map(|id| file_of(id)).collect(),
            known: HashMap::new(),
        }
    }

    fn is_same(&mut self, id: &str, earlier: usize, later: usize) -> bool {
        let digest = |run: usize| self.runs[run].code.get(file_of(id));
        if digest(earlier).is_none() || digest(earlier) != digest(later) {
            return false;
        }
        if let Some(&is_same) = self.known.get(&(earlier, later)) {
            return is_same;
        }
        let (one, other) = (self.runs[earlier], self.runs[later]);
        let mut files = one
            .code
            .iter()
            .filter(|(file, _)| !self.test_files.contains(file.as_str()));
        let is_same = one.head.versions == other.head.versions
            && files.all(|(file, digest)| other.code.get(file).is_none_or(|other| other == digest));
        self.known.insert((earlier, later), is_same);
        is_same
    }
}

/// The file of a test.
fn file_of(id: &str) -> &str {
    id.split("::").next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::example::{journal, merged};
    use crate::journal::merged::Merged;

    /// A journal with a run for each word of outcomes, one letter for each test (`p`, `f`, `s`, `x`), and its code.
    fn runs(all: &[(&str, &str)]) -> Merged {
        let journals = all.iter().enumerate().map(|(number, (letters, code))| {
            let mut events = vec![
                r#"{"e":"collected","at":0,"ids":["a.py::test","b.py::test","c.txt::c.txt"]}"#.to_owned(),
            ];
            if !code.is_empty() {
                events.push(format!("{{\"e\":\"code\",\"files\":{{{code}}}}}"));
            }
            events.extend(letters.chars().enumerate().map(|(test, letter)| {
                let outcome = match letter {
                    'p' => "passed",
                    'f' => "failed",
                    's' => "skipped",
                    _ => "xfailed",
                };
                format!("{{\"e\":\"call\",\"t\":{test},\"at\":0,\"us\":1,\"o\":\"{outcome}\"}}")
            }));
            let began = 1_000_000 * number as u64;
            journal(&format!("run{number}"), began, &[], &(events.join("\n") + "\n"))
        });
        merged(&journals.collect::<String>())
    }

    const SAME: &str = r#""a.py":"1","b.py":"1","lib.py":"1""#;

    /// Node id, changes, comparisons, executions and failures of each flaky test.
    fn found(merged: &Merged) -> Vec<(&str, [usize; 4])> {
        let runs: Vec<&Run> = merged.parts.iter().map(|part| &part.run).collect();
        let tests = flaky(&runs).into_iter();
        tests
            .map(|test| {
                (
                    test.id,
                    [test.changes, test.compared, test.executions, test.failures],
                )
            })
            .collect()
    }

    #[test]
    fn a_test_is_flaky_if_its_outcome_changes_and_the_code_does_not() {
        let merged = runs(&[
            ("ppp", SAME),
            ("fpf", SAME),
            ("spp", SAME),
            ("fpp", SAME),
            ("pxp", SAME),
        ]);
        assert_eq!(
            found(&merged),
            [("a.py::test", [2, 3, 4, 2]), ("b.py::test", [1, 4, 5, 0])]
        );
    }

    #[test]
    fn a_changed_file_of_another_test_is_no_change_and_any_other_file_is() {
        let other_test = r#""a.py":"1","b.py":"2","lib.py":"1""#;
        assert_eq!(
            found(&runs(&[("pp", SAME), ("ff", other_test)])),
            [("a.py::test", [1, 1, 2, 1])]
        );
        for changed in [
            r#""a.py":"2","b.py":"2","lib.py":"1""#,
            r#""a.py":"1","b.py":"1","lib.py":"2""#,
            "",
        ] {
            assert!(
                found(&runs(&[("pp", SAME), ("ff", changed)])).is_empty(),
                "{changed}"
            );
        }
        // A module that only one of them has loaded cannot have changed.
        let fewer = r#""a.py":"1""#;
        assert_eq!(
            found(&runs(&[("p", SAME), ("f", fewer)])),
            [("a.py::test", [1, 1, 2, 1])]
        );
    }

    #[test]
    fn a_run_is_compared_with_the_latest_one_of_the_same_code() {
        let other = r#""a.py":"2","b.py":"1","lib.py":"1""#;
        let merged = runs(&[("p", SAME), ("f", other), ("p", SAME), ("f", other), ("p", SAME)]);
        assert!(found(&merged).is_empty());
    }

    #[test]
    fn retries_are_compared_within_a_run_without_known_code() {
        let events = r#"
{"e":"collected","at":0,"ids":["a.py::test"]}
{"e":"call","t":0,"at":0,"us":1,"o":"rerun"}
{"e":"call","t":0,"at":1,"us":1,"o":"rerun"}
{"e":"call","t":0,"at":2,"us":1,"o":"passed"}
"#;
        let merged = merged(&journal("one", 0, &[], events));
        assert_eq!(found(&merged), [("a.py::test", [1, 2, 3, 2])]);
        let runs: Vec<&Run> = merged.parts.iter().map(|part| &part.run).collect();
        assert_eq!(flaky(&runs)[0].last_failure, Some((0, 1)));
    }

    #[test]
    fn the_results_of_a_resumed_run_count_once() {
        let first = journal(
            "one",
            0,
            &[],
            &format!(
                r#"
{{"e":"collected","at":0,"ids":["a.py::test"]}}
{{"e":"code","files":{{{SAME}}}}}
{{"e":"call","t":0,"at":0,"us":1,"o":"failed"}}
"#
            ),
        );
        let second = first
            .replace(r#""id":"one""#, r#""id":"two","resumes":"one""#)
            .replace(r#""began":0"#, r#""began":9"#);
        let last = first
            .replace(r#""id":"one""#, r#""id":"six""#)
            .replace(r#""began":0"#, r#""began":99"#);
        let merged = merged(&(first + &second + &last.replace("failed", "passed")));
        assert_eq!(found(&merged), [("a.py::test", [1, 1, 2, 1])]);
    }
}
