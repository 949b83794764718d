//! Text for the terminal of a run that goes on.
//!
//! [`live_block`] shows how far the run is.

pub mod live_block;
