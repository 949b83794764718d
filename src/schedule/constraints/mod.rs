//! Scheduling constraints: order classes, and tests that must not run at the same time. The director
//! is itself a policy; it has one policy for each class and passes it only the tests that may run.

pub mod director;
pub mod marks;
pub mod needs;
