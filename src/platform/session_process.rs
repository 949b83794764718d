//! A program in a session of its own, which ends together with every process of its process group.
//!
//! The hazard it handles: the program may hang, and leave processes behind. It can be interrupted even if this process
//! ignores interrupts, as in the background of a shell script. On Linux it is killed when the thread that has started it
//! ends, and so when this process is killed.

use std::io;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// The first and the longest pause between two looks at a running program.
const PAUSES: [Duration; 2] = [Duration::from_micros(500), Duration::from_millis(50)];

/// The result of waiting for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// It has ended with this exit code, or minus the signal that killed it.
    Ended(i32),
    /// It is still running after the limit.
    TimedOut,
    /// It is still running, and the caller wants to wait no longer.
    Stopped,
}

/// A running program.
#[derive(Debug)]
pub struct SessionProcess(Child);

impl SessionProcess {
    /// Starts a program in a new session.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        start_session(command);
        command.spawn().map(Self)
    }

    /// Waits for its end, for at most `limit` and until `stops`, which is asked repeatedly.
    ///
    /// # Errors
    /// The system's error, which never occurs as long as nobody else waits for the program.
    pub fn wait(&mut self, limit: Duration, mut stops: impl FnMut() -> bool) -> io::Result<Waited> {
        let begin = Instant::now();
        let [mut pause, longest] = PAUSES;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Waited::Ended(exit_code(status)));
            }
            if stops() {
                return Ok(Waited::Stopped);
            }
            let left = limit.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Ok(Waited::TimedOut);
            }
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(longest);
        }
    }

    /// Interrupts it if it is still running, as Ctrl-C does, and after at most `grace` kills it and its process group.
    ///
    /// # Errors
    /// As of [`Self::wait`].
    pub fn end(mut self, grace: Duration) -> io::Result<()> {
        if self.0.try_wait()?.is_none() {
            interrupt(&self.0);
            self.wait(grace, || false)?;
        }
        kill_group(&mut self.0);
        self.0.wait().map(drop)
    }
}

#[cfg(unix)]
fn start_session(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    #[cfg(target_os = "linux")]
    let parent = std::process::id();
    #[expect(unsafe_code, reason = "the standard library can start no session")]
    // SAFETY: the function only makes system calls, which are async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            #[cfg(target_os = "linux")]
            if !matches!(super::os::die_with_parent(parent), Ok(true)) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            rustix::process::setsid().map(drop).map_err(io::Error::from)
        });
    }
}

#[cfg(unix)]
fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    let signal = || status.signal().map_or(-1, |signal| -signal);
    status.code().unwrap_or_else(signal)
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    // It may have exited meanwhile.
    let _gone = rustix::process::kill_process(pid(child), rustix::process::Signal::INT);
}

#[cfg(unix)]
fn kill_group(child: &mut Child) {
    // Usually no process of the group is left.
    let _gone = rustix::process::kill_process_group(pid(child), rustix::process::Signal::KILL);
}

#[cfg(unix)]
fn pid(child: &Child) -> rustix::process::Pid {
    rustix::process::Pid::from_child(child)
}

#[cfg(not(unix))]
fn start_session(_command: &mut Command) {}

#[cfg(not(unix))]
fn exit_code(status: std::process::ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}

#[cfg(not(unix))]
fn interrupt(_child: &Child) {}

#[cfg(not(unix))]
fn kill_group(child: &mut Child) {
    let _gone = child.kill();
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::BufRead as _;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_exit_code_or_the_signal_is_returned() {
        for (script, status) in [("exit 3", 3), ("kill -9 $$", -9)] {
            let mut program = SessionProcess::start(&mut shell(script)).unwrap();
            assert_eq!(program.wait(LONG, || false).unwrap(), Waited::Ended(status));
        }
    }

    #[test]
    fn a_program_that_hangs_is_interrupted_and_then_killed_with_its_group() {
        let (read, write) = io::pipe().unwrap();
        let mut output = io::BufReader::new(read);
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "trap 'echo interrupted' INT; sleep 600 & echo ready; while :; do wait; done",
        ]);
        let mut program = SessionProcess::start(command.stdout(write)).unwrap();
        drop(command);
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        assert_eq!(
            program.wait(Duration::from_millis(100), || false).unwrap(),
            Waited::TimedOut
        );
        assert_eq!(program.wait(LONG, || true).unwrap(), Waited::Stopped);
        // Long enough for a shell that has to wait for a core.
        program.end(Duration::from_secs(3)).unwrap();
        // Ends only if no process holds the other end.
        assert_eq!(io::read_to_string(output).unwrap(), "interrupted\n");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_does_not_outlive_the_thread_that_has_started_it() {
        let start = || SessionProcess::start(Command::new("sleep").arg("600")).unwrap();
        let thread = std::thread::Builder::new().spawn(start).unwrap();
        let mut program = thread.join().unwrap();
        assert_eq!(program.wait(LONG, || false).unwrap(), Waited::Ended(-9));
    }
}
