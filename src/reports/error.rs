//! What can go wrong with a report, and what a caller may be told.

use super::words::{ReportStatus, ReportType};
use crate::base::id::ReportId;
use crate::base::{Class, Classify, FieldError};
use crate::cases::CaseError;
use crate::engine::db::DbError;
use crate::jobs::JobsError;

/// A failure of an operation on a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The case has no such report, or it has outlived its time.
    #[error("the case has no report {0}")]
    Missing(ReportId),
    /// Reports of this type are not written.
    #[error(
        "a {0} report is about many cases and cannot be generated from one; \
             post_mortem, runbook and summary can"
    )]
    Unavailable(ReportType),
    /// Documents of this format are not made.
    #[error("reports can be downloaded as md or json; {0} is not available")]
    FormatUnavailable(&'static str),
    /// The case is not one to report on.
    #[error("{0}")]
    CaseState(&'static str),
    /// The report may not go from one status to the other.
    #[error("a report may not go from {} to {}; valid_next_states: {}",
        .from.as_str(), .to.as_str(), states(*.from))]
    Transition {
        /// Status now.
        from: ReportStatus,
        /// Status asked for.
        to: ReportStatus,
    },
    /// The report was changed since the caller read it.
    #[error("version {expected} was expected and version {actual} was found")]
    Version {
        /// Revision the caller knows.
        expected: u64,
        /// Revision there is.
        actual: u64,
    },
    /// A field is not as it must be.
    #[error("{}: {}", .0.field, .0.message)]
    Field(FieldError),
    /// The case does not allow it.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The job could not be queued or completed.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] DbError),
}

fn states(from: ReportStatus) -> String {
    match from.next() {
        [] => "none".to_owned(),
        next => next.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", "),
    }
}

impl ReportError {
    /// A wrong field.
    pub(super) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Field(FieldError::new(field, message))
    }
}

impl Classify for ReportError {
    fn class(&self) -> (Class, &'static str) {
        match self {
            Self::Missing(_) => (Class::Missing, "report_missing"),
            Self::Unavailable(_) => (Class::Invalid, "report_type_unavailable"),
            Self::FormatUnavailable(_) => (Class::Invalid, "report_format_unavailable"),
            Self::CaseState(_) => (Class::Conflict, "case_state"),
            Self::Transition { .. } => (Class::Conflict, "report_transition"),
            Self::Version { .. } => (Class::Precondition, "version_mismatch"),
            Self::Field(_) => (Class::Invalid, "report_invalid"),
            Self::Case(error) => error.class(),
            Self::Jobs(error) => error.class(),
            Self::Storage(error) => error.class(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Unavailable(_) => vec![FieldError::new("report_types", self.to_string())],
            Self::FormatUnavailable(_) => vec![FieldError::new("format", self.to_string())],
            Self::Transition { from, .. } => {
                vec![FieldError::new("valid_next_states", states(*from))]
            }
            Self::Field(field) => vec![field.clone()],
            Self::Case(error) => error.fields(),
            _ => Vec::new(),
        }
    }
}
