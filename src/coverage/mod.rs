//! Joining coverage.py's data files (schema 7) into one.
//!
//! A data file is a `SQLite` database (<https://coverage.readthedocs.io/en/latest/dbschema.html>). It is read and
//! written here by its file format, without a second `SQLite` library in the process: two of them can break a file that
//! both hold open. What is not known for certain (another schema, a damaged file, a journal beside it) is refused with
//! a reason and left to coverage.py.
//!
//! - [`sqlite`]: the file format, as far as data files need it.
//! - [`data`]: what one data file holds.
//! - [`join`]: the union of many, by the rules of `CoverageData.update`.
//! - [`file`]: the result, as a data file.

pub mod data;
pub mod file;
pub mod join;
pub mod sqlite;

pub use data::{Data, Unreadable};
pub use join::{Conflict, Joined};

#[cfg(test)]
mod tests;
