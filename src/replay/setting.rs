//! How pytest is started so that it is as in the run: arguments, directory, environment and seeds.
//!
//! The hazard it handles: the journal may be from another machine. Paths below its rootdir become paths below the one
//! here, and only a few variables are set. Options that must not have an effect again, such as those of reports, stay in
//! the command; the plugin that runs the tests switches them off by name, wherever they come from.

use super::choice::Place;
use crate::journal::merged::Merged;
use crate::journal::run::Run;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The variable that decides the order of sets of strings.
const HASH_SEED: &str = "PYTHONHASHSEED";

/// The variables that the journal records if they are set.
const RECORDED: [&str; 4] = [
    HASH_SEED,
    "PYTEST_ADDOPTS",
    "PYTEST_PLUGINS",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD",
];

/// What a worker is told about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerInput {
    /// Its name.
    pub workerid: String,
    /// The number of workers.
    pub workercount: u64,
    /// The id of the run.
    pub testrunuid: String,
}

/// How pytest is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The arguments of the command.
    pub arguments: Vec<String>,
    /// The directory in which it is started.
    pub directory: PathBuf,
    /// Variables to set, or to remove.
    pub environment: BTreeMap<String, Option<String>>,
    /// The options that are seeds.
    pub seeds: BTreeMap<String, String>,
    /// What the process is told, by worker number; empty if tests ran in the main process.
    pub workers: BTreeMap<u32, WorkerInput>,
    /// The number of the worker in question; `None` for the main process.
    pub worker: Option<u32>,
}

impl Setting {
    /// The setting of a process, with the run's rootdir at `root`.
    #[must_use]
    pub fn new(merged: &Merged, (part, process): Place, root: &Path) -> Self {
        let run = &merged.parts[part].run;
        let head = &run.head;
        let is_recorded = !head.rootdir.is_empty();
        let variables = RECORDED.into_iter().filter_map(|name| {
            let value = head.environment.get(name).cloned();
            // A hash seed of today's environment is kept: the user may try several.
            let is_known = value.is_some() || (is_recorded && name != HASH_SEED);
            is_known.then(|| (name.to_owned(), value))
        });
        Self {
            arguments: arguments(&head.command, &head.rootdir, root),
            directory: root.join(&head.directory),
            environment: variables.collect(),
            seeds: head.seeds.clone(),
            workers: workers(run),
            worker: run.processes[process].number,
        }
    }

    /// The line about the seeds.
    #[must_use]
    pub fn seed_line(&self) -> String {
        let hash = self.environment.get(HASH_SEED).and_then(Option::as_ref);
        let hash = hash.map(|seed| format!("{HASH_SEED}={seed}"));
        let own = self.seeds.iter().map(|(name, seed)| format!("{name}={seed}"));
        let all: Vec<String> = own.chain(hash.clone()).collect();
        match (all.is_empty(), hash) {
            (true, _) => format!("seeds: none is recorded, and {HASH_SEED} was not set"),
            (false, None) => format!("seeds: {}; {HASH_SEED} was not set", all.join(", ")),
            (false, Some(_)) => format!("seeds: {}", all.join(", ")),
        }
    }
}

/// The arguments after `pytest`, with paths below the rootdir of the run moved to the one here. Older journals do not
/// have the rootdir, but its option can be given.
fn arguments(command: &[String], from: &str, to: &Path) -> Vec<String> {
    let here = to.to_string_lossy();
    let mut words: Vec<String> = command.iter().skip(1).map(|word| moved(word, from, to)).collect();
    for index in 0..words.len() {
        if words[index].starts_with("--rootdir=") {
            words[index] = format!("--rootdir={here}");
        } else if index > 0 && words[index - 1] == "--rootdir" {
            words[index] = here.clone().into_owned();
        }
    }
    words
}

