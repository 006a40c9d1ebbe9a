//! What can go wrong in the server's own records.

use crate::base::{Class, Classify};
use crate::engine::db::DbError;

/// A failure of the audit chain, the metrics or the log.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The audit chain does not hold.
    #[error("the audit chain is broken at entry {first_bad}: {why}")]
    Chain {
        /// Sequence number of the first entry that is not as it was written, or is missing.
        first_bad: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The metrics do not encode.
    #[error("the metrics do not encode")]
    Metrics(#[from] std::fmt::Error),
    /// The log filter does not parse.
    #[error("the log filter does not parse: {0}")]
    LogFilter(String),
    /// A log was started before.
    #[error("the log was started before")]
    LogStarted,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] DbError),
}

impl Classify for OpsError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::Chain { .. } => (Class::Conflict, "audit_chain_broken"),
            Self::Metrics(_) => (Class::Broken, "metrics"),
            Self::LogFilter(_) => (Class::Invalid, "log_filter"),
            Self::LogStarted => (Class::Conflict, "log_started"),
            Self::Storage(error) => error.class(),
        }
    }
}
