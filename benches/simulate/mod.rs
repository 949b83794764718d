//! Simulates each policy on thousands of random suites in virtual time, and compares with the best possible schedule.
//!
//! The hazard it handles: a policy tuned on one suite is good at that suite. Here a run takes milliseconds, so a change
//! is judged on many families of suites at once, in comparison with pytest-xdist. It is a model: workers never compete
//! for a CPU, so engines do not differ in overhead, only in decisions and in latency.
//!
//! - [`suite`]: tests with true durations, files, and shared fixture instances; [`families`] makes random ones,
//!   [`recorded`] reads real durations.
//! - [`machines`]: the duration of a test on a worker, setups included; both engines use it.
//! - [`engine`]: rustpar's engine around a real `rustpar::schedule::policy::Policy`, created and fed by [`policies`].
//! - [`xdist`]: three schedulers of pytest-xdist 3.8, with its messages and its workers.
//! - [`bound`]: the lower bound of every schedule. [`contest`] runs everything, [`table`] prints.
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

/// Simulates the suites that the arguments select and writes one block of the table per family or file as it completes.
pub(crate) fn run(arguments: impl Iterator<Item = String>, out: &mut impl Write) -> Result<(), String> {
    let Some(options) = Options::parse(arguments)? else {
        return written(out.write_all(USAGE.as_bytes()));
    };
    written(table::head(out))?;
    let mut all = Contest::default();
    for (name, family) in options.families()? {
        let mut contest = Contest::default();
        for (workers, mut dice) in options.rounds() {
            contest.run_suite(&family(&mut dice), workers);
        }
        written(table::block(out, name, &contest))?;
        all.append(contest);
    }
    for path in &options.files {
        let suite = recorded::read(path)?;
        let mut contest = Contest::default();
        for &workers in &options.workers {
            contest.run_suite(&suite, workers);
        }
        written(table::block(out, path, &contest))?;
        all.append(contest);
    }
    written(table::block(out, "all", &all))
}

fn written(result: std::io::Result<()>) -> Result<(), String> {
    result.map_err(|error| format!("failed to write: {error}"))
}
