//! The watchdog of the controller: it says when Python has been busy with a batch of events for very long, because a
//! plugin's hook hangs, and keeps the time limit of the run even then.
//!
//! The hazard it handles: the controller cannot say so itself. Its stack is written by `faulthandler`, on a signal, and
//! the rest by the engine's thread, which must not wait for a terminal that nobody reads. And a process that was stopped
//! for an hour has not been busy for an hour, so only time counts in which this thread could run.

use crate::platform::main_thread;
use crate::text::duration;
use std::io::IsTerminal;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The most time that counts between two checks, which are at most 40 ms apart unless the process was stopped.
const MOST: Duration = Duration::from_millis(200);

/// How long a busy controller may take to notice the time limit of the run.
const NOTICE: Duration = Duration::from_secs(3);

/// How long an interrupt may take before the next step.
const REACTION: Duration = Duration::from_secs(2);

/// How long the run may take to end after its interrupts: workers are given 10 s to tear down.
const END: Duration = Duration::from_secs(15);

/// What Python does: even while it waits for events, odd while it handles them. Each change adds one.
#[derive(Debug, Clone)]
pub struct Activity(Arc<AtomicU64>);

impl Activity {
    /// Python handles something until it waits for events.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1)))
    }

    /// Notes that Python waits for events, or has got them.
    pub fn change(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Activity {
    fn default() -> Self {
        Self::new()
    }
}

/// What a watchdog needs to know.
#[derive(Debug)]
pub struct Settings {
    /// How long Python may be busy with one batch of events.
    pub limit: Duration,
    /// When the run has to end; `None` without a time limit.
    pub end: Option<Instant>,
    /// The exit status of a run that has to be ended from here.
    pub status: i32,
    /// The signal on which the main thread writes its stack to standard error; `None` if it does not.
    pub stack_signal: Option<i32>,
    /// The signal that interrupts Python.
    pub interrupt_signal: i32,
    /// Standard error of the run.
    pub errors: OwnedFd,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Say that Python has been busy for so long.
    Report(Duration),
    /// Interrupt the main thread: as with Ctrl-C, the second interrupt is raised in a hook.
    Interrupt,
    /// End the process.
    Exit,
}

/// The watchdog.
#[derive(Debug)]
pub struct Watchdog {
    settings: Option<Settings>,
    activity: Activity,
    /// The activity at the last check, and for how long it has been the same.
    seen: u64,
    busy: Duration,
    is_reported: bool,
    /// Interrupts that were sent, and the time since the last one.
    interrupts: u32,
    since: Duration,
    checked: Instant,
}

impl Watchdog {
    /// Watches what `activity` says.
    #[must_use]
    pub fn new(activity: Activity) -> Self {
        Self {
            settings: None,
            activity,
            seen: 0,
            busy: Duration::ZERO,
            is_reported: false,
            interrupts: 0,
            since: Duration::ZERO,
            checked: Instant::now(),
        }
    }

    /// Sets what to watch; before that, nothing is watched.
    pub fn set(&mut self, settings: Settings) {
        self.settings = Some(settings);
    }

    /// Checks the controller, and does what is due.
    pub fn look(&mut self) {
        let now = Instant::now();
        let passed = now.duration_since(self.checked).min(MOST);
        self.checked = now;
        let Some(step) = self.check(self.activity.now(), passed, now) else {
            return;
        };
        let Some(settings) = &self.settings else { return };
        match step {
            Step::Report(busy) => {
                let erase = settings.errors.is_terminal();
                let text = report(busy, settings.stack_signal.is_some(), erase);
                main_thread::write_at_once(settings.errors.as_fd(), &text);
                if let Some(signal) = settings.stack_signal {
                    main_thread::signal(signal);
                }
            }
            Step::Interrupt => main_thread::signal(settings.interrupt_signal),
            Step::Exit => {
                let text = "rustpar: the main process does not react to an interrupt; it is ended\n";
                main_thread::write_at_once(settings.errors.as_fd(), text);
                main_thread::exit_now(settings.status);
            }
        }
    }

    fn check(&mut self, activity: u64, passed: Duration, now: Instant) -> Option<Step> {
        let settings = self.settings.as_ref()?;
        self.since += passed;
        if activity != self.seen || activity.is_multiple_of(2) {
            self.seen = activity;
            self.busy = Duration::ZERO;
            self.is_reported = false;
            return None;
        }
        self.busy += passed;
        let is_over = settings.end.is_some_and(|end| now >= end + NOTICE);
        if !self.is_reported && (self.busy >= settings.limit || (is_over && self.busy >= NOTICE)) {
            self.is_reported = true;
            self.since = Duration::ZERO;
            return Some(Step::Report(self.busy));
        }
        if !is_over || !self.is_reported {
            return None;
        }
        let pause = match self.interrupts {
            0 => Duration::ZERO,
            1 => REACTION,
            _ => END,
        };
        if self.since < pause {
            return None;
        }
        self.since = Duration::ZERO;
        self.interrupts += 1;
        Some(if self.interrupts > 2 {
            Step::Exit
        } else {
            Step::Interrupt
        })
    }
}

/// The text for a controller that is busy; `erase` erases a live area below the output, which it would be mixed with.
fn report(busy: Duration, has_stack: bool, erase: bool) -> String {
    let erase = if erase { "\x1b[J" } else { "" };
    let busy = duration::spoken(duration::micros(busy.as_secs_f64()));
    let stack = if has_stack { "; its stack:" } else { "" };
    format!(
        "{erase}\nrustpar: the main process has been busy for {busy} and takes no results, because a plugin's hook may \
         hang{stack}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watchdog(end: Option<Instant>) -> Watchdog {
        let mut watchdog = Watchdog::new(Activity::new());
        watchdog.set(Settings {
            limit: Duration::from_mins(1),
            end,
            status: 124,
            stack_signal: Some(59),
            interrupt_signal: 2,
            errors: std::io::stderr()
                .as_fd()
                .try_clone_to_owned()
                .expect("a descriptor"),
        });
        watchdog
    }

    /// The steps at times in seconds, with one check each tenth of a second.
    fn steps(watchdog: &mut Watchdog, activity: u64, seconds: u32) -> Vec<(u32, Step)> {
        let begin = Instant::now();
        let tenth = Duration::from_millis(100);
        (1..=seconds * 10)
            .filter_map(|count| {
                Some((
                    count / 10,
                    watchdog.check(activity, tenth, begin + tenth * count)?,
                ))
            })
            .collect()
    }

    #[test]
    fn a_hook_that_hangs_is_reported_once() {
        let found = steps(&mut watchdog(None), 1, 300);
        assert!(
            matches!(found[..], [(60, Step::Report(busy))] if busy == Duration::from_mins(1)),
            "{found:?}"
        );
    }

    #[test]
    fn waiting_for_events_and_short_batches_are_not_reported() {
        assert_eq!(steps(&mut watchdog(None), 2, 300), []);
        let mut watchdog = watchdog(None);
        for activity in 0..20 {
            assert_eq!(steps(&mut watchdog, activity, 50), []);
        }
    }

    #[test]
    fn time_in_which_the_process_was_stopped_does_not_count() {
        let mut watchdog = watchdog(None);
        watchdog.seen = 1;
        watchdog.checked = Instant::now()
            .checked_sub(Duration::from_hours(1))
            .expect("an uptime");
        watchdog.look();
        assert_eq!(watchdog.busy, MOST);
    }

    #[test]
    fn a_run_over_its_limit_is_interrupted_twice_and_then_ended() {
        let mut watchdog = watchdog(Some(Instant::now() + Duration::from_secs(10)));
        let found = steps(&mut watchdog, 1, 60);
        let kinds: Vec<_> = found.iter().map(|(_, step)| *step).collect();
        assert!(
            matches!(
                kinds[..4],
                [Step::Report(_), Step::Interrupt, Step::Interrupt, Step::Exit]
            ),
            "{found:?}"
        );
        let times: Vec<_> = found.iter().map(|(time, _)| *time).take(4).collect();
        assert_eq!(times, [13, 13, 15, 30]);
    }

    #[test]
    fn a_run_over_its_limit_that_handles_events_is_left_alone() {
        let mut watchdog = watchdog(Some(Instant::now()));
        for activity in 0..200 {
            assert_eq!(steps(&mut watchdog, activity, 2), []);
        }
    }

    #[test]
    fn the_report_says_what_happened() {
        let busy = Duration::from_mins(1);
        let said = "rustpar: the main process has been busy for 1:00 min and takes no results, because a plugin's hook \
                    may hang";
        assert_eq!(report(busy, true, false), format!("\n{said}; its stack:\n"));
        assert_eq!(report(busy, false, true), format!("\x1b[J\n{said}\n"));
    }
}
