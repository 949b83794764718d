//! Running again what a worker of an earlier run has run, and finding the fewest tests that make one of them fail.
//!
//! | file | what is in it |
//! |---|---|
//! | [`order`] | what each process of a run ran, in which order, and what ran at the same time |
//! | [`choice`] | finding a worker and a test by what the user has typed |
//! | [`setting`] | how pytest is started so that it is as in the run: arguments, environment, seeds |
//! | [`ddmin`] | delta debugging |
//! | [`failure`] | whether a test fails as it did in the run |
//! | [`case`] | a failed test, and everything that may be the cause |
//! | [`search`] | which trials to run next, and what their results mean |
//! | [`verdict`] | the cause that was found, in words |
//!
//! Nothing here runs a test: a trial is a description, and its result comes back as text.

pub mod case;
pub mod choice;
pub mod ddmin;
pub mod failure;
pub mod order;
pub mod search;
pub mod setting;
pub mod verdict;
