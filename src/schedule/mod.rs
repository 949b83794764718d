//! Scheduling: which worker runs which test, and when.
//!
//! Everything here is pure. A policy sees test indices, worker numbers and scope keys, and answers with
//! [`policy::Action`]s; it knows no process, no clock and no I/O, so a whole run can be simulated and checked.
//!
//! The hazard it handles: a test must run exactly once, whatever happens to the workers. Each worker has a queue of
//! tests, which it empties from the front. Until a worker has claimed a test, the engine can take it back from the end
//! of the queue; a policy never assumes that a take-back succeeds, but waits for [`policy::Policy::returned`] with the
//! tests that came back.
//!
//! | policy | pending tests are | an idle worker takes back |
//! |---|---|---|
//! | [`policies::load`] | assigned in pieces, the earliest first | the end of the queue where both workers would finish soonest |
//! | [`policies::worksteal`] | split into one block per worker, up front | half of the longest queue |
//! | [`policies::units`] | assigned in units that stay on one worker | half of the units not started in the longest queue |
//! | [`policies::each`] | all tests, for every worker | nothing |
//!
//! [`constraints::director`] is a policy over policies, for order classes and tests that must not run at the same time;
//! [`retries`] is one around any policy, for failed tests that are tried again, and [`repeats`] one that runs every test
//! several times. [`mode`] creates all policies. [`simulation`] runs one in virtual time with the durations of
//! [`forecast`]; [`expected_run`] combines the simulated schedule with its [`lower_bound`].
//!
//! Before that, [`order_classes`] sorts tests by their markers, [`sharding`] divides them among machines,
//! [`backoff`] computes the delay before a failed test is tried again, [`constraints::marks`] parses their constraints, and [`worker_count`] chooses the number of workers.

pub mod backoff;
pub mod constraints;
pub mod expected_run;
pub mod forecast;
pub mod lower_bound;
pub mod mode;
pub mod order_classes;
mod pieces;
pub mod policies;
pub mod policy;
pub mod repeats;
pub mod retries;
pub mod sharding;
pub mod simulation;
pub mod worker_count;
