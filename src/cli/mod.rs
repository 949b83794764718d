//! The commands `rustpar history`, `merge`, `report` and `runs`, which read journals and the history.
//!
//! | file | what is in it |
//! |---|---|
//! | [`history`] | the command that shows and changes the history; [`export`] formats it for other programs |
//! | [`merge`] | the command that joins the journals of several runs |
//! | [`report`] | the command that reports the results of a run |
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

mod cache;
mod console;
mod document;
mod error;
mod export;
mod history;
mod journal_lookup;
mod json;
mod merge;
mod report;
mod runs;

pub use console::{Host, Stream};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use console::Console;
use error::Error;
use std::ffi::OsString;
use std::io::Write;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded, or its output was closed early.
    Done,
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

#[derive(Debug, Subcommand)]
enum Command {
    /// show, merge, prune or export the history of earlier runs
    History(history::Options),
    /// join the journals of several runs into one file
    Merge(merge::Options),
    /// report the results of a run from its journal
    #[command(after_help = "FILE - is standard output.")]
    Report(report::Options),
    /// list the runs whose journals are kept, latest last
    Runs(runs::Options),
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

/// Runs a command with the standard streams of this process.
///
/// `arguments` are those of `rustpar`, with the command first.
#[must_use]
pub fn run(arguments: Vec<OsString>, host: &dyn Host) -> Outcome {
    let mut errors = std::io::stderr();
    match console::standard_output() {
        Ok(mut output) => run_with(arguments, host, &mut *output, &mut errors),
        Err(problem) => {
            let mut output = std::io::sink();
            let name = name_of(&arguments);
            Console::new(&name, host, &mut output, &mut errors).warn(&Error::Output(problem));
            Outcome::Failed
        }
    }
}

/// Runs a command with these streams.
fn run_with(
    arguments: Vec<OsString>,
    host: &dyn Host,
    output: &mut dyn Write,
    errors: &mut dyn Write,
) -> Outcome {
    let name = name_of(&arguments);
    let mut console = Console::new(&name, host, output, errors);
    let done = parsed(arguments, &mut console).and_then(|command| match command {
        None => Ok(()),
        Some(Command::History(options)) => history::run(options, &mut console),
        Some(Command::Merge(options)) => merge::run(&options, &mut console),
        Some(Command::Report(options)) => report::run(&options, &mut console),
        Some(Command::Runs(options)) => runs::run(&options, &mut console),
    });
    match done.and_then(|()| console.flush()) {
        Ok(()) => Outcome::Done,
        Err(Error::Interrupted) => Outcome::Interrupted,
        // The reader has closed the pipe.
        Err(error) if error.is_closed_pipe() => Outcome::Done,
        Err(error) => {
            console.give_up(&error);
            Outcome::Failed
        }
    }
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
