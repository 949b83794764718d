//! The commands of `rustpar`: those that read journals and the history, `doctor` and `schedule`, which run pytest, and the
//! native half of `replay` and `bisect`.
//!
//! | file | what is in it |
//! |---|---|
//! | [`doctor`] | the command that compares plain pytest, pytest-xdist and rustpar |
//! | [`schedule`] | the command that shows how tests would be divided among workers |
//! | [`pytest`] | running pytest for these two |
//! | [`flaky`] | the command that lists tests that passed and failed although the code was the same |
//! | [`history`] | the command that shows and changes the history; [`export`] formats it for other programs |
//! | [`merge`] | the command that joins the journals of several runs |
//! | [`report`] | the command that reports the results of a run |
//! | [`replay`] | what a worker ran, to be run again |
//! | [`bisect`] | the search for the cause of a failure |
//! | [`project`] | locating the project of a journal's tests |
//! | [`runs`] | the command that lists the runs whose journals are kept |
//! | [`journal_lookup`] | locating the journals that a command reads |
//! | [`cache`] | locating pytest's cache |
//! | [`console`] | output of commands |
//! | [`document`] | files that commands write for other programs |
//! | [`json`] | JSON in ASCII |
//! | [`error`] | why a command failed |
//!
//! The hazard it handles: commands are run by hand and by CI. A failure is reported in one line with exit status 2, a
//! reader may close the pipe early, and the encoding of a stream may lack characters.

mod bisect;
mod cache;
mod console;
mod doctor;
mod document;
mod error;
mod export;
mod flaky;
mod history;
mod journal_lookup;
mod json;
mod merge;
mod project;
mod pytest;
mod replay;
mod report;
mod runs;
mod schedule;

pub use bisect::Bisection;
pub use console::{Host, Stream};
pub use replay::Plan;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use console::Console;
use error::Error;
use std::ffi::OsString;
use std::io::Write;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded, or its output was closed early.
    Done,
    /// It compared runs, which differ.
    Different,
    /// It failed and has printed why.
    Failed,
    /// It was interrupted.
    Interrupted,
}

impl Outcome {
    /// The exit status of the process; 130 after an interrupt, as in a shell.
    #[must_use]
    pub fn status(self) -> i32 {
        match self {
            Self::Done => 0,
            Self::Different => 1,
            Self::Failed => 2,
            Self::Interrupted => 130,
        }
    }
}

#[derive(Debug, Parser)]
#[command(
    name = "rustpar",
    infer_long_args = true,
    args_override_self = true,
    disable_help_subcommand = true,
    arg_required_else_help = false
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The arguments of a command that passes them to pytest.
#[derive(Debug, Args)]
struct PytestArguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// find the fewest tests that make one fail, and say why: order, company, timing, or the test alone
    Bisect(bisect::Options),
    /// run a suite in plain pytest, pytest-xdist and rustpar, and compare outcomes and times
    #[command(disable_help_flag = true)]
    Doctor(PytestArguments),
    /// list tests that passed in some runs and failed in others although the code was the same
    Flaky(flaky::Options),
    /// show, merge, prune or export the history of earlier runs
    History(history::Options),
    /// join the journals of several runs into one file
    Merge(merge::Options),
    /// run in one process what a worker of a run has run, in its order
    Replay(replay::Options),
    /// report the results of a run from its journal
    #[command(after_help = "FILE - is standard output.")]
    Report(report::Options),
    /// list the runs whose journals are kept, latest last
    Runs(runs::Options),
    /// show how a suite would be divided among workers, and what limits its speed
    #[command(disable_help_flag = true)]
    Schedule(PytestArguments),
}

/// The commands and their help.
#[must_use]
pub fn commands() -> Vec<(String, String)> {
    let arguments = Arguments::command();
    let commands = arguments.get_subcommands().map(|command| {
        let about = command.get_about().map(ToString::to_string);
        (command.get_name().to_owned(), about.unwrap_or_default())
    });
    commands.collect()
}

