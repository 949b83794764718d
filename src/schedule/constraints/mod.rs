//! Scheduling constraints: order classes, and tests that must not run at the same time. Implemented as a policy over
//! policies.

pub mod director;
pub mod marks;
pub mod needs;
