//! How workers spent their time.
//!
//! Tests run from the decision about their distribution to the end of the last one. A worker is measured over the part
//! of that time in which it existed: a replacement from its start, a lost worker until its end. Time outside tests is
//! idle, also after a worker has exited because no tests were left.

use crate::journal::Micros;
use crate::journal::event::Ending;
use crate::journal::run::{Attempt, Process, Run};
use crate::protocol::report::Phase;
use std::ops::Range;

/// The usage of one worker. `busy` and `idle` add up to its time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// The process, as an index into [`Run::processes`].
    pub process: usize,
    /// Number of attempts.
    pub tests: usize,
    /// Time in phases of tests, including the phase in which the process crashed.
    pub busy: Micros,
    /// The part of that in setups.
    pub set_up: Micros,
    /// The part of that in shared fixtures.
    pub shared: Micros,
    /// The rest of its time.
    pub idle: Micros,
}

/// The time in which tests ran: from the start decision to the end of the last one. Empty if none ran.
#[must_use]
pub fn window(run: &Run) -> Range<Micros> {
    let settled = run.start.as_ref().map_or(run.collected.at, |start| start.at);
    let first = run.attempts.iter().filter_map(Attempt::began).min();
    let ended = run.attempts.iter().filter_map(Attempt::ended);
    let last = ended
        .chain(run.processes.iter().filter_map(crashed_in_test))
        .max();
    let begin = first.map_or(settled, |first| first.min(settled));
    begin..last.map_or(begin, |last| last.max(begin))
}

/// The usage of each worker, sorted by number; without workers, of the main process.
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
    // If workers ran the tests, the main process is not included.
    usages.retain(|usage| usage.tests > 0 || run.processes[usage.process].number.is_some());
    usages.sort_by_key(|usage| run.processes[usage.process].number);
    for usage in &mut usages {
        usage.idle = time_of(&run.processes[usage.process], &window).saturating_sub(usage.busy);
    }
    usages
}

/// The time at which a process crashed in a test.
fn crashed_in_test(process: &Process) -> Option<Micros> {
    let gone = process.gone.as_ref()?;
    (gone.how == Ending::Crashed && gone.running.is_some()).then_some(gone.at)
}

/// Duration of the phase in which a process crashed: from the end of its last reported phase.
fn unreported(run: &Run, process: usize, window: &Range<Micros>) -> Micros {
    let Some(died) = crashed_in_test(&run.processes[process]) else {
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
