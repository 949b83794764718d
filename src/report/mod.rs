//! What journals tell, for other programs and for the eye. Everything comes from what was read of journals.
//!
//! | file | what it writes |
//! |---|---|
//! | [`junit`] | `JUnit` XML, as pytest's own |
//! | [`ctrf`] | the Common Test Report Format, JSON |
//! | [`github`] | annotations and a job summary for GitHub Actions |
//! | [`trace`] | Chrome trace events, which Perfetto opens |
//! | [`timeline`] | a page of HTML |
//! | [`memory`] | what each process held, and where it grew |
//! | [`text`] | a summary for a terminal |
//! | [`terminal`] | where the time went, for a terminal |
//!
//! [`failures`] lists what went wrong, and what ran beside it; [`spans`] tells when attempts ran; [`address`] takes node ids
//! apart; [`moment`] writes moments down; [`cut`] shortens texts.

pub mod address;
pub mod ctrf;
pub mod cut;
pub mod failures;
pub mod github;
pub mod junit;
pub mod memory;
pub mod moment;
pub mod spans;
pub mod terminal;
pub mod text;
pub mod timeline;
pub mod trace;

#[cfg(test)]
mod tests;
