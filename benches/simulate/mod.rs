//! How far from the best possible schedule each policy ends, over thousands of random suites, in virtual time.
//!
//! The hazard it handles: a policy that is tuned on one suite is good at that suite. Here a run costs
//! milliseconds, so a change is judged by many families of suites at once, beside what pytest-xdist does with
//! them. It is a model: workers never compete for a CPU, so engines do not differ in overhead, only in decisions
//! and in the time that passes between a question and its answer.
//!
//! - [`suite`]: tests with true durations, files, and shared fixture instances; [`families`] makes random ones,
//!   [`recorded`] reads real durations.
//! - [`machines`]: what running a test costs a worker, set-ups included; both engines use it.
//! - [`engine`]: rustpar's engine around a real `rustpar::schedule::policy::Policy`, which [`policies`] makes and talks to.
//! - [`xdist`]: three schedulers of pytest-xdist 3.8, with its messages and its workers.
//! - [`bound`]: the time no schedule can beat. [`contest`] runs everything, [`table`] prints.
//!
//! `cargo bench --bench simulate -- --help` shows the options.

pub(crate) mod bound;
pub(crate) mod contest;
pub(crate) mod dice;
pub(crate) mod engine;
pub(crate) mod families;
pub(crate) mod machines;
pub(crate) mod options;
pub(crate) mod policies;
pub(crate) mod recorded;
pub(crate) mod suite;
pub(crate) mod table;
pub(crate) mod xdist;

use std::io::Write;

use contest::Contest;
use options::{Options, USAGE};

/// Simulates what the arguments ask for and writes one block of the table per family or file, as it is done.
pub(crate) fn run(arguments: impl Iterator<Item = String>, out: &mut impl Write) -> Result<(), String> {
    let Some(options) = Options::parse(arguments)? else {
        return written(out.write_all(USAGE.as_bytes()));
    };
    written(table::head(out))?;
    let mut all = Contest::default();
    for (name, family) in options.families()? {
        let mut contest = Contest::default();
        for (workers, mut dice) in options.rounds() {
            contest.enter(&family(&mut dice), workers);
        }
        written(table::block(out, name, &contest))?;
        all.append(contest);
    }
    for path in &options.files {
        let suite = recorded::read(path)?;
        let mut contest = Contest::default();
        for &workers in &options.workers {
            contest.enter(&suite, workers);
        }
        written(table::block(out, path, &contest))?;
        all.append(contest);
    }
    written(table::block(out, "all", &all))
}

fn written(result: std::io::Result<()>) -> Result<(), String> {
    result.map_err(|error| format!("failed to write: {error}"))
}
