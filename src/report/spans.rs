//! Start and end times of attempts.
//!
//! The hazard it handles: when a worker crashes, its unreported phases are lost, perhaps all those of the current test.
//! Such a test is taken to have started when the previous one ended, and to have ended with the worker.

use crate::journal::Micros;
use crate::journal::run::Run;

/// The start and end of each attempt, in the order of [`Run::attempts`].
#[must_use]
pub fn spans(run: &Run) -> Vec<(Micros, Micros)> {
    let came = run.processes.iter().map(|process| process.came.unwrap_or(0));
    // The time at which each process finished its previous attempt.
    let mut idle_since: Vec<Micros> = came.collect();
    let spans = run.attempts.iter().map(|attempt| {
        let idle_since = &mut idle_since[attempt.process];
        let gone = run.processes[attempt.process].gone.as_ref();
        let died = gone.filter(|_| attempt.crashed).map(|gone| gone.at);
        let began = attempt.began().unwrap_or(*idle_since);
        let ended = attempt.ended().max(died).map_or(began, |ended| ended.max(began));
        *idle_since = ended;
        (began, ended)
    });
    spans.collect()
}
