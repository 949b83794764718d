//! Running pytest in a process of its own, with a plugin of `rustpar.cli`.

use super::console::Console;
use super::error::Error;
use crate::platform::session_process::{SessionProcess, Waited};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Time for a run that is stopped to tear down before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// A run of pytest.
pub(super) struct Run<'a> {
    /// The plugin, a module of `rustpar.cli`.
    pub(super) plugin: &'a str,
    /// The environment variable that names the plugin's file.
    pub(super) variable: &'a str,
    /// The existing directory for the files of the run.
    pub(super) directory: &'a Path,
    /// The time after which the run is stopped.
    pub(super) limit: Duration,
}

/// The result of a run.
pub(super) struct Done {
    /// Its exit code, or minus the signal that killed it; `None` if it was stopped at its limit.
    pub(super) status: Option<i32>,
    /// The file of the plugin, if it has written any.
    pub(super) written: Option<String>,
    /// The output.
    pub(super) output: String,
}

impl Run<'_> {
    /// Runs pytest with these arguments.
    pub(super) fn execute(
        &self,
        arguments: impl IntoIterator<Item = OsString>,
        console: &Console<'_>,
    ) -> Result<Done, Error> {
        // A file, because processes that the run leaves behind may keep its output open.
        let [written, output] = ["written", "output"].map(|name| self.directory.join(name));
        let file = File::create(&output).map_err(unwritable(&output))?;
        let mut command = Command::new(console.python());
        command
            .args(["-m", "pytest", "-p", "rustpar", "-p"])
            .arg(format!("rustpar.cli.{}", self.plugin))
            .args(arguments)
            .env(self.variable, &written)
            .stdin(Stdio::null())
            .stdout(file.try_clone().map_err(unwritable(&output))?)
            .stderr(file);
        let mut process = SessionProcess::start(&mut command).map_err(Error::CannotRun)?;
        let waited = process.wait(self.limit, || console.is_interrupted());
        process.end(GRACE).map_err(Error::CannotRun)?;
        let status = match waited.map_err(Error::CannotRun)? {
            Waited::Ended(status) => Some(status),
            Waited::TimedOut => None,
            Waited::Stopped => return Err(Error::Interrupted),
        };
        Ok(Done {
            status,
            written: content(&written),
            output: content(&output).unwrap_or_default(),
        })
    }
}

/// Creates a directory that is deleted when it is dropped.
pub(super) fn temporary_directory() -> Result<tempfile::TempDir, Error> {
    let directory = tempfile::Builder::new().prefix("rustpar-").tempdir();
    directory.map_err(unwritable(&std::env::temp_dir()))
}

/// Creates a directory and those above it.
pub(super) fn create_directory(path: PathBuf) -> Result<PathBuf, Error> {
    std::fs::create_dir_all(&path).map_err(unwritable(&path))?;
    Ok(path)
}

fn unwritable(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Unwritable { path, source }
}

fn content(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last `most` lines of an output.
pub(super) fn last_lines(output: &str, most: usize) -> String {
    let lines: Vec<&str> = output.trim().lines().collect();
    lines[lines.len().saturating_sub(most)..].join("\n")
}

/// Whether the arguments ask for help.
pub(super) fn asks_for_help(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .any(|argument| argument == "-h" || argument == "--help")
}
