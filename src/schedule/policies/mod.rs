//! The policies, one file each; state shared by several of them is in [`held`], [`backlog`] and [`unit_hand`].

mod backlog;
pub mod each;
pub mod load;
pub mod scope;
#[cfg(test)]
pub(crate) mod script;
mod unit_hand;
pub mod units;
pub(crate) mod worker_queues;
pub mod worksteal;
