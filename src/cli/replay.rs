//! `rustpar replay`: what a worker ran in a run, to be run again in one process. The native half chooses the tests; pytest
//! is started by `rustpar.cli.replay`.

use super::console::Console;
use super::error::Error;
use super::journal_lookup::RunChoice;
use super::project;
use crate::journal::merged::Merged;
use crate::replay::case::{Case, Mode, Trial, TrialLane, limit};
use crate::replay::choice::{NotFound, Place, find_test, find_worker, worker_name, workers};
use crate::replay::failure::{Failure, Kind};
use crate::replay::order::{Step, steps};
use crate::replay::setting::Setting;
use crate::text::counted;
use clap::Args;
use serde::Serialize;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    run: RunChoice,
    /// the worker: gw3; main for a run without workers; 2:gw3 in the second run of a merged journal (default: the only
    /// one, or the one that ran the test of --until)
    #[arg(long, value_name = "WORKER")]
    worker: Option<String>,
    /// stop after this test: its node id, the end of it, any part of it, or a pattern with *
    #[arg(long, value_name = "NODEID")]
    until: Option<String>,
    /// of the tests before that one, run only this; can be repeated
    #[arg(long, value_name = "NODEID", requires = "until")]
    after: Vec<String>,
    /// run none of the tests before that one
    #[arg(long, requires = "until", conflicts_with = "after")]
    alone: bool,
    /// repeat the test of --until while this one is repeated in another process; can be repeated
    #[arg(long, value_name = "NODEID", requires = "until")]
    beside: Vec<String>,
    /// run what other workers ran until then at the same time, each in its own process
    #[arg(long, requires = "until", conflicts_with_all = ["after", "alone", "beside"])]
    with_others: bool,
    /// arguments for pytest: -- --pdb
    #[arg(last = true, value_name = "ARGUMENT")]
    extra: Vec<String>,
}

/// What to run.
#[derive(Debug, Serialize)]
pub struct Plan {
    setting: Setting,
    /// The tests of the process, in order; with a trial, all of its tests.
    tests: Vec<String>,
    /// What several processes run at the same time.
    trial: Option<Trial>,
    extra: Vec<String>,
}

