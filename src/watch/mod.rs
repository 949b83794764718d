//! `rustpar watch`: which files of a project have changed, what to run then, and what to say about it.
//!
//! | file | what is in it |
//! |---|---|
//! | [`exclusions`] | files and directories that are never watched |
//! | [`walk`] | the files and directories of a project |
//! | [`snapshot`] | the contents of files, and what differs from those of an earlier look |
//! | [`notifier`] | notices of the operating system that something may have changed |
//! | [`session`] | which tests the next run has to run |
//! | [`text`] | the lines below a run |
//!
//! The hazard it handles: notices are late, lost or about files whose content is as before, and runs write files
//! themselves. So a notice only says when to look; what has changed is decided by content, and what runs write must not
//! start the next one for ever.

pub mod exclusions;
pub mod notifier;
pub mod session;
pub mod snapshot;
pub mod text;
pub mod walk;