fn moved(word: &str, from: &str, to: &Path) -> String {
    let to = to.to_string_lossy();
    if from.len() < 2 || *from == *to {
        return word.to_owned();
    }
    let Some(at) = word.find(from) else {
        return word.to_owned();
    };
    let (begin, rest) = (&word[..at], &word[at + from.len()..]);
    // A whole path: at the begin of the argument or of an option's value, up to the end of a component.
    let is_path =
        (begin.is_empty() || begin.ends_with('=')) && (rest.is_empty() || rest.starts_with(['/', ':']));
    if is_path {
        format!("{begin}{to}{rest}")
    } else {
        word.to_owned()
    }
}

/// What the workers of a run were told. Older journals do not have all of it: then the count is that of the workers, and
/// the id that of the run.
fn workers(run: &Run) -> BTreeMap<u32, WorkerInput> {
    let start = run.start.as_ref();
    let count = start.map(|start| start.count).filter(|count| *count > 0);
    let numbers = run.processes.iter().filter_map(|process| process.number);
    let known = numbers.clone().count() as u64;
    let uid = start.map(|start| &start.uid).filter(|uid| !uid.is_empty());
    let input = |number: u32| WorkerInput {
        workerid: format!("gw{number}"),
        workercount: count.unwrap_or(known),
        testrunuid: uid.unwrap_or(&run.head.id).clone(),
    };
    numbers.map(|number| (number, input(number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::example::{ONE_PROCESS, TWO_WORKERS, journal, merged};

    #[test]
    fn an_older_journal_has_no_directory_and_no_environment() {
        let runs = merged(&journal("one", 0, &[], TWO_WORKERS));
        let setting = Setting::new(&runs, (0, 1), Path::new("/here"));
        assert_eq!(setting.arguments, ["-k", "one or two"]);
        assert_eq!(setting.directory, Path::new("/here/"));
        assert!(setting.environment.is_empty());
        let gw1 = &setting.workers[&1];
        assert_eq!(
            (&*gw1.workerid, gw1.workercount, &*gw1.testrunuid),
            ("gw1", 2, "one")
        );
        assert_eq!(
            setting.seed_line(),
            "seeds: none is recorded, and PYTHONHASHSEED was not set"
        );
    }

    #[test]
    fn what_is_recorded_is_set_and_what_was_not_set_is_removed() {
        let mut runs = merged(&journal("one", 0, &[], ONE_PROCESS));
        let head = &mut runs.parts[0].run.head;
        (head.rootdir, head.directory) = ("/there".to_owned(), "sub".to_owned());
        head.environment.insert(HASH_SEED.to_owned(), "7".to_owned());
        head.seeds.insert("randomly_seed".to_owned(), "3".to_owned());
        let setting = Setting::new(&runs, (0, 0), Path::new("/here"));
        assert_eq!(setting.directory, Path::new("/here/sub"));
        assert_eq!(setting.environment[HASH_SEED].as_deref(), Some("7"));
        assert_eq!(setting.environment["PYTEST_ADDOPTS"], None);
        assert_eq!((setting.worker, setting.workers.len()), (None, 0));
        assert_eq!(setting.seed_line(), "seeds: randomly_seed=3, PYTHONHASHSEED=7");
    }

    #[test]
    fn the_option_for_the_rootdir_names_the_one_here() {
        let command = ["pytest", "--rootdir=/a", "--rootdir", "/b", "/b"].map(str::to_owned);
        let arguments = arguments(&command, "", Path::new("/me"));
        assert_eq!(arguments, ["--rootdir=/me", "--rootdir", "/me", "/b"]);
    }

    #[test]
    fn only_whole_paths_are_moved() {
        let moved = |word| moved(word, "/ci/shop", Path::new("/me"));
        assert_eq!(moved("/ci/shop/tests"), "/me/tests");
        assert_eq!(moved("--rootdir=/ci/shop"), "--rootdir=/me");
        assert_eq!(moved("/ci/shopping"), "/ci/shopping");
        assert_eq!(moved("x/ci/shop"), "x/ci/shop");
    }
}