impl Plan {
    /// The plan as JSON.
    ///
    /// # Errors
    /// None of its values fails to be serialized.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// Chooses the tests and prints which they are.
pub(super) fn prepare(options: Options, console: &mut Console<'_>) -> Result<Plan, Error> {
    let merged = options.run.read(console)?;
    let place = place(&options, &merged)?;
    let name = worker_name(&merged, place);
    let run = &merged.parts[place.0].run;
    let mut chosen = steps(run, place.1);
    let count = chosen.len();
    let id = |step: &Step| run.id(step.test);
    let until = match &options.until {
        None => None,
        Some(pattern) => {
            let ids: Vec<&str> = chosen.iter().map(id).collect();
            let test = find_test(&ids, pattern, &name)?;
            chosen.truncate(ids.iter().position(|id| *id == test).map_or(0, |at| at + 1));
            chosen.last().copied()
        }
    };
    if let Some(until) = &until {
        keep_after(&mut chosen, until, &options, &name, id)?;
    }
    let trial = match until {
        Some(until) if !options.beside.is_empty() => {
            Some(trial_beside(&merged, place, &until, &chosen, &options.beside)?)
        }
        Some(until) if options.with_others => {
            let all = |case: &Case| (0..case.count(Mode::Whole)).collect::<Vec<_>>();
            let case = Case::new(run, place.1, &until, failure_of(&merged, place, &until));
            Some(case.trial(Mode::Whole, &all(&case)))
        }
        _ => None,
    };
    let tests: Vec<String> = match &trial {
        Some(trial) => trial.tests().map(str::to_owned).collect(),
        None => chosen.iter().map(|step| id(step).to_owned()).collect(),
    };
    let setting = Setting::new(&merged, place, &project::root(&tests)?);
    let ran = format!("{name} ran {} in run {}", counted(count, "test"), run.head.id);
    let until = until.as_ref().map(id);
    console.line(&format!("{ran}; {}", in_words(&tests, until, trial.as_ref())))?;
    console.line(&setting.seed_line())?;
    Ok(Plan {
        setting,
        tests,
        trial,
        extra: options.extra,
    })
}

/// What is replayed, in words.
fn in_words(tests: &[String], until: Option<&str>, trial: Option<&Trial>) -> String {
    let Some(until) = until else {
        return "replaying all of them".to_owned();
    };
    if let Some(trial) = trial {
        let others = trial.lanes[1..].iter();
        let others: usize = others.map(|lane| lane.before.len() + lane.tests.len()).sum();
        let how = if trial.repeat { "repeating" } else { "replaying" };
        return match trial.lanes[0].before.len() {
            0 => format!("{how} {until} beside {}", counted(others, "test")),
            before => format!(
                "{how} {until} after {before} of them, beside {}",
                counted(others, "test")
            ),
        };
    }
    match tests.len() {
        1 => format!("replaying only {until}"),
        count => format!("replaying {count} of them up to {until}"),
    }
}

/// The process that is replayed.
fn place(options: &Options, merged: &Merged) -> Result<Place, Error> {
    if let Some(name) = &options.worker {
        return Ok(find_worker(merged, name)?);
    }
    let all: Vec<Place> = workers(merged).collect();
    let mut found = all.clone();
    if let Some(pattern) = &options.until {
        let ran = |place: &Place| steps(&merged.parts[place.0].run, place.1);
        let id = |place: &Place, step: &Step| merged.parts[place.0].run.id(step.test);
        let mut ids: Vec<&str> = Vec::new();
        for place in &all {
            ids.extend(ran(place).iter().map(|step| id(place, step)));
        }
        ids.sort_unstable();
        ids.dedup();
        let test = find_test(&ids, pattern, "the run")?;
        found.retain(|place| ran(place).iter().any(|step| id(place, step) == test));
    }
    if let [place] = found[..] {
        return Ok(place);
    }
    let workers = found.into_iter().map(|place| worker_name(merged, place));
    let workers = workers.collect();
    Err(NotFound::WhichWorker { workers }.into())
}

/// Keeps only the tests of `--after` before the last one, if that or `--alone` was given.
fn keep_after<'a>(
    chosen: &mut Vec<Step>,
    until: &Step,
    options: &Options,
    name: &str,
    id: impl Fn(&Step) -> &'a str,
) -> Result<(), Error> {
    let before: Vec<&str> = chosen
        .iter()
        .filter(|step| step.test != until.test)
        .map(&id)
        .collect();
    let among = format!("what {name} ran before {}", id(until));
    let wanted = options
        .after
        .iter()
        .map(|pattern| find_test(&before, pattern, &among));
    let wanted: Vec<&str> = wanted.collect::<Result<_, _>>()?;
    if options.alone || !options.after.is_empty() || !options.beside.is_empty() {
        chosen.retain(|step| step.test == until.test || wanted.contains(&id(step)));
    }
    Ok(())
}

fn failure_of(merged: &Merged, (part, _): Place, step: &Step) -> Failure {
    let run = &merged.parts[part].run;
    let message = String::new();
    let unknown = Failure {
        kind: Kind::Call,
        message,
    };
    Failure::recorded(run, &run.attempts[step.attempt]).unwrap_or(unknown)
}

/// The trial that runs the chosen tests beside others of the run.
fn trial_beside(
    merged: &Merged,
    (part, process): Place,
    until: &Step,
    chosen: &[Step],
    patterns: &[String],
) -> Result<Trial, Error> {
    let run = &merged.parts[part].run;
    let owned = |step: &Step| run.id(step.test).to_owned();
    let all = (0..run.processes.len())
        .flat_map(|process| steps(run, process).into_iter().map(move |step| (process, step)));
    let all: Vec<(usize, Step)> = all.filter(|(_, step)| step.test != until.test).collect();
    let mut ids: Vec<&str> = all.iter().map(|(_, step)| run.id(step.test)).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut beside = Vec::new();
    for pattern in patterns {
        let test = find_test(&ids, pattern, "the run")?;
        let places = all.iter();
        beside.extend(places.filter(|(_, step)| run.id(step.test) == test).take(1));
    }
    let before = chosen.iter().filter(|step| step.test != until.test);
    let before: Vec<String> = before.map(owned).collect();
    let took: u64 = chosen
        .iter()
        .chain(beside.iter().map(|(_, step)| step))
        .map(Step::took)
        .sum();
    let number = |process: usize| run.processes[process].number;
    Ok(Trial {
        repeat: before.is_empty(),
        lanes: vec![
            TrialLane {
                worker: number(process),
                before,
                tests: vec![owned(until)],
                delay: 0.0,
            },
            TrialLane {
                worker: beside.first().and_then(|(process, _)| number(*process)),
                before: Vec::new(),
                tests: beside.iter().map(|(_, step)| owned(step)).collect(),
                delay: 0.0,
            },
        ],
        limit: limit(took),
        test_limit: None,
    })
}
