//! What is made from a run's journal, for people and for machines.
//!
//! | file | what is in it |
//! |---|---|
//! | [`timeline`] | a page that shows the run |

pub mod timeline;
