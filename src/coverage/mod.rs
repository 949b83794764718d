//! Joining coverage.py's data files (schema 7) into one.
//!
//! A data file is a `SQLite` database (<https://coverage.readthedocs.io/en/latest/dbschema.html>). It is read and
//! written here at the level of the file format, without a second `SQLite` library in the process: two of them can
//! corrupt a file that both hold open. Files that are not fully understood (another schema, damage, a journal beside
//! the file) are refused with a reason and left to coverage.py.
//!
//! - [`sqlite`]: the part of the file format that data files use.
//! - [`data`]: contents of one data file.
//! - [`duplicates`]: files with the same contents.
//! - [`join`]: the union of many, by the rules of `CoverageData.update`.
//! - [`file`]: writing the result as a data file.

pub mod data;
pub mod duplicates;
pub mod file;
pub mod join;
pub mod sqlite;

pub use data::{Data, Unreadable};
pub use join::{Conflict, Joined};

#[cfg(test)]
mod tests;
