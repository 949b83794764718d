//! When the attempts of a run began and ended.
//!
//! The hazard it handles: a worker that dies takes along what it had not reported yet, perhaps all phases of the test that
//! it died in. That test began when what ran before it had ended, and ended with the worker.

use crate::journal::Micros;
use crate::journal::run::Run;

/// Begin and end of each attempt, in the order of [`Run::attempts`].
#[must_use]
pub fn spans(run: &Run) -> Vec<(Micros, Micros)> {
    let came = run.processes.iter().map(|process| process.came.unwrap_or(0));
    // When each process had done what came before.
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
