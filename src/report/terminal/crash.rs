//! What is said of a worker that died: how, where, with how much memory, beside what, and what to do.

use crate::text::duration::{Micros, spoken};
use crate::text::{shell, size};

/// What is known of a worker that died in a test.
#[derive(Debug, Clone, Default)]
pub struct Crash<'a> {
    /// The worker, such as `gw0`.
    pub worker: &'a str,
    /// The node id of the test.
    pub test: &'a str,
    /// The phase of the test.
    pub phase: &'a str,
    /// The exit code, or minus the signal that killed it.
    pub status: i64,
    /// Whether rustpar has sent that signal.
    pub is_sent: bool,
    /// The time limit that the test has exceeded, because of which rustpar has ended the worker.
    pub time_limit: Option<Micros>,
    /// The Python stack that faulthandler has written; empty if there is none.
    pub stack: &'a str,
    /// Resident bytes when last measured, and at most; 0 if unknown.
    pub memory: (u64, u64),
    /// Whether the kernel has killed a process of this control group to get memory, and one of the machine, since the
    /// start of the run.
    pub killed_for_memory: (bool, bool),
    /// Whether the process that forks workers has died: the kernel kills its children with it.
    pub has_lost_parent: bool,
    /// The tests that other workers were running: worker, node id, and for how long.
    pub beside: Vec<(String, String, Micros)>,
}

/// The most tests of other workers that are named.
const MOST_BESIDE: usize = 8;

/// Signals and what they mean, by their numbers on Linux.
const SIGNALS: [(i64, &str, &str); 18] = [
    (1, "SIGHUP", "terminal closed"),
    (2, "SIGINT", "interrupt"),
    (3, "SIGQUIT", "quit"),
    (4, "SIGILL", "illegal instruction"),
    (5, "SIGTRAP", "breakpoint"),
    (6, "SIGABRT", "abort"),
    (7, "SIGBUS", "bus error"),
    (8, "SIGFPE", "arithmetic error"),
    (9, "SIGKILL", "kill"),
    (10, "SIGUSR1", "user-defined signal"),
    (11, "SIGSEGV", "segmentation fault"),
    (12, "SIGUSR2", "user-defined signal"),
    (13, "SIGPIPE", "broken pipe"),
    (14, "SIGALRM", "timer"),
    (15, "SIGTERM", "termination"),
    (24, "SIGXCPU", "CPU time limit"),
    (25, "SIGXFSZ", "file size limit"),
    (31, "SIGSYS", "bad system call"),
];

/// How a process ended, from its exit code or minus the signal that killed it; `is_sent` if rustpar has sent that:
/// "exit code 3", "killed by SIGSEGV".
#[must_use]
pub fn describe_exit(status: i64, is_sent: bool) -> String {
    if status >= 0 {
        return format!("exit code {status}");
    }
    let name = meaning(status).map_or_else(|| format!("signal {}", -status), |(name, _)| name.to_owned());
    let hint = match (status, is_sent) {
        (-9, true) => "; sent by rustpar",
        (-9, false) => "; out of memory?",
        _ => "",
    };
    format!("killed by {name}{hint}")
}

/// Frames of these packages are in every stack, and say nothing about the crash.
const OURS: [&str; 5] = ["/_pytest/", "/pluggy/", "/rustpar/", "/xdist/", "/pytest/"];

/// Stands below the frames that are left.
const OMITTED: &str = "  (frames of pytest omitted)";

/// A stack that faulthandler has written, without frames of pytest and of the interpreter's own modules.
#[must_use]
pub fn shortened_stack(stack: &str) -> String {
    let mut lines = Vec::new();
    let mut is_left_out = false;
    for line in stack.trim_end().lines() {
        let file = line.strip_prefix("  File \"");
        if file.is_some_and(|file| {
            file.starts_with("<frozen") || OURS.iter().any(|package| file.contains(package))
        }) {
            is_left_out = true;
            continue;
        }
        if is_left_out && file.is_none() {
            lines.push(OMITTED);
            is_left_out = false;
        }
        lines.push(line);
    }
    lines.extend(is_left_out.then_some(OMITTED));
    lines.join("\n")
}

