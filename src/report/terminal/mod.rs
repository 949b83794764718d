//! Lines for a terminal, at the end of a run and of the commands that read journals.
//!
//! | file | what its lines tell |
//! |---|---|
//! | [`timing`] | where the time of a run went, and whether it kept its thresholds |

pub mod timing;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its text.
    pub text: String,
    /// Whether it is to catch the eye, by its colour.
    pub stands_out: bool,
}
