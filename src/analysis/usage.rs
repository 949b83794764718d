//! What workers did with their time.
//!
//! Tests run from when their distribution is settled to the end of the last one. A worker has that time, or the part of it
//! in which it was there: a replacement from when it came, and one that was lost until then. What is left of it beside
//! tests is idle, also when a worker has left because nothing was left to do.

use crate::journal::Micros;
use crate::journal::event::Ending;
use crate::journal::run::{Attempt, Process, Run};
use crate::protocol::report::Phase;
use std::ops::Range;

/// What one worker did. Its time is `busy` and `idle` together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// The process, as an index into [`Run::processes`].
    pub process: usize,
    /// How many tests it began.
    pub tests: usize,
    /// The time in phases of tests, also in one that the process died in.
    pub busy: Micros,
    /// The part of that in set-ups.
    pub set_up: Micros,
    /// The part of that in shared fixtures.
    pub shared: Micros,
    /// The rest of its time.
    pub idle: Micros,
}

/// When tests ran: from when that could begin to the end of the last one. Empty when none did.
#[must_use]
pub fn window(run: &Run) -> Range<Micros> {
    let settled = run.start.as_ref().map_or(run.collected.at, |start| start.at);
    let first = run.attempts.iter().filter_map(Attempt::began).min();
    let ended = run.attempts.iter().filter_map(Attempt::ended);
    let last = ended.chain(run.processes.iter().filter_map(died_in_test)).max();
    let begin = first.map_or(settled, |first| first.min(settled));
    begin..last.map_or(begin, |last| last.max(begin))
}

/// What each worker did, in the order of their numbers; without workers, the one process.
#[must_use]
pub fn usage(run: &Run) -> Vec<Usage> {
    let window = window(run);
    let mut usages: Vec<Usage> = (0..run.processes.len())
        .map(|process| Usage {
            process,
            ..Usage::default()
        })
        .collect();
    for attempt in &run.attempts {
        let usage = &mut usages[attempt.process];
        usage.tests += 1;
        usage.busy += attempt.took();
        usage.set_up += attempt.phases[Phase::Setup as usize].map_or(0, |phase| phase.took);
        usage.shared += attempt.shared;
    }
    for usage in &mut usages {
        usage.busy += unreported(run, usage.process, &window);
    }
    // The process that the user has started is there as well, where workers ran the tests.
    usages.retain(|usage| usage.tests > 0 || run.processes[usage.process].number.is_some());
    usages.sort_by_key(|usage| run.processes[usage.process].number);
    for usage in &mut usages {
        usage.idle = time_of(&run.processes[usage.process], &window).saturating_sub(usage.busy);
    }
    usages
}

/// When a process died while it ran a test.
fn died_in_test(process: &Process) -> Option<Micros> {
    let gone = process.gone.as_ref()?;
    (gone.how == Ending::Crashed && gone.running.is_some()).then_some(gone.at)
}

/// The time of a process in the phase that it died in: from the end of the last one that it has told of.
fn unreported(run: &Run, process: usize, window: &Range<Micros>) -> Micros {
    let Some(died) = died_in_test(&run.processes[process]) else {
        return 0;
    };
    let own = run.attempts.iter().filter(|attempt| attempt.process == process);
    let came = run.processes[process].came.unwrap_or(0).max(window.start);
    let told = own.filter_map(Attempt::ended).max().unwrap_or(came);
    died.saturating_sub(told)
}

fn time_of(process: &Process, window: &Range<Micros>) -> Micros {
    let begin = process.came.map_or(window.start, |came| came.max(window.start));
    let gone = process.gone.as_ref().filter(|gone| gone.how != Ending::Left);
    let end = gone.map_or(window.end, |gone| gone.at.min(window.end));
    end.saturating_sub(begin)
}
