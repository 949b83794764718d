//! `rustpar doctor`: does a suite work with rustpar, and how much faster is it?
//!
//! It runs a suite in plain pytest, with pytest-xdist's engine, twice with a template and once with early workers. It
//! prints how long each run took, which tests had different outcomes, the probable cause, and the start method that
//! `--rustpar-start=auto` would choose.
//!
//! The hazard it handles: a diagnosis must not change the project's state. The runs use their own caches in a temporary
//! directory; the two runs with a template share one, because what a run remembers can change the next.

use super::console::Console;
use super::error::Error;
use super::pytest::{self, Run};
use super::{Outcome, PytestArguments};
use crate::analysis::trials::{Record, Trial, Trials, Way};
use crate::platform::cpus::usable_cpus;
use crate::report::terminal::doctor::{comparison, ended};
use crate::text::duration;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

const USAGE: &str = "usage: rustpar doctor [--limit TIME] [pytest arguments]

run a suite in plain pytest, pytest-xdist and rustpar, and compare outcomes and times.

-n sets the number of workers; the default is one per CPU.
--limit sets the maximum time of each run, for example 90s or 10m. The default is an hour for plain pytest, and for each
other run ten times what plain pytest took, but at least a minute.
";

/// Default limits in seconds. A run that takes ten times as long as plain pytest hangs; the least limit allows for a
/// slow start-up of a suite that takes only a second.
const PLAIN_LIMIT: f64 = 3600.0;
const LEAST_LIMIT: f64 = 60.0;
const TIMES_PLAIN: f64 = 10.0;

/// How many lines of output are shown for a run that ended unexpectedly.
const MAX_LINES: usize = 15;

/// The file that keeps nothing of what is written to it.
const NULL: &str = if cfg!(windows) { "nul" } else { "/dev/null" };

/// One of the runs.
struct Plan {
    way: Way,
    name: &'static str,
    /// The start method; `None` for a run without workers.
    start: Option<&'static str>,
    /// The name of the cache directory.
    cache: &'static str,
}

const PLANS: [Plan; 5] = [
    Plan::new(Way::Plain, "plain pytest", None, "plain"),
    Plan::new(Way::Xdist, "pytest-xdist", Some("xdist"), "xdist"),
    Plan::new(Way::First, "rustpar", Some("template"), "template"),
    Plan::new(Way::Second, "rustpar, again", Some("template"), "template"),
    Plan::new(Way::Early, "rustpar, early", Some("early"), "early"),
];

/// A test whose outcomes differ between this run and the first is flaky.
const AGAIN: Plan = Plan::new(Way::PlainAgain, "plain, again", None, "plain again");

impl Plan {
    const fn new(way: Way, name: &'static str, start: Option<&'static str>, cache: &'static str) -> Self {
        Self {
            way,
            name,
            start,
            cache,
        }
    }
}

/// The arguments of the command.
#[derive(Debug, Default, PartialEq)]
struct Options {
    workers: Option<String>,
    /// The limit of each run in seconds.
    limit: Option<f64>,
    /// The arguments for pytest.
    rest: Vec<OsString>,
}

impl Options {
    /// Separates the command's own options from pytest's arguments, which may be anywhere between them.
    fn parse(arguments: Vec<OsString>) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            if argument == "--" {
                options.rest.push(argument);
                options.rest.extend(arguments.by_ref());
                break;
            }
            let text = argument.to_string_lossy();
            let Some((name, value)) = own_option(&text) else {
                options.rest.push(argument);
                continue;
            };
            let next = || arguments.next()?.into_string().ok();
            let value = value.or_else(next).ok_or_else(|| Error::Arguments {
                problem: format!("{name} needs a value"),
                command: "doctor".to_owned(),
            })?;
            if name == "--limit" {
                options.limit = Some(duration::parse(&value)?);
            } else {
                options.workers = Some(value);
            }
        }
        Ok(options)
    }
}

/// The name of an option of this command, with its value if that is part of the same argument.
fn own_option(argument: &str) -> Option<(&'static str, Option<String>)> {
    for name in ["--limit", "--numprocesses", "-n"] {
        if let Some(rest) = argument.strip_prefix(name) {
            let value = rest.strip_prefix('=');
            if rest.is_empty() || value.is_some() || name == "-n" {
                let value = value.unwrap_or(rest).to_owned();
                return Some((name, (!rest.is_empty()).then_some(value)));
            }
        }
    }
    None
}

/// The suite and its runs so far.
struct Runs<'a> {
    options: &'a Options,
    workers: &'a str,
    directory: &'a Path,
    trials: Trials,
}

