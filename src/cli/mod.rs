//! The commands `rustpar history`, `merge`, `report` and `runs`, which read journals and the history.
//!
//! | file | what is in it |
//! |---|---|
//! | [`history`] | the command for what earlier runs have shown; [`export`] writes it for other programs |
//! | [`merge`] | the command that joins the journals of several runs |
//! | [`report`] | the command that tells what came of a run |
//! | [`runs`] | the command that lists the runs whose journals are kept |
//! | [`journal_lookup`] | which journals a command means |
//! | [`cache`] | where pytest's cache is |
//! | [`console`] | what commands print |
//! | [`document`] | files that commands write for other programs |
//! | [`json`] | JSON that any encoding can carry |
//! | [`error`] | why a command cannot do what it was asked for |
//!
//! The hazard it handles: a command is run by hand and by CI. What it cannot do is one line and exit status 2; and whoever
//! reads its output may stop reading, or have an encoding that lacks some characters.

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
    /// It did what it was asked for, or as much of it as somebody wanted to read.
    Done,
    /// It could not, and has said why.
    Failed,
    /// Somebody has interrupted it.
    Interrupted,
}

impl Outcome {
    /// The exit status of the process; one that was interrupted ends as a shell says it of Ctrl-C.
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
    /// show, merge, prune or export what earlier runs have shown
    History(history::Options),
    /// write the journals of several runs into one
    Merge(merge::Options),
    /// tell what came of a run, from its journal
    #[command(after_help = "FILE - is standard output.")]
    Report(report::Options),
    /// list the runs whose journals are kept, the latest last
    Runs(runs::Options),
}

/// The commands, and what each of them does.
#[must_use]
pub fn commands() -> Vec<(String, String)> {
    let arguments = Arguments::command();
    let commands = arguments.get_subcommands().map(|command| {
        let about = command.get_about().map(ToString::to_string);
        (command.get_name().to_owned(), about.unwrap_or_default())
    });
    commands.collect()
}

/// Runs a command, with the standard streams of this process.
///
/// `arguments` are those of `rustpar`: the command comes first.
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

/// Runs a command that writes to these streams.
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
        // Whoever reads has seen enough.
        Err(error) if error.is_of_a_closed_pipe() => Outcome::Done,
        Err(error) => {
            console.give_up(&error);
            Outcome::Failed
        }
    }
}

/// The command that the arguments ask for; `None` where they asked for help, which was printed.
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

/// What is wrong with arguments, without the usage below it.
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
