//! Which tests depend on the files that have changed (`--rustpar-changed`).
//!
//! | file | what is in it |
//! |---|---|
//! | [`git`] | parsing of git's lists of files |
//! | [`kind`] | what a file is, by its path: configuration, source of an extension, documentation, code or data |
//! | [`files`] | the files of the repository, and the files that the name of a module may mean |
//! | [`facts`] | what a file of Python says about others |
//! | [`scans`] | the facts of files by content, stored between runs |
//! | [`memory`] | what tests have imported dynamically and opened, stored between runs |
//! | [`repository`] | the graph with the paths of the file system, and the content of files |
//! | [`graph`] | which file depends on which, starting from the tests |
//! | [`selection`] | the way from the changed files back to the tests |
//! | [`text`] | the lines about the selection |
//!
//! The hazard it handles: a test that is left out although it would fail. Each rule takes more files than Python would
//! use: a name stands for every file that it can mean, and what cannot be known selects more tests.

pub mod facts;
pub mod files;
pub mod git;
pub mod graph;
pub mod kind;
pub mod memory;
pub mod repository;
pub mod scans;
pub mod selection;
mod stored;
pub mod text;

#[cfg(test)]
mod tests;
