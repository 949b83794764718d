//! Tests that must not run beside one another, and the order of classes of tests: a policy over policies.

pub mod director;
pub mod marks;
pub mod needs;
