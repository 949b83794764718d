//! `rustpar merge`: joins the journals of several runs into one file.
//!
//! The runs may be shards of a suite, a run and its re-run, or the same suite on several versions of Python: readers of
//! the file merge them into one result per test and environment.

use super::console::Console;
use super::document;
use super::error::Error;
use crate::journal::join::{join, joined};
use crate::journal::merged::Merged;
use crate::platform::special_file::{Kind, kind};
use crate::report::text::totals;
use crate::text::counted;
use crate::text::path::shown;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// the files to read
    #[arg(required = true, value_name = "JOURNAL")]
    journals: Vec<PathBuf>,
    /// the file to write, - is standard output; an existing journal is replaced, and may be one of the input files
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

/// Runs the command.
pub(super) fn run(options: &Options, console: &mut Console<'_>) -> Result<(), Error> {
    let out = &options.output;
    if out.as_os_str() == "-" || kind(out) != Kind::Other {
        let (_, lines) = joined(&options.journals)?;
        return document::write(out, &lines, console);
    }
    let runs = join(&options.journals, out)?.len();
    let totals = totals(&Merged::read(out)?);
    console.line(&format!("{}: {}, {totals}", shown(out), counted(runs, "run")))
}
