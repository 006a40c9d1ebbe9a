//! What can go wrong with a job, for the caller and inside a body.

use crate::base::{Class, Classify};
use crate::engine::db::DbError;

/// A failure of the job queue.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// No such job for this caller.
    #[error("no such job")]
    Missing,
    /// The job ended; it can no longer be cancelled.
    #[error("the job already ended as {0}")]
    Ended(&'static str),
    /// Only failed and cancelled jobs can be run again.
    #[error("the job is {0}; only a failed or cancelled job can be retried")]
    NotRetryable(&'static str),
    /// The job was cancelled while its body ran; the body's write is undone.
    #[error("the job was cancelled")]
    Cancelled,
    /// The owner has too many unfinished jobs.
    #[error("{0} jobs are waiting already")]
    TooMany(usize),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] DbError),
}

impl Classify for JobsError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::Missing => (Class::Missing, "job_missing"),
            Self::Ended(_) => (Class::Conflict, "job_ended"),
            Self::NotRetryable(_) => (Class::Conflict, "job_not_retryable"),
            Self::Cancelled => (Class::Conflict, "job_cancelled"),
            Self::TooMany(_) => (Class::TooMany, "too_many_jobs"),
            Self::Storage(error) => error.class(),
        }
    }
}

/// How a body says that it did not finish.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JobFailure {
    /// Stable code, shown to the owner.
    pub code: &'static str,
    /// What happened, shown to the owner: no internals.
    pub message: String,
    /// What to do with the job now.
    pub then: Then,
}

/// What a failure means for the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Another attempt would fail the same way.
    GiveUp,
    /// Another attempt may succeed; attempts are counted and spaced.
    Retry,
    /// Nothing failed: what the job waits for is not there yet. It gives its worker free and looks
    /// again after this many milliseconds; no attempt is used up.
    Wait(i64),
}

impl JobFailure {
    /// Another attempt would fail the same way.
    pub fn permanent(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), then: Then::GiveUp }
    }

    /// Another attempt may succeed.
    pub fn retry(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), then: Then::Retry }
    }

    /// What the job waits for is not there yet; it looks again after `delay_ms`.
    pub fn wait(delay_ms: i64, message: impl Into<String>) -> Self {
        Self { code: "waiting", message: message.into(), then: Then::Wait(delay_ms) }
    }

    /// From a room's error: our own faults are retried, the rest is permanent.
    pub fn from_error(error: &impl Classify) -> Self {
        match error.class() {
            (Class::Broken | Class::Unavailable | Class::Full, code) => {
                tracing::warn!(%error, code, "a job attempt failed");
                Self::retry(code, "an internal fault interrupted the job")
            }
            (_, code) => Self::permanent(code, error.to_string()),
        }
    }
}
