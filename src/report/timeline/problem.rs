//! Why a timeline has nothing to show.

use crate::analysis::parse::ParseError;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The process that wrote was killed before it had begun.
    #[error("the journal holds no run")]
    NoRun,
    /// What was measured is no JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The journal names thresholds that cannot be understood.
    #[error(transparent)]
    Thresholds(#[from] ParseError),
}