/// The text about a test whose own process has ended before the test: in which phase, its exit code or minus the signal
/// that killed it, and the Python stack that faulthandler has written.
#[must_use]
pub fn of_forked_test(phase: &str, status: i64, stack: &str) -> String {
    let crash = Crash {
        phase,
        status,
        ..Crash::default()
    };
    let parts = ["the process of the test crashed", &crash.end(), stack.trim()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}

fn meaning(status: i64) -> Option<(&'static str, &'static str)> {
    let found = SIGNALS.iter().find(|(number, _, _)| *number == -status)?;
    Some((found.1, found.2))
}

impl Crash<'_> {
    /// The text of the report. Its first line is that of pytest-xdist, or names the time limit.
    #[must_use]
    pub fn text(&self) -> String {
        let (worker, test, phase) = (self.worker, self.test, self.phase);
        let mut parts = Vec::new();
        if let Some(limit) = self.time_limit {
            let limit = spoken(limit);
            parts.push(format!(
                "Timeout: the test ran longer than {limit}; worker '{worker}' was ended in its {phase}"
            ));
            // It was told to abort.
            parts.push(
                self.stack
                    .trim_start_matches("Fatal Python error: Aborted")
                    .trim()
                    .to_owned(),
            );
        } else {
            parts.push(format!("worker '{worker}' crashed while running '{test}'"));
            parts.push(self.end());
            parts.push(self.stack.trim().to_owned());
        }
        parts.push(self.companions());
        if self.time_limit.is_none() && !self.is_sent {
            parts.push(self.advice());
        }
        parts.retain(|part| !part.is_empty());
        parts.join("\n\n")
    }

    /// How the worker died, in which phase, and its memory.
    fn end(&self) -> String {
        let how = match meaning(self.status) {
            _ if self.status >= 0 => format!("exited with code {}", self.status),
            Some(("SIGKILL", _)) if self.is_sent => {
                "was killed by SIGKILL, which rustpar has sent,".to_owned()
            }
            Some(("SIGKILL", _)) => "was killed by SIGKILL".to_owned(),
            Some((name, words)) => format!("was killed by {name} ({words})"),
            None => format!("was killed by signal {}", -self.status),
        };
        let memory = match self.memory {
            (_, 0) => String::new(),
            (0, most) => format!("; its memory was {} at most", size::spoken(most)),
            (last, most) if last >= most => format!("; its memory was {}", size::spoken(most)),
            (last, most) => format!(
                "; its memory was {} when last measured, {} at most",
                size::spoken(last),
                size::spoken(most)
            ),
        };
        format!("it {how} in the {} of the test{memory}", self.phase)
    }

    /// What ran at the same time.
    fn companions(&self) -> String {
        let mut shown: Vec<String> = self
            .beside
            .iter()
            .take(MOST_BESIDE)
            .map(|(worker, test, time)| format!("  {worker}: {test} (for {})", spoken(*time)))
            .collect();
        if shown.is_empty() {
            return String::new();
        }
        let more = self.beside.len() - shown.len();
        if more > 0 {
            shown.push(format!("  and {more} more"));
        }
        format!("At the same time ran:\n{}", shown.join("\n"))
    }

    /// What to do.
    fn advice(&self) -> String {
        let alone = format!("pytest -n0 {}", shell::joined(&[self.test.to_owned()]));
        if self.status == -9 && self.has_lost_parent {
            return format!(
                "The process that forks workers has died, and the kernel has killed its children with it. Without \
                 workers: {alone}"
            );
        }
        match (self.status, self.killed_for_memory) {
            (-9, (true, _)) => {
                "The kernel has killed a process of this control group (container) because its memory \
                                limit was reached. Use fewer workers (-n), have large workers replaced \
                                (--rustpar-max-rss), or raise the limit."
                    .to_owned()
            }
            (-9, (_, true)) => {
                "The kernel has killed a process because the machine ran out of memory. Use fewer \
                                workers (-n), or have large workers replaced (--rustpar-max-rss)."
                    .to_owned()
            }
            (-9, _) => {
                "Another process has killed it: perhaps the test itself, a job's time limit or a memory \
                        watcher such as systemd-oomd; the system's log may say which."
                    .to_owned()
            }
            (-4 | -7 | -8 | -11, _) => format!(
                "C code has crashed: an extension module, or a function called through ctypes. Without workers: {alone}"
            ),
            (-6, _) => format!(
                "The process has aborted itself: a failed assertion or corrupted memory in C code, or os.abort(). Without \
                 workers: {alone}"
            ),
            (0.., _) => format!(
                "The test, or code that it has called, has ended the process, for example with os._exit(). Without \
                 workers: {alone}"
            ),
            _ => format!(
                "The signal came from a process: perhaps from the test itself. Without workers: {alone}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crash() -> Crash<'static> {
        Crash {
            worker: "gw1",
            test: "tests/test_a.py::test_a[x y]",
            phase: "call",
            status: -11,
            stack: "Fatal Python error: Segmentation fault\n\n  File \"test_a.py\", line 3 in test_a\n",
            memory: (50 << 20, 60 << 20),
            beside: vec![("gw0".to_owned(), "tests/test_b.py::test_b".to_owned(), 1_500_000)],
            ..Crash::default()
        }
    }

    #[test]
    fn a_crash_says_how_where_with_what_memory_beside_what_and_what_to_do() {
        insta::assert_snapshot!("segmentation_fault", crash().text());
        let limit = Crash {
            time_limit: Some(60_000_000),
            status: -6,
            stack: "Fatal Python error: Aborted\n\n  File \"test_a.py\", line 3 in test_a\n",
            ..crash()
        };
        insta::assert_snapshot!("time_limit", limit.text());
    }

    #[test]
    fn a_stack_says_below_its_frames_that_those_of_pytest_are_omitted() {
        let stack = "\
Fatal Python error: Aborted

Current thread 0x01 (most recent call first):
  File \"/suite/test_a.py\", line 3 in crash
  File \"/lib/site-packages/_pytest/python.py\", line 159 in pytest_pyfunc_call
  File \"/suite/plugin.py\", line 4 in hook
  File \"/lib/site-packages/pluggy/_callers.py\", line 121 in _multicall
  File \"<frozen runpy>\", line 88 in _run_code

Extension modules: a.b (total: 1)
";
        let expected = "\
Fatal Python error: Aborted

Current thread 0x01 (most recent call first):
  File \"/suite/test_a.py\", line 3 in crash
  File \"/suite/plugin.py\", line 4 in hook
  (frames of pytest omitted)

Extension modules: a.b (total: 1)";
        assert_eq!(shortened_stack(stack), expected);
        assert_eq!(
            shortened_stack("  File \"<frozen runpy>\", line 88 in _run_code\n"),
            OMITTED
        );
        assert_eq!(
            shortened_stack("  File \"a.py\", line 1 in f\n\n"),
            "  File \"a.py\", line 1 in f"
        );
        assert_eq!(shortened_stack(""), "");
    }

    #[test]
    fn the_advice_depends_on_the_end() {
        let bare = |status, killed_for_memory| {
            Crash {
                status,
                killed_for_memory,
                stack: "",
                memory: (0, 0),
                beside: Vec::new(),
                ..crash()
            }
            .text()
        };
        let none = (false, false);
        let texts = [
            bare(-9, (true, true)),
            bare(-9, (false, true)),
            bare(-9, none),
            bare(-6, none),
            bare(-15, none),
            bare(-40, none),
            bare(3, none),
            Crash {
                status: -9,
                has_lost_parent: true,
                ..crash()
            }
            .text(),
        ];
        insta::assert_snapshot!("advice", texts.join("\n---\n"));
    }

    #[test]
    fn many_tests_at_the_same_time_are_counted() {
        let beside: Vec<_> = (0..20)
            .map(|worker| (format!("gw{worker}"), "test_b.py::test_b".to_owned(), 1))
            .collect();
        let text = Crash { beside, ..crash() }.text();
        assert_eq!(text.matches("test_b.py::test_b").count(), MOST_BESIDE);
        assert!(text.contains("and 12 more"));
    }
}