/// What a command has prepared, and pytest has to carry out.
#[derive(Debug)]
pub enum Prepared {
    /// Tests to run.
    Replay(Box<Plan>),
    /// A search.
    Bisect(Box<Bisection>),
}

/// Runs a command with the standard streams of this process; also returns what is left to do.
///
/// `arguments` are those of `rustpar`, with the command first.
#[must_use]
pub fn run(arguments: Vec<OsString>, host: &dyn Host) -> (Outcome, Option<Prepared>) {
    let mut errors = std::io::stderr();
    match console::standard_output() {
        Ok(mut output) => run_with(arguments, host, &mut *output, &mut errors),
        Err(problem) => {
            let mut output = std::io::sink();
            let name = name_of(&arguments);
            Console::new(&name, host, &mut output, &mut errors).warn(&Error::Output(problem));
            (Outcome::Failed, None)
        }
    }
}

/// Runs a command with these streams.
fn run_with(
    arguments: Vec<OsString>,
    host: &dyn Host,
    output: &mut dyn Write,
    errors: &mut dyn Write,
) -> (Outcome, Option<Prepared>) {
    let name = name_of(&arguments);
    let mut console = Console::new(&name, host, output, errors);
    let mut prepared = None;
    let succeeded = |()| Outcome::Done;
    let done = parsed(arguments, &mut console).and_then(|command| match command {
        None => Ok(Outcome::Done),
        Some(Command::Bisect(options)) => bisect::prepare(options, &mut console).map(|bisection| {
            prepared = Some(Prepared::Bisect(Box::new(bisection)));
            Outcome::Done
        }),
        Some(Command::Doctor(options)) => doctor::run(options, &mut console),
        Some(Command::Flaky(options)) => flaky::run(&options, &mut console).map(succeeded),
        Some(Command::History(options)) => history::run(options, &mut console).map(succeeded),
        Some(Command::Merge(options)) => merge::run(&options, &mut console).map(succeeded),
        Some(Command::Replay(options)) => replay::prepare(options, &mut console).map(|plan| {
            prepared = Some(Prepared::Replay(Box::new(plan)));
            Outcome::Done
        }),
        Some(Command::Report(options)) => report::run(&options, &mut console).map(succeeded),
        Some(Command::Runs(options)) => runs::run(&options, &mut console).map(succeeded),
        Some(Command::Schedule(options)) => schedule::run(options, &mut console).map(succeeded),
    });
    let outcome = match done.and_then(|outcome| console.flush().map(|()| outcome)) {
        Ok(outcome) => outcome,
        Err(Error::Interrupted) => Outcome::Interrupted,
        // The reader has closed the pipe.
        Err(error) if error.is_closed_pipe() => Outcome::Done,
        Err(error) => {
            console.give_up(&error);
            Outcome::Failed
        }
    };
    (outcome, prepared)
}

/// Parses the arguments; returns `None` if they asked for help, which has been printed.
fn parsed(arguments: Vec<OsString>, console: &mut Console<'_>) -> Result<Option<Command>, Error> {
    let all = [OsString::from("rustpar")].into_iter().chain(arguments);
    match Arguments::try_parse_from(all) {
        Ok(arguments) => Ok(Some(arguments.command)),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            console.print(&error.render().to_string())?;
            Ok(None)
        }
        Err(error) => Err(Error::Arguments {
            problem: in_one_line(&error.render().to_string()),
            command: console.command().to_owned(),
        }),
    }
}

/// The error about the arguments, without the usage.
fn in_one_line(message: &str) -> String {
    let (problem, _) = message.split_once("\n\n").unwrap_or((message, ""));
    let problem = problem.strip_prefix("error: ").unwrap_or(problem);
    let lines: Vec<&str> = problem.lines().map(str::trim).collect();
    lines.join(" ")
}

fn name_of(arguments: &[OsString]) -> String {
    arguments
        .first()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests;