impl Runs<'_> {
    fn execute(&mut self, plan: &Plan, console: &mut Console<'_>) -> Result<(), Error> {
        let trial = self.trial(plan, console)?;
        self.trials.0.push(trial);
        if let [plain, .., trial] | [plain @ trial] = &self.trials.0[..] {
            console.line(&ended(trial, plain))?;
        }
        console.flush()
    }

    fn trial(&self, plan: &Plan, console: &Console<'_>) -> Result<Trial, Error> {
        let limit = self.limit();
        let caches = pytest::create_directory(self.directory.join("caches").join(plan.cache))?;
        let running = Run {
            plugin: "outcome_recorder",
            variable: "RUSTPAR_RECORD",
            directory: &pytest::create_directory(self.directory.join(self.trials.0.len().to_string()))?,
            limit: Duration::try_from_secs_f64(limit).unwrap_or(Duration::MAX),
        };
        let begin = Instant::now();
        let done = running.execute(self.arguments(plan, &caches), console)?;
        let seconds = begin.elapsed().as_secs_f64();
        let record = done
            .written
            .map(|lines| Record::parse(&lines, done.status.is_none()));
        let record = record.unwrap_or_default();
        if let Some(status) = done.status.filter(|_| record.status.is_none()) {
            return Err(Error::RunFailed {
                name: plan.name,
                status,
                output: pytest::last_lines(&done.output, MAX_LINES),
            });
        }
        Ok(Trial {
            way: plan.way,
            name: plan.name.to_owned(),
            seconds,
            limit: done.status.is_none().then_some(limit),
            record,
        })
    }

    /// The limit of the next run in seconds.
    fn limit(&self) -> f64 {
        let plain = self.trials.of(Way::Plain);
        let usual = plain.map_or(PLAIN_LIMIT, |plain| LEAST_LIMIT.max(TIMES_PLAIN * plain.seconds));
        self.options.limit.unwrap_or(usual)
    }

    fn arguments(&self, plan: &Plan, caches: &Path) -> Vec<OsString> {
        // As one argument each: pytest looks for the rootdir next to every path among its arguments.
        let with_path = |option: &str, path: &Path| {
            let mut argument = OsString::from(option);
            argument.push(path);
            argument
        };
        let mut arguments = self.options.rest.clone();
        match plan.start {
            None => arguments.push("-n0".into()),
            Some(start) => {
                arguments.extend([
                    "-n".into(),
                    self.workers.into(),
                    format!("--rustpar-start={start}").into(),
                ]);
            }
        }
        arguments.push(format!("--rustpar-journal={NULL}").into());
        arguments.push(with_path("--rustpar-history=", &caches.join("history.json")));
        let ends_cache = |argument: &OsString| argument.as_encoded_bytes().ends_with(b"no:cacheprovider");
        if !self.options.rest.iter().any(ends_cache) {
            arguments.extend(["-o".into(), with_path("cache_dir=", caches)]);
        }
        arguments
    }
}

/// Runs the command.
pub(super) fn run(options: PytestArguments, console: &mut Console<'_>) -> Result<Outcome, Error> {
    let PytestArguments { arguments } = options;
    if pytest::asks_for_help(&arguments) {
        console.print(USAGE)?;
        return Ok(Outcome::Done);
    }
    let options = Options::parse(arguments)?;
    let workers = options.workers.clone();
    let workers = workers.unwrap_or_else(|| usable_cpus().max(2).to_string());
    let directory = pytest::temporary_directory()?;
    let mut runs = Runs {
        options: &options,
        workers: &workers,
        directory: directory.path(),
        trials: Trials::default(),
    };
    console.line(&format!(
        "workers: {workers}; 2.0x: twice as fast as plain pytest"
    ))?;
    console.flush()?;
    for plan in &PLANS {
        runs.execute(plan, console)?;
    }
    if !runs.trials.differing().is_empty() {
        runs.execute(&AGAIN, console)?;
    }
    console.line("")?;
    for line in comparison(&runs.trials) {
        console.line(&line)?;
    }
    Ok(if runs.trials.agree() {
        Outcome::Done
    } else {
        Outcome::Different
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &str) -> Result<Options, Error> {
        Options::parse(arguments.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn own_options_are_separated_from_those_of_pytest() {
        let all = [
            "-n 3 tests --limit 2m -k -x",
            "-n3 tests --limit=2m -k -x",
            "tests -k -x --numprocesses=3 --limit 120",
        ];
        for arguments in all {
            let options = parsed(arguments).unwrap();
            assert_eq!(options.workers.as_deref(), Some("3"));
            assert_eq!(options.limit, Some(120.0));
            assert_eq!(options.rest, ["tests", "-k", "-x"]);
        }
        assert_eq!(
            parsed("--limits -- -n 3").unwrap().rest,
            ["--limits", "--", "-n", "3"]
        );
    }

    #[test]
    fn invalid_options_are_rejected() {
        let problem = |arguments| parsed(arguments).unwrap_err().to_string();
        assert_eq!(
            problem("tests --limit"),
            "--limit needs a value; see rustpar doctor --help"
        );
        assert_eq!(
            problem("--limit soon"),
            "invalid duration 'soon': expected for example 500ms, 1s or 1.5m"
        );
    }

    #[test]
    fn runs_have_caches_and_limits_of_their_own() {
        let options = parsed("tests").unwrap();
        let mut runs = Runs {
            options: &options,
            workers: "2",
            directory: Path::new("/"),
            trials: Trials::default(),
        };
        assert_eq!(
            runs.arguments(&PLANS[4], Path::new("/c")),
            [
                "tests",
                "-n",
                "2",
                "--rustpar-start=early",
                "--rustpar-journal=/dev/null",
                "--rustpar-history=/c/history.json",
                "-o",
                "cache_dir=/c"
            ]
        );
        assert!((runs.limit() - 3600.0).abs() < f64::EPSILON);
        for (seconds, limit) in [(1.0, 60.0), (20.0, 200.0)] {
            runs.trials = Trials(vec![Trial {
                way: Way::Plain,
                name: String::new(),
                seconds,
                limit: None,
                record: Record::default(),
            }]);
            assert!((runs.limit() - limit).abs() < f64::EPSILON);
        }
        let without_cache = parsed("-p no:cacheprovider").unwrap();
        runs.options = &without_cache;
        assert!(!runs.arguments(&AGAIN, Path::new("/c")).contains(&"-o".into()));
    }
}
