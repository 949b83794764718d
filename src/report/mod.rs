//! Reports made from journals, for other programs and for people.
//!
//! | module | what it produces |
//! |---|---|
//! | [`junit`] | `JUnit` XML like pytest's own |
//! | [`ctrf`] | the Common Test Report Format, JSON |
//! | [`github`] | annotations and a job summary for GitHub Actions |
//! | [`trace`] | a Chrome trace, which Perfetto can open |
//! | [`load_export`] | load tests as JSON and CSV |
//! | [`timeline`] | an HTML page |
//! | [`memory`] | memory use of each process, and where it grew |
//! | [`text`] | a summary for a terminal |
//! | [`terminal`] | texts that runs and commands show in a terminal |
//!
//! [`failures`] lists failures and the tests that ran at the same time; [`spans`] computes the start and end of
//! attempts; [`address`] parses node ids; [`moment`] formats times; [`cut`] shortens texts.

pub mod address;
pub mod ctrf;
pub mod cut;
pub mod failures;
pub mod github;
pub mod junit;
pub mod load_export;
pub mod memory;
pub mod moment;
pub mod spans;
pub mod terminal;
pub mod text;
pub mod timeline;
pub mod trace;

#[cfg(test)]
mod tests;
