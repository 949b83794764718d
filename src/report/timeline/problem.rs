//! Errors of making a timeline.

use crate::analysis::parse::ParseError;

/// Why there is no timeline.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The process that wrote the journal was killed before its first event.
    #[error("the journal contains no run")]
    NoRun,
    /// The data cannot be represented as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The journal contains invalid thresholds.
    #[error(transparent)]
    Thresholds(#[from] ParseError),
}
