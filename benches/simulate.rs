//! Runs random suites under every policy in virtual time; see the module `simulate`.

#[path = "simulate/mod.rs"]
mod simulate;

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Cargo adds `--bench` to the user's arguments.
    let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    match simulate::run(arguments, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _unseen = writeln!(io::stderr(), "simulate: {error}");
            ExitCode::FAILURE
        }
    }
}
